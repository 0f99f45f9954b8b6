"""Settings: what is missing or no number is named; a deployment without any still answers."""

import re

import httpx
import pytest

from functions.app import create_app
from functions.core.errors import NotConfigured
from functions.core.settings import Settings
from tests.fixtures import serving

COMPLETE = {
    "SUPABASE_URL": "https://x.supabase.co/",
    "SUPABASE_SECRET_KEY": "sb_secret_x",
    "SUPABASE_PUBLISHABLE_KEY": "sb_publishable_x",
    "CRON_SECRET": "a" * 16,
}
NAMES = ("SUPABASE_URL", "SUPABASE_SECRET_KEY", "SUPABASE_PUBLISHABLE_KEY")
NUMBERS = (
    "QUEUE_BUDGET_SECONDS",
    "QUEUE_BATCH",
    "QUEUE_TICKS",
    "QUEUE_REINVOKE_HOPS",
    "INBOUND_DRAIN_SECONDS",
)


def test_a_complete_environment_is_read() -> None:
    settings = Settings.from_env(COMPLETE)
    settings.require_database()
    assert settings.supabase_url == "https://x.supabase.co"
    assert settings.queue_secrets() == ["a" * 16]
    assert settings.inbound_drain_seconds == 10.0


def test_the_older_names_of_the_keys_work() -> None:
    older = {"SUPABASE_SERVICE_ROLE_KEY": "s", "SUPABASE_ANON_KEY": "p", "SUPABASE_URL": "u"}
    settings = Settings.from_env(older | {"SUPABASE_SECRET_KEY": ""})
    settings.require_database()
    assert (settings.secret_key, settings.publishable_key) == ("s", "p")


def test_on_lambda_nothing_runs_after_the_answer() -> None:
    assert Settings.from_env({"AWS_LAMBDA_FUNCTION_NAME": "x"}).inbound_drain_seconds == 0.0


@pytest.mark.parametrize(
    ("env", "url"),
    [
        ({}, ""),
        ({"PUBLIC_URL": "https://recado.example.com/"}, "https://recado.example.com"),
        ({"VERCEL_ENV": "production", "VERCEL_URL": "a", "PUBLIC_URL": "http://b"}, "http://b"),
        (
            {
                "VERCEL_ENV": "production",
                "VERCEL_URL": "x-1.vercel.app",
                "VERCEL_PROJECT_PRODUCTION_URL": "x.com",
            },
            "https://x.com",
        ),
        (
            {
                "VERCEL_ENV": "preview",
                "VERCEL_URL": "x-2.vercel.app",
                "VERCEL_PROJECT_PRODUCTION_URL": "x.com",
            },
            "https://x-2.vercel.app",
        ),
    ],
)
def test_a_deployment_knows_its_address_and_a_preview_not_that_of_production(
    env: dict[str, str], url: str
) -> None:
    assert Settings.from_env(env).public_url == url


@pytest.mark.parametrize("missing", [NAMES[:1], NAMES[1:2], NAMES[2:], NAMES])
def test_all_that_is_missing_is_named_at_once(missing: tuple[str, ...]) -> None:
    settings = Settings.from_env({k: v for k, v in COMPLETE.items() if k not in missing})
    with pytest.raises(NotConfigured) as raised:
        settings.require_database()
    assert re.findall("[A-Z_]{9,}", raised.value.detail) == list(missing)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("text", ["ten", "1,5", "-1", "1e9", "nan", "inf", "0x10"])
def test_a_number_that_is_none_stops_the_start(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=name):
        Settings.from_env(COMPLETE | {name: text})


@pytest.mark.parametrize("name", NUMBERS)
def test_an_empty_number_is_the_default(name: str) -> None:
    assert Settings.from_env(COMPLETE | {name: ""}) == Settings.from_env(COMPLETE)


def test_secrets_do_not_appear_when_settings_are_printed() -> None:
    printed = repr(Settings.from_env(COMPLETE | {"QUEUE_SECRET": "q" * 16}))
    assert not any(secret in printed for secret in ("sb_secret", "sb_publishable", "aaaa", "qqqq"))


async def test_a_deployment_without_settings_says_what_is_missing() -> None:
    async with (
        serving(create_app(Settings())) as url,
        httpx.AsyncClient(base_url=url) as http,
    ):
        for method, path in (
            ("GET", "/api/health"),
            ("POST", "/in/meta/x"),
            ("GET", "/in/meta/x"),
            ("POST", "/api/queue/process"),
        ):
            answer = await http.request(method, path, content=b"{}")
            problem = answer.json()
            assert (answer.status_code, problem["code"]) == (503, "not_configured"), path
            assert re.search("SUPABASE_URL|CRON_SECRET", problem["detail"]), path
        answer = await http.get("/api/conversations", headers={"authorization": "Bearer x"})
        assert answer.status_code in (401, 503)
        assert (await http.get("/openapi.json")).status_code == 200
