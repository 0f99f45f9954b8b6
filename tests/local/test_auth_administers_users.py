"""Users as service_role manages them, and what a project's own triggers make of them."""

from uuid import uuid4

import asyncpg
import httpx
import pytest
from supabase import AsyncClient
from supabase_auth.errors import AuthApiError

from tests.local.conftest import PASSWORD, Json, bearer, refresh


async def test_only_the_service_role_administers_users(auth: httpx.AsyncClient, user: Json) -> None:
    for headers in ({}, bearer(user)):
        answer = await auth.get("/admin/users", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "not_admin")


async def test_users_are_administered_through_supabase_py(
    supabase: AsyncClient, auth: httpx.AsyncClient
) -> None:
    admin = supabase.auth.admin
    email, user_id = f"{uuid4()}@example.com", str(uuid4())
    made = await admin.create_user(
        {
            "id": user_id,
            "email": email,
            "password": PASSWORD,
            "email_confirm": True,
            "app_metadata": {"plan": "pro"},
            "user_metadata": {"name": "Ana"},
        }
    )
    assert made.user.id == user_id
    assert made.user.app_metadata["plan"] == "pro"
    with pytest.raises(AuthApiError) as caught:
        await admin.create_user({"email": email.upper(), "password": PASSWORD})
    assert (caught.value.status, caught.value.code) == (422, "email_exists")
    assert (await admin.get_user_by_id(user_id)).user.email == email
    assert user_id in [found.id for found in await admin.list_users(page=1, per_page=5)]
    login = {"email": email, "password": PASSWORD}
    session = (await auth.post("/token?grant_type=password", json=login)).json()
    banned = await admin.update_user_by_id(user_id, {"ban_duration": "24h"})
    assert banned.user.banned_until is not None
    refused = await auth.post("/token?grant_type=password", json=login)
    assert refused.json()["code"] == "user_banned"
    again = await refresh(auth, session["refresh_token"])
    assert again.json()["code"] == "user_banned"
    freed = await admin.update_user_by_id(
        user_id, {"ban_duration": "none", "password": "a new one", "app_metadata": {"plan": None}}
    )
    assert freed.user.banned_until is None
    assert "plan" not in freed.user.app_metadata
    assert (await auth.get("/user", headers=bearer(session))).status_code == 403
    await admin.delete_user(user_id)
    with pytest.raises(AuthApiError) as caught:
        await admin.get_user_by_id(user_id)
    assert (caught.value.status, caught.value.code) == (404, "user_not_found")


async def test_an_unconfirmed_user_cannot_sign_in(
    supabase: AsyncClient, auth: httpx.AsyncClient
) -> None:
    email = f"{uuid4()}@example.com"
    await supabase.auth.admin.create_user({"email": email, "password": PASSWORD})
    login = {"email": email, "password": PASSWORD}
    answer = await auth.post("/token?grant_type=password", json=login)
    assert (answer.status_code, answer.json()["code"]) == (400, "email_not_confirmed")


async def test_a_trigger_of_the_project_runs_and_may_refuse(
    migrator: asyncpg.Pool, auth: httpx.AsyncClient
) -> None:
    await migrator.execute(
        """
        create table public.profiles (id uuid primary key references auth.users on delete cascade);
        create function public.make_profile() returns trigger language plpgsql
          security definer set search_path = '' as $$
        begin
          if new.email like 'refused%' then raise exception 'no'; end if;
          insert into public.profiles values (new.id);
          return new;
        end $$;
        create trigger make_profile after insert on auth.users
          for each row execute function public.make_profile();
        """
    )
    try:
        body = {"email": f"{uuid4()}@example.com", "password": PASSWORD}
        made = (await auth.post("/signup", json=body)).json()
        profile = "select count(*) from public.profiles where id = $1"
        assert await migrator.fetchval(profile, made["user"]["id"]) == 1
        refused = await auth.post("/signup", json={**body, "email": f"refused{uuid4()}@x.co"})
        assert refused.status_code == 500
        assert refused.json() == {
            "code": "unexpected_failure",
            "message": "Database error saving new user",
        }
    finally:
        await migrator.execute(
            "drop trigger make_profile on auth.users; drop function public.make_profile();"
            " drop table public.profiles"
        )
