"""`python -m local status`: what runs where."""

import shutil
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from local.alone import environment
from local.keys import Keys
from local.postgres import version_of
from local.running import Running, find

# Exit code of a status command when nothing runs, as init scripts have it.
NOT_RUNNING = 3
# Part -> what its command line holds.
COMMANDS = {
    "API": "functions.index:app",
    "Supabase": "-m local.gateway",
    "Postgres": "bin/postgres -D",
    "WhatsApp": "-m local.whatsapp",
}


def run(folder: Path, *, env: bool) -> int:
    """Prints it; with `env` the variables with the keys instead. The exit code."""
    running = find(folder)
    if running is None:
        if not env:
            print(f"{folder}: not running, {_data(folder)}")
        return NOT_RUNNING
    if env:
        print(environment(running, Keys.load_or_create(folder / "keys.json")))
        return 0
    since = datetime.fromisoformat(running.started_at).astimezone()
    print(f"{folder}: running since {since:%H:%M:%S}, pid {running.pid}, {_data(folder)}")
    for line in _parts(running):
        print(line)
    print(f"  {'logs':<10} {folder / 'logs'}")
    print(f"  {'keys':<10} python -m local status --env")
    return 0


def _data(folder: Path) -> str:
    version = version_of(folder / "postgres")
    return f"data of Postgres {version}" if version else "no data"


def _parts(running: Running) -> Iterator[str]:
    urls = {
        "API": running.api_url,
        "Supabase": running.url,
        "Postgres": running.postgres_url,
        "WhatsApp": running.whatsapp_url,
    }
    below = _commands_below(running.pid) if shutil.which("ps") else {}
    for name, url in urls.items():
        pids = [f"pid {pid}" for pid, line in below.items() if COMMANDS[name] in line]
        if url:
            yield f"  {name:<10} {url:<50} {' '.join(pids or ['no process found'])}"


def _commands_below(parent: int) -> dict[int, str]:
    """Pid -> command line of the parts that this process runs, each under a guard of its own."""
    columns = ["ps", "-A", "-ww", "-o", "ppid=,pid=,args="]
    lines = subprocess.run(columns, capture_output=True, text=True, check=True).stdout.splitlines()
    rows = [
        (int(ppid), int(pid), args) for ppid, pid, args in (line.split(None, 2) for line in lines)
    ]
    guards = {pid for ppid, pid, _ in rows if ppid == parent}
    return {pid: args for ppid, pid, args in rows if ppid in guards}
