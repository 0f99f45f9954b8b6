"""Password hashes: scrypt, which Python has; hosted uses bcrypt, so hashes do not carry over."""

import asyncio
import base64
import hashlib
import hmac
import os

from local.gateway.auth.errors import AuthError

MINIMUM_LENGTH = 6
# About 30 ms and 16 MB for each hash.
COST, BLOCK_SIZE, PARALLEL = 2**14, 8, 1


def check_strength(password: str) -> None:
    """Raises weak_password when it is shorter than a new project demands."""
    if len(password) < MINIMUM_LENGTH:
        message = f"Password should be at least {MINIMUM_LENGTH} characters."
        raise AuthError(422, "weak_password", message, weak_password={"reasons": ["length"]})


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
