"""Packages of npm for the checks that ask other people's programs; all else does without Node.

Installed into .recado/tools at the first use, in exact versions.
"""

import asyncio
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

TOOLS = Path(__file__).parents[1] / ".recado" / "tools"


class NodeUnavailable(RuntimeError):
    """Node.js or a package cannot be had here; the message says why."""


class CommandFailed(RuntimeError):
    """A command ended with an error; the message is what it printed."""


async def install(*packages: str, tools: Path = TOOLS) -> Path:
    """The node_modules folder with these `name@version`; installed when missing.

    Raises NodeUnavailable.
    """
    folder = tools / "-".join(packages).replace("/", "-").replace("@", "-").strip("-")
    modules, complete = folder / "node_modules", folder / "complete"
    if complete.exists():
        return modules
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise NodeUnavailable("Node.js with npm is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    options = ["--no-audit", "--no-fund", "--loglevel=error", "--prefix", str(folder)]
    try:
        await run([npm, "install", *options, *packages], folder)
    except CommandFailed as error:
        last_line = str(error).strip().splitlines()[-1:] or ["no message"]
        raise NodeUnavailable(f"npm cannot install {packages}: {last_line[0]}") from error
    complete.touch()
    return modules


async def run(command: list[str], folder: Path, env: Mapping[str, str] | None = None) -> str:
    """Standard output of a command run in `folder`. Raises CommandFailed."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=os.environ | (env or {}),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    if process.returncode != 0:
        raise CommandFailed(errors.decode(errors="replace") + output.decode(errors="replace"))
    return output.decode()
