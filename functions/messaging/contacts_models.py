"""The shapes of contacts and suppressions over HTTP."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

Json = dict[str, Any]
Scope = Literal["all", "marketing", "number", "campaign"]


class Contact(BaseModel):
    """A person, as lists show them."""

    id: UUID
    company_id: UUID
    name: str | None
    phone: str | None = Field(description="Null where WhatsApp does not tell it.")
    created_at: datetime


class ContactPage(BaseModel):
    data: list[Contact]
    next_cursor: str | None


class Conflict(BaseModel):
    """Two contacts whose ids came in one payload: perhaps one person."""

    contact_id: UUID
    other_id: UUID
    kind: str = Field(description="Of the id that both came with: phone, wa_id, lid, ...")
    value: str
    evidence: str
    event_id: int | None
    created_at: datetime


class ConflictPage(BaseModel):
    data: list[Conflict]
    next_cursor: str | None


class KnownIdentity(BaseModel):
    """An id of a contact, and what told of it."""

    kind: str
    value: str
    evidence: str = Field(description="message, send, or what the provider calls it.")
    event_id: int | None = Field(description="The inbound event that told of it first.")
    event_kind: str | None = Field(description="Its kind, where the caller may see it.")
    known_since: datetime


class ContactConflict(BaseModel):
    contact_id: UUID = Field(description="The other contact.")
    kind: str
    value: str
    evidence: str
    event_id: int | None
    at: datetime


class ContactConversation(BaseModel):
    id: UUID
    instance_id: UUID
    address: str
    last_message_at: datetime


class Suppression(BaseModel):
    """Something that a contact is not sent. In force until `lifted_at`."""

    id: UUID
    company_id: UUID
    scope: Scope = Field(description="all is everything; the others are about marketing.")
    instance_id: UUID | None = Field(description="The number, of scope number.")
    campaign_id: UUID | None
    contact_id: UUID | None = Field(description="Null where no contact had the phone.")
    reason: Literal["word", "button", "preference", "provider", "person"]
    evidence: dict[str, Any] = Field(description="message_id, event_id, user_id, code, note.")
    suppressed_at: datetime
    lifted_at: datetime | None
    lift_evidence: dict[str, Any] | None
    created_at: datetime


class SuppressionPage(BaseModel):
    data: list[Suppression]
    next_cursor: str | None


class ContactExplanation(BaseModel):
    """All that says who a contact is."""

    id: UUID
    company_id: UUID
    name: str | None
    name_source: Literal["profile", "person"]
    named_at: str = Field(description="When the profile had this name; -infinity: never told.")
    phone: str | None
    merged_into: UUID | None = Field(description="The contact to look at instead.")
    erased_at: datetime | None
    created_at: datetime
    identities: list[KnownIdentity]
    conflicts: list[ContactConflict]
    merged: list[UUID] = Field(description="Contacts that were merged into this one.")
    conversations: list[ContactConversation]
    suppressions: list[Suppression]


class MergeContacts(BaseModel):
    """Which of two contacts stays."""

    model_config = ConfigDict(extra="forbid")

    kept_id: UUID
    other_id: UUID = Field(description="Ends as a signpost to the kept one. Not undone.")
    company_id: UUID | None = None


class Record(BaseModel):
    """A row that tells of a person."""

    table: str
    row: dict[str, Any]


class ExportPage(BaseModel):
    """A part of what is kept about a contact."""

    contact: ContactExplanation | None = Field(default=None, description="On the first page.")
    messages: list[dict[str, Any]] = Field(description="With the contact, newest first.")
    records: list[Record] = Field(
        description="Whatever else tells of them: bodies of providers, reports, groups, jobs."
    )
    next_cursor: str | None = Field(description="A page may be empty and not be the last.")


class Erased(BaseModel):
    """The contact is anonymous; a job removes what it said."""

    id: UUID
    erased_at: datetime


class NewSuppression(BaseModel):
    """Whom not to write to: a contact, or whoever has a phone."""

    model_config = ConfigDict(extra="forbid")

    company_id: UUID | None = None
    contact_id: UUID | None = None
    phone: str | None = Field(default=None, max_length=32, description="With country code.")
    scope: Scope = "marketing"
    instance_id: UUID | None = None
    campaign_id: UUID | None = None
    note: str | None = Field(default=None, max_length=500, description="Where it comes from.")

    @model_validator(mode="after")
    def _names_whom_and_what(self) -> "NewSuppression":
        if (self.contact_id is None) == (self.phone is None):
            raise ValueError("give contact_id or phone")
        if (self.scope == "number") != (self.instance_id is not None):
            raise ValueError("instance_id goes with scope number")
        if (self.scope == "campaign") != (self.campaign_id is not None):
            raise ValueError("campaign_id goes with scope campaign")
        return self


class LiftSuppression(BaseModel):
    """Why it holds no more."""

    model_config = ConfigDict(extra="forbid")

    note: str | None = Field(default=None, max_length=500)


class ConsentWord(BaseModel):
    """What a message of just this word means to a company, beside the usual words."""

    word: str = Field(description="Without case, accents and punctuation.")
    effect: Literal["stop", "start", "none"] | None = Field(
        description="Of marketing; none: a usual word means nothing here."
    )


class ConsentWords(BaseModel):
    data: list[ConsentWord]


class NewConsentWord(BaseModel):
    """A company's own word."""

    model_config = ConfigDict(extra="forbid")

    word: str = Field(min_length=1, max_length=200)
    effect: Literal["stop", "start", "none"] | None = Field(
        description="null: forget what the company said of it."
    )
    company_id: UUID | None = None


class KeptConsentWord(ConsentWord):
    """The word as it is kept."""

    means: Literal["stop", "start"] | None = Field(description="What holds now.")
