"""The files of messages: fetched from the provider by a job, kept under the hash of their bytes,
lent out by links. SQL: supabase/migrations/*_messaging_media.sql."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn
from uuid import UUID

from functions.core.db import Database
from functions.core.errors import (
    AppError,
    InvalidRequest,
    NotConfigured,
    NotFound,
    TooLarge,
    Unavailable,
)
from functions.core.http import HttpClient
from functions.core.settings import Settings
from functions.core.storage import Storage
from functions.jobs.context import JobContext
from functions.jobs.models import GiveUp, Handler, Handlers, Job, Json, RetryLater, Snooze
from functions.messaging.credentials import Vault, instance_of
from functions.messaging.spool import Spool
from functions.providers.attempt import classified
from functions.providers.base import OutboundMessage, Provider, SendResult
from functions.providers.commands import FetchMedia, File

BUCKET = "media"
# A provider fetches what it sends at once; its own retries take minutes.
SENDING_LINK_SECONDS = 3600
# A server may be asked for a file before it has stored the message itself.
TRIES_BEFORE_GONE = 3
# A removal is a call or two.
REMOVAL_SECONDS = 5.0
# Shown by browsers as they are, without running anything. All else is only saved.
_SHOWN = re.compile(r"(audio|video)/[\w.+-]+|image/(jpeg|png|webp|gif)|application/pdf")
# Answers that no later try changes.
_NEVER = {"strange_address", "incomplete", "unsupported"}


# Notes that an object is about to be stored: go, wait, or settled when it is wanted no more.
Claim = Callable[[str], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Limits:
    """What is kept. `types`: beginnings of mime types; empty: all."""

    largest_bytes: int
    types: tuple[str, ...]

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        types = tuple(part.strip() for part in settings.media_types.split(",") if part.strip())
        return cls(int(settings.media_max_mb * 1_000_000), types)

    def takes(self, mime_type: str) -> bool:
        return not self.types or mime_type.lower().startswith(self.types)


@dataclass(frozen=True, slots=True)
class Fetching:
    """What the job that fetches files works with."""

    db: Database
    vault: Vault
    http: HttpClient
    providers: Mapping[str, Provider]
    storage: Storage
    limits: Limits

    async def fetch(self, job: Job, context: JobContext) -> Json:
        """Once per file: the same bytes again are the same object."""
        message_id = _message_id(job)
        service = self.db.as_service()
        order: Json | None = await service.call("begin_media", {"p_message_id": message_id})
        if order is None:
            return {"state": "settled"}
        told = {"p_message_id": message_id, "p_media": order["media"]}

        async def claim(name: str) -> str:
            claimed: str = await service.call("claim_media", told | {"p_object": name})
            return claimed

        with Spool(self.limits.largest_bytes) as spool:
            result = await self._fetched(order, context, spool, claim)
        recorded = await service.call("record_media", told | {"p_result": result})
        return result if recorded else {"state": "settled"}

    async def _fetched(self, order: Json, context: JobContext, spool: Spool, claim: Claim) -> Json:
        media = order["media"]
        if _bytes_of(media) > self.limits.largest_bytes:
            return {"state": "too_large"}
        if media.get("mime_type") and not self.limits.takes(media["mime_type"]):
            return {"state": "failed", "error": "type_refused"}
        try:
            instance = instance_of(self.vault, order["instance"])
        except NotConfigured as error:
            raise RetryLater(error.code) from None
        command = FetchMedia(
            order["chat"],
            order["provider_message_id"],
            media,
            spool,
            order["from_us"],
            order["stored"],
        )
        answer = await self.providers[instance.provider].perform(self.http.get(), instance, command)
        if answer.failure is not None:
            return _not_fetched(answer.failure, context)
        assert answer.file is not None
        return await self._kept(order["company_id"], answer.file, spool, claim)

    async def _kept(self, company_id: str, file: File, spool: Spool, claim: Claim) -> Json:
        mime_type = (file.mime_type or "").partition(";")[0].strip().lower()
        if not self.limits.takes(mime_type):
            return {"state": "failed", "error": "type_refused"}
        name = f"{company_id}/{spool.digest}"
        kind = mime_type if _SHOWN.fullmatch(mime_type) else "application/octet-stream"
        # Written down before it is there: no object is without something that names it.
        claimed = await claim(name)
        if claimed == "wait":
            raise Snooze(REMOVAL_SECONDS)
        if claimed == "settled":
            return {"state": "settled"}
        try:
            await self.storage.put(BUCKET, name, spool.file, spool.size, kind)
        except TooLarge:
            return {"state": "too_large", "size": spool.size}
        except InvalidRequest as error:
            return {"state": "failed", "error": error.code}
        except AppError as error:
            raise RetryLater(error.code) from None
        return {"state": "stored", "object": name, "size": spool.size, "error": None}


def handlers(
    db: Database,
    vault: Vault,
    http: HttpClient,
    providers: Mapping[str, Provider],
    storage: Storage,
    limits: Limits,
) -> Handlers:
    """messages.fetch_media."""
    fetch = Fetching(db, vault, http, providers, storage, limits).fetch
    return {"messages.fetch_media": Handler(fetch, timeout_seconds=45.0, concurrency=2)}


async def linked(
    storage: Storage, message: OutboundMessage, company_id: str | None
) -> OutboundMessage | SendResult:
    """The message with an address in place of its stored file, or why it cannot be sent."""
    name = (message.media or {}).get("object")
    if message.media is None or not name:
        return message
    if company_id is None or not is_object_of(name, company_id):
        return classified("request", code="no_object", error="The file is not in this company")
    try:
        url = await storage.sign(BUCKET, name, SENDING_LINK_SECONDS)
    except NotFound as error:
        return classified("request", code=error.code, error=error.detail)
    except Unavailable as error:
        return classified("transient", code=error.code, error=error.detail)
    rest = {key: value for key, value in message.media.items() if key != "object"}
    return replace(message, media=rest | {"url": url})


def is_object_of(name: Any, company_id: str) -> bool:
    """Whether an object's name lies in the company's folder, and in no other by a detour."""
    return (
        isinstance(name, str)
        and name.startswith(f"{company_id}/")
        and re.fullmatch(r"[0-9a-zA-Z_/.-]{38,300}", name) is not None
        and ".." not in name
    )


def _not_fetched(failure: SendResult, context: JobContext) -> Json:
    """What a failure means for the file. Raises RetryLater where it may come yet."""
    code = failure.code or failure.error_class or "not_fetched"
    if code == "too_large":
        return {"state": "too_large"}
    if code in _NEVER:
        return {"state": "failed", "error": code}
    if failure.outcome == "permanent" and context.attempt >= TRIES_BEFORE_GONE:
        return {"state": "gone", "error": code}
    _again(code, failure)


def _again(code: str, failure: SendResult) -> NoReturn:
    raise RetryLater(code, failure.retry_after_seconds)


def _message_id(job: Job) -> str:
    try:
        return str(UUID(job.data.get("message_id")))
    except (ValueError, TypeError, AttributeError):
        raise GiveUp("data.message_id is missing") from None


def _bytes_of(media: Json) -> int:
    size = media.get("bytes")
    return size if isinstance(size, int) else 0
