"""`python -m local logs [part] [-f]`: what the parts of the stack have written."""

import time
from pathlib import Path

from local.errors import StackError

LAST_LINES = 40
LOOK_AGAIN_SECONDS = 0.2


def run(folder: Path, part: str | None, *, follow: bool) -> None:
    """Prints the last lines of one log or of all; with `follow` goes on until it is stopped."""
    logs = sorted((folder / "logs").glob("*.log"))
    names = [log.stem for log in logs]
    if part is not None and part not in names:
        known = ", ".join(names) or "none yet"
        raise StackError(f"there is no log of {part} in {folder / 'logs'}; there are: {known}")
    shown = [log for log in logs if part in (None, log.stem)]
    ends = {log: _print_end(log, prefixed=part is None) for log in shown}
    while follow:
        time.sleep(LOOK_AGAIN_SECONDS)
        for log, end in ends.items():
            # A log that is shorter than before has been started anew.
            ends[log] = _print_from(
                log, end if log.stat().st_size >= end else 0, prefixed=part is None
            )


def _print_end(log: Path, *, prefixed: bool) -> int:
    lines = log.read_bytes().splitlines(keepends=True)
    return _print_from(log, sum(map(len, lines[:-LAST_LINES])), prefixed=prefixed)


def _print_from(log: Path, start: int, *, prefixed: bool) -> int:
    """Prints whole lines from this byte on; the byte where the next one begins."""
    with log.open("rb") as stream:
        stream.seek(start)
        for line in stream:
            if not line.endswith(b"\n"):
                break
            text = line.decode(errors="replace").rstrip()
            print(f"{log.stem:<9}| {text}" if prefixed else text, flush=True)
            start += len(line)
    return start
