"""What follows from a broken connection, a slow server and the sample answers."""

from dataclasses import replace

import httpx
import orjson
import pytest

from functions.providers import attempt
from functions.providers.events import Identity
from tests.providers.answers import BOTH, evolution_error, failing, graph, send
from tests.providers.fake import FakeWhatsApp, free_port
from tests.providers.samples import FOLDER as SAMPLES


@pytest.mark.parametrize(
    ("name", "provider", "status", "expected"),
    [
        ("meta/error_131056_pair_rate.json", "meta", 400, ("paused", "contact")),
        ("meta/error_190_token.json", "meta", 401, ("paused", "instance")),
        ("evolution/error_400_connection_closed.json", "evolution", 400, ("retryable", "instance")),
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
    ("name", "provider", "status", "identity", "phone"),
    [
        (
            "meta/response_send_200.json",
            "meta",
            200,
            "wamid.HBgLMTY1MDAwMDAwMjcVAgASGBQzQUFERjg0NDEzNDdFODU3MUMxMAA=",
            "+16505550101",
        ),
        (
            "evolution/response_send_text_201_pending_v237.json",
            "evolution",
            201,
            "3EB0FCA6FD5AC08629C2B5",
            "+5531980000019",
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
    phone: str,
) -> None:
    body = orjson.loads((SAMPLES / name).read_bytes())
    result = await failing(whatsapp, http, provider, status, body)
    assert result.outcome == "accepted"
    assert result.provider_message_id == identity
    assert Identity("phone", phone) in result.identities


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
    monkeypatch.setattr("functions.providers.calls.TIMEOUT", httpx.Timeout(0.3))
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
