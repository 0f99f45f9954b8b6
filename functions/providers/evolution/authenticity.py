"""Whether a webhook comes from our Evolution server.

Evolution signs no bodies. It sends headers that the instance's webhook is configured with, or,
for the configured header `jwt_key`, an HS256 JWT made with that key for each request.

Recommended: `{"headers": {"x-webhook-token": "<token>"}}` in `webhook/set`. It reaches us on every
retry, while the JWT of a delivery repeated after ten minutes has expired and the event is lost.
Also read, because installations use them: `authorization: Bearer <token>`, `x-recado-token`,
`apikey`.
"""

import hashlib
import hmac
from collections.abc import Mapping

from functions.providers.base import Secrets

TOKEN_HEADERS = ("x-webhook-token", "x-recado-token", "apikey")


def is_authentic(headers: Mapping[str, str], secrets: Secrets) -> bool:
    """True when a header carries one of the tokens or a JWT made with one of the keys.

    With neither configured the secret in the URL is the only one there is, and has been checked.
    """
    tokens = [token for token in secrets.get("tokens", []) if token]
    jwt_keys = [key for key in secrets.get("jwt_keys", []) if key]
    if not tokens and not jwt_keys:
        return True
    lowered = {name.lower(): value for name, value in headers.items()}
    bearer = _bearer(lowered.get("authorization", ""))
    presented = [lowered[name] for name in TOKEN_HEADERS if name in lowered]
    if bearer is not None:
        presented.append(bearer)
    if any(_same(value, token) for value in presented for token in tokens):
        return True
    return bearer is not None and any(_is_evolution_jwt(bearer, key) for key in jwt_keys)


def _bearer(header: str) -> str | None:
    scheme, _, value = header.strip().partition(" ")
    return value.strip() if scheme.lower() == "bearer" else None


def _same(presented: str, token: str) -> bool:
    # Digests: neither the length nor a character outside ASCII makes a difference in time.
    return hmac.compare_digest(_digest(presented), _digest(token))


def _digest(value: str) -> bytes:
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).digest()


def _is_evolution_jwt(token: str, key: str) -> bool:
    import jwt  # most installations use a token: this would be a third of the cold start

    # Evolution signs with any key its operator has chosen. A short one filled up with zeros makes
    # the same signatures (RFC 2104), and PyJWT does not warn of its length on every request.
    filled = key.encode("utf-8", "surrogatepass").ljust(32, b"\0")
    try:
        claims = jwt.decode(
            token,
            filled,
            algorithms=["HS256"],
            leeway=60,  # the two clocks
            options={"require": ["exp"], "verify_iat": False},
        )
    except (jwt.PyJWTError, ValueError):
        return False
    return claims.get("app") == "evolution" and claims.get("action") == "webhook"
