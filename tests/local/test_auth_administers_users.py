"""Users as service_role manages them, and what a project's own triggers make of them."""

from uuid import uuid4

import asyncpg
import httpx
import pytest
from supabase import AsyncClient
from supabase_auth.errors import AuthApiError

from local.stack import Stack
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


async def test_a_banned_user_is_told_so_before_the_password_is_looked_at(
    auth: httpx.AsyncClient, supabase: AsyncClient
) -> None:
    login = {"email": f"{uuid4()}@example.com", "password": "wrong"}
    await supabase.auth.admin.create_user(
        {"email": login["email"], "password": PASSWORD, "ban_duration": "1h30m0.5s"}
    )
    answer = await auth.post("/token?grant_type=password", json=login)
    assert (answer.status_code, answer.json()["code"]) == (400, "user_banned")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"password": PASSWORD}, "Cannot create a user without either an email or phone"),
        ({"email": "a b@c.co"}, "Unable to validate email address: invalid format"),
        ({"email": "a@" + "b" * 255}, "An email address is too long"),
        ({"phone": "0800"}, "Invalid phone number format (E.164 required)"),
        ({"email": "a@b.co", "password": "x", "password_hash": "$2y$"},
         "Only a password or a password hash should be provided"),
        ({"email": "a@b.co", "password": "x" * 73}, "bcrypt: password length exceeds 72 bytes"),
        ({"email": "a@b.co", "id": "7"}, "ID must conform to the uuid v4 format"),
        ({"email": "a@b.co", "id": "0" * 32}, "ID cannot be a nil uuid"),
        ({"email": "a@b.co", "ban_duration": "never"},
         'invalid format for ban duration: time: invalid duration "never"'),
        ({"email": "a@b.co", "ban_duration": "24"},
         'invalid format for ban duration: time: invalid duration "24"'),
        ({"email": "a@b.co", "ban_duration": "9999999h"},
         'invalid format for ban duration: time: invalid duration "9999999h"'),
    ],
)  # fmt: skip
async def test_a_user_that_cannot_be_made_is_refused_with_the_reason(
    league: Stack, auth: httpx.AsyncClient, body: Json, message: str
) -> None:
    admin = {"authorization": f"Bearer {league.keys.service_role_key}"}
    answer = await auth.post("/admin/users", json=body, headers=admin)
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed")
    assert answer.json()["message"] == message


async def test_a_user_may_have_a_phone_number(supabase: AsyncClient) -> None:
    phone = f"55{uuid4().int % 10**11:011}"
    made = await supabase.auth.admin.create_user({"phone": f"+{phone}", "phone_confirm": True})
    assert (made.user.phone, made.user.email) == (phone, "")
    assert made.user.app_metadata == {"provider": "phone", "providers": ["phone"]}
    assert made.user.phone_confirmed_at is not None
    email = f"{uuid4()}@example.com"
    found = await supabase.auth.admin.update_user_by_id(
        made.user.id, {"email": email, "email_confirm": True}
    )
    assert found.user.email_confirmed_at is not None
    assert found.user.user_metadata == {"email_verified": True}
    assert {identity.provider for identity in found.user.identities or []} == {"email", "phone"}


async def test_a_taken_address_does_not_move(supabase: AsyncClient, user: Json) -> None:
    made = await supabase.auth.admin.create_user({"email": f"{uuid4()}@example.com"})
    with pytest.raises(AuthApiError) as caught:
        await supabase.auth.admin.update_user_by_id(
            made.user.id, {"email": user["user"]["email"], "user_metadata": {"x": 1}}
        )
    assert (caught.value.status, caught.value.code) == (500, "unexpected_failure")
    assert (await supabase.auth.admin.get_user_by_id(made.user.id)).user.user_metadata == {}


async def test_a_softly_deleted_user_leaves_the_id_and_frees_the_name(
    supabase: AsyncClient, auth: httpx.AsyncClient, user: Json
) -> None:
    admin, user_id, email = supabase.auth.admin, user["user"]["id"], user["user"]["email"]
    for _ in range(2):
        await admin.delete_user(user_id, should_soft_delete=True)
    left = (await admin.get_user_by_id(user_id)).user.model_dump_json()
    assert email not in left
    assert "Ana" not in left
    assert (await auth.get("/user", headers=bearer(user))).status_code == 403
    login = {"email": email, "password": PASSWORD}
    refused = await auth.post("/token?grant_type=password", json=login)
    assert refused.json()["code"] == "invalid_credentials"
    assert (await admin.create_user({"email": email})).user.id != user_id


async def test_users_are_listed_in_pages(
    league: Stack, auth: httpx.AsyncClient, supabase: AsyncClient
) -> None:
    mark = uuid4().hex
    for number in range(3):
        await supabase.auth.admin.create_user(
            {"email": f"{number}-{mark}@example.com", "user_metadata": {"full_name": f"ANA {mark}"}}
        )
    admin = {"authorization": f"Bearer {league.keys.service_role_key}"}

    async def page(**params: str | int) -> httpx.Response:
        return await auth.get("/admin/users", params={"filter": mark, **params}, headers=admin)

    def emails(answer: httpx.Response) -> list[str]:
        return [found["email"][0] for found in answer.json()["users"]]

    first, last = await page(per_page=2), await page(page=2, per_page=2)
    assert (emails(first), emails(last)) == (["2", "1"], ["0"])
    assert first.headers["x-total-count"] == "3"
    where = f"</admin/users?filter={mark}&page=2&per_page=2>"
    assert first.headers["link"] == f'{where}; rel="next", {where}; rel="last"'
    assert last.headers["link"] == f'{where}; rel="last"'
    assert emails(await page(sort="created_at asc")) == ["0", "1", "2"]
    assert len(emails(await page(filter=f"ana {mark}"))) == 3
    nobody = await page(filter=f"no {mark}")
    assert (nobody.json()["users"], nobody.headers["x-total-count"]) == ([], "0")
    for wrong in ({"page": -1}, {"per_page": "x"}, {"sort": "email"}, {"sort": "created_at up"}):
        refused = await page(**wrong)
        assert (refused.status_code, refused.json()["code"]) == (400, "validation_failed")


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
