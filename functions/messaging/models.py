"""The shapes that messaging shows and takes over HTTP."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

OutboundType = Literal["text", "image", "audio", "video", "document", "template", "reaction"]


class Media(BaseModel):
    """A file that the provider fetches by its address."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(pattern=r"^https?://", max_length=2048)
    mime_type: str | None = Field(default=None, max_length=100)
    file_name: str | None = Field(default=None, max_length=255)


class Template(BaseModel):
    """An approved message template, with its parameters in Meta's form."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=512)
    language: str = Field(min_length=2, max_length=15)
    components: list[dict[str, Any]] = Field(default_factory=list)


EXAMPLE: dict[str, JsonValue] = {
    "id": "8f14e45f-ceea-467f-a8f2-7d3bb1c9a001",
    "instance_id": "c9f0f895-fb98-4b91-99f5-1fd0e3a8b002",
    "to": "+5511987654321",
    "body": "Bom dia! Seu pedido saiu.",
}


class NewMessage(BaseModel):
    """A message to send: to a conversation, or to a phone through one of the company's numbers."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    id: UUID = Field(description="Chosen by the caller: the same id twice sends once.")
    company_id: UUID | None = Field(
        default=None, description="Needed by users of several companies."
    )
    conversation_id: UUID | None = Field(
        default=None, description="Where to send; instead of instance_id and to."
    )
    instance_id: UUID | None = Field(
        default=None, description="The company's number to send from; needs to."
    )
    to: str | None = Field(
        default=None,
        max_length=32,
        description="A phone number with country code, e.g. +5511987654321.",
    )
    type: OutboundType = "text"
    body: str | None = Field(
        default=None,
        max_length=16_000,
        description="The text, the caption, or the emoji of a reaction.",
    )
    media: Media | None = None
    template: Template | None = None
    reply_to: str | None = Field(
        default=None,
        max_length=300,
        description="Provider id of the message that this one answers.",
    )
    target: str | None = Field(
        default=None,
        max_length=300,
        description="Provider id of the message that a reaction is about.",
    )

    @model_validator(mode="after")
    def _is_complete(self) -> "NewMessage":
        addressed = (self.conversation_id, self.instance_id, self.to)
        given = tuple(part is not None for part in addressed)
        if given not in ((True, False, False), (False, True, True)):
            raise ValueError("give conversation_id, or instance_id and to")
        if self.type == "text" and not self.body:
            raise ValueError("a text needs a body")
        if self.type in {"image", "audio", "video", "document"} and self.media is None:
            raise ValueError(f"type {self.type} needs media")
        if self.type == "template" and self.template is None:
            raise ValueError("type template needs template")
        if self.type == "reaction" and self.target is None:
            raise ValueError("a reaction needs a target")
        return self


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
    type: str
    status: MessageStatus
    occurred_at: datetime
    body: str | None
    media: dict[str, Any] | None
    payload: dict[str, Any] | None
    author: dict[str, Any] | None
    reply_to: str | None
    target: str | None
    provider_message_id: str | None
    error_code: str | None = Field(description="Why it failed: the provider's code, or ours.")
    error_detail: str | None
    accepted_at: datetime | None
    sent_at: datetime | None
    delivered_at: datetime | None
    read_at: datetime | None
    failed_at: datetime | None
    deleted_at: datetime | None = Field(description="Set in tombstones on Realtime; null in lists.")
    created_by: UUID | None = Field(description="The user who wrote it; null for API keys.")
    created_at: datetime


class Conversation(BaseModel):
    """A thread as the inbox shows it."""

    id: UUID
    company_id: UUID
    instance_id: UUID
    contact_id: UUID | None
    kind: Literal["direct", "group", "broadcast", "newsletter"]
    address: str = Field(description="What the provider calls the chat.")
    title: str | None
    status: Literal["open", "closed"]
    unread: int
    last_message_at: datetime
    last_message_preview: str | None
    last_message_direction: Literal["in", "out"] | None
    last_inbound_at: datetime | None
    version: int = Field(description="Version of its messages when this row last changed.")
    rev: int = Field(description="Version of the inbox at this conversation's last change.")
    created_at: datetime


class MessagePage(BaseModel):
    """With `fields`, each row has only those."""

    data: list[Message]
    next_cursor: str | None


class ConversationPage(BaseModel):
    """With `fields`, each row has only those."""

    data: list[Conversation]
    next_cursor: str | None


class Received(BaseModel):
    """What became of a webhook body."""

    stored: int
    ignored: int = Field(description="Kept, but meant for no number of this endpoint.")
    duplicates: int = Field(description="Had been stored before.")
