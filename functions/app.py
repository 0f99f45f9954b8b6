"""The composition root: what the API is made of.

A new kind of job is a row in a room's `handlers`, a new provider a line in PROVIDERS.
"""

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from fastapi import FastAPI
from pydantic import BaseModel

from functions.core import parts, problems
from functions.core.auth import Authenticator
from functions.core.db import Database
from functions.core.http import HttpClient
from functions.core.open_internet import OpenInternet
from functions.core.settings import Settings
from functions.core.storage import Storage
from functions.jobs import jobs_routes, queue_routes
from functions.jobs.background import BackgroundDrain
from functions.jobs.rpc import Queue
from functions.jobs.runner import Runner
from functions.jobs.ticks import Ticks
from functions.messaging import (
    changes_routes,
    consent_words_routes,
    contacts_routes,
    conversations_routes,
    inbound_events_routes,
    inbound_routes,
    media,
    media_routes,
    messages_routes,
    numbers_routes,
    pace_routes,
    search_routes,
    suppressions_routes,
)
from functions.messaging import handlers as messaging_handlers
from functions.messaging.credentials import Vault
from functions.messaging.endpoints import Endpoints
from functions.messaging.numbers import Numbers
from functions.providers.base import Provider
from functions.providers.evolution import EVOLUTION
from functions.providers.meta import META

PROVIDERS: Mapping[str, Provider] = {"evolution": EVOLUTION, "meta": META}
ROUTES = [
    module.routes
    for module in (
        # First, because it is asked most and routes are tried in order.
        inbound_routes, messages_routes, media_routes, conversations_routes, contacts_routes,
        search_routes, suppressions_routes, consent_words_routes, changes_routes, numbers_routes,
        pace_routes, inbound_events_routes, jobs_routes, queue_routes,
    )
]  # fmt: skip
VERSION = "0.1.0"
DESCRIPTION = """\
Send messages, read conversations, take webhooks, run the queue.

`/api/conversations` and `/api/messages` take the access token of a signed-in user, who acts in
their companies, or the API key of one company (`rk_...`). `/api/jobs` takes the token of an admin,
`/api/queue` the cron's secret.

Every error is `application/problem+json`: programs decide on `code`; `detail` and `hint` are for
people. 503 may be repeated after `retry-after` seconds, except `not_configured`.
"""


class Health(BaseModel):
    """The API runs and its database answers."""

    status: str = "ok"
    version: str = VERSION


# Evolution runs on Node, which closes idle connections after 5 s.
PROVIDER_KEEPALIVE_SECONDS = 2.0
# A send waits seconds for its answer, and two drains may overlap, with 16 sends each.
PROVIDER_CONNECTIONS = 32
# Files go one at a time, and people's links beside them.
STORAGE_CONNECTIONS = 8


def provider_client(settings: Settings) -> HttpClient:
    """Calls the servers of providers, whose addresses companies and webhooks name."""
    network = None if settings.allow_private_servers else OpenInternet()
    return HttpClient(PROVIDER_KEEPALIVE_SECONDS, PROVIDER_CONNECTIONS, network)


def create_runner(
    settings: Settings, db: Database, outside: HttpClient, storage: Storage | None = None
) -> Runner:
    """A runner with the handlers of all rooms; `outside` calls the providers, and Storage too
    where that is not given."""
    vault = Vault(settings.credentials_key)
    storage = storage or Storage(settings, outside)
    handlers = {
        **messaging_handlers.handlers(db, vault, outside, PROVIDERS, storage),
        **media.handlers(db, vault, outside, PROVIDERS, storage, media.Limits.of(settings)),
    }
    queue = Queue(db, worker=f"{settings.worker_name}/{secrets.token_hex(3)}")
    return Runner(queue, handlers, settings.queue_batch)


def _install_parts(
    app: FastAPI,
    settings: Settings,
    db: Database,
    http: HttpClient,
    to_providers: HttpClient,
    storage: Storage,
) -> None:
    runner = create_runner(settings, db, to_providers, storage)
    drain = BackgroundDrain(runner, settings.inbound_drain_seconds)
    queue = Queue(db)
    ticks = Ticks(settings, queue, runner, http)
    vault = Vault(settings.credentials_key)
    private = settings.allow_private_servers
    numbers = Numbers(db, vault, to_providers, PROVIDERS, private_servers=private)
    auth = Authenticator(settings, db, http)
    endpoints = Endpoints(db, vault, PROVIDERS)
    parts.install(app, [settings, db, auth, queue, ticks, drain, numbers, storage, endpoints])


def create_app(settings: Settings) -> FastAPI:
    """The API. Needs no network and no settings to be made; what is missing, its calls tell."""
    http = HttpClient()
    to_providers = provider_client(settings)
    to_storage = HttpClient(connections=STORAGE_CONNECTIONS)
    db = Database(settings, http)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await http.close()
        await to_providers.close()
        await to_storage.close()

    app = FastAPI(
        lifespan=lifespan,
        title="Recado",
        version=VERSION,
        summary="WhatsApp messaging on Supabase: received once, sent once, shown live.",
        description=DESCRIPTION,
        redirect_slashes=False,
    )
    problems.install(app)
    _install_parts(app, settings, db, http, to_providers, Storage(settings, to_storage))
    for routes in ROUTES:
        app.include_router(routes)

    @app.get(
        "/api/health",
        response_model=Health,
        responses=problems.answers(503),
        operation_id="health",
        tags=["operation"],
    )
    async def health() -> Health:
        """200 when the API and its database work."""
        await db.as_service().call("health", {})
        return Health()

    return app
