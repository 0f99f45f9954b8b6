"""The tables of failures are complete, and say the same of an answer and of a later status."""

from dataclasses import asdict, astuple
from typing import get_args

import httpx
import pytest

from functions.providers.attempt import (
    REACTIONS,
    STUCK,
    STUCK_PAUSES_CAMPAIGNS,
    STUCK_SECONDS,
    Action,
    ErrorClass,
    classified,
    failure_of,
)
from functions.providers.base import Outcome
from functions.providers.events import StatusChanged
from functions.providers.evolution.outcomes import ANSWERS, NACKS, nack_class
from functions.providers.meta.outcomes import _ROWS, GRAPH_ERRORS, error_class
from tests.providers.answers import failing, graph, send, written
from tests.providers.cloud import METADATA, posted
from tests.providers.fake import FakeWhatsApp, eventually
from tests.providers.receiver import Receiver, connect, of


def test_every_class_has_a_reaction_and_every_action_a_class() -> None:
    assert set(REACTIONS) == set(get_args(ErrorClass))
    used = {reaction.action for reaction in (*REACTIONS.values(), STUCK)}
    assert used == set(get_args(Action))


@pytest.mark.parametrize(
    ("kind", "reaction"),
    [
        # outcome, scope, action, wait, growth, longest, after, tries
        ("transient", ("retryable", None, "retry", None, 1, None, 1, 5)),
        ("disconnected", ("retryable", "instance", "probe_number", None, 1, None, 1, 5)),
        ("maintenance", ("paused", "instance", "pause_number", 60, 1, None, 1, None)),
        ("throttle", ("paused", "instance", "slow_number", 30, 1, None, 1, None)),
        ("app_throttle", ("paused", "account", "slow_number", 60, 1, None, 1, None)),
        ("pair_rate", ("paused", "contact", "pause_contact", 4, 4, 3600, 1, None)),
        ("spam", ("paused", "account", "pause_campaigns", 3600, 2, 86400, 1, None)),
        ("configuration", ("paused", "instance", "pause_number", None, 1, None, 1, None)),
        ("integrity", ("paused", "account", "pause_account", None, 1, None, 1, None)),
        ("window_closed", ("permanent", "contact", "convert_to_template", None, 1, None, 1, None)),
        ("defer", ("retryable", "recipient", "defer", 86400, 1, None, 1, 2)),
        ("opt_out", ("permanent", "recipient", "suppress_marketing", None, 1, None, 1, None)),
        ("recipient", ("permanent", "recipient", "suppress_contact", None, 1, None, 2, None)),
        ("not_on_whatsapp", ("permanent", "recipient", "try_other_number", None, 1, None, 1, None)),
        ("request", ("permanent", "request", "none", None, 1, None, 1, None)),
        ("unsupported", ("permanent", "request", "none", None, 1, None, 1, None)),
        ("template", ("permanent", "account", "pause_campaign", None, 1, None, 1, None)),
        ("template_request", ("permanent", "request", "pause_campaign", None, 1, None, 3, None)),
        ("media", ("permanent", "request", "upload_media_again", None, 1, None, 1, 2)),
        ("cold_lock", ("paused", "instance", "block_cold", 3600, 2, 259200, 1, None)),
        ("refused", ("permanent", "recipient", "block_cold", 3600, 2, 259200, 3, None)),
        ("unknown", ("unknown", None, "reconcile", None, 1, None, 1, None)),
    ],
)
def test_a_class_has_this_reaction_and_no_other(
    kind: ErrorClass, reaction: tuple[object, ...]
) -> None:
    assert astuple(REACTIONS[kind]) == reaction


def test_a_class_that_pauses_says_what_it_pauses() -> None:
    outcomes = set(get_args(Outcome)) - {"accepted"}
    for reaction in REACTIONS.values():
        assert reaction.outcome in outcomes
        if reaction.outcome == "paused":
            assert reaction.scope in ("contact", "instance", "account")
            assert reaction.action != "none"


def test_every_row_has_its_source() -> None:
    assert len(GRAPH_ERRORS) == len(_ROWS), "a code stands in the table twice"
    for _, kind, meaning, source in _ROWS:
        assert kind in REACTIONS
        assert meaning
        assert source
    for kind, meaning, source in NACKS.values():
        assert kind in REACTIONS
        assert meaning
        assert source
    for row in ANSWERS:
        assert row[3] in REACTIONS
        assert row[4]


@pytest.mark.parametrize(
    ("kind", "pauses"),
    [
        ("pair_rate", [4, 16, 64, 256]),  # 4^n seconds, as Meta asks for
        ("throttle", [30, 30]),
        ("spam", [3600, 7200]),
        ("cold_lock", [3600, 7200, 14400]),
        ("configuration", [None, None]),
    ],
)
def test_a_pause_in_a_row_grows(kind: ErrorClass, pauses: list[float | None]) -> None:
    reaction = REACTIONS[kind]
    assert [reaction.pause_seconds(nth) for nth in range(1, len(pauses) + 1)] == pauses


def test_no_pause_grows_without_end() -> None:
    for reaction in REACTIONS.values():
        assert (reaction.pause_seconds(10_000) or 0) <= 3 * 86400


@pytest.mark.parametrize(
    ("code", "action"),
    [
        (131056, "pause_contact"), (130429, "slow_number"), (80007, "slow_number"),
        (131048, "pause_campaigns"), (190, "pause_number"), (131042, "pause_number"),
        (368, "pause_account"), (131031, "pause_account"), (131047, "convert_to_template"),
        (131049, "defer"), (130472, "defer"), (131050, "suppress_marketing"),
        (131026, "suppress_contact"), (132001, "pause_campaign"), (132015, "pause_campaign"),
        (131053, "upload_media_again"), (131000, "retry"), (100, "none"),
    ],
)  # fmt: skip
async def test_an_answer_and_a_status_with_one_code_ask_for_one_reaction(
    whatsapp: FakeWhatsApp, http: httpx.AsyncClient, code: int, action: str
) -> None:
    answer = await failing(whatsapp, http, "meta", 400, graph(code))
    entry = {"id": "wamid.A", "status": "failed", "errors": [{"code": code}]}
    [status] = posted("messages", {"metadata": METADATA, "statuses": [entry]})
    assert isinstance(status, StatusChanged)
    assert status.error is not None
    assert answer.reaction is not None
    assert answer.reaction.action == action
    assert status.error["reaction"] == asdict(answer.reaction)
    assert status.error["class"] == answer.error_class == error_class(code)


def test_a_refusal_without_a_reason_counts_towards_a_lock_and_463_is_one() -> None:
    assert nack_class("463") == "cold_lock"
    assert REACTIONS["cold_lock"].after == 1
    for code in (None, "ERROR", "999"):
        kind = nack_class(code)
        assert (kind, REACTIONS[kind].action, REACTIONS[kind].after) == ("refused", "block_cold", 3)


def test_what_is_stuck_is_probed() -> None:
    assert (STUCK.action, STUCK.after, STUCK_SECONDS) == ("probe_number", 1, 600)
    assert STUCK_PAUSES_CAMPAIGNS == 5


def test_a_result_carries_its_class_and_reaction() -> None:
    result = classified("pair_rate", code="131056")
    assert failure_of("pair_rate") == {"class": "pair_rate", "reaction": asdict(result.reaction)}  # type: ignore[arg-type]
    assert result.retry_after_seconds == 4


async def test_a_locked_number_may_answer_but_not_write_first(
    whatsapp: FakeWhatsApp, receiver: Receiver, http: httpx.AsyncClient
) -> None:
    instance = await connect(whatsapp, receiver, "evolution")
    await whatsapp.faults(instance, cold_lock=True)
    cold = await send(http, instance)

    async def refused() -> bool:
        return "failed" in of(receiver, instance, cold.provider_message_id)

    await eventually(refused)
    [status] = receiver.statuses(instance)
    assert status.error is not None
    assert status.error["reaction"]["action"] == "block_cold"
    assert await whatsapp.ledger(instance) == []
    await written(whatsapp, instance, body="oi")
    answer = await send(http, instance)
    [row] = await whatsapp.ledger(instance)
    assert row["provider_id"] == answer.provider_message_id
