"""Password hashes: scrypt, which Python has; hosted uses bcrypt, so hashes do not carry over."""

import asyncio
import base64
import hashlib
import hmac
import os

from local.gateway.auth.config import AuthConfig
from local.gateway.auth.errors import AuthError, invalid

# bcrypt's, which hosted uses.
MAXIMUM_BYTES = 72
# About 30 ms and 16 MB for each hash.
COST, BLOCK_SIZE, PARALLEL = 2**14, 8, 1


def weakness(password: str, config: AuthConfig) -> dict[str, object] | None:
    """`message` and `reasons` (length, characters) why the project calls it weak, or None."""
    messages, reasons = [], []
    if len(password.encode()) < config.minimum_password_length:
        reasons.append("length")
        messages.append(f"Password should be at least {config.minimum_password_length} characters.")
    wanted = config.required_characters
    if not all(set(characters) & set(password) for characters in wanted):
        reasons.append("characters")
        each = ", ".join(wanted)
        messages.append(f"Password should contain at least one character of each: {each}.")
    return {"message": " ".join(messages), "reasons": reasons} if reasons else None


def check_strength(password: str, config: AuthConfig) -> None:
    """Raises: 422 weak_password, 400 validation_failed for one that bcrypt would cut."""
    check_length(password, f"Password cannot be longer than {MAXIMUM_BYTES} characters")
    weak = weakness(password, config)
    if weak:
        reasons = {"reasons": weak["reasons"]}
        raise AuthError(422, "weak_password", str(weak["message"]), weak_password=reasons)


def check_length(password: str, message: str) -> None:
    """Raises: 400 validation_failed for one that bcrypt would cut."""
    if len(password.encode()) > MAXIMUM_BYTES:
        raise invalid(message)


async def hash_password(password: str) -> str:
    """The text to store."""
    salt = os.urandom(16)
    digest = await asyncio.to_thread(_scrypt, password, salt)
    return f"$scrypt${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


async def matches(password: str, stored: str | None) -> bool:
    """Whether `password` is the one that was hashed; as slow when there is none."""
    _, _, salt, digest = (stored or "$scrypt$AAAA$AAAA").split("$")
    found = await asyncio.to_thread(_scrypt, password, base64.b64decode(salt))
    return hmac.compare_digest(found, base64.b64decode(digest))


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=COST, r=BLOCK_SIZE, p=PARALLEL)
