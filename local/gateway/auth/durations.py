"""Durations as Go writes them: 24h, 1h30m, 250ms."""

import re
from datetime import timedelta

SECONDS = {"h": 3600, "m": 60, "s": 1, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
PART = r"(\d+\.?\d*|\.\d+)(h|ms|m|s|us|µs|ns)"
DURATION = re.compile(rf"[+-]?(?:0|(?:{PART})+)")
# Go counts nanoseconds in 64 bits.
LONGEST_SECONDS = 2**63 / 1e9


def parse_duration(text: str) -> timedelta:
    """Raises ValueError with Go's words."""
    seconds = sum(float(number) * SECONDS[unit] for number, unit in re.findall(PART, text))
    if not DURATION.fullmatch(text) or seconds > LONGEST_SECONDS:
        raise ValueError(f'time: invalid duration "{text}"')
    return timedelta(seconds=-seconds if text.startswith("-") else seconds)
