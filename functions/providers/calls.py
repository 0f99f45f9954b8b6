"""One call to a provider: the request as a value, and how its answer is read.

Sends and commands are built and read without any network; only `exchange` and `run` use it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from functions.providers.attempt import TIMEOUT, classified, failed_transport
from functions.providers.base import SendResult
from functions.providers.commands import Answer, FileTooLarge, Writable
from functions.providers.events import Json

# Of what is read whole. Files are not: they go into their sink as they come.
LARGEST_ANSWER = 32_000_000
_KEPT_HEADERS = ("content-type", "date", "retry-after")


# Takes the next bytes of a good answer, b"" at its end; gives back those that are to be read whole.
Sink = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Json | None = None  # sent as JSON
    params: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, tuple[str, bytes, str]] = field(default_factory=dict, repr=False)
    sink: Sink | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Step:
    """A request and what follows from its answer: the end, or the next step."""

    request: Request
    read: Callable[[httpx.Response, Any], "Answer | Step"]  # the answer, its JSON or None
    lost: Answer | None = None  # when the request was written and no answer came


class _TooLarge(httpx.HTTPError):
    pass


def whole_into(file: Writable) -> Sink:
    """The sink of an answer that is a file and nothing else."""

    def take(chunk: bytes) -> bytes:
        if chunk:
            file.write(chunk)
        return b""

    return take


async def exchange(http: httpx.AsyncClient, request: Request) -> httpx.Response:
    """The answer, without what its sink has taken. Redirects are not followed: they would take our
    key elsewhere.

    Raises: httpx.HTTPError, httpx.InvalidURL, UnicodeError; see `failed`. FileTooLarge of a sink.
    """
    headers = dict(request.headers)
    content = None
    if request.body is not None:
        content = orjson.dumps(request.body)
        headers["content-type"] = "application/json"
    async with http.stream(
        request.method,
        request.url,
        content=content,
        params=request.params or None,
        data=dict(request.form) or None,
        files=dict(request.files) or None,
        headers=headers,
        timeout=TIMEOUT,
        follow_redirects=False,
    ) as response:
        take = request.sink if request.sink and response.is_success else bytes
        whole = bytearray()
        async for chunk in response.aiter_bytes():
            whole += take(chunk) if chunk else b""
            if len(whole) > LARGEST_ANSWER:
                raise _TooLarge(f"The answer is over {LARGEST_ANSWER} bytes")
        whole += take(b"")
    kept = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    return httpx.Response(response.status_code, headers=kept, content=bytes(whole))


FAILURES = (httpx.HTTPError, httpx.InvalidURL, UnicodeError)


def answer_json(response: httpx.Response) -> Any:
    """The JSON of an answer; None when it is none."""
    try:
        return orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return None


async def deliver(
    http: httpx.AsyncClient,
    request: Request | None,
    read: Callable[[httpx.Response, Any], SendResult],
) -> SendResult:
    """One attempt to send; None is a message that lacks what its type needs."""
    if request is None:
        return classified("request", code="incomplete", error="The message lacks its content")
    try:
        response = await exchange(http, request)
    except FAILURES as failure:
        return failed_transport(failure)
    return read(response, answer_json(response))


async def run(http: httpx.AsyncClient, step: Step | Answer | None) -> Answer:
    """The answer of a command; None is one that lacks what it needs."""
    following: Answer | Step = step or Answer(
        classified("request", code="incomplete", error="The command lacks its content")
    )
    while isinstance(following, Step):
        try:
            response = await exchange(http, following.request)
        except (_TooLarge, FileTooLarge) as failure:
            return Answer(classified("request", code="too_large", error=str(failure)))
        except FAILURES as failure:
            failed, lost = failed_transport(failure), following.lost
            return lost if lost and failed.outcome == "unknown" else Answer(failed)
        following = following.read(response, answer_json(response))
    return following


def unsupported(command: object) -> Answer:
    name = type(command).__name__
    return Answer(classified("unsupported", code="unsupported", error=f"There is no {name} here"))
