"""Times and durations as people write and read them. Times are UTC, also where none is named."""

import argparse
import re
from datetime import UTC, datetime, timedelta

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhdw]?)")
# Longer ones are mistakes, and dates end.
LONGEST_SECONDS = 100 * 366 * 86_400


def seconds(text: str) -> float:
    """90, 90s, 1.5m, 2h, 1d, 1h30m. Raises ArgumentTypeError, as argparse takes it."""
    parts = DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration; write 90, 90s, 15m, 2h or 1d")
    total = sum(float(number) * UNITS[unit or "s"] for number, unit in parts)
    if total > LONGEST_SECONDS:
        raise argparse.ArgumentTypeError(f"{text!r} is longer than a hundred years")
    return total


def moment(text: str) -> datetime:
    """2026-11-20T08:30, with or without seconds and offset. Raises ArgumentTypeError."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time; write 2026-11-20T08:30 (UTC) or 2026-11-20T08:30-03:00"
        ) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def moment_or_age(text: str) -> datetime:
    """A moment, or how long ago: 2h, 1d. Raises ArgumentTypeError."""
    try:
        return datetime.now(UTC) - timedelta(seconds=seconds(text))
    except argparse.ArgumentTypeError:
        return moment(text)


def span(total: float | None) -> str:
    """A duration in at most two units: 0.4s, 12s, 3m 20s, 2h 5m, 3d 4h; - for None."""
    if total is None:
        return "-"
    if total < 10:
        return f"{total:.1f}".removesuffix(".0") + "s"
    left = round(total)
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or parts:
            parts.append(f"{count}{unit}")
    return " ".join(part for part in parts[:2] if not part.startswith("0"))


def clock(at: str | None) -> str:
    """2026-11-20 17:55:19, in UTC, of a time of the database."""
    if not at or at.endswith("infinity"):
        return at or "-"
    return f"{_parsed(at):%Y-%m-%d %H:%M:%S}"


def relative(at: str | None, now: datetime | None = None) -> str:
    """3m 20s ago, or in 2h 5m."""
    if not at or at.endswith("infinity"):
        return at or "-"
    passed = ((now or datetime.now(UTC)) - _parsed(at)).total_seconds()
    return f"{span(round(passed))} ago" if passed >= 0 else f"in {span(round(-passed))}"


def both(at: str | None, now: datetime | None = None) -> str:
    """2026-11-20 17:55:19  3m 20s ago."""
    if not at or at.endswith("infinity"):
        return at or "-"
    return f"{clock(at)}  {relative(at, now)}"


def _parsed(at: str) -> datetime:
    return datetime.fromisoformat(at).astimezone(UTC)
