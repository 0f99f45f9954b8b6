"""The whole local stack as one context: Postgres, bootstrap, migrations, gateway, fake WhatsApp.

Used by `python -m local` and by the tests. Everything it starts ends with it, and with this process
however that ends.
"""

import asyncio
import random
import shutil
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx

from local.bootstrap import bootstrap
from local.errors import StackError
from local.gateway.auth.config import AuthConfig
from local.keys import Keys
from local.migrations import migrate, seed
from local.postgres import HOST, SUPERUSER, Postgres, lock, port_is_taken, version_of
from local.processes import Child

__all__ = ["Ports", "Stack", "StackError", "choose_port", "reset", "start_whatsapp"]

ROOT = Path(__file__).resolve().parent.parent
# Below the ports that systems hand out to outgoing connections, so nobody takes one by chance.
FREE_PORTS = range(20_000, 32_000)


@dataclass(frozen=True, slots=True)
class Ports:
    """Where to listen; 0 means any free port. `strict`: a taken port is an error, else moves."""

    gateway: int = 0
    postgres: int = 0
    whatsapp: int = 0
    strict: bool = False


class Stack:
    """A running project. After start: `url`, `database_url`, `keys`, `whatsapp_url`.

    `data` is a folder of its own: postgres/, storage/, keys.json, logs/. `project` is a folder like
    supabase/, with migrations/, seed.sql and config.toml in it, or None for an empty project.
    `database_url` is the superuser's: for tests and the migrator, never for the application.
    `postgres_version` None is that of the data in the folder, else 18.
    Raises: StackError from `async with` when something does not start.
    """

    def __init__(
        self,
        data: Path,
        ports: Ports | None = None,
        *,
        postgres_version: int | None = None,
        project: Path | None = ROOT / "supabase",
        seeded: bool = False,
    ) -> None:
        self.data = data.absolute()
        self.logs = self.data / "logs"
        self.keys: Keys
        self.postgres: Postgres
        self.url = ""
        self.database_url = ""
        self.whatsapp_url = ""
        self._ports = ports or Ports()
        self._version = postgres_version
        self._project = project
        self._config = project and project / "config.toml"
        self._seeded = seeded
        self._running: AsyncExitStack | None = None

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as running:
            self.keys = self._load_keys()
            AuthConfig.read(self._config)  # a mistake in it is told before anything starts
            self.postgres = Postgres(
                data=self.data / "postgres",
                port=choose_port(self._ports.postgres, strict=self._ports.strict),
                version=self._version or version_of(self.data / "postgres") or 18,
                log=self.logs / "postgres.log",
            )
            await running.enter_async_context(self.postgres)
            self.database_url = self.postgres.url(SUPERUSER)
            await bootstrap(self.database_url)
            await self._migrate()
            gateway = choose_port(self._ports.gateway, strict=self._ports.strict)
            self.url = await self._start_gateway(running, gateway)
            whatsapp = choose_port(self._ports.whatsapp, strict=self._ports.strict)
            self.whatsapp_url = await start_whatsapp(running, self.logs, whatsapp)
            # Started again, it is found where it was.
            self._ports = Ports(gateway, self.postgres.port, whatsapp, self._ports.strict)
            self._running = running.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._running is not None:
            await self._running.aclose()
            self._running = None

    def _load_keys(self) -> Keys:
        path = self.data / "keys.json"
        try:
            return Keys.load_or_create(path)
        except OSError as error:
            raise StackError(f"{path} cannot be read or made: {error.strerror}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise StackError(f"{path} is damaged: remove it, the start makes new keys") from error

    async def _migrate(self) -> None:
        if self._project is None:
            return
        url = self.postgres.url("postgres")
        await migrate(url, self._project / "migrations")
        if self._seeded:
            await seed(url, self._project / "seed.sql")

    async def _start_gateway(self, running: AsyncExitStack, port: int) -> str:
        url = f"http://{HOST}:{port}"
        command = ["--pg-port", str(self.postgres.port), "--data", str(self.data)]
        if self._config:
            command += ["--config", str(self._config)]
        child = _run_module("gateway", self.logs, port, command)
        running.push_async_callback(child.stop)
        await _until_healthy(child, f"{url}/auth/v1/health", {"apikey": self.keys.publishable_key})
        return url


async def start_whatsapp(running: AsyncExitStack, logs: Path, port: int = 0) -> str:
    """Runs the fake WhatsApp until `running` is closed; its address."""
    port = port or choose_port(0)
    child = _run_module("whatsapp", logs, port, [])
    running.push_async_callback(child.stop)
    url = f"http://{HOST}:{port}"
    await _until_healthy(child, url, {})
    return url


async def reset(data: Path) -> None:
    """Removes database and files of a stopped stack; the next start makes them anew.

    Keys and logs stay. Raises StackError, and removes nothing, while a stack runs there.
    """
    try:
        with lock(data / "postgres"):
            for name in ("postgres", "storage"):
                if (data / name).exists():
                    await asyncio.to_thread(shutil.rmtree, data / name)
    except OSError as error:
        raise StackError(f"{data} cannot be emptied: {error}") from error


def choose_port(wanted: int, *, strict: bool = False) -> int:
    """`wanted` when it is free, else another free port; StackError instead when `strict`."""
    if wanted and not port_is_taken(wanted):
        return wanted
    if wanted and strict:
        raise StackError(f"port {wanted} is taken; free it or choose another")
    for _ in range(1000):
        port = random.choice(FREE_PORTS)
        if not port_is_taken(port):
            return port
    raise StackError(f"no free port between {FREE_PORTS.start} and {FREE_PORTS.stop}")


def _run_module(name: str, logs: Path, port: int, options: list[str]) -> Child:
    command = [sys.executable, "-m", f"local.{name}", "--host", HOST, "--port", str(port)]
    return Child(f"local.{name}", [*command, *options], log=logs / f"{name}.log", cwd=ROOT)


async def _until_healthy(child: Child, url: str, headers: dict[str, str]) -> None:
    """Returns when `url` answers anything but a server error."""
    async with httpx.AsyncClient(timeout=5, trust_env=False) as http:

        async def answers() -> bool:
            try:
                return (await http.get(url, headers=headers)).status_code < 500
            except httpx.TransportError:
                return False

        await child.until_ready(answers)
