"""Calls our webhook as the originals do: again when it fails, several times, in any order."""

import asyncio
import hashlib
import hmac
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

import httpx
import jwt
import orjson

from local.whatsapp.network import Json, Network, Number, Target

ATTEMPTS = 6
LONGEST_WAIT_SECONDS = 5.0
# Evolution drops an event for ever after one of these; Meta repeats after anything but 200.
EVOLUTION_GIVES_UP = frozenset({400, 401, 403, 404, 422})


@dataclass(slots=True)
class Delivery:
    number: str
    event: str
    statuses: list[int | str] = field(default_factory=list)  # HTTP status or exception per attempt
    done: bool = False
    seconds: float | None = None  # of the last attempt


class Courier:
    def __init__(self, network: Network, retry_seconds: float) -> None:
        self._network = network
        self._retry_seconds = retry_seconds
        self._tasks: set[asyncio.Task[None]] = set()
        self._http = httpx.AsyncClient(limits=httpx.Limits(max_connections=100), timeout=30.0)
        self.deliveries: deque[Delivery] = deque(maxlen=20_000)

    @property
    def pending(self) -> int:
        return len(self._tasks)

    def post(self, number: Number, bodies: list[Json], *, gap_seconds: float = 0.0) -> None:
        """Posts the bodies in the background, `gap_seconds` apart; the number's faults apply."""
        if number.target is None:
            return
        planned = [body for body in bodies for _ in range(max(1, number.faults.copies))]
        if number.faults.shuffle:
            self._network.random.shuffle(planned)
        self._start(self._post_all(number, number.target, planned, gap_seconds))

    def post_raw(self, number: Number, raw: bytes) -> None:
        if number.target is not None:
            self._start(self._post_one(number, number.target, raw, "raw"))

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._http.aclose()

    def forget(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        self.deliveries.clear()

    def report(self) -> list[Json]:
        return [asdict(delivery) for delivery in self.deliveries]

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _post_all(
        self, number: Number, target: Target, bodies: list[Json], gap_seconds: float
    ) -> None:
        for body in bodies:
            if _is_wanted(number, target, body):
                event = str(body.get("event", "webhook"))
                self._start(self._post_one(number, target, orjson.dumps(body), event))
            await asyncio.sleep(gap_seconds)

    async def _post_one(self, number: Number, target: Target, raw: bytes, event: str) -> None:
        delivery = Delivery(number.id, event)
        self.deliveries.append(delivery)
        wait = self._retry_seconds
        for _ in range(ATTEMPTS):
            status = await self._attempt(number, target, raw, event, delivery)
            gone = number.provider == "evolution" and status in EVOLUTION_GIVES_UP
            if delivery.done or gone:
                return
            await asyncio.sleep(wait * self._network.random.uniform(0.8, 1.2))
            wait = min(wait * 2, LONGEST_WAIT_SECONDS)

    async def _attempt(
        self, number: Number, target: Target, raw: bytes, event: str, delivery: Delivery
    ) -> int:
        url = target.url
        if target.by_events and number.provider == "evolution":
            url = f"{url}/{event.replace('.', '-')}"
        started = time.monotonic()
        try:
            answer = await self._http.post(url, content=raw, headers=_headers(number, target, raw))
        except httpx.HTTPError as failure:
            delivery.statuses.append(type(failure).__name__)
            return 0
        delivery.seconds = time.monotonic() - started
        delivery.statuses.append(answer.status_code)
        delivery.done = answer.is_success
        return answer.status_code


def _is_wanted(number: Number, target: Target, body: Json) -> bool:
    event = str(body.get("event", "")).replace(".", "_").replace("-", "_").upper()
    return number.provider == "meta" or not target.events or event in target.events


def _headers(number: Number, target: Target, raw: bytes) -> dict[str, str]:
    headers = {"content-type": "application/json"}
    if number.provider == "meta":
        signature = hmac.new(target.app_secret.encode(), raw, hashlib.sha256).hexdigest()
        return {**headers, "x-hub-signature-256": f"sha256={signature}"}
    headers |= {name.lower(): value for name, value in target.headers.items()}
    if key := headers.pop("jwt_key", None):
        now = int(time.time())
        claims = {"iat": now, "exp": now + 600, "app": "evolution", "action": "webhook"}
        token = jwt.encode(claims, key, "HS256", {"typ": "JWT"})
        headers["authorization"] = f"Bearer {token}"
    return headers
