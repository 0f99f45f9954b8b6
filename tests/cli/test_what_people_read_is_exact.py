"""Times, tables and progress, and the same answer for people and for programs."""

from datetime import UTC, datetime

import pytest

from functions.cli import times
from functions.cli.output import Output, cut, printable
from functions.cli.watch import progress
from tests.cli.conftest import Recado
from tests.jobs.conftest import TestQueue


async def test_json_and_text_list_the_same_jobs(recado: Recado, queue: TestQueue) -> None:
    made = await queue.enqueue(*({} for _ in range(5)))
    words = ("jobs", "list", "--queue", queue.name, "--limit", 3)
    text = await recado(*words)
    assert [int(line.split()[0]) for line in text.out.splitlines()[1:]] == made[:1:-1]
    page = (await recado(*words, "--json")).json
    assert [job["id"] for job in page["data"]] == made[:1:-1]
    assert f"--cursor {page['next_cursor']}" in text.err
    rest = (await recado(*words, "--json", "--cursor", page["next_cursor"])).json
    assert [job["id"] for job in rest["data"]] == made[1::-1]


def test_durations_are_read_and_written() -> None:
    read = {"90": 90, "1.5m": 90, "2h": 7200, "1d": 86_400, "1h30m": 5400, "0": 0}
    assert {text: times.seconds(text) for text in read} == read
    written = {0.04: "0s", 0.44: "0.4s", 12: "12s", 200: "3m 20s", 7500: "2h 5m", 86_400: "1d"}
    assert {total: times.span(total) for total in written} == written
    for text in ("", "-1", "soon", "1y", "5 m", "1e9", "9" * 30):
        with pytest.raises(Exception, match=r"is no duration|is longer"):
            times.seconds(text)


def test_times_are_utc_unless_they_say_otherwise() -> None:
    assert times.moment("2026-11-20T08:30") == datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
    assert times.moment("2026-11-20T08:30-03:00") == datetime(2026, 11, 20, 11, 30, tzinfo=UTC)
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert times.both("2026-11-20T08:56:40-03:00", now) == "2026-11-20 11:56:40  3m 20s ago"
    assert times.relative("2026-11-20T14:05:00+00:00", now) == "in 2h 5m"
    assert times.both("infinity", now) == "infinity"


def test_a_table_is_aligned_and_cannot_steer_the_terminal() -> None:
    rows = [[7, "é", "one\nline\x1b[2J"], [1234, "日本", ""]]
    table = Output(as_json=False).table(["ID", "NAME", "ERROR"], rows)
    assert table == ["  ID  NAME  ERROR", "   7  é     one line?[2J", "1234  日本"]
    assert printable("\x9b31m\u202e") == "?31m?"
    assert cut("日本語", 4) == "日…"


def test_progress_shows_numbers_only() -> None:
    assert progress({"done": 1, "total": 4, "to": "+5511", "pages": 2}) == "1 of 4, 25 %, pages 2"
    assert progress({"cursor": "x", "ok": True}) == progress(None) == "-"
