"""`python -m functions.cli`: reads the arguments, runs one command, says what went wrong in a line.

Exit codes: 0 done, 1 refused or not found, 2 wrong usage or settings, 3 the database does not
answer, 130 Ctrl-C.
"""

import argparse
import asyncio
import os
import sys

from functions.cli import (
    bulk,
    contacts,
    conversations,
    inbound,
    jobs,
    messages,
    numbers,
    pace,
    queues,
    schedules,
    suppressions,
    watch,
    worker,
)
from functions.cli.command import DONE, REFUSED, UNREACHABLE, USAGE, Call, UsageError
from functions.cli.connection import find_settings
from functions.cli.output import Output
from functions.core.db import Database
from functions.core.errors import AppError, NotConfigured, Unauthorized, Unavailable
from functions.core.http import HttpClient
from functions.core.settings import Settings


def parser() -> argparse.ArgumentParser:
    """All commands. A room that gets some adds a file and a line here."""
    root = argparse.ArgumentParser(prog="recado", description="Recado from the command line.")
    groups = root.add_subparsers(title="commands", metavar="COMMAND", required=True)
    in_jobs = jobs.add(groups)
    watch.add(in_jobs)
    bulk.add(in_jobs)
    worker.add(in_jobs)
    queues.add(groups)
    schedules.add(groups)
    numbers.add(groups)
    pace.add(groups)
    conversations.add(groups)
    messages.add(groups)
    contacts.add(groups)
    suppressions.add(groups)
    inbound.add(groups)
    return root


async def run(options: argparse.Namespace, out: Output) -> int:
    """Runs the command that was asked for; its exit code. Raises AppError."""
    is_offline = getattr(options, "offline", False)
    settings = Settings() if is_offline else find_settings(options.env_file)
    http = HttpClient()
    try:
        code: int | None = await options.run(Call(options, settings, Database(settings, http), out))
    except Unauthorized as error:
        error.hint = "Is SUPABASE_SECRET_KEY the secret key of this project?"
        raise
    except Unavailable as error:
        error.hint = f"{error.hint or ''} Asked was {settings.supabase_url}.".lstrip()
        raise
    finally:
        await http.close()
    return DONE if code is None else code


def exit_code(error: AppError) -> int:
    if isinstance(error, Unavailable):
        return UNREACHABLE
    return USAGE if isinstance(error, NotConfigured | UsageError) else REFUSED


def main() -> int:
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    options = parser().parse_args()
    out = Output(as_json=options.json)
    try:
        code = asyncio.run(run(options, out))
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read has had enough. Python would complain once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except AppError as error:
        out.error(error)
        return exit_code(error)
    return code


if __name__ == "__main__":
    sys.exit(main())
