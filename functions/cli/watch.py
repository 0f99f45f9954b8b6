"""jobs watch: the queues live, with what runs and what failed last.

One call of the database a second. On a terminal the picture is drawn in place, on a screen of its
own; elsewhere (a pipe, a terminal that cannot move its cursor) each picture follows the last.
"""

import asyncio
import os
import shutil
import signal
import sys
from datetime import datetime
from typing import Any

from functions.cli.command import Call, Commands, add_command
from functions.cli.output import GAP
from functions.cli.queues import queues_table
from functions.cli.times import clock, relative, seconds, span
from functions.core.errors import Unavailable

Json = dict[str, Any]
# Below the queues: running jobs, and failures.
SHOWN = 10
# However low the terminal is.
LEAST_QUEUES = 5
# A screen of its own, without cursor and without wrapping what is too wide.
ENTER, LEAVE = "\x1b[?1049h\x1b[?25l\x1b[?7l", "\x1b[?7h\x1b[?25h\x1b[?1049l"
HOME, CLEAR_LINE, CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"


def add(commands: Commands) -> None:
    watch = add_command(commands, "watch", watch_jobs, "the queues, live; Ctrl-C ends it")
    watch.add_argument("--once", action="store_true", help="one look")
    watch.add_argument("--interval", type=seconds, default=1.0, metavar="TIME", help="default 1s")


async def watch_jobs(call: Call) -> None:
    """Raises Unavailable when the first look fails; later ones are repeated."""
    first = await call.lists.watch_jobs(SHOWN)
    if call.options.once or call.out.as_json:
        _append(call, first)
        if call.options.once:
            return
    screen, me = _Screen(call), asyncio.current_task()
    assert me is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, me.cancel)
    try:
        await _follow(call, first, screen)
    except asyncio.CancelledError:
        pass  # Ctrl-C is how one leaves
    finally:
        screen.close()


async def _follow(call: Call, seen: Json, screen: "_Screen") -> None:
    trouble = ""
    if not call.out.as_json:
        screen.show(_picture(call, seen))
    while True:
        await asyncio.sleep(max(call.options.interval, 0.1))
        try:
            seen, trouble = await call.lists.watch_jobs(SHOWN), ""
        except Unavailable as error:
            trouble = f"{error.detail} This was {clock(seen['at'])}; trying again."
        if call.out.as_json and not trouble:
            _append(call, seen)
        elif not call.out.as_json:
            screen.show(_picture(call, seen, trouble))


def _append(call: Call, seen: Json) -> None:
    if call.out.as_json:
        call.out.answer(seen, one_line=not call.options.once)
    else:
        for line in _picture(call, seen):
            call.out.write(line)
    sys.stdout.flush()


class _Screen:
    """The terminal, taken over while something is shown in place; else a stream of pictures."""

    def __init__(self, call: Call) -> None:
        self._out = call.out
        self._in_place = call.out.is_terminal and os.environ.get("TERM", "dumb") != "dumb"
        self._entered = False
        self._last: list[str] = []

    def show(self, picture: list[str]) -> None:
        self._last = picture
        if self._in_place:
            if not self._entered:
                sys.stdout.write(ENTER)
                self._entered = True
            # A line too many would scroll the rest away.
            lines = picture[: max(_height(), 1)]
            sys.stdout.write(HOME + "".join(f"{line}{CLEAR_LINE}\n" for line in lines))
            sys.stdout.write(CLEAR_BELOW)
        else:
            sys.stdout.write("\n".join(picture) + "\n\n")
        sys.stdout.flush()

    def close(self) -> None:
        """Gives the terminal back, with the last picture on it."""
        if self._entered:
            sys.stdout.write(LEAVE + "\n".join(self._last) + "\n")
            sys.stdout.flush()


def _picture(call: Call, seen: Json, trouble: str = "") -> list[str]:
    out, now = call.out, datetime.fromisoformat(seen["at"])
    ticked = relative(seen["last_tick_at"], now) if seen["last_tick_at"] else "never"
    title = out.style("Recado", "bold") + GAP + call.settings.supabase_url
    lines = [f"{title}{GAP}{clock(seen['at'])} UTC{GAP}last tick {ticked}"]
    if trouble:
        lines.append(out.style(trouble, "red"))
    below: list[str] = []
    if seen["running"]:
        header = ["RUNNING", "TYPE", "QUEUE", "ATTEMPT", "SINCE", "WORKER", "PROGRESS"]
        below += ["", *out.table(header, [_running(job, now) for job in seen["running"]])]
    if seen["failed"]:
        header = ["FAILED", "TYPE", "QUEUE", "ATTEMPTS", "ENDED", "ERROR"]
        below += ["", *out.table(header, [_failed(job, now) for job in seen["failed"]])]
    # Beside the queues stand their title and an empty line.
    room = max(_height() - len(lines) - len(below) - 2, LEAST_QUEUES) if out.is_terminal else None
    return [*lines, "", *queues_table(out, seen["queues"], room), *below]


def _height() -> int:
    """Lines of a picture: the last one is the cursor's."""
    return shutil.get_terminal_size().lines - 1


def _running(job: Json, now: datetime) -> list[Any]:
    since = (now - datetime.fromisoformat(job["started_at"])).total_seconds()
    return [
        job["id"],
        job["type"],
        job["queue"],
        f"{job['attempts']}/{job['max_attempts']}",
        span(max(since, 0)),
        job["worker"] or "-",
        progress(job["progress"]),
    ]


def _failed(job: Json, now: datetime) -> list[Any]:
    return [
        job["id"],
        job["type"],
        job["queue"],
        f"{job['attempts']}/{job['max_attempts']}",
        relative(job["completed_at"], now),
        job["error"] or "-",
    ]


def progress(state: Json | None) -> str:
    """done/total as a share, and other numbers; texts may be about people."""
    numbers = {
        name: value
        for name, value in (state or {}).items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    said = []
    if "done" in numbers and numbers.get("total", 0) > 0:
        done, total = numbers.pop("done"), numbers.pop("total")
        said.append(f"{done:g} of {total:g}, {100 * done / total:.0f} %")
    return ", ".join([*said, *(f"{name} {value:g}" for name, value in numbers.items())]) or "-"
