"""Whatever ends the process that runs a stack, nothing it started is left behind."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local.postgres import port_is_taken
from local.stack import ROOT
from tests.local.test_postgres_survives_kill import linux, processes

PROGRAM = """
import asyncio, sys
from pathlib import Path
from urllib.parse import urlsplit
from local.stack import Stack

async def main():
    async with Stack(Path(sys.argv[1]), project=None) as stack:
        urls = (stack.url, stack.whatsapp_url, stack.database_url)
        print(*(urlsplit(url).port for url in urls), flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@linux
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
async def test_children_end_with_the_parent(tmp_path: Path, how: signal.Signals) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as parent:
        assert parent.stdout is not None
        ports = [int(port) for port in (await asyncio.to_thread(parent.stdout.readline)).split()]
        assert len(ports) == 3
        assert processes(tmp_path)
        os.kill(parent.pid, how)
        async with asyncio.timeout(20):
            while processes(tmp_path) or any(map(port_is_taken, ports)):
                await asyncio.sleep(0.02)


async def test_the_gateway_listens_on_this_machine_only(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "local.gateway", "--host", "0.0.0.0", "--port", "1"]
    command += ["--pg-port", "1", "--data", str(tmp_path)]
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "reachable from outside" in done.stdout
