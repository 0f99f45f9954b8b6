"""The whole local stack as one context: Postgres, bootstrap, migrations, gateway, fake WhatsApp.

Used by `make dev` and by the tests. Everything it starts ends with it, and with this process
however that ends.
"""

import asyncio
import random
import shutil
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from local.bootstrap import bootstrap
from local.keys import Keys
from local.migrations import migrate, seed
from local.postgres import HOST, SUPERUSER, Postgres, PostgresError, port_is_taken
from local.processes import Child, ChildError

ROOT = Path(__file__).resolve().parent.parent
# Below the ports that systems hand out to outgoing connections, so nobody takes one by chance.
EPHEMERAL = range(20_000, 32_000)


@dataclass(frozen=True, slots=True)
class Ports:
    """Where to listen; 0 means any free port. `strict`: a taken port is an error, else moves."""

    gateway: int = 0
    postgres: int = 0
    whatsapp: int = 0
    strict: bool = False


class StackError(RuntimeError):
    """The stack cannot run; the message says why and what to do."""


class Stack:
    """A running project. After start: `url`, `database_url`, `keys`, `whatsapp_url`.

    `data` is a folder of its own: postgres/, keys.json, logs/. `migrations` is a folder like
    supabase/, with migrations/ and seed.sql in it, or None for an empty project. `database_url`
    is the superuser's: for tests and the migrator, never for the application.
    """

    def __init__(
        self,
        data: Path,
        ports: Ports | None = None,
        *,
        postgres_version: int = 18,
        migrations: Path | None = ROOT / "supabase",
        whatsapp: bool = True,
        seeded: bool = False,
    ) -> None:
        self.data = data.absolute()
        self._ports = ports or Ports()
        self._version = postgres_version
        self._migrations = migrations
        self._with_whatsapp = whatsapp
        self._seeded = seeded
        self._running: AsyncExitStack | None = None
        self._postgres: Postgres | None = None
        self._gateway: Child | None = None
        self.keys: Keys
        self.url = ""
        self.database_url = ""
        self.whatsapp_url: str | None = None

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as running:
            self.data.mkdir(parents=True, exist_ok=True)
            self.keys = Keys.load_or_create(self.data / "keys.json")
            postgres = await self._start_postgres(running)
            await bootstrap(postgres.url(SUPERUSER))
            await self._migrate(postgres)
            await self._start_gateway(running)
            if self._with_whatsapp and (ROOT / "local" / "whatsapp").exists():
                await self._start_whatsapp(running)
            self._running = running.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._running is not None:
            await self._running.aclose()
            self._running = None

    @property
    def logs(self) -> Path:
        """Where every part writes its log."""
        return self.data / "logs"

    async def restart_postgres(self) -> None:
        """Stops Postgres and starts it again on its port; the gateway has to cope."""
        assert self._postgres is not None
        await self._postgres.stop()
        await self._postgres.__aenter__()

    async def _start_postgres(self, running: AsyncExitStack) -> Postgres:
        port = choose_port(self._ports.postgres, strict=self._ports.strict)
        log = self.logs / "postgres.log"
        try:
            postgres = Postgres(
                data=self.data / "postgres", port=port, version=self._version, log=log
            )
            await running.enter_async_context(postgres)
        except PostgresError as error:
            raise StackError(str(error)) from error
        self._postgres = postgres
        self.database_url = postgres.url(SUPERUSER)
        return postgres

    async def _migrate(self, postgres: Postgres) -> None:
        folder = self._migrations
        if folder is None or not (folder / "migrations").exists():
            return
        url = postgres.url("postgres")
        await migrate(url, folder / "migrations")
        if self._seeded and (folder / "seed.sql").exists():
            await seed(url, folder / "seed.sql")

    async def _start_gateway(self, running: AsyncExitStack) -> None:
        port = choose_port(self._ports.gateway, strict=self._ports.strict)
        assert self._postgres is not None
        options = ["--pg-port", str(self._postgres.port), "--data", str(self.data)]
        self.url = f"http://{HOST}:{port}"
        headers = {"apikey": self.keys.publishable_key}
        self._gateway = await self._serve(
            running, "gateway", port, options, f"{self.url}/auth/v1/health", headers
        )

    async def _start_whatsapp(self, running: AsyncExitStack) -> None:
        port = choose_port(self._ports.whatsapp, strict=self._ports.strict)
        self.whatsapp_url = f"http://{HOST}:{port}"
        await self._serve(running, "whatsapp", port, [], self.whatsapp_url, {})

    async def _serve(
        self,
        running: AsyncExitStack,
        name: str,
        port: int,
        options: list[str],
        health: str,
        headers: dict[str, str],
    ) -> Child:
        """Runs `python -m local.<name>` and waits until `health` answers."""
        command = [sys.executable, "-m", f"local.{name}", "--host", HOST, "--port", str(port)]
        child = Child(name, [*command, *options], log=self.logs / f"{name}.log", cwd=ROOT)
        running.push_async_callback(child.stop)
        async with httpx.AsyncClient(timeout=5, trust_env=False) as http:

            async def answers() -> bool:
                try:
                    return (await http.get(health, headers=headers)).status_code < 500
                except httpx.TransportError:
                    return False

            try:
                await child.until_ready(answers)
            except ChildError as error:
                raise StackError(str(error)) from error
        return child


def choose_port(wanted: int, *, strict: bool) -> int:
    """`wanted` when it is free, else another free port; StackError instead when `strict`."""
    if wanted and not port_is_taken(wanted):
        return wanted
    if wanted and strict:
        raise StackError(f"port {wanted} is taken; free it or choose another")
    for _ in range(1000):
        port = random.choice(EPHEMERAL)
        if not port_is_taken(port):
            return port
    raise StackError("no free port found")


async def reset(data: Path) -> None:
    """Removes everything a stopped stack kept; the next start makes it anew."""
    await asyncio.to_thread(shutil.rmtree, data, ignore_errors=True)
