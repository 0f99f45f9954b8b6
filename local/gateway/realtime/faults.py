"""Faults on request, so that a test can prove that a client recovers. All off by default.

They touch only the delivery of broadcasts; joins and replies stay reliable, apart from `backoff`.
Read from RECADO_REALTIME_FAULTS, e.g. `drop=0.3,duplicate=0.3,delay=0.3,seconds=0.2,seed=7`.
"""

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, fields

ENVIRONMENT = "RECADO_REALTIME_FAULTS"


@dataclass(slots=True)
class Faults:
    """Fractions are of deliveries (one message to one channel), between 0 and 1."""

    drop: float = 0.0
    duplicate: float = 0.0
    delay: float = 0.0
    kill: float = 0.0  # the whole socket is cut instead of this delivery
    seconds: float = 0.2  # longest delay
    backoff: float = 0.0  # seconds before a refused join is answered; hosted waits about 5
    seed: float = 0
    _random: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    @classmethod
    def from_environment(cls) -> "Faults":
        """Raises ValueError on an unknown name or a value that is no number."""
        text = os.environ.get(ENVIRONMENT, "")
        settings = dict(part.split("=", 1) for part in text.split(",") if part)
        known = {each.name for each in fields(cls) if each.init}
        if unknown := settings.keys() - known:
            raise ValueError(f"{ENVIRONMENT}: unknown fault {', '.join(sorted(unknown))}")
        return cls(**{name: float(value) for name, value in settings.items()})

    def deliveries(self) -> Iterator[float]:
        """Seconds after which each copy of one delivery leaves; nothing when it is dropped."""
        if self.drop and self._random.random() < self.drop:
            return
        yield self._delay()
        if self.duplicate and self._random.random() < self.duplicate:
            yield self._delay()

    def kills(self) -> bool:
        return bool(self.kill) and self._random.random() < self.kill

    def _delay(self) -> float:
        if self.delay and self._random.random() < self.delay:
            return self._random.uniform(0.0, self.seconds)
        return 0.0
