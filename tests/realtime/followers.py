"""Followers of a company in Python and in JavaScript: each of its inbox and of every conversation
in it, as a screen that shows everything would be."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import httpx
import orjson

from functions.realtime import topics
from functions.realtime.ledger import Status
from functions.realtime.models import is_tombstone
from functions.realtime.subscriber import Subscriber
from tests.realtime.following import FAST
from tests.realtime.playing import ROOM

Json = dict[str, Any]
Token = Callable[[], str]
SCRIPT = Path(__file__).with_name("follow.mjs")
TOKEN_SECONDS = 0.5  # how often the followers in JavaScript are handed a fresh one


@dataclass(frozen=True, slots=True)
class Held:
    """What a follower knows of a scope; `told` is made of the changes it gave out alone."""

    status: str
    epoch: str | None
    version: int
    rows: dict[str, Json]
    told: dict[str, Json]


State = dict[str, Held]
"""Scope -> what is known of it."""


class Followers(Protocol):
    """Some followers in one language."""

    async def states(self) -> list[State]: ...


class PythonFollower:
    """`key` is the publishable one; `token` gives the user's present access token."""

    def __init__(self, url: str, key: str, company_id: str, token: Token) -> None:
        self._url, self._key, self._token = url, key, token
        self._http = httpx.AsyncClient(timeout=10.0)
        self._inbox = topics.inbox(UUID(company_id))
        self._told: dict[str, dict[str, Json]] = {}
        self._subscriber = Subscriber(url, key, token=self._bearer, rpc=self._call, pace=FAST)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["PythonFollower"]:
        async with self._http, self._subscriber:
            self._follow(self._inbox)
            reading = asyncio.create_task(self._read())
            try:
                yield self
            finally:
                reading.cancel()

    async def states(self) -> list[State]:
        return [{scope: self._held(scope) for scope in self._told}]

    def _held(self, scope: str) -> Held:
        ledger = self._subscriber.ledger(scope)
        rows = {id: dict(row) for id, row in ledger.rows.items()}
        return Held(ledger.status, ledger.epoch, ledger.version, rows, dict(self._told[scope]))

    def _follow(self, scope: str) -> None:
        self._told[scope] = {}
        self._subscriber.follow(scope)

    async def _read(self) -> None:
        async for change in self._subscriber.changes():
            told = self._told.get(change.scope, {})
            if change.reset:
                told.clear()
            for row in change.rows:
                told.pop(row["id"], None)
                if not is_tombstone(row):
                    told[row["id"]] = dict(row)
            if change.scope == self._inbox:
                self._follow_those_in(told)

    def _follow_those_in(self, inbox: dict[str, Json]) -> None:
        shown = {self._inbox} | {topics.conversation(UUID(id)) for id in inbox}
        for scope in self._told.keys() - shown:
            self._subscriber.unfollow(scope)
            del self._told[scope]
        for scope in shown - self._told.keys():
            self._follow(scope)

    async def _bearer(self) -> str:
        return self._token()

    async def _call(self, name: str, params: Json) -> Any:
        headers = {"apikey": self._key, "authorization": f"Bearer {self._token()}"}
        answer = await self._http.post(
            f"{self._url}/rest/v1/rpc/{name}", json=params, headers=headers
        )
        return answer.raise_for_status().json()


class JavascriptFollowers:
    """Several followers in one Node process, each with a socket of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._asking = asyncio.Lock()

    async def states(self) -> list[State]:
        async with self._asking:
            await self._order({"state": True})
            assert self._process.stdout is not None
            line = await self._process.stdout.readline()
        return [
            {scope: _held(each) for scope, each in state.items()} for state in orjson.loads(line)
        ]

    async def _order(self, order: Json) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(orjson.dumps(order) + b"\n")
        await self._process.stdin.drain()

    async def renew(self, token: Token) -> None:
        while True:
            await asyncio.sleep(TOKEN_SECONDS)
            await self._order({"token": token()})


@contextlib.asynccontextmanager
async def javascript_followers(
    folder: Path, modules: Path, count: int, url: str, key: str, company_id: str, token: Token
) -> AsyncIterator[JavascriptFollowers]:
    """`folder` is an empty one, `modules` a node_modules with the official client."""
    for source in (ROOM / "ledger.js", ROOM / "subscriber.js", SCRIPT):
        shutil.copy(source, folder)
    (folder / "package.json").write_text('{"type": "module"}')
    inbox = topics.inbox(UUID(company_id))
    process = await asyncio.create_subprocess_exec(
        *("node", str(folder / SCRIPT.name), url, key, inbox, str(count), token()),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**26,
        env=os.environ | {"NODE_PATH": str(modules)},
    )
    followers = JavascriptFollowers(process)
    renewing = asyncio.create_task(followers.renew(token))
    try:
        yield followers
    finally:
        renewing.cancel()
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _held(each: Json) -> Held:
    rows, told = ({row["id"]: row for row in each[name]} for name in ("rows", "told"))
    return Held(each["status"], each["epoch"], each["version"], rows, told)


def differences(states: list[State], truth: dict[str, Held]) -> list[str]:
    """Where a follower knows something else than the database, or is not sure that it does not."""
    faults = []
    for number, state in enumerate(states):
        for scope, true in truth.items():
            held = state.get(scope)
            if held is None:
                faults.append(f"{number}: {scope} is not followed")
            elif held.status is not Status.LIVE and held.status != "live":
                faults.append(f"{number}: {scope} is {held.status}")
            elif (held.epoch, held.version) != (true.epoch, true.version):
                faults.append(f"{number}: {scope} is at {held.version}, not {true.version}")
            elif not held.rows == held.told == true.rows:
                faults.append(f"{number}: {scope} at {held.version} has other rows")
    return faults
