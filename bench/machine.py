"""Where and under which load figures were measured."""

import os
import platform
import time
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Self

from bench import cpu

PACKAGES = ("fastapi", "pydantic", "httpx", "orjson", "uvicorn", "uvloop", "httptools", "asyncpg")


def facts() -> dict[str, Any]:
    """The machine and the versions, as they go into the result file."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
    }


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor())


@dataclass(frozen=True, slots=True)
class Load:
    """How busy the machine was during a measurement, in cores. `others` is what was not ours."""

    seconds: float
    busy: float
    others: float
    load_average: float

    def as_json(self) -> dict[str, float]:
        return asdict(self)


class LoadMeter:
    """`with LoadMeter() as meter: ...`, then `meter.load`."""

    load: Load

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        self._busy = cpu.machine_busy()
        self._ours = cpu.usage()
        return self

    def __exit__(self, *_: object) -> None:
        seconds = time.monotonic() - self._began
        busy = (cpu.machine_busy() - self._busy) / seconds
        ours = sum(cpu.since(self._ours).values()) / seconds
        self.load = Load(
            round(seconds, 1),
            round(busy, 2),
            round(max(0.0, busy - ours), 2),
            round(os.getloadavg()[0], 2),
        )
