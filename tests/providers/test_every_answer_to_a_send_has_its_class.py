"""Each row of the classification, answered by a server process over a real connection."""

import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from functions.providers import attempt
from functions.providers.base import Instance, Json, OutboundMessage, SendResult
from functions.providers.meta.outcomes import GRAPH_ERRORS, error_class
from tests.providers.conftest import FakeWhatsApp, free_port
from tests.providers.samples import PROVIDERS

SAMPLES = Path(__file__).parent.parent / "samples"
BOTH = pytest.mark.parametrize("provider", ["evolution", "meta"])


def text_message() -> OutboundMessage:
    return OutboundMessage(str(uuid.uuid4()), "+5531999990001", "text", "oi")


async def send(http: httpx.AsyncClient, instance: Instance) -> SendResult:
    return await PROVIDERS[instance.provider].send(http, instance, text_message())


async def failing(
    whatsapp: FakeWhatsApp,
    http: httpx.AsyncClient,
    provider: str,
    status: int,
    body: Any,
    **headers: str,
) -> SendResult:
    """The result of a send that the server answers like this."""
    instance = await whatsapp.connect(provider)
    await whatsapp.faults(
        instance, fail_times=1, fail_status=status, fail_body=body, fail_headers=headers
    )
    result = await send(http, instance)
    assert await whatsapp.ledger(instance) == []
    assert result.http_status == status
    return result


def graph(code: int, **error: Any) -> Json:
    return {"error": {"message": "m", "type": "OAuthException", "code": code, **error}}


TRANSIENT = ("retryable", None)
META_ROWS: dict[tuple[int, ...], tuple[str, str | None]] = {
    (1, 2, 131000, 131016, 133004, 135000): TRANSIENT,
    (131057, 130429, 133016): ("paused", "instance"),
    (4, 80007): ("paused", "account"),
    (131056,): ("paused", "contact"),
    (131048, 131064): ("paused", "account"),
    (0, 3, 10, 190, 200, 250, 299, 131005, 131045, 131042, 131037): ("paused", "instance"),
    (368, 131031, 130497): ("paused", "account"),
    (131047,): ("permanent", "contact"),
    (130472, 131049): ("retryable", "recipient"),
    (131050, 131026): ("permanent", "recipient"),
    (100, 33, 131008, 131009, 131021, 131030, 131051, 131062, 131063): ("permanent", "request"),
    (132000, 132001, 132005, 132007, 132008, 132012, 137000): ("permanent", "request"),
    (132015, 132016): ("permanent", "account"),
    (131052, 131053): ("permanent", "request"),
}
META_CODES = [(code, expected) for codes, expected in META_ROWS.items() for code in codes]


@pytest.mark.parametrize(("code", "expected"), META_CODES)
async def test_a_graph_error_is_classified_by_its_code(
    whatsapp: FakeWhatsApp, http: httpx.AsyncClient, code: int, expected: tuple[str, str | None]
) -> None:
    """Never by the HTTP status: each code comes with one that would say something else."""
    status = 400 if expected == TRANSIENT else 403
    result = await failing(whatsapp, http, "meta", status, graph(code))
    assert (result.outcome, result.scope) == expected
    assert result.code == str(code)


def test_every_code_of_the_table_is_tested() -> None:
    assert set(GRAPH_ERRORS) <= {code for code, _ in META_CODES}
    assert error_class(424242) is None


@pytest.mark.parametrize(
    ("code", "seconds"), [(131057, 60), (131056, 4), (131048, 3600), (131049, 86400), (190, None)]
)
async def test_a_graph_error_says_how_long_to_wait(
    whatsapp: FakeWhatsApp, http: httpx.AsyncClient, code: int, seconds: float | None
) -> None:
    result = await failing(whatsapp, http, "meta", 400, graph(code))
    assert result.retry_after_seconds == seconds


@pytest.mark.parametrize(
    ("status", "body", "outcome", "scope"),
    [
        (500, graph(424242), "retryable", None),
        (400, graph(424242), "permanent", "request"),
        (400, graph(424242, is_transient=True), "retryable", None),
        (403, graph(424242), "paused", "instance"),
        (503, graph(131053), "retryable", None),
        (400, {"error": {"message": "no code"}}, "permanent", "request"),
        (502, None, "unknown", None),
        (504, None, "unknown", None),
        (500, None, "unknown", None),
        (500, "<html>", "unknown", None),
        (401, None, "paused", "instance"),
        (404, None, "paused", "instance"),
        (302, None, "paused", "instance"),
        (200, {"messages": []}, "unknown", None),
        (200, None, "unknown", None),
        (200, {"messages": [{"id": ""}]}, "unknown", None),
    ],
)
async def test_other_answers_of_meta(
    whatsapp: FakeWhatsApp,
    http: httpx.AsyncClient,
    status: int,
    body: Any,
    outcome: str,
    scope: str | None,
) -> None:
    result = await failing(whatsapp, http, "meta", status, body)
    assert (result.outcome, result.scope) == (outcome, scope)


def evolution_error(status: int, message: Any, **more: Any) -> Json:
    return {"status": status, "error": "Error", "response": {"message": message}, **more}


LICENSE = {"error": "service not activated", "code": "LICENSE_REQUIRED", "register_url": "x"}
META_ERROR = {"message": "limit", "type": "OAuthException", "code": 131056, "fbtrace_id": "A"}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, evolution_error(400, [{"exists": False, "jid": "5511900000099@s.whatsapp.net"}]),
         ("permanent", "recipient", "not_on_whatsapp")),
        (400, evolution_error(400, ["Error: Connection Closed"]),
         ("retryable", None, "connection_closed")),
        (400, evolution_error(400, ["Error: Timed Out"]), ("retryable", None, "timed_out")),
        (400, evolution_error(400, 'The "x" instance is not connected'),
         ("retryable", None, "not_connected")),
        (400, evolution_error(400, ["Error: rate-overlimit"]),
         ("paused", "instance", "rate_overlimit")),
        (400, evolution_error(400, ["PrismaClientKnownRequestError: Invalid `create()`"]),
         ("unknown", None, "stored_badly")),
        (400, evolution_error(400, [["instance requires property \"text\""]]),
         ("permanent", "request", "400")),
        (400, None, ("permanent", "request", "400")),
        (401, evolution_error(401, "Unauthorized"), ("paused", "instance", "401")),
        (403, evolution_error(403, ["Forbidden"]), ("paused", "instance", "403")),
        (404, evolution_error(404, ['The "x" instance does not exist']),
         ("paused", "instance", "404")),
        (404, evolution_error(404, ["Group not found"]),
         ("permanent", "recipient", "group_not_found")),
        (404, evolution_error(404, ["Cannot POST /x"]), ("paused", "instance", "404")),
        (503, LICENSE, ("paused", "instance", "LICENSE_REQUIRED")),
        (503, None, ("retryable", None, "503")),
        (413, None, ("permanent", "request", "413")),
        (301, None, ("paused", "instance", "301")),
        (500, evolution_error(500, "TypeError: undefined"), ("retryable", None, "500")),
        (500, None, ("unknown", None, "500")),
        (502, None, ("unknown", None, "502")),
        (504, "<html>", ("unknown", None, "504")),
        (201, META_ERROR, ("paused", "contact", "131056")),
        (201, {"error": META_ERROR}, ("paused", "contact", "131056")),
        (201, {"status": "PENDING"}, ("unknown", None, "no_id")),
        (201, {"key": {"remoteJid": "1@s.whatsapp.net"}}, ("unknown", None, "no_id")),
        (201, None, ("unknown", None, "no_id")),
    ],
)  # fmt: skip
async def test_an_answer_of_evolution_is_classified_by_its_words(
    whatsapp: FakeWhatsApp,
    http: httpx.AsyncClient,
    status: int,
    body: Any,
    expected: tuple[str, str | None, str],
) -> None:
    result = await failing(whatsapp, http, "evolution", status, body)
    assert (result.outcome, result.scope, result.code) == expected


@pytest.mark.parametrize(
    ("name", "provider", "status", "expected"),
    [
        ("meta/error_131056_pair_rate.json", "meta", 400, ("paused", "contact")),
        ("meta/error_190_token.json", "meta", 401, ("paused", "instance")),
        ("evolution/error_400_connection_closed.json", "evolution", 400, ("retryable", None)),
        (
            "evolution/error_400_number_not_on_whatsapp.json",
            "evolution",
            400,
            ("permanent", "recipient"),
        ),
    ],
)
async def test_the_sample_errors_are_classified(
    whatsapp: FakeWhatsApp,
    http: httpx.AsyncClient,
    name: str,
    provider: str,
    status: int,
    expected: tuple[str, str | None],
) -> None:
    body = orjson.loads((SAMPLES / name).read_bytes())
    result = await failing(whatsapp, http, provider, status, body)
    assert (result.outcome, result.scope) == expected


@pytest.mark.parametrize(
    ("name", "provider", "status", "identity", "recipient"),
    [
        (
            "meta/response_send_200.json",
            "meta",
            200,
            "wamid.HBgLMTY1MDAwMDAwMjcVAgASGBQzQUFERjg0NDEzNDdFODU3MUMxMAA=",
            "16505550101",
        ),
        (
            "evolution/response_send_text_201_pending_v237.json",
            "evolution",
            201,
            "3EB0FCA6FD5AC08629C2B5",
            "553180000019@s.whatsapp.net",
        ),
    ],
)
async def test_the_sample_answers_are_accepted(
    whatsapp: FakeWhatsApp,
    http: httpx.AsyncClient,
    name: str,
    provider: str,
    status: int,
    identity: str,
    recipient: str,
) -> None:
    body = orjson.loads((SAMPLES / name).read_bytes())
    result = await failing(whatsapp, http, provider, status, body)
    assert result.outcome == "accepted"
    assert (result.provider_message_id, result.recipient) == (identity, recipient)


@BOTH
async def test_too_many_requests_wait_as_long_as_the_server_asks(
    whatsapp: FakeWhatsApp, http: httpx.AsyncClient, provider: str
) -> None:
    result = await failing(whatsapp, http, provider, 429, None, **{"retry-after": "17"})
    assert (result.outcome, result.scope) == ("paused", "instance")
    assert result.retry_after_seconds == 17
    later = {"retry-after": "Fri, 31 Dec 2100 23:59:59 GMT"}
    result = await failing(whatsapp, http, provider, 429, None, **later)
    assert result.retry_after_seconds is not None
    assert result.retry_after_seconds > 10**9
    result = await failing(whatsapp, http, provider, 429, None, **{"retry-after": "soon"})
    assert result.retry_after_seconds == 30


@BOTH
async def test_a_server_that_cannot_be_reached_got_nothing(
    whatsapp: FakeWhatsApp, http: httpx.AsyncClient, provider: str
) -> None:
    instance = await whatsapp.connect(provider)
    for base_url in (f"http://127.0.0.1:{free_port()}", "http://nobody.invalid"):
        result = await send(http, replace(instance, base_url=base_url))
        assert (result.outcome, result.code) == ("retryable", "connect_error")


@BOTH
async def test_a_server_that_does_not_speak_tls_got_nothing(
    whatsapp: FakeWhatsApp, http: httpx.AsyncClient, provider: str
) -> None:
    instance = await whatsapp.connect(provider)
    result = await send(http, replace(instance, base_url=whatsapp.url.replace("http:", "https:")))
    assert result.outcome == "retryable"


@BOTH
@pytest.mark.parametrize("base_url", ["", "evolution", "ftp://example.com", "http://é .x"])
async def test_a_wrong_base_address_pauses_the_instance(
    whatsapp: FakeWhatsApp, http: httpx.AsyncClient, provider: str, base_url: str
) -> None:
    instance = await whatsapp.connect(provider)
    result = await send(http, replace(instance, base_url=base_url))
    assert (result.outcome, result.scope) == ("paused", "instance")


@BOTH
@pytest.mark.parametrize("fault", ["lose_times", "hang_times", "gateway_times", "anonymous_times"])
async def test_an_answer_that_does_not_come_leaves_the_message_unknown(
    whatsapp: FakeWhatsApp,
    http: httpx.AsyncClient,
    provider: str,
    fault: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And rightly: the contact has it."""
    for module in ("evolution", "meta"):
        name = f"functions.providers.{module}.sending.TIMEOUT"
        monkeypatch.setattr(name, httpx.Timeout(0.3))
    instance = await whatsapp.connect(provider)
    await whatsapp.faults(instance, **{fault: 1})
    result = await send(http, instance)
    assert (result.outcome, result.provider_message_id) == ("unknown", None)
    assert len(await whatsapp.ledger(instance)) == 1


@BOTH
async def test_a_connection_cut_before_the_message_was_taken_is_unknown_too(
    whatsapp: FakeWhatsApp, http: httpx.AsyncClient, provider: str
) -> None:
    """From here the two cannot be told apart."""
    instance = await whatsapp.connect(provider)
    await whatsapp.faults(instance, cut_times=1)
    result = await send(http, instance)
    assert result.outcome == "unknown"
    assert await whatsapp.ledger(instance) == []


@BOTH
async def test_an_error_carries_no_phone_number(
    whatsapp: FakeWhatsApp, http: httpx.AsyncClient, provider: str
) -> None:
    said = "to +55 (31) 99999-0001 or 5531999990001:3@s.whatsapp.net (wamid.HBgNNTUzMQA=) failed"
    body = graph(131026) if provider == "meta" else evolution_error(400, [said])
    if provider == "meta":
        body["error"]["message"] = said
    result = await failing(whatsapp, http, provider, 400, body)
    assert result.error == "to [number] or [number] ([message id]) failed"


def test_a_request_never_waits_without_end() -> None:
    timeout = attempt.TIMEOUT
    assert None not in (timeout.connect, timeout.read, timeout.write, timeout.pool)
