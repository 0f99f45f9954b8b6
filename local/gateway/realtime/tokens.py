"""Who speaks: a token or API key becomes claims, or the reason hosted gives for refusing it."""

import time
from typing import Any

import jwt

from local.keys import Keys

Claims = dict[str, Any]


class Refused(Exception):
    """A join or connection that is not allowed: `code` as hosted names it, and a sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


def claims_of(keys: Keys, token: str) -> Claims:
    """Claims of a JWT or of an opaque `sb_` key, which has no expiry. Raises Refused."""
    if token.startswith("sb_") and (role := keys.role_of(token)):
        return {"role": role}
    try:
        claims = keys.verify(token)
    except jwt.ExpiredSignatureError:
        raise _expired(jwt.decode(token, options={"verify_signature": False})) from None
    except jwt.InvalidSignatureError:
        raise Refused("JwtSignatureError", "Failed to validate JWT signature") from None
    except jwt.PyJWTError:
        raise Refused("MalformedJWT", "The token provided is not a valid JWT") from None
    if "role" not in claims or not isinstance(claims.get("exp"), int | float):
        raise Refused("InvalidJWTToken", "Fields `role` and `exp` are required in JWT")
    if claims["exp"] <= time.time():
        raise _expired(claims)
    return claims


def seconds_left(claims: Claims) -> float | None:
    """None for an opaque key."""
    return claims["exp"] - time.time() if "exp" in claims else None


def _expired(claims: Claims) -> Refused:
    seconds = max(0, round(time.time() - claims["exp"]))
    return Refused("InvalidJWTToken", f"Token has expired {seconds} seconds ago")
