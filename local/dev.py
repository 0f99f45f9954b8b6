"""`make dev`: the whole product on this machine, with a demo company and messages flowing.

Starts the local stack and the API, then the show: customers of the fake WhatsApp write to the
demo company and are answered (show.py). A loop calls the tick, as cron would.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from postgrest.exceptions import APIError
from rich.markup import escape

from local import demo
from local.demo import Demo
from local.processes import Child
from local.running import announced, with_resets
from local.screen import Screen
from local.show import Show
from local.stack import Ports, Stack, StackError, choose_port, reset

ROOT = Path(__file__).parent.parent
DATA = ROOT / ".recado" / "dev"
TICK_SECONDS = 15.0


async def run(folder: Path, ports: Ports, *, fresh: bool, postgres_version: int | None) -> None:
    """Runs until Ctrl-C. Raises StackError and the like with a message for people."""
    with Screen() as screen:
        if fresh:
            await reset(folder)
        stack = Stack(folder, ports, postgres_version=postgres_version, seeded=True)
        await with_resets(lambda: _run(screen, stack, ports), folder)


async def _run(screen: Screen, stack: Stack, ports: Ports) -> None:
    began = time.monotonic()
    screen.say("[bold]Recado[/bold] starts: database, Supabase gateway, fake WhatsApp, API ...")
    async with stack, _api(stack, ports) as (api_url, cron_secret):
        company = await demo.load(
            url=stack.url,
            secret_key=stack.keys.secret_key,
            stack_secret=stack.keys.jwt_secret,
            api_url=api_url,
            whatsapp_url=stack.whatsapp_url,
        )
        with announced(stack, api_url):
            seconds = time.monotonic() - began
            _introduce(screen, stack, ports, api_url, cron_secret, company, seconds)
            show = Show(screen, stack, api_url, company)
            await _play(show, _tick_forever(screen, api_url, cron_secret), stack.logs)


@asynccontextmanager
async def _api(stack: Stack, ports: Ports) -> AsyncIterator[tuple[str, str]]:
    """The API as it is deployed, in a process of its own, on the port before the gateway's."""
    port = choose_port(ports.gateway - 1, strict=ports.strict)
    cron_secret = demo.derive(stack.keys.jwt_secret, "cron")
    environment = {
        "SUPABASE_URL": stack.url,
        "SUPABASE_SECRET_KEY": stack.keys.secret_key,
        "SUPABASE_PUBLISHABLE_KEY": stack.keys.publishable_key,
        "CRON_SECRET": cron_secret,
        "CREDENTIALS_KEY": demo.credentials_key(stack.keys.jwt_secret),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "ALLOW_PRIVATE_SERVERS": "1",
    }
    os.environ.update(environment)
    _write_down(stack.data, environment)
    child = Child(
        "the API",
        [sys.executable, "-m", "uvicorn", "functions.index:app", "--port", str(port)],
        log=stack.logs / "api.log",
        cwd=ROOT,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        await child.until_ready(lambda: _answers(f"{url}/api/health"))
        yield url, cron_secret
    finally:
        await child.stop()


def _write_down(folder: Path, environment: dict[str, str]) -> None:
    """For the command line, which seals credentials with the same key."""
    file = folder / "api.env"
    file.touch(mode=0o600)
    file.write_text("".join(f"{name}={value}\n" for name, value in environment.items()))


async def _answers(url: str) -> bool:
    async with httpx.AsyncClient() as http:
        try:
            return (await http.get(url)).status_code == 200
        except httpx.HTTPError:
            return False


def _introduce(
    screen: Screen,
    stack: Stack,
    ports: Ports,
    api_url: str,
    cron_secret: str,
    company: Demo,
    seconds: float,
) -> None:
    screen.say(f"Ready after {seconds:.1f} s. Ctrl-C stops; `make dev FRESH=1` starts over.")
    urls = [api_url, stack.url, stack.postgres.url(), stack.whatsapp_url]
    for wanted, url in enumerate(urls, ports.gateway - 1):
        if urlsplit(url).port != wanted:
            screen.say(f"[yellow]Port {wanted} is taken; this start uses {urlsplit(url).port}.[/]")
    screen.say()
    screen.facts(
        {
            "API": f"{api_url}  (try {api_url}/docs)",
            "API key": company.api_key,
            "cron secret": cron_secret,
            "Supabase": stack.url,
            "publishable key": stack.keys.publishable_key,
            "secret key": stack.keys.secret_key,
            "Postgres": stack.postgres.url(),
            "users": f"{demo.OWNER} (owner), {demo.VIEWER} (viewer); password {demo.PASSWORD}",
            "logs": str(stack.logs),
        }
    )
    screen.say("\nWatch and steer its queues, from another terminal (docs/cli.md):")
    screen.say("  ./recado jobs watch")
    screen.say("Write to the company as a customer:")
    screen.say(
        f"  curl -s {stack.whatsapp_url}/_fake/inbound -d "
        """'{"number": "balcao", "from": "5511955550005", "name": "Você", "body": "Oi!"}'\n"""
    )


async def _play(show: Show, ticks: Coroutine[None, None, None], logs: Path) -> None:
    """The show and the ticks. Raises StackError when a part of the stack does not answer."""
    broken = False
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(ticks)
            tasks.create_task(show.run())
    except* (httpx.TransportError, APIError):
        broken = True
    if broken:
        raise StackError(f"a part of the stack does not answer any more; its log is in {logs}")


async def _tick_forever(screen: Screen, api_url: str, cron_secret: str) -> None:
    """Stands in for cron: retries and delayed jobs need somebody to look at the clock."""
    async with httpx.AsyncClient(timeout=120.0) as http:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            headers = {"authorization": f"Bearer {cron_secret}"}
            # Asked first, because a tick waits for a database that is away.
            answer = await http.get(f"{api_url}/api/health")
            if answer.status_code == 200:
                answer = await http.post(f"{api_url}/api/queue/process", headers=headers)
            if answer.status_code != 200:
                # The show only falls silent when the database or the gateway is gone.
                screen.say(
                    f"[red]the queue does not run, see the logs: {escape(answer.text)}[/red]"
                )
