"""Profiles each process of a benchmark: PYTHONPATH=bench/profiled RECADO_BENCH_PROFILE=<dir>.

Each process leaves <dir>/<name>-<pid>.prof for pstats when it ends, also by SIGTERM.
"""

import atexit
import cProfile
import os
import signal
import sys
from pathlib import Path

if folder := os.environ.get("RECADO_BENCH_PROFILE"):
    profile = cProfile.Profile(subcalls=False)

    def write() -> None:
        profile.disable()
        name = Path(sys.orig_argv[-1]).name if len(sys.orig_argv) < 3 else sys.orig_argv[2]
        profile.dump_stats(Path(str(folder), f"{name}-{os.getpid()}.prof"))

    atexit.register(write)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    profile.enable()
