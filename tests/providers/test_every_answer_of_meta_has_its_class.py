"""Each row of Meta's classification, answered by a server process over a real connection."""

from typing import Any

import httpx
import pytest

from functions.providers.meta.outcomes import GRAPH_ERRORS, error_class
from tests.providers.answers import failing, graph
from tests.providers.fake import FakeWhatsApp

TRANSIENT = ("retryable", None)
META_ROWS: dict[tuple[int, ...], tuple[str, str | None]] = {
    (1, 2, 131000, 131016, 133004, 135000): TRANSIENT,
    (131057, 130429, 131208, 132069, 133016): ("paused", "instance"),
    (4, 613, 80007, 80008): ("paused", "account"),
    (131056,): ("paused", "contact"),
    (131048, 131064): ("paused", "account"),
    (0, 3, 10, 190, 200, 250, 299, 131005, 131045, 131042, 131037): ("paused", "instance"),
    (131044, 133000, 133005, 133006, 133008, 133009, 133010, 133015, 141000): (
        "paused",
        "instance",
    ),
    (368, 131031, 130497): ("paused", "account"),
    (131047,): ("permanent", "contact"),
    (130472, 131049): ("retryable", "recipient"),
    (131050, 131026, 131041, 131207): ("permanent", "recipient"),
    (100, 33, 131008, 131009, 131020, 131021, 131030, 131051, 131062, 131063): (
        "permanent",
        "request",
    ),
    (132000, 132001, 132005, 132007, 132008, 132012, 137000): ("permanent", "request"),
    (132015, 132016, 132068): ("permanent", "account"),
    (131052, 131053): ("permanent", "request"),
}
CLASSES: dict[str, tuple[int, ...]] = {
    "transient": (1, 2, 131000, 131016, 133004, 135000),
    "maintenance": (131057,),
    "app_throttle": (4, 613, 80007, 80008),
    "throttle": (130429, 131208, 132069, 133016),
    "pair_rate": (131056,),
    "spam": (131048, 131064),
    "configuration": (
        0, 3, 10, 190, 200, 250, 299, 131005, 131037, 131042, 131044, 131045, 133000, 133005,
        133006, 133008, 133009, 133010, 133015, 141000,
    ),
    "integrity": (368, 130497, 131031),
    "window_closed": (131047,),
    "defer": (130472, 131049),
    "opt_out": (131050,),
    "recipient": (131026, 131041, 131207),
    "request": (
        33, 100, 131008, 131009, 131020, 131021, 131030, 131051, 131062, 131063, 137000,
    ),
    "template_request": (132000, 132001, 132005, 132007, 132008, 132012),
    "template": (132015, 132016, 132068),
    "media": (131052, 131053),
}  # fmt: skip
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


@pytest.mark.parametrize(
    ("code", "kind"), [(code, kind) for kind, codes in CLASSES.items() for code in codes]
)
def test_a_code_is_of_this_class_and_no_other(code: int, kind: str) -> None:
    assert error_class(code) == kind


def test_every_code_of_the_table_is_tested() -> None:
    assert set(GRAPH_ERRORS) <= {code for codes in CLASSES.values() for code in codes}
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
