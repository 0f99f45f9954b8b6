"""Inbound endpoints: which webhook URL this is, and the secrets to check its bodies with."""

import hashlib
import time
from dataclasses import dataclass, field

from functions.core.db import Database
from functions.messaging import rpc
from functions.messaging.credentials import Vault, place_of_address
from functions.providers.base import Secrets

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

    def __init__(self, db: Database, vault: Vault) -> None:
        self._db = db
        self._vault = vault
        self._known: dict[tuple[str, str], tuple[float, Endpoint]] = {}

    async def find(self, provider: str, token: str, *, fresh: bool = False) -> Endpoint | None:
        """None for an unknown or revoked token. `fresh` asks the database in any case.

        Raises: NotConfigured where its secrets do not open.
        """
        key = (provider, hashlib.sha256(token.encode()).hexdigest())
        until, endpoint = self._known.get(key, (0.0, None))
        if not fresh and endpoint is not None and time.monotonic() < until:
            return endpoint
        self._known.pop(key, None)
        row = await rpc.find_inbound_endpoint(self._db.as_service(), *key)
        if row is None:
            return None
        secrets = self._vault.open(row["secrets"], place_of_address(key[1]))
        endpoint = Endpoint(row["id"], row["route"], secrets)
        if len(self._known) >= CACHE_SIZE:
            self._known.clear()
        self._known[key] = (time.monotonic() + CACHE_SECONDS, endpoint)
        return endpoint
