"""Instances of Evolution API v2 from creation to removal, as our console calls it."""

import uuid

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.whatsapp import echoes
from local.whatsapp.courier import Courier
from local.whatsapp.doors import Door, refuse
from local.whatsapp.network import Json, Network, Number, Target

QR_TEXT = "2@FAKE"
PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="  # noqa: E501


class Instances:
    def __init__(self, network: Network, courier: Courier, door: Door) -> None:
        self._network = network
        self._courier = courier
        self._door = door

    def routes(self) -> list[Route]:
        return [
            Route("/instance/create", self._create, methods=["POST"]),
            self._door.route("/instance/connect/{instance}", self._connect, "GET"),
            self._door.route("/instance/connectionState/{instance}", self._read_state, "GET"),
            self._door.route("/instance/restart/{instance}", self._restart),
            self._door.route("/instance/logout/{instance}", self._log_out, "DELETE"),
            self._door.route("/instance/delete/{instance}", self._delete, "DELETE"),
            self._door.route("/webhook/set/{instance}", self._set_webhook),
            self._door.route("/webhook/find/{instance}", self._find_webhook, "GET"),
            self._door.route("/baileys/onWhatsapp/{instance}", self._on_whatsapp),
        ]

    async def _create(self, request: Request) -> Response:
        if not self._door.is_global(request):
            return refuse(401, "Unauthorized", "Unauthorized")
        body = await request.json()
        name = str(body.get("instanceName", ""))
        if name in self._network.numbers:
            return refuse(403, "Forbidden", [f'This name "{name}" is already in use.'])
        token = str(body.get("token") or uuid.UUID(int=self._network.random.getrandbits(128)))
        number = Number(name, "evolution", str(body.get("number") or "5511900000001"), token)
        number.state = "connecting"
        self._network.numbers[name] = number
        if isinstance(body.get("webhook"), dict):
            number.target = _target(body["webhook"])
        self._show_qr(number)
        instance = {"instanceName": name, "integration": "WHATSAPP-BAILEYS", "status": "connecting"}
        return JSONResponse({"instance": instance, "hash": token, "qrcode": _qr(number)}, 201)

    async def _connect(self, number: Number, body: Json) -> Response:
        if number.state == "open":
            return await self._read_state(number, body)
        number.state = "connecting"
        self._show_qr(number)
        return JSONResponse({"pairingCode": None, "code": QR_TEXT, "base64": PIXEL, "count": 1})

    def _show_qr(self, number: Number) -> None:
        body = echoes.evolution(number, "qrcode.updated", {"qrcode": _qr(number)})
        self._courier.post(number, [body])

    async def _read_state(self, number: Number, body: Json) -> Response:
        return JSONResponse({"instance": {"instanceName": number.id, "state": number.state}})

    async def _restart(self, number: Number, body: Json) -> Response:
        if number.state == "close":
            # As the original: an exception inside becomes a 200.
            why = f'BadRequestException: The "{number.id}" instance is not connected'
            return JSONResponse({"error": True, "message": why})
        number.faults.zombie = False
        self._courier.post(number, [echoes.connection(number)])
        return JSONResponse({"instance": {"instanceName": number.id, "status": number.state}})

    async def _log_out(self, number: Number, body: Json) -> Response:
        if number.state == "close":
            return refuse(400, "Bad Request", [f'The "{number.id}" instance is not connected'])
        number.state = "close"
        self._courier.post(number, [echoes.connection(number, 401)])
        return _succeeded("Instance logged out")

    async def _delete(self, number: Number, body: Json) -> Response:
        del self._network.numbers[number.id]
        body = {"instanceName": number.id, "instanceId": "00000000-0000-4000-8000-000000000001"}
        self._courier.post(number, [echoes.evolution(number, "instance.delete", body)])
        return _succeeded("Instance deleted")

    async def _set_webhook(self, number: Number, body: Json) -> Response:
        webhook = body.get("webhook")
        if not isinstance(webhook, dict) or "url" not in webhook:
            return refuse(400, "Bad Request", [['instance requires property "webhook"']])
        number.target = _target(webhook)
        return JSONResponse({"id": "fake", **webhook}, 201)

    async def _find_webhook(self, number: Number, body: Json) -> Response:
        target = number.target
        found = target and {"enabled": True, "url": target.url, "events": target.events}
        return JSONResponse(found)

    async def _on_whatsapp(self, number: Number, body: Json) -> Response:
        """Asks WhatsApp on every call, unlike whatsappNumbers."""
        if number.state != "open" or number.faults.zombie:
            return refuse(500, "Internal Server Error", ["Error: Connection Closed"])
        jid = str(body.get("jid"))
        canonical = f"{self._network.canonical(jid)}@s.whatsapp.net"
        return JSONResponse(
            [{"jid": canonical, "exists": True}] if self._network.exists(jid) else []
        )


def _succeeded(message: str) -> Response:
    return JSONResponse({"status": "SUCCESS", "error": False, "response": {"message": message}})


def _target(webhook: Json) -> Target:
    return Target(
        url=str(webhook["url"]),
        headers={str(name): str(value) for name, value in (webhook.get("headers") or {}).items()},
        events=[str(event) for event in webhook.get("events") or []],
        by_events=webhook.get("byEvents") is True,
    )


def _qr(number: Number) -> Json:
    return {"instance": number.id, "pairingCode": None, "code": QR_TEXT, "base64": PIXEL}
