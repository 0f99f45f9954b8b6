"""Evolution API v2 beside sending: reading, typing, files, look-ups."""

import base64

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.whatsapp import echoes
from local.whatsapp.doors import Door, refuse
from local.whatsapp.evolution import lookup
from local.whatsapp.network import Json, Network, Number


class Chats:
    def __init__(self, network: Network, door: Door) -> None:
        self._network = network
        self._door = door
        self._met: set[str] = set()

    def routes(self) -> list[Route]:
        chat = "/chat/{action}/{{instance}}"
        actions = {
            "whatsappNumbers": self._whatsapp_numbers,
            "markMessageAsRead": self._mark_read,
            "sendPresence": self._send_presence,
            "getBase64FromMediaMessage": self._read_media,
            "findMessages": self._find_messages,
            "findStatusMessage": self._find_statuses,
        }
        return [
            self._door.route(chat.format(action=action), handler)
            for action, handler in actions.items()
        ]

    async def _whatsapp_numbers(self, number: Number, body: Json) -> Response:
        """Answers from its memory about numbers that it has met, as the original does."""
        numbers = [str(each) for each in body.get("numbers", [])]
        met = {self._network.canonical(entry.to) for entry in self._network.ledger} | self._met
        asked = {self._network.canonical(each) for each in numbers}
        if number.state != "open" or (number.faults.zombie and not asked <= met):
            return refuse(400, "Bad Request", ["Error: Connection Closed"])
        self._met |= {each for each in asked if self._network.exists(each)}
        return JSONResponse([lookup(self._network, each) for each in numbers])

    async def _mark_read(self, number: Number, body: Json) -> Response:
        for key in body.get("readMessages") or []:
            found = self._network.inbox.get(str(key.get("id")))
            if found and found.number == number.id:
                found.read = True
        return JSONResponse({"message": "Read messages", "read": "success"}, 201)

    async def _send_presence(self, number: Number, body: Json) -> Response:
        contact = self._network.canonical(str(body.get("number")))
        for message in self._network.inbox.values():
            if (message.number, message.sender) == (number.id, contact):
                message.typing += 1
        return JSONResponse({"presence": body.get("presence")}, 201)

    async def _read_media(self, number: Number, body: Json) -> Response:
        key = (body.get("message") or {}).get("key") or {}
        file = self._network.files.get(str(key.get("id")))
        if file is None:
            return refuse(400, "Bad Request", ["Message not found"])
        content = base64.b64encode(file.content).decode()
        found = {"fileName": file.name, "mimetype": file.mime_type, "base64": content}
        return JSONResponse({"mediaType": "documentMessage", **found, "buffer": None}, 201)

    async def _find_messages(self, number: Number, body: Json) -> Response:
        key = (body.get("where") or {}).get("key") or {}
        rows = [
            echoes.evolution_row(number, sent)
            for sent in reversed(self._network.sent.values())
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
