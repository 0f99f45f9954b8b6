"""/_fake/: what no WhatsApp offers. Bodies and answers are JSON.

POST   /_fake/numbers                {provider, id, key, phone, waba?, version?, enforce_window?,
                                      webhook?: {url, headers? | app_secret, verify_token}}
POST   /_fake/numbers/{id}/verify    asks the webhook for Meta's challenge; {status, accepted}
POST   /_fake/numbers/{id}/state     {state, reason?}: connection.update; open: the QR was scanned
POST   /_fake/numbers/{id}/faults    any fields of faults.Faults; DELETE clears them
POST   /_fake/numbers/{id}/event     Evolution: {event, data}; Meta: {field, value}, with `account`
                                      true of the whole account: posts it in its envelope
POST   /_fake/inbound                as a contact: {number, from, type, body, name?, id?, times?,
                                      target?, reply_to?, content? (base64 of a file)}
POST   /_fake/raw/{id}               posts this very body to the webhook, signed
POST   /_fake/contacts               {number, exists}: whether a phone is on WhatsApp
POST   /_fake/templates              {waba, name, language, status, ...}: makes or changes one
GET    /_fake/ledger[?number=&to=]   what the contacts' phones have received, and show
GET    /_fake/inbox[?number=]        what contacts have sent: read, our reaction, seen typing
GET    /_fake/deliveries             {pending, deliveries}: our webhook's answers
POST   /_fake/reset                  forgets everything
GET    /_fake/health
"""

import base64
import time
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.whatsapp import echoes
from local.whatsapp.account import challenge
from local.whatsapp.courier import Courier
from local.whatsapp.faults import Faults
from local.whatsapp.network import File, Json, Network, Number, Target


class Control:
    def __init__(self, network: Network, courier: Courier) -> None:
        self._network = network
        self._courier = courier

    def routes(self) -> list[Route]:
        number = "/_fake/numbers/{id}"
        return [
            Route("/_fake/health", self._health),
            Route("/_fake/numbers", self._add_number, methods=["POST"]),
            Route(f"{number}/verify", self._verify, methods=["POST"]),
            Route(f"{number}/state", self._set_state, methods=["POST"]),
            Route(f"{number}/faults", self._set_faults, methods=["POST", "DELETE"]),
            Route(f"{number}/event", self._event, methods=["POST"]),
            Route("/_fake/inbound", self._inbound, methods=["POST"]),
            Route("/_fake/raw/{id}", self._raw, methods=["POST"]),
            Route("/_fake/contacts", self._contact, methods=["POST"]),
            Route("/_fake/templates", self._template, methods=["POST"]),
            Route("/_fake/ledger", self._ledger),
            Route("/_fake/inbox", self._inbox),
            Route("/_fake/deliveries", self._deliveries),
            Route("/_fake/reset", self._reset, methods=["POST"]),
        ]

    async def _health(self, request: Request) -> Response:
        return JSONResponse({"ok": True})

    async def _add_number(self, request: Request) -> Response:
        wanted = await request.json()
        try:
            target = Target(**wanted.pop("webhook")) if wanted.get("webhook") else None
            wanted.pop("webhook", None)
            number = Number(**wanted, target=target)
        except TypeError as error:
            return _refused(str(error))
        self._network.numbers[number.id] = number
        return JSONResponse(asdict(number), 201)

    async def _verify(self, request: Request) -> Response:
        number = self._number(request)
        if number is None or number.target is None:
            return _refused("no such number, or it has no webhook")
        status, accepted = await challenge(number.target.url, number.target.verify_token)
        return JSONResponse({"status": status, "accepted": accepted})

    async def _set_state(self, request: Request) -> Response:
        number = self._number(request)
        if number is None:
            return _refused("no such number")
        wanted = await request.json()
        number.state = str(wanted["state"])
        self._courier.post(number, [echoes.connection(number, wanted.get("reason", 200))])
        return JSONResponse({"state": number.state})

    async def _set_faults(self, request: Request) -> Response:
        number = self._number(request)
        if number is None:
            return _refused("no such number")
        if request.method == "DELETE":
            number.faults = Faults()
            return JSONResponse(asdict(number.faults))
        try:
            number.faults.update(await request.json())
        except ValueError as error:
            return _refused(str(error))
        return JSONResponse(asdict(number.faults))

    async def _event(self, request: Request) -> Response:
        number = self._number(request)
        if number is None:
            return _refused("no such number")
        wanted: Json = await request.json()
        if number.provider == "evolution":
            body = echoes.evolution(number, str(wanted["event"]), wanted.get("data"))
        else:
            build = echoes.meta_account if wanted.get("account") else echoes.meta
            body = build(number, str(wanted["field"]), wanted["value"])
        self._courier.post(number, [body] * int(wanted.get("times", 1)))
        return JSONResponse({}, 202)

    async def _inbound(self, request: Request) -> Response:
        wanted: Json = await request.json()
        number = self._network.numbers.get(str(wanted.get("number")))
        if number is None:
            return _refused("no such number")
        order = {
            "type": "text",
            "name": "Contato",
            "from": "5511988880001",
            "timestamp": int(time.time()),
            **wanted,
        }
        identity = str(wanted.get("id") or self._network.new_id(number.provider))
        if wanted.get("content"):
            order["media_id"] = self._keep(number, identity, order)
        build = echoes.evolution_inbound if number.provider == "evolution" else echoes.meta_inbound
        self._network.heard(number, identity, order["from"])
        body = build(number, identity, order)
        self._courier.post(number, [body] * int(order.get("times", 1)))
        return JSONResponse({"id": identity}, 202)

    def _keep(self, number: Number, identity: str, order: Json) -> str:
        """Where our side gets the file: Evolution by the message's id, Meta by one of its own."""
        media_id = str(self._network.random.randrange(10**15, 10**16))
        mime_type = str(order.get("mime_type", "application/octet-stream"))
        file = File(base64.b64decode(order["content"]), mime_type, order.get("file_name", "file"))
        self._network.files[identity if number.provider == "evolution" else media_id] = file
        return media_id

    async def _raw(self, request: Request) -> Response:
        number = self._number(request)
        if number is None:
            return _refused("no such number")
        self._courier.post_raw(number, await request.body())
        return JSONResponse({}, 202)

    async def _contact(self, request: Request) -> Response:
        wanted = await request.json()
        wa_id = self._network.canonical(str(wanted["number"]))
        if wanted.get("exists", True):
            self._network.absent.discard(wa_id)
        else:
            self._network.absent.add(wa_id)
        return JSONResponse({"wa_id": wa_id})

    async def _template(self, request: Request) -> Response:
        """`parameters`: how many its body takes. A change of status is announced."""
        wanted: Json = await request.json()
        key = (str(wanted["waba"]), str(wanted["name"]), str(wanted["language"]))
        known = self._network.templates
        before = known.get(key, {"id": str(10**15 + len(known))})
        row: Json = {"category": "MARKETING", **before, "status": "APPROVED", **wanted}
        known[key] = row
        if row["status"] != before.get("status"):
            for number in self._network.of_account(key[0])[:1]:
                self._courier.post(number, [echoes.template_status(number, row)])
        return JSONResponse(row)

    async def _ledger(self, request: Request) -> Response:
        query: Any = request.query_params
        return JSONResponse(self._network.ledger_rows(query.get("number"), query.get("to")))

    async def _inbox(self, request: Request) -> Response:
        return JSONResponse(self._network.inbox_rows(request.query_params.get("number")))

    async def _deliveries(self, request: Request) -> Response:
        content = {"pending": self._courier.pending, "deliveries": self._courier.report()}
        return JSONResponse(content)

    async def _reset(self, request: Request) -> Response:
        self._courier.forget()
        self._network.reset()
        return JSONResponse({})

    def _number(self, request: Request) -> Number | None:
        return self._network.numbers.get(request.path_params["id"])


def _refused(why: str) -> Response:
    return JSONResponse({"error": why}, 422)
