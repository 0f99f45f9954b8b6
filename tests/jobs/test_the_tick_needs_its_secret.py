"""/api/queue/*: nobody gets in without the secret, and a deployment without one is closed."""

import httpx
import pytest

from functions.app import create_app
from functions.core.settings import Settings
from tests.fixtures import CRON_SECRET, Api, serving


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer None",
        "Bearer wrong-but-long-enough-secret",
        f"Bearer {CRON_SECRET[:-1]}",
        f"Bearer {CRON_SECRET}x",
        f"Basic {CRON_SECRET}",
        "Bearer \u00e9\u00e9\u00e9",
    ],
)
async def test_a_wrong_secret_is_refused(method: str, authorization: str | None, api: Api) -> None:
    headers = [] if authorization is None else [(b"authorization", authorization.encode())]
    for path in ("/api/queue/process", "/api/queue/stats"):
        answer = await api.http.request(
            "GET" if path.endswith("stats") else method, path, headers=headers
        )
        assert answer.status_code == 401
        assert answer.json()["code"] == "invalid_cron_secret"
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_the_right_secret_ticks(method: str, api: Api) -> None:
    headers = {"authorization": f"bearer {CRON_SECRET}"}
    answer = await api.http.request(method, "/api/queue/process", headers=headers)
    assert answer.status_code == 200
    assert answer.json()["drained"] is True


async def test_the_secret_in_the_address_does_not_count(api: Api) -> None:
    answer = await api.http.get("/api/queue/process", params={"secret": CRON_SECRET})
    assert answer.status_code == 401


@pytest.mark.parametrize("secret", ["", "short"])
async def test_a_deployment_without_a_long_secret_is_closed(
    secret: str, settings: Settings
) -> None:
    bare = Settings(settings.supabase_url, settings.secret_key, settings.publishable_key, secret)
    async with serving(create_app(bare)) as url, httpx.AsyncClient(base_url=url) as http:
        headers = {"authorization": f"Bearer {secret or 'None'}"}
        answer = await http.post("/api/queue/process", headers=headers)
    assert answer.status_code == 503
    assert answer.json()["code"] == "not_configured"


async def test_stats_tell_what_waits(api: Api) -> None:
    headers = {"authorization": f"Bearer {CRON_SECRET}"}
    queues = (await api.http.get("/api/queue/stats", headers=headers)).json()
    assert {"inbound", "outbound", "campaigns", "webhooks", "backups", "embeddings"} <= set(queues)
    assert {"waiting", "scheduled", "running", "failed", "oldest_waiting_seconds"} <= set(
        queues["inbound"]
    )
