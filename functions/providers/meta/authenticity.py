"""Whether a request comes from Meta: the subscription's GET and the signature of every POST."""

import hashlib
import hmac
import re
from collections.abc import Mapping

from functions.providers.base import Secrets

_SIGNATURE = re.compile(r"sha256=([0-9a-fA-F]{64})", re.ASCII)


def answer_challenge(query: Mapping[str, str], secrets: Secrets) -> str | None:
    """The challenge as plain text for one of our verify tokens; carries no signature."""
    token = query.get("hub.verify_token", "")
    if query.get("hub.mode") != "subscribe" or not token:
        return None
    expected = [known for known in secrets.get("verify_tokens", []) if known]
    if not any(hmac.compare_digest(_digest(token), _digest(known)) for known in expected):
        return None
    return query.get("hub.challenge")


def is_signed(headers: Mapping[str, str], raw: bytes, secrets: Secrets) -> bool:
    """`X-Hub-Signature-256` over these bytes with one of the app secrets; none configured: no."""
    lowered = {name.lower(): value for name, value in headers.items()}
    match = _SIGNATURE.fullmatch(lowered.get("x-hub-signature-256", "").strip())
    if match is None:
        return False
    presented = bytes.fromhex(match[1])
    app_secrets = [secret for secret in secrets.get("app_secrets", []) if secret]
    return any(
        hmac.compare_digest(presented, hmac.digest(secret.encode(), raw, "sha256"))
        for secret in app_secrets
    )


def _digest(value: str) -> bytes:
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).digest()
