"""What a command is: a name, its arguments, and an async function of a Call."""

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import orjson

from functions.cli.output import Output
from functions.core.db import Database
from functions.core.errors import AppError
from functions.core.settings import Settings
from functions.jobs.lists import JobLists
from functions.jobs.operator import Operator
from functions.jobs.rpc import Queue

if TYPE_CHECKING:
    from pydantic import ValidationError

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

# Exit codes; 130 is Ctrl-C.
DONE, REFUSED, USAGE, UNREACHABLE = 0, 1, 2, 3


class UsageError(AppError):
    """The arguments do not go together, or a confirmation is missing."""

    status, default_code = 422, "usage"


@dataclass(frozen=True, slots=True)
class Call:
    """One run of a command: its arguments, its project, its mouth."""

    options: argparse.Namespace
    settings: Settings
    db: Database = field(repr=False)
    out: Output

    @property
    def queue(self) -> Queue:
        return Queue(self.db)

    @property
    def operator(self) -> Operator:
        return Operator(self.db.as_service())

    @property
    def lists(self) -> JobLists:
        return JobLists(self.db.as_service())

    def answer(self, value: Any, text: str) -> None:
        """The answer of a command that did something: a line, or for programs all of it."""
        if self.out.as_json:
            self.out.answer(value)
        else:
            self.out.write(text)


Run = Callable[[Call], Awaitable[int | None]]


def add_group(commands: Commands, name: str, help: str, run: Run | None = None) -> Commands:
    """Commands under a word of their own: `jobs ...`. `run`: what the bare word does."""
    if run is None:
        parser = commands.add_parser(name, help=help, description=help)
    else:
        parser = add_command(commands, name, run, help)
    return parser.add_subparsers(title="commands", metavar="COMMAND", required=run is None)


def add_command(commands: Commands, name: str, run: Run, help: str) -> argparse.ArgumentParser:
    """A command with what all have; `run` returns an exit code, or None for done."""
    parser = commands.add_parser(name, help=help, description=help)
    parser.add_argument("--json", action="store_true", help="the whole answer, for programs")
    parser.add_argument("--env-file", metavar="FILE", help="where SUPABASE_URL and keys stand")
    parser.set_defaults(run=run)
    return parser


def json_object(text: str) -> dict[str, Any]:
    """An object as it is, from @file, or from stdin as -. Raises ArgumentTypeError."""
    try:
        if text == "-":
            raw = sys.stdin.buffer.read()
        elif text.startswith("@"):
            with open(text[1:], "rb") as file:
                raw = file.read()
        else:
            raw = os.fsencode(text)
        value = orjson.loads(raw)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text[1:]}: {error.strerror}") from None
    except orjson.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"this is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError("the data of a job is a JSON object")
    return value


def what_is_wrong(error: "ValidationError") -> str:
    """What a model does not take of what was given, in a line."""
    return "; ".join(f"{'.'.join(map(str, e['loc']))} {e['msg']}".strip() for e in error.errors())


async def confirm(call: Call, what: str) -> None:
    """Asks before `what`, unless --yes was given. Raises UsageError where nobody can answer,
    AppError not_confirmed where the answer is not yes."""
    if call.options.yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"{what} Nothing was done.", hint="Add --yes to do it.")
    sys.stderr.write(f"{what} Go on? [y/N] ")
    sys.stderr.flush()
    loop = asyncio.get_running_loop()
    answered = asyncio.Event()
    loop.add_reader(sys.stdin, answered.set)
    try:
        await answered.wait()
    finally:
        loop.remove_reader(sys.stdin)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise AppError("Nothing was done.", code="not_confirmed")
