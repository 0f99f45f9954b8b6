"""What a provider's answers about a number are to whoever asked."""

from datetime import datetime, timedelta
from typing import Any

from functions.core.errors import AppError, Conflict, InvalidRequest, Unavailable
from functions.messaging.numbers_models import NewNumber
from functions.providers.base import SendResult
from functions.providers.commands import Answer, Webhook

Json = dict[str, Any]

# Evolution makes a new code after this long; its `qrTimeout` in whatsapp.baileys.service.ts.
QR_SECONDS = 45


def scannable(state: str, code: str | None, pairing: str | None, made: datetime | None) -> Json:
    """A numbers_models.Qr: what a code made at that time is worth in this state."""
    if state != "qr":
        code = pairing = None
    shown = code or pairing
    return {
        "state": state,
        "code": code,
        "image": drawn(code) if code else None,
        "pairing_code": pairing,
        "expires_at": made + timedelta(seconds=QR_SECONDS) if made and shown else None,
    }


def drawn(code: str) -> str:
    """The QR of a text as a data: address."""
    import segno  # only while a number is being linked

    address: str = segno.make(code, error="l", micro=False).png_data_uri(scale=6, border=4)
    return address


def refusal(failure: SendResult) -> AppError:
    """What a provider's failure is to whoever asked for something."""
    said = failure.error or failure.code or "The provider gave no reason."
    # 190: Meta's word for a token that has ended or never was one.
    if failure.http_status in (401, 403) or failure.code == "190":
        return InvalidRequest(
            f"The provider does not accept these credentials: {said}",
            code="credentials_refused",
            hint="Check the key or token, the id of the number and the server's address.",
        )
    if failure.outcome in ("retryable", "unknown"):
        return Unavailable(
            f"The provider does not answer: {said}",
            code="provider_unavailable",
            hint="Try again in a moment.",
        )
    if failure.outcome == "paused" and failure.error_class != "configuration":
        return Conflict(f"The provider asks for a pause: {said}", code="provider_paused")
    return InvalidRequest(f"The provider refused: {said}", code="provider_refused")


def webhook_state(wanted: NewNumber, webhook: Webhook, told: Answer) -> Json:
    """A numbers_models.WebhookState."""
    return {
        "url": webhook.url,
        "set": told.failure is None,
        "verify_token": webhook.secret if wanted.provider == "meta" else None,
        "error": told.failure and (told.failure.error or told.failure.code),
    }


def says_missing(failure: SendResult) -> bool:
    return failure.http_status == 404 and "does not exist" in (failure.error or "")
