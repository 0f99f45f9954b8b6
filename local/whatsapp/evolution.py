"""Evolution API v2 as our sender and our console call it."""

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.whatsapp import echoes
from local.whatsapp.courier import Courier
from local.whatsapp.faults import Cut
from local.whatsapp.network import Json, Network, Number, Sent, Target

QR_TEXT = "2@FAKE"
PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="  # noqa: E501
Handler = Callable[[Number, Json], Awaitable[Response]]


class EvolutionApi:
    def __init__(self, network: Network, courier: Courier, api_key: str) -> None:
        self._network = network
        self._courier = courier
        self._api_key = api_key

    def routes(self) -> list[Route]:
        return [
            Route("/instance/create", self._create, methods=["POST"]),
            self._route("/instance/connect/{instance}", self._connect, "GET"),
            self._route("/instance/connectionState/{instance}", self._connection_state, "GET"),
            self._route("/webhook/set/{instance}", self._set_webhook),
            self._route("/chat/whatsappNumbers/{instance}", self._whatsapp_numbers),
            self._route("/chat/findMessages/{instance}", self._find_messages),
            self._route("/chat/findStatusMessage/{instance}", self._find_statuses),
            *(self._send_route(action, type) for action, type in _ACTIONS.items()),
        ]

    def _route(self, path: str, handler: Handler, method: str = "POST") -> Route:
        async def guarded(request: Request) -> Response:
            number = self._network.number(request.path_params["instance"], "evolution")
            key = request.headers.get("apikey", "")
            if number is None:
                name = request.path_params["instance"]
                return _error(404, "Not Found", [f'The "{name}" instance does not exist'])
            if key not in (self._api_key, number.key):
                return _error(401, "Unauthorized", "Unauthorized")
            body = await request.json() if method == "POST" else {}
            return await handler(number, body if isinstance(body, dict) else {})

        return Route(path, guarded, methods=[method])

    def _send_route(self, action: str, type: str) -> Route:
        async def send(number: Number, body: Json) -> Response:
            return await self._send(number, body, type)

        return self._route(f"/message/{action}/{{instance}}", send)

    async def _create(self, request: Request) -> Response:
        if request.headers.get("apikey") != self._api_key:
            return _error(401, "Unauthorized", "Unauthorized")
        body = await request.json()
        name = str(body.get("instanceName", ""))
        if name in self._network.numbers:
            return _error(403, "Forbidden", [f'This name "{name}" is already in use.'])
        token = str(body.get("token") or uuid.UUID(int=self._network.random.getrandbits(128)))
        number = Number(name, "evolution", str(body.get("number") or "5511900000001"), token)
        number.state = "connecting"
        self._network.numbers[name] = number
        if isinstance(body.get("webhook"), dict):
            number.target = _target(body["webhook"])
        instance = {"instanceName": name, "integration": "WHATSAPP-BAILEYS", "status": "connecting"}
        return JSONResponse({"instance": instance, "hash": token, "qrcode": _qr(number)}, 201)

    async def _connect(self, number: Number, body: Json) -> Response:
        if number.state == "open":
            return await self._connection_state(number, body)
        number.state = "connecting"
        self._courier.post(
            number, [echoes.evolution(number, "qrcode.updated", {"qrcode": _qr(number)})]
        )
        return JSONResponse({"pairingCode": None, "code": QR_TEXT, "base64": PIXEL, "count": 1})

    async def _connection_state(self, number: Number, body: Json) -> Response:
        return JSONResponse({"instance": {"instanceName": number.id, "state": number.state}})

    async def _set_webhook(self, number: Number, body: Json) -> Response:
        webhook = body.get("webhook")
        if not isinstance(webhook, dict) or "url" not in webhook:
            return _error(400, "Bad Request", [['instance requires property "webhook"']])
        number.target = _target(webhook)
        return JSONResponse({"id": "fake", **webhook}, 201)

    async def _whatsapp_numbers(self, number: Number, body: Json) -> Response:
        if number.state != "open":
            return _error(400, "Bad Request", ["Error: Connection Closed"])
        return JSONResponse([self._lookup(str(each)) for each in body.get("numbers", [])])

    async def _find_messages(self, number: Number, body: Json) -> Response:
        key = (body.get("where") or {}).get("key") or {}
        rows = [
            echoes.evolution_row(number, sent)
            for sent in self._network.sent.values()
            if sent.number == number.id
            and key.get("id") in (None, sent.provider_id)
            and key.get("remoteJid") in (None, f"{sent.to}@s.whatsapp.net")
        ]
        page = {"total": len(rows), "pages": 1, "currentPage": 1, "records": rows}
        return JSONResponse({"messages": page})

    async def _find_statuses(self, number: Number, body: Json) -> Response:
        wanted = (body.get("where") or {}).get("id")
        found = [
            {"keyId": sent.provider_id, "status": status, "fromMe": True, "remoteJid": sent.to}
            for sent in self._network.sent.values()
            for status in sent.statuses
            if sent.number == number.id and wanted in (None, sent.provider_id)
        ]
        return JSONResponse(found)

    def _lookup(self, to: str) -> Json:
        jid = f"{self._network.canonical(to)}@s.whatsapp.net"
        return {"exists": self._network.exists(to), "jid": jid, "number": to}

    async def _send(self, number: Number, body: Json, type: str) -> Response:
        faults = number.faults
        if faults.take("fail_times"):
            return failure(faults.fail_status, faults.fail_body, faults.fail_headers)
        if faults.take("cut_times"):
            return Cut()
        if number.state != "open":
            return _error(400, "Bad Request", ["Error: Connection Closed"])
        if type == "media":
            type = next((media for media in _MEDIA if media == body.get("mediatype")), "image")
        to = body.get("number") or (body.get("key") or {}).get("remoteJid")
        text = body.get(_TEXT_FIELD.get(type, "caption"))
        if not isinstance(to, str) or (type == "text" and not text):
            return _error(400, "Bad Request", [['instance requires property "number"']])
        if not self._network.exists(to):
            return _error(400, "Bad Request", [self._lookup(to)])
        address = to if to.endswith(("@g.us", "@lid")) else self._network.canonical(to)
        identity = str(body["messageId"]) if _takes_id(number, body) else ""
        sent = Sent(
            identity or self._network.new_id("evolution"),
            number.id,
            address,
            type,
            text if isinstance(text, str) else None,
            identity or None,
            echoes.evolution_message(type, {**body, "body": text, "url": body.get("media")}),
        )
        return await self._accept(number, sent)

    async def _accept(self, number: Number, sent: Sent) -> Response:
        faults = number.faults
        row = echoes.evolution_row(number, sent)
        if self._network.accept(sent):
            self._follow_up(number, sent, row)
        if faults.take("lose_times"):
            return Cut()
        if faults.take("hang_times"):
            return Cut(faults.hang_seconds)
        if faults.take("gateway_times"):
            return Response(status_code=502)
        if faults.take("anonymous_times"):
            return JSONResponse({"status": "PENDING"}, 201)
        return JSONResponse(row, 201)

    def _follow_up(self, number: Number, sent: Sent, row: Json) -> None:
        """Delivers the message and plans the webhooks about it."""
        faults = number.faults
        bodies = [] if faults.drop_echoes else [echoes.evolution(number, "send.message", row)]
        if faults.take("nack_times"):
            sent.statuses.append("ERROR")
            bodies.append(echoes.evolution_status(number, sent, "ERROR", faults.nack_code))
        elif not faults.take("stuck_times"):
            self._network.deliver(sent)
            sent.statuses += ["SERVER_ACK", "DELIVERY_ACK", *(["READ"] if faults.read else [])]
            if not faults.drop_statuses:
                bodies += [echoes.evolution_status(number, sent, said) for said in sent.statuses]
        self._courier.post(number, bodies, gap_seconds=0.01)


_ACTIONS = {
    "sendText": "text",
    "sendMedia": "media",
    "sendWhatsAppAudio": "audio",
    "sendSticker": "sticker",
    "sendReaction": "reaction",
    "sendTemplate": "template",
}
_MEDIA = ("image", "video", "document")
_TEXT_FIELD = {
    "text": "text",
    "audio": "audio",
    "sticker": "sticker",
    "reaction": "reaction",
    "template": "name",
}


def failure(status: int, body: Any, headers: dict[str, str]) -> Response:
    if body is None:
        return Response(status_code=status, headers=headers)
    return JSONResponse(body, status, headers)


def _error(status: int, error: str, message: Any) -> Response:
    content = {"status": status, "error": error, "response": {"message": message}}
    return JSONResponse(content, status)


def _takes_id(number: Number, body: Json) -> bool:
    return number.version >= "2.4" and isinstance(body.get("messageId"), str)


def _target(webhook: Json) -> Target:
    return Target(
        url=str(webhook["url"]),
        headers={str(name): str(value) for name, value in (webhook.get("headers") or {}).items()},
        events=[str(event) for event in webhook.get("events") or []],
        by_events=webhook.get("byEvents") is True,
    )


def _qr(number: Number) -> Json:
    return {"instance": number.id, "pairingCode": None, "code": QR_TEXT, "base64": PIXEL}
