"""The command as people run it: a process of its own, against the stack."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from local.stack import Stack
from tests.jobs.conftest import queue

__all__ = ["queue"]

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "functions.cli")


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.err
        return orjson.loads(self.out)


Recado = Callable[..., Awaitable[Ended]]


def environment(stack: Stack) -> dict[str, str]:
    """Of a shell in which the project is named."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "SUPABASE_URL": stack.url,
        "SUPABASE_SECRET_KEY": stack.keys.secret_key,
    }


@pytest.fixture
def recado(stack: Stack, tmp_path: Path) -> Recado:
    """Runs a command: recado("jobs", "show", 42, stdin=b"", env={...})."""

    async def run(*words: Any, stdin: bytes = b"", env: dict[str, str] | None = None) -> Ended:
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            *map(str, words),
            env=environment(stack) | (env or {}),
            cwd=tmp_path,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate(stdin)
        assert process.returncode is not None
        return Ended(process.returncode, out.decode(), err.decode())

    return run
