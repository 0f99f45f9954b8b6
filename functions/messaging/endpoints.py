"""Inbound endpoints: which webhook URL this is, and the secrets to check its bodies with."""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from functions.core.db import Database
from functions.core.errors import NotFound, Unauthorized
from functions.messaging import rpc
from functions.messaging.credentials import Vault, place_of_address
from functions.providers.base import Provider, Secrets

# How long a revoked URL or secret may still be accepted by a warm instance. A body that does not
# verify asks the database again, so a new secret works at once.
CACHE_SECONDS = 30.0
CACHE_SIZE = 1000


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A live webhook URL. `route` is its number's name where it serves one number only."""

    id: str
    route: str | None
    secrets: Secrets = field(repr=False)


class Endpoints:
    """Looks webhook URLs up by their token, remembering live ones for a moment."""

    def __init__(self, db: Database, vault: Vault, providers: Mapping[str, Provider]) -> None:
        self._db = db
        self._vault = vault
        self._providers = providers
        self._known: dict[tuple[str, str], tuple[float, Endpoint]] = {}

    def provider(self, name: str) -> Provider:
        """Raises NotFound unknown_provider."""
        if name not in self._providers:
            raise NotFound("There is no such provider.", code="unknown_provider")
        return self._providers[name]

    async def verified(
        self, provider: Provider, token: str, headers: Mapping[str, str], raw: bytes
    ) -> Endpoint:
        """The webhook URL with whose secrets these bytes verify. Raises as `find`, Unauthorized."""
        for fresh in (False, True):
            endpoint = await self.find(provider.name, token, fresh=fresh)
            if provider.verify(headers, raw, endpoint.secrets):
                return endpoint
        raise Unauthorized(
            "The body is not signed with a secret of this endpoint.", code="invalid_signature"
        )

    async def find(self, provider: str, token: str, *, fresh: bool = False) -> Endpoint:
        """A live webhook URL. `fresh` asks the database in any case.

        Raises: NotFound for an unknown or revoked token; NotConfigured where its secrets do not
        open.
        """
        key = (provider, hashlib.sha256(token.encode()).hexdigest())
        until, endpoint = self._known.get(key, (0.0, None))
        if not fresh and endpoint is not None and time.monotonic() < until:
            return endpoint
        self._known.pop(key, None)
        row = await rpc.find_inbound_endpoint(self._db.as_service(), *key)
        if row is None:
            raise NotFound("There is no such webhook address.", code="unknown_endpoint")
        secrets = self._vault.open(row["secrets"], place_of_address(key[1]))
        endpoint = Endpoint(row["id"], row["route"], secrets)
        if len(self._known) >= CACHE_SIZE:
            self._known.clear()
        self._known[key] = (time.monotonic() + CACHE_SECONDS, endpoint)
        return endpoint
