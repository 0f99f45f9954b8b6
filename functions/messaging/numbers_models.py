"""The shapes of numbers over HTTP."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

META_SERVER = "https://graph.facebook.com"
PHONE = r"^\+?[1-9][0-9]{7,17}$"


class NewNumber(BaseModel):
    """A number to connect, with what its provider asks for. Secrets are sealed, and never shown."""

    model_config = ConfigDict(extra="forbid")

    provider: Literal["evolution", "meta"]
    company_id: UUID | None = Field(
        default=None, description="Needed by users of several companies."
    )
    name: str = Field(min_length=1, max_length=100, description="What people call it.")
    server: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$",
        max_length=300,
        description="Evolution: address of the server. Meta: leave it out.",
    )
    external_id: str = Field(
        min_length=1,
        max_length=100,
        pattern=r"^[^\s/?#]+$",
        description="Evolution: name of the instance, made when there is none. "
        "Meta: the phone number id.",
    )
    api_key: SecretStr | None = Field(
        default=None,
        max_length=500,
        description="Evolution: key of the instance, or of the server to make one.",
    )
    access_token: SecretStr | None = Field(
        default=None, max_length=1000, description="Meta: token of a system user."
    )
    app_secret: SecretStr | None = Field(
        default=None, max_length=200, description="Meta: signs what Meta posts."
    )
    account_id: str | None = Field(
        default=None, pattern=r"^[0-9]{1,40}$", description="Meta: WhatsApp business account id."
    )

    @model_validator(mode="after")
    def _is_complete(self) -> "NewNumber":
        needed = {
            "evolution": ("server", "api_key"),
            "meta": ("access_token", "app_secret", "account_id"),
        }[self.provider]
        missing = [name for name in needed if getattr(self, name) is None]
        if missing:
            raise ValueError(f"{self.provider} needs {', '.join(missing)}")
        return self

    @property
    def base_url(self) -> str:
        return (self.server or META_SERVER).rstrip("/")

    @property
    def credentials(self) -> dict[str, str]:
        """What the provider's calls are signed with."""
        name, secret = (
            ("api_key", self.api_key)
            if self.provider == "evolution"
            else ("access_token", self.access_token)
        )
        assert secret is not None
        return {name: secret.get_secret_value()}


class Link(BaseModel):
    """How to link the phone, where one must."""

    model_config = ConfigDict(extra="forbid")

    phone: str | None = Field(
        default=None,
        pattern=PHONE,
        description="Evolution: for a code to type on this phone, instead of a QR.",
    )
    pin: str | None = Field(
        default=None,
        pattern=r"^[0-9]{6}$",
        description="Meta: registers the number with this PIN of two-step verification.",
    )


class Number(BaseModel):
    """A number as it stands."""

    id: UUID
    company_id: UUID
    provider: Literal["evolution", "meta"]
    name: str
    server: str
    external_id: str
    account_id: str | None
    number: str | None = Field(description="E.164, as the provider tells it.")
    state: Literal["new", "qr", "connecting", "open", "degraded", "closed", "banned"]
    state_reason: str | None
    state_at: datetime | None
    last_seen_at: datetime | None = Field(description="When its provider last posted, to a minute.")
    quality: str | None = Field(description="Meta: green, yellow, red, unknown.")
    throughput: str | None
    people_per_day: int | None = Field(
        description="Meta: people to write to first within 24 hours; null: no limit known."
    )
    rate_per_minute: float | None
    daily_cap: int | None
    needs_a_person: bool = Field(description="Nothing is sent until somebody acts: pause_reason.")
    paused_until: datetime | None
    pause_reason: str | None
    cold_blocked_until: datetime | None = Field(description="No first messages until then.")
    created_at: datetime
    removed_at: datetime | None


class NumberList(BaseModel):
    data: list[Number]


class WebhookState(BaseModel):
    """Where the provider posts. `set`: it has been told; otherwise a person tells it by hand."""

    url: str
    set: bool
    verify_token: str | None = Field(description="Meta: for the dashboard of the app.")
    error: str | None = Field(description="Why it could not be set, in the provider's words.")


class ConnectedNumber(Number):
    webhook: WebhookState


class Qr(BaseModel):
    """What to scan with the phone, or to type on it; null where there is nothing to do."""

    state: str
    code: str | None = Field(description="The text that the QR shows.")
    image: str | None = Field(description="The QR as a data: address (PNG).")
    pairing_code: str | None
    expires_at: datetime | None


class Removed(BaseModel):
    id: UUID
    removed: bool
    error: str | None = Field(description="What the provider said when it could not log out.")


Json = dict[str, Any]
