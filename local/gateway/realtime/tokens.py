"""Who speaks: a token or API key becomes claims, or the reason hosted gives for refusing it."""

import time
from typing import Any
from urllib.parse import unquote

import jwt

from local.keys import Keys

Claims = dict[str, Any]
NO_SIGNER = "Failed to generate JWT signer, check your JWT secret or JWKS configuration"


class Refused(Exception):
    """A join or connection that is not allowed: `code` as hosted names it, and a sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Expired(Refused):
    """The token was good once."""

    def __init__(self, claims: Claims) -> None:
        seconds = max(0, round(time.time() - claims["exp"]))
        super().__init__("InvalidJWTToken", f"Token has expired {seconds} seconds ago")


def claims_of(keys: Keys, token: str) -> Claims:
    """Claims of a JWT or of an opaque `sb_` key, which has no expiry. Raises Refused."""
    if token.startswith("sb_") and (role := keys.role_of(token)):
        return {"role": role}
    token = "".join(unquote(token).split())
    try:
        _check_signer(keys, jwt.get_unverified_header(token))
        claims = keys.verify(token)
    except jwt.ExpiredSignatureError:
        raise Expired(jwt.decode(token, options={"verify_signature": False})) from None
    except jwt.InvalidSignatureError:
        raise Refused("JwtSignatureError", "Failed to validate JWT signature") from None
    except jwt.PyJWTError:
        raise Refused("MalformedJWT", "The token provided is not a valid JWT") from None
    if "role" not in claims or not isinstance(claims.get("exp"), int | float):
        raise Refused("InvalidJWTToken", "Fields `role` and `exp` are required in JWT")
    if claims["exp"] <= time.time():
        raise Expired(claims)
    return claims


def seconds_left(claims: Claims) -> float | None:
    """None for an opaque key."""
    return claims["exp"] - time.time() if "exp" in claims else None


def _check_signer(keys: Keys, header: dict[str, Any]) -> None:
    """Refuse what no key of this project can have signed."""
    algorithm, kid = header.get("alg"), header.get("kid")
    if algorithm == "ES256" and kid not in (None, keys.es256_kid):
        message = NO_SIGNER.replace("signer,", f'signer for key ID (kid) "{kid}",')
        raise Refused("JwtSignerError", message)
    if algorithm not in ("HS256", "ES256") or (algorithm == "ES256" and kid is None):
        raise Refused("JwtSignerError", NO_SIGNER)
