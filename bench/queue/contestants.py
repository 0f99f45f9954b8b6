"""Who takes part, and with which settings: each at the best of those that its documentation names.

Where a documentation leaves a number open, the best of those tried on two cores stands here.
"""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local import npm

HERE = Path(__file__).parent
PEERS = npm.TOOLS / "bench-peers"
OURS = (sys.executable, "-m", "bench.queue.worker")
# The project's database, in which the gateway calls; every peer has one of its own.
PROJECT = "postgres"

RUNTIME, SQL = "runtime", "sql"


@dataclass(frozen=True, slots=True)
class Contestant:
    """`sizes` by number of workers; of each worker a process."""

    name: str
    group: str
    """Runtime: jobs are handed to a function of the user's. SQL: a loop that claims and settles."""
    command: Sequence[str]
    database: str
    tables: str
    """Emptied before each run, vacuumed and analysed once filled."""
    sizes: dict[int, Sequence[int]]
    settings: str
    share: float = 1.0
    """Of the jobs of a run: slow ones get fewer, fast ones more."""


REFERENCE_SIZE = 500
BATCHES = (100, 500, 1000)

RUNNER = Contestant(
    "Recado over HTTP",
    RUNTIME,
    (*OURS, "recado", "OverHttp"),
    PROJECT,
    "public.queue_jobs",
    {1: BATCHES, 2: BATCHES, 4: BATCHES},
    settings="one call of the handler per job",
)
BATCHED = Contestant(
    "same, batch handler",
    RUNTIME,
    (*OURS, "recado", "Batched"),
    PROJECT,
    "public.queue_jobs",
    {1: (500,), 2: (500,), 4: (500,)},
    settings="one call of the handler per batch",
)
BARE = Contestant(
    "Recado's SQL",
    SQL,
    (*OURS, "recado", "Sql"),
    PROJECT,
    "public.queue_jobs",
    {1: BATCHES, 2: (500,), 4: (500,)},
    settings="exchange_jobs in a loop",
)
RAW = Contestant(
    "raw: finish in place",
    SQL,
    (*OURS, "loops", "Raw"),
    "bench_raw",
    "raw.jobs",
    {1: BATCHES, 2: (500,), 4: (500,)},
    settings="one call settles and claims",
    share=5,
)
RAW_DELETE = Contestant(
    "raw: delete",
    SQL,
    (*OURS, "loops", "RawDelete"),
    "bench_raw",
    "raw.jobs",
    {1: (500,), 2: (500,)},
    settings="one call settles and claims",
    share=5,
)
PGMQ = Contestant(
    "pgmq rewritten: archive",
    SQL,
    (*OURS, "loops", "PgmqArchive"),
    "bench_pgmq",
    "pgmq.q_bench, pgmq.a_bench",
    {1: BATCHES, 2: (500,)},
    settings="read, then archive",
    share=3,
)
PGMQ_DELETE = Contestant(
    "pgmq rewritten: delete",
    SQL,
    (*OURS, "loops", "PgmqDelete"),
    "bench_pgmq",
    "pgmq.q_bench, pgmq.a_bench",
    {1: (500,), 2: (500,)},
    settings="read, then delete",
    share=3,
)
ALWAYS = (RUNNER, BATCHED, BARE, RAW, RAW_DELETE, PGMQ, PGMQ_DELETE)


def python_peers() -> list[Contestant]:
    """Those of PyPI, installed when missing. Raises CalledProcessError."""
    wanted = (HERE / "requirements.txt").read_text()
    installed, python = PEERS / "installed", PEERS / "bin" / "python"
    if not installed.exists() or installed.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", PEERS], check=True)
        pip = (str(python), "-m", "pip", "-qq", "--disable-pip-version-check", "install")
        subprocess.run([*pip, "-r", HERE / "requirements.txt"], check=True)
        installed.write_text(wanted)
    worker = (str(python), "-m", "bench.queue.worker")
    return [
        Contestant(
            "pgqueuer",
            RUNTIME,
            (*worker, "pgqueuer", "Contestant"),
            "bench_pgqueuer",
            "pgqueuer, pgqueuer_log",
            {1: (100, 500), 2: (500,), 4: (500,)},
            settings="1.6.0, asyncpg, uvloop, mode drain",
            share=0.5,
        ),
        Contestant(
            "procrastinate",
            RUNTIME,
            (*worker, "procrastinate", "Contestant"),
            "bench_procrastinate",
            "procrastinate_jobs, procrastinate_events",
            {1: (10,), 2: (10,)},
            settings="3.10.0, psycopg, what succeeded is deleted",
            share=0.05,
        ),
    ]


async def node_peers() -> list[Contestant]:
    """Those of npm, installed when missing. Raises NodeUnavailable."""
    modules = await npm.install("graphile-worker@0.18.0")
    main = str(modules / "graphile-worker" / "dist" / "index.js")
    return [
        Contestant(
            "graphile-worker",
            RUNTIME,
            ("node", "bench/queue/graphile.mjs", main),
            "bench_graphile",
            "graphile_worker._private_jobs",
            {1: (500, 1000), 2: (500, 1000), 4: (1000,)},
            settings="0.18.0, 24 at once, local queue, batched completion",
        ),
    ]


async def contestants() -> tuple[list[Contestant], list[str]]:
    """All that can run here, and of the others why not."""
    present, absent = list(ALWAYS), []
    try:
        present += python_peers()
    except (subprocess.CalledProcessError, OSError) as error:
        absent.append(f"pgqueuer, procrastinate: {error}")
    try:
        present += await node_peers()
    except npm.NodeUnavailable as error:
        absent.append(f"graphile-worker: {error}")
    return present, absent
