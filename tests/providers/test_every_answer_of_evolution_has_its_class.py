"""Each row of Evolution's classification, answered by a server process."""

from typing import Any

import httpx
import pytest

from functions.providers.evolution.outcomes import ANSWERS, NACKS, nack_class
from tests.providers.answers import evolution_error, failing
from tests.providers.fake import FakeWhatsApp

BROKEN = (
    "connection_closed", "connection_lost", "connection_terminated", "connection_failure",
    "timed_out", "not_connected", "stream_errored",
)  # fmt: skip
LICENSE = {"error": "service not activated", "code": "LICENSE_REQUIRED", "register_url": "x"}
META_ERROR = {"message": "limit", "type": "OAuthException", "code": 131056, "fbtrace_id": "A"}


def test_every_row_has_this_class_and_no_other() -> None:
    """The words of a row as its code: rows of one status are read in this order."""
    assert [(status, code, kind) for status, _, code, kind, _ in ANSWERS] == [
        (400, "not_on_whatsapp", "not_on_whatsapp"),
        (400, "stored_badly", "unknown"),
        (400, "rate_overlimit", "throttle"),
        *((400, broken, "disconnected") for broken in BROKEN),
        (400, "message_not_found", "request"),
        (400, "too_late_to_edit", "request"),
        (400, "400", "request"),
        (401, "401", "configuration"),
        (403, "403", "configuration"),
        (404, "group_not_found", "recipient"),
        (404, "message_not_found", "request"),
        (404, "404", "configuration"),
        (413, "413", "request"),
        (422, "422", "request"),
        (429, "429", "throttle"),
        (500, "connection_closed", "disconnected"),
        (503, "LICENSE_REQUIRED", "configuration"),
        (503, "503", "transient"),
    ]


@pytest.mark.parametrize(
    ("code", "kind"),
    [("463", "cold_lock"), ("479", "transient"), ("400", "transient"), ("405", "configuration"),
     ("999", "refused"), (None, "refused")],
)  # fmt: skip
def test_a_nack_has_this_class_and_no_other(code: str | None, kind: str) -> None:
    assert nack_class(code) == kind
    assert code not in NACKS or len(NACKS) == 4


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, evolution_error(400, [{"exists": False, "jid": "5511900000099@s.whatsapp.net"}]),
         ("permanent", "recipient", "not_on_whatsapp")),
        (400, evolution_error(400, ["Error: Connection Closed"]),
         ("retryable", "instance", "connection_closed")),
        (400, evolution_error(400, ["Error: Timed Out"]), ("retryable", "instance", "timed_out")),
        (400, evolution_error(400, 'The "x" instance is not connected'),
         ("retryable", "instance", "not_connected")),
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
        (500, evolution_error(500, ["Error: Connection Closed"]),
         ("retryable", "instance", "connection_closed")),
        (404, evolution_error(404, ["Message not found"]),
         ("permanent", "request", "message_not_found")),
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
