"""Meta's Cloud API as our sender calls it: POST /{version}/{phone_number_id}/messages."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.whatsapp import echoes
from local.whatsapp.courier import Courier
from local.whatsapp.doors import failure
from local.whatsapp.faults import Cut
from local.whatsapp.network import Json, Network, Number, Sent

_TYPES = (
    "text", "image", "audio", "video", "document", "sticker", "template", "reaction", "location",
    "contacts", "interactive",
)  # fmt: skip
_MEDIA = ("image", "audio", "video", "document", "sticker")
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
# A template that stands so is refused at once.
_TEMPLATE_REFUSALS = {"PAUSED": 132015, "DISABLED": 132016}


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
            return unknown_object(identity)
        if not is_authorized(request, number):
            return expired()
        faults = number.faults
        if faults.take("fail_times"):
            return failure(faults.fail_status, faults.fail_body, faults.fail_headers)
        if faults.take("cut_times"):
            return Cut()
        body = await request.json()
        if isinstance(body, dict) and body.get("status") == "read":
            return self._mark(number, body)
        problem = _problem(body)
        if problem is not None:
            return graph_error(100, "(#100) Invalid parameter", details=problem)
        code = self._refusal_at_once(number, body)
        return graph_error(code, f"(#{code})") if code else self._accept(number, body)

    def _mark(self, number: Number, body: Json) -> Response:
        """Read, with all that came before it from the same contact; and maybe typing."""
        last = self._network.inbox.get(str(body.get("message_id")))
        if last is None or last.number != number.id:
            return graph_error(100, "(#100) Invalid parameter", details="no such message")
        for message in self._network.inbox.values():
            if (message.number, message.sender) == (last.number, last.sender):
                message.read = True
            if message is last:
                break
        last.typing += "typing_indicator" in body
        return JSONResponse({"success": True})

    def _refusal_at_once(self, number: Number, body: Json) -> int | None:
        if body["type"] in _MEDIA and (media_id := body[body["type"]].get("id")):
            return None if str(media_id) in self._network.files else 100
        known = [row for (waba, *_), row in self._network.templates.items() if waba == number.waba]
        if body["type"] != "template" or not known:
            return None
        wanted = body["template"]
        language = (wanted.get("language") or {}).get("code")
        row = self._network.templates.get((number.waba, str(wanted.get("name")), str(language)))
        if row is None:
            return 132001
        if row["status"] in _TEMPLATE_REFUSALS:
            return _TEMPLATE_REFUSALS[row["status"]]
        given = [part for part in wanted.get("components") or [] if part.get("type") == "body"]
        count = sum(len(part.get("parameters") or []) for part in given)
        return None if count == row.get("parameters", count) else 132000

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
            reply_to=(body.get("context") or {}).get("message_id"),
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
            if sent.type == "reaction":
                self._react(sent)
            sent.statuses += ["sent", "delivered", *(["read"] if faults.read else [])]
            bodies = [echoes.meta_status(number, sent, said) for said in sent.statuses]
        if not faults.drop_statuses:
            self._courier.post(number, bodies, gap_seconds=0.01)

    def _react(self, sent: Sent) -> None:
        theirs = self._network.inbox.get(str(sent.message["reaction"].get("message_id")))
        if theirs is not None:
            theirs.reaction = sent.body

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


def is_authorized(request: Request, number: Number) -> bool:
    return request.headers.get("authorization") == f"Bearer {number.key}"


def expired() -> Response:
    return graph_error(190, "Error validating access token: Session has expired", subcode=463)


def unknown_object(identity: str) -> Response:
    return graph_error(100, f"Object with ID '{identity}' does not exist", subcode=33)


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
    shape = list if body["type"] == "contacts" else dict
    return None if isinstance(body.get(body["type"]), shape) else f"{body['type']} is required"


def _text(body: Json) -> str | None:
    content = body[body["type"]]
    if isinstance(content, list):
        content = (content or [{}])[0].get("name") or {}
    said = content.get("body") or content.get("caption") or content.get("name")
    if isinstance(said, dict):
        said = said.get("text")
    return str(said or content.get("emoji") or content.get("formatted_name") or "") or None
