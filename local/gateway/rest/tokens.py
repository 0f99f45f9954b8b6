"""Who asks: the JWT of a request, verified as PostgREST does it."""

import re
import time
from dataclasses import dataclass
from typing import Any

import jwt
import orjson

from local.gateway.rest.errors import RestError, bad_token
from local.keys import LEEWAY_SECONDS, Keys

# Verifying a signature costs more than the rest of a small request.
REMEMBERED_TOKENS = 2000
# In the verifier's words.
NO_NUMBER = re.compile(r"\((exp|nbf|iat)\) must be an integer")


@dataclass(frozen=True, slots=True)
class Caller:
    """The role to switch to and the claims, as the JSON text put into request.jwt.claims."""

    role: str
    claims_json: str
    expires_at: float


ANONYMOUS = Caller("anon", '{"role":"anon"}', float("inf"))


class Tokens:
    """Verifies access tokens and remembers those it has seen until they expire."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._known: dict[str, Caller] = {}

    def caller(self, authorization: str) -> Caller:
        """Who the Authorization header names; without a role it is anon.

        Raises: RestError 401 PGRST301 (no valid token), PGRST303 (expired or not yet valid).
        """
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return ANONYMOUS
        token = token.strip()
        known = self._known.get(token)
        if known is not None and time.time() < known.expires_at:
            return known
        claims = self._verify(token)
        role = claims.get("role", "anon")
        role = role if isinstance(role, str) else orjson.dumps(role).decode()
        expires_at = float(claims.get("exp", float("inf"))) + LEEWAY_SECONDS
        caller = Caller(role, orjson.dumps({**claims, "role": role}).decode(), expires_at)
        if len(self._known) >= REMEMBERED_TOKENS:
            self._known.pop(next(iter(self._known)))
        self._known[token] = caller
        return caller

    def _verify(self, token: str) -> dict[str, Any]:
        if not token:
            raise bad_token("PGRST301", "Empty JWT is sent in Authorization header")
        parts = len(token.split("."))
        if parts != 3:
            raise bad_token("PGRST301", f"Expected 3 parts in JWT; got {parts}")
        try:
            claims = self._keys.verify(token)
        except jwt.PyJWTError as error:
            raise _refusal(error) from error
        audience = claims.get("aud", [])
        named = [audience] if isinstance(audience, str) else audience
        if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
            message = "The JWT 'aud' claim must be a string or an array of strings"
            raise bad_token("PGRST303", message)
        return claims


def _refusal(error: jwt.PyJWTError) -> RestError:
    if isinstance(error, jwt.ExpiredSignatureError):
        return bad_token("PGRST303", "JWT expired")
    if isinstance(error, jwt.ImmatureSignatureError):
        issued = "iat" in str(error)
        return bad_token("PGRST303", "JWT issued at future" if issued else "JWT not yet valid")
    if isinstance(error, jwt.InvalidAlgorithmError):
        details = "JWT is unsecured but expected 'alg' was not 'none'"
        return bad_token("PGRST301", "Wrong or unsupported encoding algorithm", details)
    if isinstance(error, jwt.InvalidSignatureError):
        details = "None of the keys was able to decode the JWT"
        return bad_token("PGRST301", "No suitable key or wrong key type", details)
    if claim := NO_NUMBER.search(str(error)):
        return bad_token("PGRST303", f"The JWT '{claim[1]}' claim must be a number")
    if isinstance(error, jwt.DecodeError):
        return bad_token("PGRST301", "JWT cryptographic operation failed")
    return bad_token("PGRST303", "Parsing claims failed")
