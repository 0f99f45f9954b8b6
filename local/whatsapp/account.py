"""Meta's Cloud API beside messages: files, the number itself, subscriptions, templates."""

import email
import hashlib

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.whatsapp.graph import expired, graph_error, is_authorized, unknown_object
from local.whatsapp.network import File, Json, Network, Number, Target

CHALLENGE = "1158201444"
_PAGE = 2  # templates in one answer: few, so that pages are met in tests


class AccountApi:
    def __init__(self, network: Network) -> None:
        self._network = network

    def routes(self) -> list[Route]:
        node = "/{version}/{node}"
        return [
            Route("/_file/{node}", self._download),
            Route(f"{node}/media", self._upload, methods=["POST"]),
            Route(f"{node}/register", self._register, methods=["POST"]),
            Route(f"{node}/deregister", self._deregister, methods=["POST"]),
            Route(f"{node}/subscribed_apps", self._subscribe, methods=["POST"]),
            Route(f"{node}/message_templates", self._list_templates),
            Route("/{version:str}/{node}", self._read),
        ]

    def _caller(self, request: Request) -> Number | None:
        """Any number whose token this is: a token is the account's, and so are its files."""
        numbers = self._network.numbers.values()
        return next((one for one in numbers if is_authorized(request, one)), None)

    async def _upload(self, request: Request) -> Response:
        number = self._network.number(request.path_params["node"], "meta")
        if number is None or not is_authorized(request, number):
            return expired() if number else unknown_object(request.path_params["node"])
        head = f"content-type: {request.headers.get('content-type', '')}\r\n\r\n".encode()
        for part in email.message_from_bytes(head + await request.body()).walk():
            if part.get_param("name", header="content-disposition") == "file":
                content = part.get_payload(decode=True)
                assert isinstance(content, bytes)
                media_id = str(self._network.random.randrange(10**15, 10**16))
                kind = part.get_content_type()
                self._network.files[media_id] = File(content, kind, part.get_filename() or "file")
                return JSONResponse({"id": media_id})
        return graph_error(100, "(#100) Invalid parameter", details="file is required")

    async def _download(self, request: Request) -> Response:
        file = self._network.files.get(request.path_params["node"])
        if self._caller(request) is None or file is None:
            return Response(status_code=404)
        return Response(file.content, media_type=file.mime_type)

    async def _read(self, request: Request) -> Response:
        """A number, or the place of a file."""
        node = request.path_params["node"]
        if self._caller(request) is None:
            return expired()
        if number := self._network.number(node, "meta"):
            return JSONResponse(_number_row(number))
        if (file := self._network.files.get(node)) is None:
            return unknown_object(node)
        return JSONResponse(
            {
                "messaging_product": "whatsapp",
                "url": f"{request.base_url}_file/{node}",
                "mime_type": file.mime_type,
                "sha256": hashlib.sha256(file.content).hexdigest(),
                "file_size": len(file.content),
                "id": node,
            }
        )

    async def _register(self, request: Request) -> Response:
        body = await request.json()
        pin = str(body.get("pin", ""))
        if len(pin) != 6 or not pin.isdecimal():
            return graph_error(100, "(#100) Invalid parameter", details="pin must have 6 digits")
        return self._set_state(request, "open")

    async def _deregister(self, request: Request) -> Response:
        return self._set_state(request, "close")

    def _set_state(self, request: Request, state: str) -> Response:
        number = self._network.number(request.path_params["node"], "meta")
        if number is None:
            return unknown_object(request.path_params["node"])
        if not is_authorized(request, number):
            return expired()
        number.state = state
        return JSONResponse({"success": True})

    async def _subscribe(self, request: Request) -> Response:
        """Asks the address for the challenge first, and posts nowhere else from then on."""
        numbers = self._network.of_account(request.path_params["node"])
        if not numbers or not is_authorized(request, numbers[0]):
            return expired() if numbers else unknown_object(request.path_params["node"])
        body = await request.json()
        url, token = str(body.get("override_callback_uri")), str(body.get("verify_token"))
        _, accepted = await challenge(url, token)
        if not accepted:
            return graph_error(2200, "(#2200) Callback verification failed")
        for number in numbers:
            secret = number.target.app_secret if number.target else ""
            number.target = Target(url, app_secret=secret, verify_token=token)
        return JSONResponse({"success": True})

    async def _list_templates(self, request: Request) -> Response:
        waba = request.path_params["node"]
        numbers = self._network.of_account(waba)
        if not numbers or not is_authorized(request, numbers[0]):
            return expired() if numbers else unknown_object(waba)
        rows = [row for (account, *_), row in self._network.templates.items() if account == waba]
        start = int(request.query_params.get("after") or 0)
        page: Json = {"data": rows[start : start + _PAGE]}
        page["paging"] = {"cursors": {"before": str(start), "after": str(start + _PAGE)}}
        if start + _PAGE < len(rows):
            page["paging"]["next"] = str(request.url)
        return JSONResponse(page)


async def challenge(url: str, token: str) -> tuple[int, bool]:
    """Asks this address for Meta's challenge: the status, and whether it knows the token."""
    query = {"hub.mode": "subscribe", "hub.challenge": CHALLENGE, "hub.verify_token": token}
    async with httpx.AsyncClient(timeout=10.0) as http:
        answer = await http.get(url, params=query)
    return answer.status_code, answer.status_code == 200 and answer.text == CHALLENGE


def _number_row(number: Number) -> Json:
    return {
        "id": number.id,
        "display_phone_number": f"+{number.phone}",
        "verified_name": "Recado",
        "status": "CONNECTED" if number.state == "open" else "DISCONNECTED",
        "quality_rating": number.quality,
        "messaging_limit_tier": number.limit,
        "throughput": {"level": "STANDARD"},
        "health_status": {"can_send_message": "AVAILABLE", "entities": []},
    }
