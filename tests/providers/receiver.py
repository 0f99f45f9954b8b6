"""An endpoint that takes webhooks as ours does: verified, split, each item once, parsed."""

import uuid
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from functions.providers.base import Instance
from functions.providers.events import Event, MessageReceived, StatusChanged
from tests.providers.fake import FakeWhatsApp
from tests.providers.samples import PROVIDERS

SECRETS = {
    "evolution": {"tokens": ["a-webhook-token"]},
    "meta": {"app_secrets": ["an-app-secret"], "verify_tokens": ["a-verify-token"]},
}
WEBHOOKS: dict[str, Any] = {
    "evolution": {"headers": {"x-webhook-token": "a-webhook-token"}},
    "meta": {"app_secret": "an-app-secret", "verify_token": "a-verify-token"},
}


class Receiver:
    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{self.port}"
        self.secrets: dict[str, Any] = dict(SECRETS)
        self.events: dict[str, list[Event]] = {}
        self.requests: dict[str, int] = {}
        self.refusals: dict[str, list[int]] = {}  # per number: statuses to answer first
        self._seen: set[str] = set()

    def app(self) -> Starlette:
        return Starlette(
            routes=[Route("/{provider}/{number}", self._take, methods=["GET", "POST"])]
        )

    async def _take(self, request: Request) -> Response:
        provider = PROVIDERS[request.path_params["provider"]]
        number, secrets = request.path_params["number"], self.secrets[provider.name]
        if request.method == "GET":
            challenge = provider.challenge(request.query_params, secrets)
            return PlainTextResponse(challenge or "", 200 if challenge else 403)
        raw = await request.body()
        self.requests[number] = self.requests.get(number, 0) + 1
        if not provider.verify(request.headers, raw, secrets):
            return Response(status_code=401)
        if self.refusals.get(number):
            return Response(status_code=self.refusals[number].pop(0))
        for item in provider.split(raw, number if provider.name == "evolution" else None):
            if item.dedupe_key not in self._seen:
                self._seen.add(item.dedupe_key)
                self.events.setdefault(number, []).extend(provider.parse(item.kind, item.raw))
        return Response(status_code=200)

    def messages(self, instance: Instance) -> list[MessageReceived]:
        found = self.events.get(instance.external_id, [])
        return [event for event in found if isinstance(event, MessageReceived)]

    def statuses(self, instance: Instance) -> list[StatusChanged]:
        found = self.events.get(instance.external_id, [])
        return [event for event in found if isinstance(event, StatusChanged)]


async def connect(
    whatsapp: FakeWhatsApp, receiver: Receiver, provider: str, **number: Any
) -> Instance:
    identity = f"{provider}-{uuid.uuid4().hex[:12]}"
    webhook = {"url": f"{receiver.url}/{provider}/{identity}", **WEBHOOKS[provider]}
    return await whatsapp.connect(provider, **{"webhook": webhook, "id": identity, **number})


def of(receiver: Receiver, instance: Instance, identity: str | None) -> list[str]:
    return [
        event.status
        for event in receiver.statuses(instance)
        if event.provider_message_id == identity
    ]
