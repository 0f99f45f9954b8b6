"""Cron expressions against moments worked out by hand, most of them where clocks change."""

import contextlib
import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.core.errors import InvalidRequest
from functions.jobs.cron import latest_slot, next_slot, slots, time_zone
from functions.jobs.models import CatchUp, DueSchedule
from functions.jobs.schedules import GRACE, SLOTS_PER_ROUND, decide

# Brazil until 2019: in spring 00:00 became 01:00, in autumn 00:00 became 23:00 of the day before.
# New York: 02:00 became 03:00, and 02:00 became 01:00. Lisbon: 01:00 became 02:00, 02:00 01:00.
SAO_PAULO, NEW_YORK, LISBON = "America/Sao_Paulo", "America/New_York", "Europe/Lisbon"

CASES = [
    # no change in sight
    ("30 8 * * MON-FRI", "UTC", "2026-11-20T08:30Z", "2026-11-23T08:30Z 2026-11-24T08:30Z"),
    ("*/20 * * * *", "UTC", "2026-12-31T23:30Z", "2026-12-31T23:40Z 2027-01-01T00:00Z"),
    ("0 9 * * *", SAO_PAULO, "2026-11-20T11:59Z", "2026-11-20T12:00Z 2026-11-21T12:00Z"),
    ("0 0 1 * *", "Asia/Kolkata", "2026-01-31T18:00Z", "2026-01-31T18:30Z 2026-02-28T18:30Z"),
    ("0 12 29 2 *", "UTC", "2026-01-01T00:00Z", "2028-02-29T12:00Z 2032-02-29T12:00Z"),
    ("0 12 L * *", "UTC", "2026-02-01T00:00Z", "2026-02-28T12:00Z 2026-03-31T12:00Z"),
    ("0 12 * * 5#2", "UTC", "2026-11-01T00:00Z", "2026-11-13T12:00Z 2026-12-11T12:00Z"),
    ("0 12 1 * SUN", "UTC", "2026-11-20T00:00Z", "2026-11-22T12:00Z 2026-11-29T12:00Z"),
    ("59 23 31 12 7", "UTC", "2026-12-25T00:00Z", "2026-12-27T23:59Z 2026-12-31T23:59Z"),
    ("0,30 6-7 * JAN *", "UTC", "2026-01-31T06:45Z", "2026-01-31T07:00Z 2026-01-31T07:30Z"),
    # the same time of day on both sides of a change
    ("0 9 * * *", SAO_PAULO, "2018-11-03T00:00Z", "2018-11-03T12:00Z 2018-11-04T11:00Z"),
    ("0 9 * * *", NEW_YORK, "2026-03-07T00:00Z", "2026-03-07T14:00Z 2026-03-08T13:00Z"),
    ("0 9 * * *", LISBON, "2026-10-24T00:00Z", "2026-10-24T08:00Z 2026-10-25T09:00Z"),
    # a time that does not exist: once, at the first moment after the gap
    ("0 0 * * *", SAO_PAULO, "2018-11-03T12:00Z", "2018-11-04T03:00Z 2018-11-05T02:00Z"),
    ("30 0 4 11 *", SAO_PAULO, "2018-11-01T00:00Z", "2018-11-04T03:00Z 2019-11-04T03:30Z"),
    ("30 2 * * *", NEW_YORK, "2026-03-07T12:00Z", "2026-03-08T07:00Z 2026-03-09T06:30Z"),
    ("30 1 * * *", LISBON, "2026-03-28T12:00Z", "2026-03-29T01:00Z 2026-03-30T00:30Z"),
    # many of them, and one at the end of the gap itself: still once
    ("*/10 2 * * *", NEW_YORK, "2026-03-08T06:59Z", "2026-03-08T07:00Z 2026-03-09T06:00Z"),
    ("30 2,3 * * *", NEW_YORK, "2026-03-08T06:59Z", "2026-03-08T07:00Z 2026-03-08T07:30Z"),
    ("0 2,3 * * *", NEW_YORK, "2026-03-08T06:59Z", "2026-03-08T07:00Z 2026-03-09T06:00Z"),
    ("30 2 * * *", NEW_YORK, "2026-03-08T07:00Z", "2026-03-09T06:30Z 2026-03-10T06:30Z"),
    # a time that occurs twice: the first time only, wherever one starts
    ("30 23 * * *", SAO_PAULO, "2018-02-17T12:00Z", "2018-02-18T01:30Z 2018-02-19T02:30Z"),
    ("30 1 * * *", NEW_YORK, "2026-11-01T00:00Z", "2026-11-01T05:30Z 2026-11-02T06:30Z"),
    ("30 1 * * *", NEW_YORK, "2026-11-01T05:30Z", "2026-11-02T06:30Z 2026-11-03T06:30Z"),
    ("30 1 * * *", NEW_YORK, "2026-11-01T06:00Z", "2026-11-02T06:30Z 2026-11-03T06:30Z"),
    ("*/30 1 * * *", LISBON, "2026-10-25T00:00Z", "2026-10-25T00:30Z 2026-10-26T01:00Z"),
    ("0 */2 * * *", LISBON, "2026-10-24T22:30Z", "2026-10-24T23:00Z 2026-10-25T02:00Z"),
    ("0 */2 * * *", NEW_YORK, "2026-03-08T05:30Z", "2026-03-08T07:00Z 2026-03-08T08:00Z"),
    # every hour: real time
    ("0 * * * *", NEW_YORK, "2026-03-08T06:30Z", "2026-03-08T07:00Z 2026-03-08T08:00Z"),
    ("0 * * * *", NEW_YORK, "2026-11-01T05:00Z", "2026-11-01T06:00Z 2026-11-01T07:00Z"),
    ("0 0-23 * * *", NEW_YORK, "2026-11-01T05:00Z", "2026-11-01T06:00Z 2026-11-01T07:00Z"),
    ("*/30 * * * *", SAO_PAULO, "2018-11-04T02:30Z", "2018-11-04T03:00Z 2018-11-04T03:30Z"),
    ("15 * * * *", SAO_PAULO, "2018-02-18T01:15Z", "2018-02-18T02:15Z 2018-02-18T03:15Z"),
    ("30 * 4 11 *", SAO_PAULO, "2018-11-03T12:00Z", "2018-11-04T03:30Z 2018-11-04T04:30Z"),
]  # fmt: skip

ZONES = [SAO_PAULO, NEW_YORK, LISBON, "Australia/Lord_Howe", "UTC"]

FORMS = r"(\*|\*/(7|30)|5|0,59) (\*|\*/3|0-23|[0-3]|23|1,2) (\*|\*/9) \* (\*|0|MON-FRI)"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(("cron", "zone", "after", "expected"), CASES)
def test_the_next_slots_are_these(cron: str, zone: str, after: str, expected: str) -> None:
    found = itertools.islice(slots(cron, ZoneInfo(zone), at(after)), 2)
    assert list(found) == [at(moment) for moment in expected.split()]


@given(
    st.from_regex(FORMS, fullmatch=True),
    st.sampled_from(ZONES),
    st.datetimes(datetime(2016, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001
    st.integers(1, 40),
)
@settings(max_examples=300, deadline=None)
def test_from_anywhere_the_next_slot_is_the_same(
    cron: str, name: str, start: datetime, count: int
) -> None:
    """Slots ascend; computing again from one, or from between two, goes on with the same ones."""
    zone, after = ZoneInfo(name), start.replace(tzinfo=UTC)
    walked = list(itertools.islice(slots(cron, zone, after), count))
    for before, slot in itertools.pairwise([after, *walked]):
        assert before < slot
        assert next_slot(cron, zone, before) == slot
        assert next_slot(cron, zone, slot - timedelta(seconds=1)) == slot
        assert latest_slot(cron, zone, walked[0], slot) == slot
        assert slot.second == 0


@pytest.mark.parametrize(
    "cron",
    ["", " ", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *",
     "* * * * 8", "*/0 * * * *", "5-1 * * * *", "a b c d e", "@daily", "* * * * MON#6",
     "1,,2 * * * *", "0 0 30 2 *", "0 0 31 2,4 *", "-1 * * * *", "1.5 * * * *", "٤ * * * *",
     "* * * * ²L", "\0 * * * *", "0 " * 500, "0" * 300 + " * * * *"],
)  # fmt: skip
def test_an_expression_that_is_none_is_refused(cron: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        next_slot(cron, ZoneInfo("UTC"), at("2026-01-01T00:00Z"))
    assert refused.value.code == "invalid_cron"


@given(st.text(st.sampled_from("0123456789*/,-#L WSUNMO?²é\0\n"), max_size=40))
@settings(max_examples=300, deadline=None)
def test_no_text_does_worse_than_being_refused(text: str) -> None:
    with contextlib.suppress(InvalidRequest):
        next_slot(text, ZoneInfo(SAO_PAULO), at("2018-11-03T12:00Z"))


@pytest.mark.parametrize(
    "name",
    ["", " ", "America", "America/Nowhere", "../UTC", "/etc/localtime", "localtime", "posix/UTC",
     "right/UTC", "zone.tab", "UTC\0", "\ud800", "x" * 5000, "GMT-3:00 Brasília"],
)  # fmt: skip
def test_a_zone_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        time_zone(name)
    assert refused.value.code == "invalid_time_zone"


def due(catch_up: CatchUp, due_at: str, cron: str = "0 0 * * *") -> DueSchedule:
    return DueSchedule("s", cron, "America/Sao_Paulo", catch_up, at(due_at))


def test_an_outage_over_a_clock_change_misses_these_slots() -> None:
    """Down from 3 to 6 November 2018; midnight of the 4th did not exist."""
    now = at("2018-11-06T01:00Z")
    every = decide(due("all", "2018-11-03T03:00Z"), now)
    missed = ["2018-11-03T03:00Z", "2018-11-04T03:00Z", "2018-11-05T02:00Z"]
    assert list(every.slots) == [at(slot) for slot in missed]
    latest = decide(due("one", "2018-11-03T03:00Z"), now)
    assert list(latest.slots) == [at("2018-11-05T02:00Z")]
    none = decide(due("none", "2018-11-03T03:00Z"), now)
    assert list(none.slots) == []
    assert {run.next_run_at for run in (every, latest, none)} == {at("2018-11-06T02:00Z")}


@pytest.mark.parametrize("catch_up", ["one", "all", "none"])
def test_a_slot_that_is_not_late_runs_under_every_policy(catch_up: CatchUp) -> None:
    slot = at("2018-11-04T03:00Z")
    run = decide(due(catch_up, "2018-11-04T03:00Z"), slot + GRACE)
    assert list(run.slots) == [slot]
    late = decide(due(catch_up, "2018-11-04T03:00Z"), slot + GRACE + timedelta(seconds=1))
    assert list(late.slots) == ([] if catch_up == "none" else [slot])


def test_every_missed_slot_comes_in_bounded_rounds() -> None:
    now, due_at, found = at("2026-01-08T00:00Z"), "2026-01-01T00:00Z", list[datetime]()
    while at(due_at) <= now:
        run = decide(due("all", due_at, "*/5 * * * *"), now)
        assert 0 < len(run.slots) <= SLOTS_PER_ROUND
        found += run.slots
        assert run.next_run_at
        due_at = run.next_run_at.isoformat()
    assert found == [at("2026-01-01T00:00Z") + n * timedelta(minutes=5) for n in range(2017)]


def test_what_cannot_be_read_is_paused_with_the_reason() -> None:
    run = decide(due("one", "2026-01-01T00:00Z", "soon"), at("2026-01-02T00:00Z"))
    assert run.error
    assert run.error.startswith("invalid_cron: ")
    assert (run.slots, run.next_run_at) == ((), None)
