"""/_fake/: what no WhatsApp offers. Bodies and answers are JSON.

POST   /_fake/numbers                {provider, id, key, phone, waba?, version?, enforce_window?,
                                      webhook?: {url, headers? | app_secret, verify_token}}
POST   /_fake/numbers/{id}/verify    asks the webhook for Meta's challenge; {status, accepted}
POST   /_fake/numbers/{id}/state     {state, reason?}: connection.update
POST   /_fake/numbers/{id}/faults    any fields of faults.Faults; DELETE clears them
POST   /_fake/inbound                as a contact: {number, from, type, body, name?, id?, times?}
POST   /_fake/raw/{id}               posts this very body to the webhook, signed
POST   /_fake/contacts               {number, exists}: whether a phone is on WhatsApp
GET    /_fake/ledger[?number=&to=]   what the contacts' phones have received
GET    /_fake/deliveries             {pending, deliveries}: our webhook's answers
POST   /_fake/reset                  forgets everything
GET    /_fake/health
"""

import time
from dataclasses import asdict
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.whatsapp import echoes
from local.whatsapp.courier import Courier
from local.whatsapp.faults import Faults
from local.whatsapp.network import Json, Network, Number, Target

CHALLENGE = "1158201444"


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
            Route("/_fake/inbound", self._inbound, methods=["POST"]),
            Route("/_fake/raw/{id}", self._raw, methods=["POST"]),
            Route("/_fake/contacts", self._contact, methods=["POST"]),
            Route("/_fake/ledger", self._ledger),
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
        query = {
            "hub.mode": "subscribe",
            "hub.challenge": CHALLENGE,
            "hub.verify_token": number.target.verify_token,
        }
        async with httpx.AsyncClient(timeout=10.0) as http:
            answer = await http.get(number.target.url, params=query)
        accepted = answer.status_code == 200 and answer.text == CHALLENGE
        return JSONResponse({"status": answer.status_code, "accepted": accepted})

    async def _set_state(self, request: Request) -> Response:
        number = self._number(request)
        if number is None:
            return _refused("no such number")
        wanted = await request.json()
        number.state = str(wanted["state"])
        data: Json = {"instance": number.id, "state": number.state}
        data["statusReason"] = wanted.get("reason", 200)
        if number.state == "open":
            data |= {"wuid": f"{number.phone}@s.whatsapp.net", "profileName": "Recado"}
        self._courier.post(number, [echoes.evolution(number, "connection.update", data)])
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
        build = echoes.evolution_inbound if number.provider == "evolution" else echoes.meta_inbound
        self._network.heard_from(number, order["from"])
        body = build(number, identity, order)
        self._courier.post(number, [body] * int(order.get("times", 1)))
        return JSONResponse({"id": identity}, 202)

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

    async def _ledger(self, request: Request) -> Response:
        query: Any = request.query_params
        return JSONResponse(self._network.ledger_rows(query.get("number"), query.get("to")))

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
