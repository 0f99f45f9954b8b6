"""The door of AWS Lambda: API Gateway, Function URLs, load balancers, and schedules.

A scheduled EventBridge event is a tick: it calls /api/queue/process with this deployment's own
secret. `lifespan` is off, because Mangum would run it around every single invocation.
"""

import asyncio
import gc
from typing import Any

# As in index.py: nothing that a start makes is garbage.
gc.disable()

from mangum import Mangum  # noqa: E402
from mangum.types import LambdaConfig, LambdaContext, LambdaEvent, Response, Scope  # noqa: E402

from functions.app import create_app  # noqa: E402
from functions.core.settings import Settings  # noqa: E402

SETTINGS = Settings.from_env()
# Mangum asks for the current event loop, which newer Pythons no longer make by themselves.
asyncio.set_event_loop(asyncio.new_event_loop())


class Schedule:
    """Turns an EventBridge schedule into a request for the tick."""

    @classmethod
    def infer(cls, event: LambdaEvent, context: LambdaContext, config: LambdaConfig) -> bool:
        return event.get("source") in {"aws.events", "aws.scheduler"}

    def __init__(self, event: LambdaEvent, context: LambdaContext, config: LambdaConfig) -> None:
        self.event, self.context, self.config = event, context, config

    @property
    def body(self) -> bytes:
        return b""

    @property
    def scope(self) -> Scope:
        secret = SETTINGS.queue_secrets()[0]
        return {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "headers": [[b"authorization", b"Bearer " + secret.encode()]],
            "path": "/api/queue/process",
            "raw_path": None,
            "root_path": "",
            "scheme": "https",
            "query_string": b"",
            "server": ("lambda", 443),
            "client": ("127.0.0.1", 0),
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "aws.event": self.event,
            "aws.context": self.context,
        }

    def __call__(self, response: Response) -> dict[str, Any]:
        """A failed tick fails the invocation, so that CloudWatch counts it."""
        if response["status"] >= 400:
            raise RuntimeError(f"the tick answered {response['status']}")
        return {"statusCode": response["status"], "body": response["body"].decode()}


handler = Mangum(
    create_app(SETTINGS),
    lifespan="off",
    custom_handlers=[Schedule],
    text_mime_types=["text/", "application/json", "application/problem+json"],
)

gc.freeze()
gc.enable()
