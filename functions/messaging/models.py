"""The shapes that messaging shows and takes over HTTP."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

MessageStatus = Literal[
    "received",
    "queued",
    "sending",
    "unknown",
    "accepted",
    "sent",
    "failed",
    "delivered",
    "read",
    "played",
]


class Message(BaseModel):
    """A message as it stands; `status` of an outgoing one only moves up."""

    id: UUID
    company_id: UUID
    conversation_id: UUID
    instance_id: UUID
    seq: int = Field(description="Order of birth in the conversation.")
    rev: int = Field(description="Version of the conversation at this message's last change.")
    direction: Literal["in", "out"]
    origin: str = Field(description="contact, agent, api, ...; who wrote it, and where.")
    purpose: Literal["service", "marketing"]
    type: str
    status: MessageStatus
    occurred_at: datetime
    body: str | None
    media: dict[str, Any] | None
    payload: dict[str, Any] | None
    author: dict[str, Any] | None
    reply_to: str | None = Field(description="Provider id of the message that this one answers.")
    reply_to_id: UUID | None = Field(description="Ours of it, once it is in the conversation.")
    quoted: dict[str, Any] | None = Field(description="{author, type, body} of it, as told.")
    target: str | None
    provider_message_id: str | None
    original: dict[str, Any] | None = Field(description="{type, body} before an edit.")
    reactions: list[dict[str, Any]] | None = Field(description="[{actor, emoji, at}].")
    votes: list[dict[str, Any]] | None = Field(
        description="Of a poll: [{voter, options, at}]; options is null where it cannot be read."
    )
    error_code: str | None = Field(description="Why it failed: the provider's code, or ours.")
    error_detail: str | None
    accepted_at: datetime | None
    sent_at: datetime | None
    delivered_at: datetime | None
    read_at: datetime | None
    failed_at: datetime | None
    edited_at: datetime | None
    revoked_at: datetime | None = Field(description="Deleted for everyone; the text stays here.")
    deleted_at: datetime | None = Field(description="Set in tombstones on Realtime; null in lists.")
    needs_decision: bool = Field(
        description="It is unknown whether it was sent, and a person has to say so."
    )
    created_by: UUID | None = Field(description="The user who wrote it; null for API keys.")
    created_at: datetime


ConversationStatus = Literal["open", "pending", "closed"]


class Conversation(BaseModel):
    """A thread as the inbox shows it."""

    id: UUID
    company_id: UUID
    instance_id: UUID
    contact_id: UUID | None
    kind: Literal["direct", "group", "broadcast", "newsletter"]
    address: str = Field(description="What the provider calls the chat.")
    title: str | None
    status: ConversationStatus = Field(
        description="pending: we have answered; who writes opens it."
    )
    assignee_id: UUID | None = Field(description="The member who takes care of it.")
    unread: int
    last_message_at: datetime
    last_message_preview: str | None
    last_message_direction: Literal["in", "out"] | None
    last_inbound_at: datetime | None
    window_closes_at: datetime | None = Field(
        description="Until then Meta takes free text, 24 hours after the person's last message."
    )
    waiting_since: datetime | None = Field(description="The first message without an answer.")
    bot_paused_until: datetime | None = Field(description="A person has taken over until then.")
    version: int = Field(description="Version of its messages when this row last changed.")
    rev: int = Field(description="Version of the inbox at this conversation's last change.")
    merged_into: UUID | None = Field(description="Where its messages went: look there.")
    deleted_at: datetime | None = Field(description="Not null in what was merged into another.")
    created_at: datetime


class MessagePage(BaseModel):
    """With `fields`, each row has only those."""

    data: list[Message]
    next_cursor: str | None


class ConversationPage(BaseModel):
    """With `fields`, each row has only those."""

    data: list[Conversation]
    next_cursor: str | None = Field(
        description="Null: this was all. With several filters a page may be short, even empty."
    )
    total: int | None = Field(description="With `page`: how many, counted up to 10000.")


class ConversationContact(BaseModel):
    """Whom a direct conversation is with."""

    id: UUID
    name: str | None
    phone: str | None


class ConversationEvent(BaseModel):
    """Something done with a conversation."""

    id: int
    action: Literal["assignee", "status", "read", "bot_pause"]
    old_value: str | None
    new_value: str | None
    cause: Literal["person", "service", "event"] = Field(
        description="A member; an API key or the command line; a message, or a member who left."
    )
    actor_id: UUID | None
    created_at: datetime


class ConversationDetail(Conversation):
    """A conversation, whom it is with and the last 20 things done with it, newest first."""

    contact: ConversationContact | None
    events: list[ConversationEvent]


class ConversationChanges(BaseModel):
    """What to change; what is not named stays."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"status": "closed", "read": True}]}
    )

    assignee_id: UUID | None = Field(default=None, description="A member; null is nobody.")
    status: ConversationStatus = "open"
    read: Literal[True] = Field(default=True, description="Nothing is unread.")
    bot_paused_until: datetime | None = Field(default=None, description="null ends the pause.")

    @model_validator(mode="after")
    def _changes_something(self) -> "ConversationChanges":
        if not self.model_fields_set:
            raise ValueError("name what to change")
        return self


class BotPause(BaseModel):
    """How long the bot of a conversation keeps silent."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"minutes": 120}]})

    minutes: int | None = Field(
        default=None, ge=1, le=10_080, description="Without it: as the company has set."
    )


class FoundMessage(BaseModel):
    """A message as a search shows it."""

    id: UUID
    conversation_id: UUID
    seq: int
    type: str
    direction: Literal["in", "out"]
    occurred_at: datetime
    body: str = Field(description="At most 500 characters of it.")
    title: str = Field(description="Whose conversation it is in.")
    rank: float


class FoundMessagePage(BaseModel):
    data: list[FoundMessage]
    next_cursor: str | None


class FoundContact(BaseModel):
    """A contact, and the conversations with them, latest first."""

    id: UUID
    name: str | None
    phone: str | None
    conversation_ids: list[UUID]


class FoundContactPage(BaseModel):
    data: list[FoundContact]
    next_cursor: str | None


class Received(BaseModel):
    """What became of a webhook body."""

    stored: int
    ignored: int = Field(description="Kept, but meant for no number of this endpoint.")
    duplicates: int = Field(description="Had been stored before.")


class Resolution(BaseModel):
    """A person's word about a message whose answer was lost."""

    model_config = ConfigDict(extra="forbid")

    decision: Literal["sent", "not_sent"] = Field(description="What a look at the phone showed.")
    company_id: UUID | None = Field(
        default=None, description="Needed by users of several companies."
    )
