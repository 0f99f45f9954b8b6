"""Credentials at rest: sealed before they leave this process, opened only to be used.

AES-256-GCM with a key that the database never sees. What is sealed is bound to its place (the
number or the webhook address it belongs to): copied into another row it does not open.

    v1.<id of the key>.<nonce and ciphertext, base64url>
"""

import base64
import binascii
import hashlib
import secrets
from collections.abc import Mapping
from typing import Any

import orjson

from functions.core.errors import NotConfigured
from functions.providers.base import Instance

VERSION = "v1"
KEY_BYTES = 32
# NIST SP 800-38D recommends 96 bits for GCM.
NONCE_BYTES = 12
MAKE_A_KEY = "Make one with: openssl rand -base64 32"


class Vault:
    """Seals and opens with the keys of CREDENTIALS_KEY: the first one seals, all of them open."""

    def __init__(self, keys: str) -> None:
        """`keys`: base64 of 32 bytes each, comma-separated, newest first. Read at first use."""
        self._given = keys
        self._keys: dict[str, bytes] = {}

    def seal(self, what: Mapping[str, Any], place: str) -> str:
        """The object as text that only this vault opens, and only for `place`.

        Raises: NotConfigured not_configured, invalid_credentials_key.
        """
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # 13 ms: not at the start

        key_id, key = next(iter(self._read_keys().items()))
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = AESGCM(key).encrypt(nonce, orjson.dumps(what), place.encode())
        return f"{VERSION}.{key_id}.{_encoded(nonce + sealed)}"

    def open(self, sealed: str, place: str) -> dict[str, Any]:
        """What was sealed for `place`.

        Raises: NotConfigured: not_configured, invalid_credentials_key, or credentials_unreadable
        where its key is none of ours, or it was sealed for another place.
        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        version, _, rest = sealed.partition(".")
        key_id, _, content = rest.partition(".")
        key = self._read_keys().get(key_id)
        if version != VERSION or key is None:
            raise _unreadable(f"They are sealed with the key {key_id or 'of another form'}.")
        try:
            raw = _decoded(content)
            opened = AESGCM(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], place.encode())
        except (InvalidTag, ValueError):
            raise _unreadable("They were changed, or sealed for another row.") from None
        value: dict[str, Any] = orjson.loads(opened)
        return value

    @property
    def key_id(self) -> str:
        """Names the key that seals; the same for the same key everywhere."""
        return next(iter(self._read_keys()))

    def _read_keys(self) -> dict[str, bytes]:
        if not self._keys:
            self._keys = dict(_read_key(each) for each in self._given.split(",") if each.strip())
        if not self._keys:
            raise NotConfigured(
                "CREDENTIALS_KEY is not set, so no credentials can be kept or used.",
                hint=f"{MAKE_A_KEY}, set it and deploy again.",
            )
        return self._keys


def place_of_number(instance_id: str) -> str:
    return f"instance:{instance_id}"


def place_of_address(token_hash: str) -> str:
    return f"endpoint:{token_hash}"


def instance_of(vault: Vault, row: Mapping[str, Any]) -> Instance:
    """The number as a provider takes it; its credentials come sealed. Raises NotConfigured."""
    credentials = vault.open(row["credentials"], place_of_number(row["id"]))
    return Instance(**{**row, "credentials": credentials})


def _read_key(text: str) -> tuple[str, bytes]:
    try:
        key = _decoded(text.strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise NotConfigured(
            f"A key in CREDENTIALS_KEY is not {KEY_BYTES} bytes as base64.",
            code="invalid_credentials_key",
            hint=f"{MAKE_A_KEY}.",
        )
    return hashlib.sha256(key).hexdigest()[:8], key


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    """Of either alphabet. Raises ValueError."""
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None


def _unreadable(why: str) -> NotConfigured:
    return NotConfigured(
        f"These credentials do not open with CREDENTIALS_KEY. {why}",
        code="credentials_unreadable",
        hint="Add the key that sealed them behind the first one, or enter the credentials again.",
    )
