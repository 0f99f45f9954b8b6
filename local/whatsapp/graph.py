"""Meta's Cloud API as our sender calls it: POST /{version}/{phone_number_id}/messages."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.whatsapp import echoes
from local.whatsapp.courier import Courier
from local.whatsapp.evolution import failure
from local.whatsapp.faults import Cut
from local.whatsapp.network import Json, Network, Number, Sent

_TYPES = ("text", "image", "audio", "video", "document", "sticker", "template", "reaction")
_OTHER_STATUS = {190: 401, 10: 403, 200: 403, 131005: 403, 368: 403, 131031: 403, 130429: 429,
                 131000: 500, 1: 500, 2: 503, 131016: 503, 133004: 503}  # fmt: skip
_NOT_REACHABLE = {
    "code": 131026,
    "title": "Message undeliverable",
    "message": "Message undeliverable",
    "error_data": {"details": "Message Undeliverable."},
}
_WINDOW_CLOSED = {
    "code": 131047,
    "title": "Re-engagement message",
    "message": "Re-engagement message",
    "error_data": {"details": "More than 24 hours have passed since the customer last replied."},
}


class GraphApi:
    def __init__(self, network: Network, courier: Courier) -> None:
        self._network = network
        self._courier = courier

    def routes(self) -> list[Route]:
        return [Route("/{version}/{phone_number_id}/messages", self._messages, methods=["POST"])]

    async def _messages(self, request: Request) -> Response:
        identity = request.path_params["phone_number_id"]
        number = self._network.number(identity, "meta")
        if number is None:
            return graph_error(100, f"Object with ID '{identity}' does not exist", subcode=33)
        if request.headers.get("authorization") != f"Bearer {number.key}":
            return graph_error(
                190, "Error validating access token: Session has expired", subcode=463
            )
        faults = number.faults
        if faults.take("fail_times"):
            return failure(faults.fail_status, faults.fail_body, faults.fail_headers)
        if faults.take("cut_times"):
            return Cut()
        body = await request.json()
        problem = _problem(body)
        if problem is not None:
            return graph_error(100, "(#100) Invalid parameter", details=problem)
        return self._accept(number, body)

    def _accept(self, number: Number, body: Json) -> Response:
        to = str(body.get("to") or body.get("recipient"))
        address = self._network.canonical(to) if body.get("to") else to
        client_ref = body.get("biz_opaque_callback_data")
        sent = Sent(
            self._network.new_id("meta"),
            number.id,
            address,
            body["type"],
            _text(body),
            str(client_ref) if client_ref is not None else None,
            {body["type"]: body[body["type"]]},
        )
        self._network.accept(sent)
        self._follow_up(number, sent)
        faults = number.faults
        if faults.take("lose_times"):
            return Cut()
        if faults.take("hang_times"):
            return Cut(faults.hang_seconds)
        if faults.take("gateway_times"):
            return Response(status_code=502)
        contact = {"input": to, ("wa_id" if body.get("to") else "user_id"): address}
        message = {"id": sent.provider_id, "message_status": "accepted"}
        messages = [] if faults.take("anonymous_times") else [message]
        product = "whatsapp"
        return JSONResponse(
            {"messaging_product": product, "contacts": [contact], "messages": messages}
        )

    def _follow_up(self, number: Number, sent: Sent) -> None:
        """Delivers the message and plans the statuses."""
        faults = number.faults
        refusal = self._refusal(number, sent)
        if refusal is not None:
            sent.statuses.append("failed")
            bodies = [echoes.meta_status(number, sent, "failed", refusal)]
        elif faults.take("stuck_times"):
            return
        else:
            self._network.deliver(sent)
            sent.statuses += ["sent", "delivered", *(["read"] if faults.read else [])]
            bodies = [echoes.meta_status(number, sent, said) for said in sent.statuses]
        if not faults.drop_statuses:
            self._courier.post(number, bodies, gap_seconds=0.01)

    def _refusal(self, number: Number, sent: Sent) -> Json | None:
        """Meta accepts these with 200 and says why not in a status."""
        if number.faults.take("nack_times"):
            title = "Refused on request"
            code = number.faults.nack_code
            return {"code": int(code) if code.isdecimal() else 131000, "title": title}
        if not self._network.exists(sent.to):
            return _NOT_REACHABLE
        if sent.type != "template" and not self._network.window_is_open(number, sent.to):
            return _WINDOW_CLOSED
        return None


def graph_error(
    code: int, message: str, *, subcode: int | None = None, details: str | None = None
) -> Response:
    error: Json = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "FAKE"}
    if subcode is not None:
        error["error_subcode"] = subcode
    if details is not None:
        error["error_data"] = {"messaging_product": "whatsapp", "details": details}
    return JSONResponse({"error": error}, _OTHER_STATUS.get(code, 400))


def _problem(body: Any) -> str | None:
    if not isinstance(body, dict) or body.get("messaging_product") != "whatsapp":
        return "messaging_product must be 'whatsapp'"
    if not body.get("to") and not body.get("recipient"):
        return "The parameter to is required."
    if body.get("type") not in _TYPES:
        return "type must be one of those documented"
    return None if isinstance(body.get(body["type"]), dict) else f"{body['type']} is required"


def _text(body: Json) -> str | None:
    content = body[body["type"]]
    said = content.get("body") or content.get("caption") or content.get("name")
    return str(said or content.get("emoji") or "") or None
