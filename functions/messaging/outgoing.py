"""What may be sent, as callers write it."""

import re
from typing import Any, Literal
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from functions.core.errors import InvalidRequest
from functions.providers.identity import phone_of

Purpose = Literal["service", "marketing"]
OutboundType = Literal[
    "text", "image", "audio", "video", "document", "sticker", "location", "contacts", "interactive",
    "poll", "template", "reaction",
]  # fmt: skip
FILES = frozenset({"image", "audio", "video", "document", "sticker"})
# What each type's content must have; the rest is for the provider to judge.
CONTENTS = {
    "location": ("latitude", "longitude"),
    "contacts": ("contacts",),
    "interactive": ("type", "action"),
    "poll": ("name", "options"),
}
# Ten sections of ten rows with their texts, several times over.
LARGEST_CONTENT = 32_768


class Media(BaseModel):
    """A file that the provider fetches by its address, that was left with it before, or that lies
    in the bucket `media`, in the company's folder."""

    model_config = ConfigDict(extra="forbid")

    url: str | None = Field(default=None, pattern=r"^https?://", max_length=2048)
    id: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="Of a file that was uploaded to the provider (Meta); instead of url.",
    )
    object: str | None = Field(
        default=None,
        max_length=300,
        pattern=r"^[0-9a-f-]{36}/[0-9A-Za-z_/.-]+$",
        description="Uploaded to <company id>/uploads/, or of a message; instead of url.",
    )
    mime_type: str | None = Field(default=None, max_length=100)
    file_name: str | None = Field(default=None, max_length=255)
    voice: bool | None = Field(default=None, description="Of an audio: shown as a voice note.")

    @model_validator(mode="after")
    def _is_one_file(self) -> "Media":
        if sum(part is not None for part in (self.url, self.id, self.object)) != 1:
            raise ValueError("give the url, the id or the object of the file")
        return self


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
    purpose: Purpose = Field(
        default="service",
        description="marketing is not sent to whoever has opted out of it; service is.",
    )
    type: OutboundType = "text"
    body: str | None = Field(
        default=None,
        max_length=16_000,
        description="The text, the caption, or the emoji of a reaction; none takes it away.",
    )
    media: Media | None = None
    template: Template | None = None
    content: dict[str, JsonValue] | None = Field(
        default=None,
        description=(
            "Of a location, contacts or an interactive message, as Meta documents them; of a poll "
            "{name, options, selectable?}. Evolution takes the same."
        ),
    )
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
        if self.type in FILES and self.media is None:
            raise ValueError(f"type {self.type} needs media")
        if self.type == "template" and self.template is None:
            raise ValueError("type template needs template")
        if self.type == "reaction" and self.target is None:
            raise ValueError("a reaction needs a target")
        self._check_content()
        return self

    def _check_content(self) -> None:
        needed = CONTENTS.get(self.type)
        if needed is None and self.content is not None:
            raise ValueError(f"type {self.type} has no content")
        if needed is not None and (missing := set(needed) - set(self.content or {})):
            raise ValueError(f"the content of type {self.type} needs {', '.join(sorted(missing))}")
        if self.content and len(orjson.dumps(self.content)) > LARGEST_CONTENT:
            raise ValueError(f"content has over {LARGEST_CONTENT} bytes")

    @property
    def payload(self) -> dict[str, Any] | None:
        """What is kept of it beside body and media."""
        return {"template": self.template.model_dump()} if self.template else self.content

    @property
    def phone(self) -> str | None:
        """`to` as a phone, however it is written. Raises InvalidRequest."""
        if self.to is None:
            return None
        phone = phone_of(re.sub(r"[\s().+-]", "", self.to))
        if phone is None:
            raise InvalidRequest(
                "to is not a phone number with country code.",
                code="invalid_phone",
                hint="For example +5511987654321.",
            )
        return phone
