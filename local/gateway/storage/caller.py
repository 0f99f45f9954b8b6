"""Who calls /storage/v1: the bearer token's role and claims. No API key is asked for."""

from dataclasses import dataclass, field
from typing import Any

import jwt
from starlette.requests import Request

from local.gateway.context import Gateway
from local.gateway.storage.errors import StorageError, access_denied, invalid_shape


@dataclass(frozen=True, slots=True)
class Caller:
    """The role to act as and the claims that policies see; `signed_in` when a token said so."""

    role: str
    claims: dict[str, Any] = field(default_factory=dict)
    signed_in: bool = True

    @property
    def owner(self) -> str | None:
        """Who owns what this caller makes: the token's `sub`; a service has none."""
        subject = self.claims.get("sub")
        return subject if isinstance(subject, str) else None


ANONYMOUS = Caller("anon", {"role": "anon"}, signed_in=False)
# What the service itself does, or does for the holder of a link.
SERVICE = Caller("service_role", {"role": "service_role"})


def gateway_of(request: Request) -> Gateway:
    """The gateway behind the request."""
    gateway: Gateway = request.app.state.gateway
    return gateway


def caller_of(request: Request) -> Caller:
    """Raises: 400 without an Authorization header, 403 when its token is no good."""
    header = request.headers.get("authorization")
    if header is None:
        raise invalid_shape("headers must have required property 'authorization'")
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer":
        token = header  # a bare token is accepted too
    try:
        claims = gateway_of(request).keys.verify(token.strip())
    except jwt.PyJWTError as error:
        raise access_denied(reason(error)) from error
    role = claims.get("role") or "anon"
    return Caller(str(role), {**claims, "role": role})


def caller_or_anonymous(request: Request) -> Caller:
    """As above, and ANONYMOUS instead of a refusal: public buckets are open to everybody."""
    try:
        return caller_of(request)
    except StorageError:
        return ANONYMOUS


def require_service(request: Request) -> Caller:
    """Raises: 403 unless the token's role is service_role."""
    caller = caller_of(request)
    if caller.role != SERVICE.role:
        raise access_denied("Access denied: Invalid role", http_status=403)
    return caller


def reason(error: jwt.PyJWTError) -> str:
    """What is wrong with a token, in the words of the library that hosted projects use."""
    if isinstance(error, jwt.ExpiredSignatureError):
        return '"exp" claim timestamp check failed'
    if isinstance(error, jwt.ImmatureSignatureError):
        return '"nbf" claim timestamp check failed'
    if isinstance(error, jwt.InvalidSignatureError):
        return "signature verification failed"
    return "Invalid Compact JWS"
