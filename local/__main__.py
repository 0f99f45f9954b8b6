"""python -m local dev [--fresh]: see dev.py. Errors that people can mend are one line."""

import argparse
import asyncio
import sys

from local import dev
from local.stack import StackError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("dev", help="run everything, with messages flowing")
    command.add_argument("--fresh", action="store_true", help="start from an empty database")
    options = parser.parse_args()
    try:
        asyncio.run(dev.run(fresh=options.fresh))
    except KeyboardInterrupt:
        return 130
    except StackError as error:
        print(f"make dev: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
