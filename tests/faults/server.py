"""APIs to be killed, as worker.py has workers: a line has a `port` too."""

from typing import Any

import uvicorn

from functions.app import create_app
from functions.core.settings import Settings
from tests.faults.worker import main
from tests.tenants import CREDENTIALS_KEY


async def serve(order: dict[str, Any], parent: int) -> None:
    settings = Settings(
        supabase_url=order["url"],
        secret_key=order["secret_key"],
        publishable_key=order["publishable_key"],
        credentials_key=CREDENTIALS_KEY,
        allow_private_servers=True,
        inbound_drain_seconds=0.0,
    )
    config = uvicorn.Config(create_app(settings), port=order["port"], log_level="critical")
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    main(serve)
