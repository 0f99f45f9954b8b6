"""Whatever PostgREST answers becomes one of our errors; callers never see a text of Postgres that
names our inside, and "try again" is said only where it helps."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest

from functions.app import create_app
from functions.core.db import Database, DatabaseError
from functions.core.errors import (
    AppError,
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    TooLarge,
    Unauthorized,
    Unavailable,
)
from functions.core.http import HttpClient
from functions.core.settings import Settings
from local.stack import Stack, choose_port
from tests.fixtures import CRON_SECRET, serving, until

# SQLSTATE -> what our callers get.
RAISED: dict[str, tuple[type[AppError], str]] = {
    "PT401": (Unauthorized, "as_raised"),
    "PT403": (Forbidden, "as_raised"),
    "PT404": (NotFound, "as_raised"),
    "PT409": (Conflict, "as_raised"),
    "PT413": (TooLarge, "as_raised"),
    "PT422": (InvalidRequest, "as_raised"),
    "PT503": (Unavailable, "as_raised"),
    "PT418": (DatabaseError, "as_raised"),
    "42501": (Forbidden, "forbidden"),
    "22P02": (InvalidRequest, "invalid_value"),
    "22003": (InvalidRequest, "invalid_value"),
    "22P05": (InvalidRequest, "invalid_value"),
    "23502": (InvalidRequest, "invalid_value"),
    "23503": (InvalidRequest, "invalid_value"),
    "23505": (InvalidRequest, "invalid_value"),
    "23514": (InvalidRequest, "invalid_value"),
    "40001": (Unavailable, "database_unavailable"),
    "40P01": (Unavailable, "database_unavailable"),
    "53300": (Unavailable, "database_unavailable"),
    "55P03": (Unavailable, "database_unavailable"),
    "57014": (Unavailable, "database_unavailable"),
    "57P01": (Unavailable, "database_unavailable"),
    "08006": (Unavailable, "database_unavailable"),
    "58030": (Unavailable, "database_unavailable"),
    "P0001": (DatabaseError, "database_error"),
    "42P01": (DatabaseError, "database_error"),
    "42883": (DatabaseError, "database_error"),
    "XX000": (DatabaseError, "database_error"),
    "54000": (DatabaseError, "database_error"),
}
RAISING = """
create function public.raise_for_test(p_code text) returns void
language plpgsql security invoker set search_path = '' as $$
begin
  raise exception using errcode = p_code, message = 'as_raised', detail = 'What happened.',
    hint = 'What to do.';
end $$;
grant execute on function public.raise_for_test to service_role;
notify pgrst, 'reload schema';
"""


@pytest.fixture(scope="module")
async def raising(stack: Stack, db: Database) -> AsyncIterator[Database]:
    """The database with a function that raises what it is told."""
    connection = await asyncpg.connect(stack.database_url)
    await connection.execute(RAISING)

    async def is_known() -> bool:
        try:
            await db.as_service().call("raise_for_test", {"p_code": "PT404"})
        except NotFound:
            return True
        except DatabaseError:
            return False
        return False

    await until(is_known, what="PostgREST's schema cache")
    yield db
    await connection.execute("drop function public.raise_for_test; notify pgrst, 'reload schema'")
    await connection.close()


@pytest.mark.parametrize("code", RAISED)
async def test_every_code_of_postgres_is_translated(code: str, raising: Database) -> None:
    expected, our_code = RAISED[code]
    with pytest.raises(AppError) as raised:
        await raising.as_service().call("raise_for_test", {"p_code": code})
    assert type(raised.value) is expected
    assert raised.value.code == our_code
    if our_code == "as_raised":
        assert (raised.value.detail, raised.value.hint) == ("What happened.", "What to do.")
    elif expected is not InvalidRequest:
        assert "as_raised" not in raised.value.detail


async def test_an_unknown_function_is_a_defect_of_ours(db: Database) -> None:
    for params in ({}, {"p_limit": "x", "p_nope": 1}):
        with pytest.raises(DatabaseError):
            await db.as_service().call("claim_job", params)


@pytest.mark.parametrize(
    ("function", "params"),
    [
        ("get_inbound_events", {"p_ids": ["x"]}),
        ("begin_send", {"p_message_id": "x", "p_job_id": 1, "p_claim": 1}),
        ("create_api_key", {"p_name": "x", "p_company_id": "00000000-0000-0000-0000-000000000000"}),
    ],
)
async def test_wrong_values_are_the_callers_fault(
    db: Database, function: str, params: dict[str, Any]
) -> None:
    with pytest.raises(InvalidRequest):
        await db.as_service().call(function, params)


@pytest.mark.parametrize("value", [10**30, "\ud83d", {"a": object()}, b"x"])
async def test_what_is_no_json_is_not_sent(db: Database, value: Any) -> None:
    with pytest.raises(InvalidRequest):
        await db.as_service().call("health", {"x": value})


async def test_wrong_keys_are_unauthorized(settings: Settings) -> None:
    http = HttpClient()
    for secret, publishable in (("x", "x"), (settings.publishable_key, "x")):
        wrong = Database(Settings(settings.supabase_url, secret, publishable), http)
        with pytest.raises((Unauthorized, Forbidden)):
            await wrong.as_service().call("health", {})
    with pytest.raises(Unauthorized):
        await Database(settings, http).as_user("not.a.token").call("sync_heads", {"p_scopes": {}})
    await http.close()


async def test_without_a_database_every_call_is_a_503_that_may_be_repeated(
    settings: Settings,
) -> None:
    closed = f"http://127.0.0.1:{choose_port(0)}"
    away = Settings(closed, settings.secret_key, settings.publishable_key, CRON_SECRET)
    async with (
        serving(create_app(away)) as url,
        httpx.AsyncClient(base_url=url, timeout=30) as http,
    ):
        calls: list[tuple[str, str, dict[str, str]]] = [
            ("GET", "/api/health", {}),
            ("POST", "/in/meta/x", {}),
            ("GET", "/in/meta/x", {}),
            ("POST", "/in/evolution/x", {}),
            ("GET", "/api/conversations", {"authorization": "Bearer rk_x"}),
            ("GET", "/api/queue/stats", {"authorization": f"Bearer {CRON_SECRET}"}),
        ]
        for method, path, headers in calls:
            answer = await http.request(method, path, headers=headers)
            assert answer.status_code == 503, (path, answer.text)
            assert answer.headers["retry-after"].isdecimal()
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["code"] == "database_unavailable"
            assert "127.0.0.1" not in answer.text
