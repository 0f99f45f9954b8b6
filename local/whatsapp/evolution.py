"""Evolution API v2 as our sender calls it: messages of every type."""

from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.whatsapp import echoes
from local.whatsapp.courier import Courier
from local.whatsapp.doors import Door, failure, refuse
from local.whatsapp.faults import Cut
from local.whatsapp.network import Json, Network, Number, Sent


class EvolutionApi:
    def __init__(self, network: Network, courier: Courier, door: Door) -> None:
        self._network = network
        self._courier = courier
        self._door = door

    def routes(self) -> list[Route]:
        return [
            *(self._send_route(action, type) for action, type in _ACTIONS.items()),
            self._door.route("/chat/updateMessage/{instance}", self._edit),
            self._door.route("/chat/deleteMessageForEveryone/{instance}", self._revoke, "DELETE"),
        ]

    def _send_route(self, action: str, type: str) -> Route:
        async def send(number: Number, body: Json) -> Response:
            return await self._send(number, body, type)

        return self._door.route(f"/message/{action}/{{instance}}", send)

    async def _send(self, number: Number, body: Json, type: str) -> Response:
        if (failed := _failed(number)) is not None:
            return failed
        if type == "media":
            type = next((media for media in _MEDIA if media == body.get("mediatype")), "image")
        to = body.get("number") or (body.get("key") or {}).get("remoteJid")
        text = _text(type, body)
        if not isinstance(to, str) or (type == "text" and not text):
            return refuse(400, "Bad Request", [['instance requires property "number"']])
        if not self._network.exists(to):
            return refuse(400, "Bad Request", [lookup(self._network, to)])
        address = to if to.endswith(("@g.us", "@lid")) else self._network.canonical(to)
        identity = str(body["messageId"]) if _takes_id(number, body) else ""
        quoted = ((body.get("quoted") or {}).get("key") or {}).get("id")
        sent = Sent(
            identity or self._network.new_id("evolution"),
            number.id,
            address,
            type,
            text,
            identity or None,
            echoes.evolution_message(type, {**body, "body": text, "url": body.get("media")}),
            reply_to=quoted,
        )
        if type == "reaction" and (theirs := self._network.inbox.get(body["key"].get("id"))):
            theirs.reaction = text
        return self._accept(number, sent)

    def _accept(self, number: Number, sent: Sent) -> Response:
        row = echoes.evolution_row(number, sent)
        if self._network.accept(sent):
            self._follow_up(number, sent, row)
        return _answered(number, row, 201)

    def _follow_up(self, number: Number, sent: Sent, row: Json) -> None:
        """Delivers the message and plans the webhooks about it."""
        faults = number.faults
        bodies = [] if faults.drop_echoes else [echoes.evolution(number, "send.message", row)]
        locked = faults.cold_lock and not self._network.has_written(number, sent.to)
        if locked or faults.take("nack_times"):
            sent.statuses.append("ERROR")
            code = "463" if locked else faults.nack_code
            bodies.append(echoes.evolution_status(number, sent, "ERROR", code))
        elif not faults.zombie and not faults.take("stuck_times"):
            self._network.deliver(sent)
            sent.statuses += ["SERVER_ACK", "DELIVERY_ACK", *(["READ"] if faults.read else [])]
            if not faults.drop_statuses:
                bodies += [echoes.evolution_status(number, sent, said) for said in sent.statuses]
        self._courier.post(number, bodies, gap_seconds=0.01)

    async def _edit(self, number: Number, body: Json) -> Response:
        if (failed := _failed(number)) is not None:
            return failed
        key, text = body.get("key") or {}, body.get("text")
        if not isinstance(text, str) or not self._network.change(number, str(key.get("id")), text):
            return refuse(404, "Not Found", ["Message not found"])
        order = {"type": "edit", "target": key["id"], "body": text}
        change = echoes.evolution_change(order, str(key.get("remoteJid")), from_me=True)
        self._courier.post(number, [echoes.evolution(number, "send.message.update", change)])
        return _answered(number, self._change_row(number, key, change), 200)

    async def _revoke(self, number: Number, body: Json) -> Response:
        if (failed := _failed(number)) is not None:
            return failed
        order = {"type": "revoke", "target": body.get("id")}
        remote = str(body.get("remoteJid"))
        if self._network.change(number, str(body.get("id")), None):
            deletion = echoes.evolution_deletion(order, remote, from_me=True)
            self._courier.post(number, [echoes.evolution(number, "messages.delete", deletion)])
        change = echoes.evolution_change(order, remote, from_me=True)
        return _answered(number, self._change_row(number, body, change), 201)

    def _change_row(self, number: Number, key: Json, change: Json) -> Json:
        identity = self._network.new_id("evolution")
        sent = Sent(identity, number.id, str(key.get("remoteJid")), "change", None, None, {})
        return echoes.evolution_row(number, sent) | {"message": {"protocolMessage": change}}


_ACTIONS = {
    "sendText": "text",
    "sendMedia": "media",
    "sendWhatsAppAudio": "audio",
    "sendSticker": "sticker",
    "sendLocation": "location",
    "sendContact": "contacts",
    "sendPoll": "poll",
    "sendButtons": "buttons",
    "sendList": "list",
    "sendReaction": "reaction",
    "sendTemplate": "template",
}
_MEDIA = ("image", "video", "document", "audio")
_TEXT_FIELD = {
    "text": "text",
    "audio": "audio",
    "sticker": "sticker",
    "location": "name",
    "poll": "name",
    "buttons": "description",
    "list": "description",
    "reaction": "reaction",
    "template": "name",
}


def _text(type: str, body: Json) -> str | None:
    if type == "contacts":
        names = [str(card.get("fullName")) for card in body.get("contact") or []]
        return ", ".join(names) or None
    said = body.get(_TEXT_FIELD.get(type, "caption"))
    return said if isinstance(said, str) else None


def _failed(number: Number) -> Response | None:
    """What goes wrong before anything is sent."""
    faults = number.faults
    if faults.take("fail_times"):
        return failure(faults.fail_status, faults.fail_body, faults.fail_headers)
    if faults.take("cut_times"):
        return Cut()
    if number.state != "open":
        return refuse(400, "Bad Request", ["Error: Connection Closed"])
    return None


def _answered(number: Number, row: Any, status: int) -> Response:
    """The answer, or what becomes of it on its way."""
    faults = number.faults
    if faults.take("lose_times"):
        return Cut()
    if faults.take("hang_times"):
        return Cut(faults.hang_seconds)
    if faults.take("gateway_times"):
        return Response(status_code=502)
    if faults.take("anonymous_times"):
        return JSONResponse({"status": "PENDING"}, status)
    return JSONResponse(row, status)


def lookup(network: Network, to: str) -> Json:
    jid = f"{network.canonical(to)}@s.whatsapp.net"
    return {"exists": network.exists(to), "jid": jid, "number": to}


def _takes_id(number: Number, body: Json) -> bool:
    return number.version >= "2.4" and isinstance(body.get("messageId"), str)
