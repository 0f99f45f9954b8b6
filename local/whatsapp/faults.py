"""What is to go wrong with the next requests to a number. Each fault counts down and is gone."""

import asyncio
from dataclasses import dataclass, field, fields
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send


@dataclass(slots=True)
class Faults:
    """`*_times`: how many requests; the rest changes what follows a message, until it is reset."""

    delay_seconds: float = 0.0  # before the request is handled
    fail_times: int = 0  # answered with `fail_status` and `fail_body`, nothing sent
    fail_status: int = 500
    fail_body: Any = None  # JSON; null: an empty body
    fail_headers: dict[str, str] = field(default_factory=dict)
    cut_times: int = 0  # connection closed, nothing sent
    lose_times: int = 0  # message sent, connection closed instead of the answer
    hang_times: int = 0  # message sent, answer withheld for `hang_seconds`
    hang_seconds: float = 60.0
    gateway_times: int = 0  # message sent, answered 502 without a body
    anonymous_times: int = 0  # message sent, answered without its id
    nack_times: int = 0  # message taken, then refused with `nack_code` in a status
    nack_code: str = ""
    stuck_times: int = 0  # message taken, never reaches anybody, no status (PENDING for ever)
    cold_lock: bool = False  # Evolution: messages to those who never wrote are refused with 463
    zombie: bool = False  # Evolution: says it is open, but its connection is dead
    copies: int = 1  # of every webhook
    shuffle: bool = False  # the webhooks of a message, in another order
    drop_statuses: bool = False
    drop_echoes: bool = False  # Evolution's send.message
    read: bool = True  # the contact opens the chat

    def take(self, name: str) -> bool:
        """Whether this fault applies now; one less of it afterwards."""
        left = int(getattr(self, name))
        if left > 0:
            setattr(self, name, left - 1)
        return left > 0

    def update(self, wanted: dict[str, Any]) -> None:
        """Raises: ValueError for a name that is no fault."""
        known = {each.name for each in fields(self)}
        if unknown := set(wanted) - known:
            raise ValueError(f"no such fault: {', '.join(sorted(unknown))}")
        for name, value in wanted.items():
            setattr(self, name, value)


class Cut(Response):
    """Promises a body and closes the connection before the end of it."""

    def __init__(self, after_seconds: float = 0.0) -> None:
        super().__init__()
        self._after_seconds = after_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(self._after_seconds)
        headers = [(b"content-length", b"9")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"", "more_body": True})
