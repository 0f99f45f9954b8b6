"""Who calls: a user with an access token of the project, or a machine with an API key.

Tokens signed with the project's asymmetric keys are verified here against its JWKS. Others (legacy
HS256) are shown to the auth server, which alone holds that secret. Either way the database checks
the token again: this layer only answers early and knows who it is.
"""

import hashlib
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx

from functions.core.db import Database, Rpc
from functions.core.errors import NotFound, Unauthorized, Unavailable
from functions.core.http import HttpClient
from functions.core.settings import Settings

API_KEY_PREFIX = "rk_"
ASYMMETRIC = ("ES256", "RS256", "EdDSA")
# Keys rotate rarely; an unknown key id asks again at once, but not more often than this.
JWKS_SECONDS = 600.0
JWKS_RETRY_SECONDS = 10.0
CLOCK_LEEWAY_SECONDS = 30
# Verifying a signature costs a sixth of a read: a verified token counts as such for this long.
VERIFIED_SECONDS = 60.0
VERIFIED_TOKENS = 1000


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom a request acts for, and the database as they see it."""

    rpc: Rpc
    user_id: str | None = None
    company_id: str | None = None
    """Set for machine callers, whose key belongs to one company."""

    def company(self, asked: UUID | None) -> str | None:
        """The company to act for. Raises NotFound when a machine asks for another one."""
        if self.company_id is None:
            return str(asked) if asked else None
        if asked is not None and str(asked) != self.company_id:
            raise NotFound(
                "There is no such company, or this key is not for it.", code="company_not_found"
            )
        return self.company_id


class Authenticator:
    """Turns a bearer token into a Caller."""

    def __init__(self, settings: Settings, db: Database, http: HttpClient) -> None:
        self._settings = settings
        self._db = db
        self._http = http
        self._keys: dict[str, Any] = {}
        self._keys_at = float("-inf")
        self._verified: dict[str, tuple[float, str]] = {}
        """token -> until when (epoch seconds), whose"""

    async def caller(self, token: str | None) -> Caller:
        """Raises: Unauthorized; Unavailable when the auth server does not answer."""
        if not token:
            raise Unauthorized(
                "There is no bearer token.",
                hint="Send 'Authorization: Bearer <access token or API key>'.",
            )
        if token.startswith(API_KEY_PREFIX):
            return await self._machine(token)
        until, user_id = self._verified.get(token, (0.0, ""))
        if time.time() >= until:
            user_id = await self._verify(token)
        return Caller(self._db.as_user(token), user_id=user_id)

    async def _machine(self, key: str) -> Caller:
        rpc = self._db.as_service()
        key_hash = hashlib.sha256(key.encode()).hexdigest()
        found = await rpc.call("find_api_key", {"p_key_hash": key_hash})
        if found is None:
            raise Unauthorized("This API key is unknown or revoked.", code="invalid_api_key")
        return Caller(rpc, company_id=found["company_id"])

    async def _verify(self, token: str) -> str:
        """The user id in a valid token."""
        import jwt  # cryptography costs 60 ms: only where users sign in

        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            raise Unauthorized("The access token is malformed.", hint="Sign in again.") from None
        if header.get("alg") not in ASYMMETRIC or not header.get("kid"):
            return await self._ask_auth_server(token)
        key = await self._key(str(header["kid"]))
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=list(ASYMMETRIC),
                audience="authenticated",
                leeway=CLOCK_LEEWAY_SECONDS,
                options={"require": ["exp", "sub"]},
            )
        except jwt.ExpiredSignatureError:
            raise Unauthorized(
                "The access token has expired.", code="token_expired", hint="Refresh it."
            ) from None
        except (jwt.PyJWTError, TypeError, ValueError):
            raise Unauthorized("The access token is not valid.", hint="Sign in again.") from None
        user_id = str(claims["sub"])
        self._remember(token, float(claims["exp"]), user_id)
        return user_id

    def _remember(self, token: str, expires_at: float, user_id: str) -> None:
        if len(self._verified) >= VERIFIED_TOKENS:
            self._verified.clear()
        until = min(expires_at + CLOCK_LEEWAY_SECONDS, time.time() + VERIFIED_SECONDS)
        self._verified[token] = until, user_id

    async def _key(self, kid: str) -> Any:
        age = time.monotonic() - self._keys_at
        if age > JWKS_SECONDS or (kid not in self._keys and age > JWKS_RETRY_SECONDS):
            await self._load_keys()
        if kid not in self._keys:
            raise Unauthorized("The access token is signed with an unknown key.")
        return self._keys[kid]

    async def _load_keys(self) -> None:
        import jwt

        response = await self._get("/auth/v1/.well-known/jwks.json", None)
        try:
            published = jwt.PyJWKSet.from_dict(response.json()).keys
            self._keys = {key.key_id: key.key for key in published if key.key_id}
        except (jwt.PyJWTError, ValueError):
            # A project on legacy keys publishes an empty set.
            self._keys = {}
        self._keys_at = time.monotonic()

    async def _ask_auth_server(self, token: str) -> str:
        response = await self._get("/auth/v1/user", token)
        if response.status_code != 200:
            raise Unauthorized("The access token is not valid.", hint="Sign in again.")
        return str(response.json()["id"])

    async def _get(self, path: str, token: str | None) -> httpx.Response:
        self._settings.require_database()
        key = self._settings.publishable_key
        headers = {"apikey": key} | ({"authorization": f"Bearer {token}"} if token else {})
        try:
            response = await self._http.get().get(
                self._settings.supabase_url + path, headers=headers
            )
        except httpx.HTTPError as error:
            raise Unavailable("The auth server does not answer.", hint="Try again.") from error
        if response.status_code >= 500:
            raise Unavailable("The auth server does not answer.", hint="Try again.")
        return response
