"""The real Supabase CLI, for the checks that ask it; the rest of Recado does without Node."""

from pathlib import Path

from local import npm
from local.npm import TOOLS

VERSION = "3.1.0"
_QUIET = {"SUPABASE_TELEMETRY_DISABLED": "1", "SUPABASE_NO_UPDATE_NOTIFIER": "1", "CI": "1"}


async def install(tools: Path = TOOLS) -> Path:
    """Path of the executable, installed when missing. Raises NodeUnavailable."""
    return await npm.install(f"supabase@{VERSION}", tools=tools) / ".bin" / "supabase"


async def run(executable: Path, *arguments: str, folder: Path) -> str:
    """Standard output of a command, run in the folder with `supabase/` in it; or CommandFailed."""
    return await npm.run([str(executable), *arguments, "--yes", "--agent", "no"], folder, _QUIET)
