"""Refresh tokens rotate; a lost answer costs nothing, a stolen token ends the session."""

from datetime import timedelta

import asyncpg
import httpx
import jwt

from tests.local.conftest import Json, bearer, refresh


async def test_refreshing_rotates_the_token(auth: httpx.AsyncClient, user: Json) -> None:
    second = (await refresh(auth, user["refresh_token"])).json()
    assert second["refresh_token"] != user["refresh_token"]
    assert second["user"]["id"] == user["user"]["id"]
    third = (await refresh(auth, second["refresh_token"])).json()
    assert third["refresh_token"] not in (user["refresh_token"], second["refresh_token"])
    first, last = (
        jwt.decode(session["access_token"], options={"verify_signature": False})
        for session in (user, third)
    )
    assert first["session_id"] == last["session_id"]


async def test_a_lost_answer_can_be_had_again(auth: httpx.AsyncClient, user: Json) -> None:
    second = (await refresh(auth, user["refresh_token"])).json()
    again = (await refresh(auth, user["refresh_token"])).json()
    assert again["refresh_token"] == second["refresh_token"]


async def let_time_pass(database: asyncpg.Pool, user: Json) -> None:
    """Eleven seconds, as the user's refresh tokens see it."""
    await database.execute(
        "update auth.refresh_tokens set updated_at = updated_at - interval '11 seconds'"
        " where user_id = $1",
        user["user"]["id"],
    )


async def test_tabs_that_refresh_together_all_go_on(
    auth: httpx.AsyncClient, database: asyncpg.Pool, user: Json
) -> None:
    second = (await refresh(auth, user["refresh_token"])).json()
    one_tab = (await refresh(auth, second["refresh_token"])).json()
    other_tab = (await refresh(auth, user["refresh_token"])).json()
    await let_time_pass(database, user)
    for tab in (one_tab, other_tab):
        assert (await refresh(auth, tab["refresh_token"])).status_code == 200


async def test_a_token_used_long_ago_ends_the_session(
    auth: httpx.AsyncClient, database: asyncpg.Pool, user: Json
) -> None:
    second = (await refresh(auth, user["refresh_token"])).json()
    third = (await refresh(auth, second["refresh_token"])).json()
    await let_time_pass(database, user)
    reused = await refresh(auth, user["refresh_token"])
    assert (reused.status_code, reused.json()["code"]) == (400, "refresh_token_already_used")
    await let_time_pass(database, user)
    for token in (third, second, user):
        ended = await refresh(auth, token["refresh_token"])
        assert (ended.status_code, ended.json()["code"]) == (400, "refresh_token_already_used")
    kept = await auth.get("/user", headers=bearer(third))
    assert kept.status_code == 200


async def test_a_session_past_its_end_is_not_refreshed(
    auth: httpx.AsyncClient, database: asyncpg.Pool, user: Json
) -> None:
    end = "update auth.sessions set not_after = now() + $2::interval where user_id = $1"
    await database.execute(end, user["user"]["id"], timedelta(seconds=60))
    second = await refresh(auth, user["refresh_token"])
    assert second.status_code == 200
    await database.execute(end, user["user"]["id"], timedelta(seconds=-1))
    expired = await refresh(auth, second.json()["refresh_token"])
    assert (expired.status_code, expired.json()["code"]) == (400, "session_expired")


async def test_the_time_of_signing_in_outlives_refreshing(
    auth: httpx.AsyncClient, database: asyncpg.Pool, user: Json
) -> None:
    began = "update auth.sessions set created_at = now() - interval '1 hour' where user_id = $1"
    await database.execute(began, user["user"]["id"])
    second = (await refresh(auth, user["refresh_token"])).json()
    claims = jwt.decode(second["access_token"], options={"verify_signature": False})
    assert claims["iat"] - claims["amr"][0]["timestamp"] >= 3600
