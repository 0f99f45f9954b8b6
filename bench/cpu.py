"""CPU time by part of the product: what a request costs, also while the machine is busy otherwise.

Reads /proc, so it knows nothing outside Linux; figures made of it are then missing.
"""

import os
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
# What a command line holds -> the part it is. The first match counts.
PARTS = {
    "local/guard.py": "guards",
    "functions.index": "API",
    "local.gateway": "gateway",
    "local.whatsapp": "fake WhatsApp",
    "bench.load": "benchmark",
    "bench.watcher": "benchmark",
    "bench.queue.worker": "worker",
    "bench/queue/": "worker",
    "postgres": "Postgres",
}

Usage = dict[str, float]


def usage() -> Usage:
    """CPU seconds so far of this process's descendants, by part; empty where /proc is missing."""
    if not PROC.is_dir():
        return {}
    parents = dict(_parents())
    me = os.getpid()
    # With children that have ended: the load generator, when its samples are here.
    spent: Usage = {"benchmark": sum(os.times()[:4])}
    for pid in parents:
        if pid != me and _descends(pid, me, parents):
            for part, seconds in _spent(pid):
                spent[part] = spent.get(part, 0.0) + seconds
    return spent


def since(before: Usage) -> Usage:
    """What each part has spent since `before`."""
    return {part: seconds - before.get(part, 0.0) for part, seconds in usage().items()}


def machine_busy() -> float:
    """CPU seconds of the whole machine so far, others' work and stolen time included."""
    if not PROC.is_dir():
        return float("nan")
    fields = [int(n) for n in (PROC / "stat").read_text().splitlines()[0].split()[1:9]]
    user, nice, system, _idle, _waiting, irq, soft_irq, steal = fields
    return (user + nice + system + irq + soft_irq + steal) / TICKS


def _parents() -> Iterator[tuple[int, int]]:
    for folder in PROC.iterdir():
        if folder.name.isdigit() and (stat := _stat(int(folder.name))):
            yield int(folder.name), int(stat[1])


def _descends(pid: int, ancestor: int, parents: dict[int, int]) -> bool:
    while pid in parents:
        pid = parents[pid]
        if pid == ancestor:
            return True
    return False


def _spent(pid: int) -> Iterator[tuple[str, float]]:
    """The part of one process and its CPU seconds, with those of children it has waited for."""
    stat = _stat(pid)
    try:
        command = (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return
    if stat:
        part = next((part for mark, part in PARTS.items() if mark in command), "other")
        yield part, sum(int(ticks) for ticks in stat[11:15]) / TICKS


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/<pid>/stat after the command's name, or None when it has ended."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
