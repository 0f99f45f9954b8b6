"""The real Supabase CLI, for the checks that ask it; the rest of Recado does without Node.

Installed by npm into .recado/tools at the first use, in the version below.
"""

import asyncio
import os
import shutil
from pathlib import Path

VERSION = "3.1.0"
TOOLS = Path(__file__).parents[2] / ".recado" / "tools"
_QUIET = {"SUPABASE_TELEMETRY_DISABLED": "1", "SUPABASE_NO_UPDATE_NOTIFIER": "1", "CI": "1"}


class CliUnavailable(RuntimeError):
    """The CLI cannot run here; the message says why."""


class CliFailed(RuntimeError):
    """The CLI ended with an error; the message is what it printed."""


async def install(tools: Path = TOOLS) -> Path:
    """Path of the executable, installed when missing. Raises CliUnavailable."""
    folder = tools / f"supabase-cli-{VERSION}"
    executable = folder / "node_modules" / ".bin" / "supabase"
    if executable.exists():
        return executable
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise CliUnavailable("Node.js with npm is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    options = ["--no-audit", "--no-fund", "--loglevel=error", "--prefix", str(folder)]
    try:
        await _run([npm, "install", *options, f"supabase@{VERSION}"], folder)
    except CliFailed as error:
        last_line = str(error).strip().splitlines()[-1:] or ["no message"]
        raise CliUnavailable(f"npm cannot install supabase@{VERSION}: {last_line[0]}") from error
    return executable


async def run(executable: Path, *arguments: str, folder: Path) -> str:
    """Standard output of one command, run in the folder with `supabase/` in it; or CliFailed."""
    return await _run([str(executable), *arguments, "--yes", "--agent", "no"], folder)


async def _run(command: list[str], folder: Path) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=os.environ | _QUIET,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    if process.returncode != 0:
        raise CliFailed(errors.decode(errors="replace") + output.decode(errors="replace"))
    return output.decode()
