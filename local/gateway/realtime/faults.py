"""Faults on request, so that a test can prove that a client recovers. All off by default.

They are settings of the gateway's process, never an endpoint: RECADO_REALTIME_FAULTS, for example
`drop=0.3,duplicate=0.3,delay=0.3,seconds=0.2,close=0.01,seed=7`. They touch only the delivery of
broadcasts; joins and replies stay reliable, apart from `backoff`.

The same seed gives every channel the same fate: it depends on the topic, on how often the topic
was joined before, and on the number of the delivery, and on nothing else.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, fields

ENVIRONMENT = "RECADO_REALTIME_FAULTS"
Wire = str | bytes


@dataclass(slots=True)
class Faults:
    """Fractions are of deliveries (one message to one channel), between 0 and 1."""

    drop: float = 0.0
    duplicate: float = 0.0
    delay: float = 0.0  # by up to `seconds`; later messages overtake it
    reorder: float = 0.0  # leaves behind the next message, or after `seconds` when none follows
    close: float = 0.0  # the whole socket is cut instead of this delivery
    seconds: float = 0.2
    backoff: float = 0.0  # seconds before a refused join is answered; hosted waits about 5
    seed: float = 0
    _joins: Counter[str] = field(init=False, repr=False, default_factory=Counter)

    def __post_init__(self) -> None:
        for name in ("drop", "duplicate", "delay", "reorder", "close"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a fraction between 0 and 1")

    @classmethod
    def from_environment(cls) -> "Faults":
        """Raises ValueError on an unknown name or a value that is no number."""
        text = os.environ.get(ENVIRONMENT, "")
        settings = dict(part.split("=", 1) for part in text.split(",") if part)
        known = {each.name for each in fields(cls) if each.init}
        if unknown := settings.keys() - known:
            raise ValueError(f"{ENVIRONMENT}: unknown fault {', '.join(sorted(unknown))}")
        return cls(**{name: float(value) for name, value in settings.items()})

    def line(self, topic: str, send: Callable[[Wire], None], cut: Callable[[], None]) -> "Line":
        """The way to a channel that has just joined `topic`."""
        self._joins[topic] += 1
        return Line(self, random.Random(f"{self.seed}/{topic}/{self._joins[topic]}"), send, cut)


class Line:
    """The way of one channel's broadcasts to its socket."""

    def __init__(
        self,
        faults: Faults,
        chance: random.Random,
        send: Callable[[Wire], None],
        cut: Callable[[], None],
    ) -> None:
        self._faults = faults
        self._random = chance
        self._send = send
        self._cut = cut
        self._held: list[Wire] = []

    def deliver(self, wire: Wire) -> None:
        """Send it, unless and how the faults want it."""
        if self._happens(self._faults.close):
            self._cut()
        elif not self._happens(self._faults.drop):
            copies = 2 if self._happens(self._faults.duplicate) else 1
            for _ in range(copies):
                self._deliver_copy(wire)

    def _deliver_copy(self, wire: Wire) -> None:
        later = asyncio.get_running_loop().call_later
        if self._happens(self._faults.delay):
            later(self._random.uniform(0.0, self._faults.seconds), self._send, wire)
        elif not self._held and self._happens(self._faults.reorder):
            self._held = [wire]
            later(self._faults.seconds, self._release, self._held)
        else:
            self._send(wire)
            self._release(self._held)

    def _release(self, held: list[Wire]) -> None:
        if held:
            self._send(held.pop())

    def _happens(self, fraction: float) -> bool:
        return fraction > 0 and self._random.random() < fraction
