"""A process that fetches a file and stores it, and says how much memory that took at its peak."""

import asyncio
import json
import sys
from pathlib import Path

from functions.core.http import HttpClient
from functions.core.settings import Settings
from functions.core.storage import Storage
from functions.messaging.spool import Spool
from functions.providers.base import Instance, Provider
from functions.providers.commands import FetchMedia
from functions.providers.evolution import EVOLUTION
from functions.providers.meta import META

PROVIDERS: dict[str, Provider] = {"evolution": EVOLUTION, "meta": META}


async def carry(provider: str, server: str, size: int, http: HttpClient) -> str:
    settings = Settings(supabase_url=server, secret_key="s", publishable_key="p")
    instance = Instance("1", provider, server, str(size), {"access_token": "t", "api_key": "k"})
    with Spool(size) as spool:
        command = FetchMedia("5511987654321@s.whatsapp.net", "A", {"id": str(size)}, spool)
        answer = await PROVIDERS[provider].perform(http.get(), instance, command)
        assert answer.failure is None, answer.failure
        await Storage(settings, http).put("media", spool.digest, spool.file, spool.size, "x/y")
        return spool.digest


def peak_kb() -> int:
    """The most memory that this process has had; rusage would count its parent's too."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


async def main(provider: str, server: str, size: int) -> None:
    http = HttpClient()
    await carry(provider, server, 100_000, http)
    before = peak_kb()
    digest = await carry(provider, server, size, http)
    grown = peak_kb() - before
    sys.stdout.write(json.dumps({"digest": digest, "grown_kb": grown}))
    await http.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
