"""A command on a terminal of its own, as a person sits before it."""

import asyncio
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from local.stack import Stack
from tests.cli.conftest import COMMAND, environment
from tests.fixtures import until

CTRL_C = b"\x03"
# A session without terminal gets the first one that it opens, and with it Ctrl-C.
ON_ITS_OWN = """
import os, sys
os.close(os.open(os.ttyname(0), os.O_RDWR))
os.execv(sys.argv[1], sys.argv[1:])
"""


class Terminal:
    """What is on it, and the keys."""

    def __init__(self, main: int, process: subprocess.Popen[bytes]) -> None:
        self._main = main
        self.process = process
        self.text = ""

    def read(self) -> None:
        try:
            self.text += os.read(self._main, 65_536).decode(errors="replace")
        except OSError:  # the other end is closed
            asyncio.get_running_loop().remove_reader(self._main)

    def type(self, keys: bytes) -> None:
        os.write(self._main, keys)

    async def shows(self, text: str) -> None:
        """Waits until it does, from here on."""
        seen = len(self.text)

        async def is_there() -> bool:
            return text in self.text[seen:]

        await until(is_there, what=text)

    async def ended(self) -> int:
        async def code() -> int | None:
            self.process.poll()
            return None if self.process.returncode is None else self.process.returncode + 1000

        return int(await until(code, what="the end of the command")) - 1000


@asynccontextmanager
async def terminal(stack: Stack, *words: str, **env: str) -> AsyncIterator[Terminal]:
    """Runs the command on 40 lines of 120 columns."""
    main, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-c", ON_ITS_OWN, *COMMAND, *words],
        env=environment(stack) | {"TERM": "xterm"} | env,
        stdin=other,
        stdout=other,
        stderr=other,
        start_new_session=True,
    )
    os.close(other)
    shown = Terminal(main, process)
    loop = asyncio.get_running_loop()
    loop.add_reader(main, shown.read)
    try:
        yield shown
    finally:
        loop.remove_reader(main)
        process.kill()
        process.wait()
        os.close(main)
