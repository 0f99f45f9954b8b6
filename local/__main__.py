"""The local stack: start it, look at it, empty it. What goes wrong is said in one line."""

import argparse
import asyncio
import sys
from pathlib import Path

import asyncpg

from local import alone, dev, logs, psql, reset, status
from local.stack import ROOT, Ports, StackError

# Of the Supabase CLI; Postgres and the fake WhatsApp are behind it, the API is before it.
PORT = 54321
VERSIONS = (16, 18)


def main() -> int:
    """Exit codes: 0, 1 with a message on stderr, 2 for wrong arguments, 3 from status, 130."""
    parser = _parser()
    options, others = parser.parse_known_args()
    if others and options.command != "psql":
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    try:
        return _run(options, others, options.folder.absolute())
    except KeyboardInterrupt:
        return 130
    except (StackError, OSError, asyncpg.PostgresError) as error:
        print(f"local {options.command}: {error}", file=sys.stderr)
        return 1


def _run(options: argparse.Namespace, others: list[str], folder: Path) -> int:
    match options.command:
        case "dev":
            version, ports = options.postgres, _ports(options.port)
            asyncio.run(dev.run(folder, ports, fresh=options.fresh, postgres_version=version))
        case "stack":
            version, ports = options.postgres, _ports(options.port)
            asyncio.run(alone.run(folder, ports, options.project, postgres_version=version))
        case "status":
            return status.run(folder, env=options.env)
        case "reset":
            asyncio.run(reset.run(folder, options.postgres))
        case "psql":
            psql.run(folder, others)
        case "logs":
            logs.run(folder, options.part, follow=options.follow)
    return 0


def _ports(asked: int | None) -> Ports:
    """A port that was asked for has to be free; the usual ones give way."""
    first = asked or PORT
    return Ports(first, first + 1, first + 2, strict=asked is not None)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.add_argument("--folder", type=Path, default=dev.DATA, help="data, keys and logs")
        return added

    running = command("dev", "run everything, with messages flowing")
    running.add_argument("--fresh", action="store_true", help="start from an empty database")
    alone = command("stack", "run the stack alone and print its variables")
    alone.add_argument("--project", type=Path, default=ROOT / "supabase", help="the migrations")
    for starting in (running, alone):
        starting.add_argument("--port", type=int, help="of Supabase; the others are beside it")
    resetting = command("reset", "back to the migrations and the seed, running or stopped")
    for choosing in (running, alone, resetting):
        choosing.add_argument("--postgres", type=int, choices=VERSIONS, help="for new data, or 18")
    showing = command("status", "show what runs where")
    showing.add_argument("--env", action="store_true", help="only the variables, with the keys")
    command("psql", "open psql on the database; takes the arguments of psql too")
    reading = command("logs", "print the end of the logs")
    reading.add_argument("part", nargs="?", help="api, gateway, postgres or whatsapp")
    reading.add_argument("-f", "--follow", action="store_true")
    return parser


if __name__ == "__main__":
    sys.exit(main())
