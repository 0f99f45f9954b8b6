"""Who sees and changes what is decided by policies, under the caller's own token."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from postgrest import APIError
from supabase import AsyncClient

from local.stack import Stack
from tests.local.conftest import SignUp


async def test_a_user_is_known_to_the_database(signed_in: SignUp) -> None:
    user = await signed_in()
    session = await user.auth.get_session()
    assert session is not None
    who: Any = (await user.rpc("who", {}).execute()).data
    assert who["role"] == "authenticated"
    assert who["uid"] == session.user.id
    assert who["email"] == session.user.email
    assert who["claims"]["session_id"]


async def test_keys_without_a_user_have_a_role_and_no_uid(
    rest: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    service = (await rest.post("/rpc/who")).json()
    assert (service["role"], service["uid"]) == ("service_role", None)
    nobody = (await anonymous.post("/rpc/who")).json()
    assert (nobody["role"], nobody["uid"]) == ("anon", None)


async def test_each_user_sees_only_what_the_policies_allow(
    signed_in: SignUp, supabase: AsyncClient
) -> None:
    ana, bia = await signed_in(), await signed_in()
    body = str(uuid4())
    await ana.table("notes").insert({"body": body}).execute()
    mine = await ana.table("notes").select("body").eq("body", body).execute()
    assert mine.data == [{"body": body}]
    assert (await bia.table("notes").select("*").eq("body", body).execute()).data == []
    assert (await bia.table("notes").update({"body": "x"}).eq("body", body).execute()).data == []
    assert (await bia.table("notes").delete().eq("body", body).execute()).data == []
    everything = await supabase.table("notes").select("body").eq("body", body).execute()
    assert everything.data == [{"body": body}]


async def test_a_row_for_somebody_else_cannot_be_written(
    signed_in: SignUp, supabase: AsyncClient
) -> None:
    ana = await signed_in()
    with pytest.raises(APIError) as caught:
        await ana.table("notes").insert({"body": "x", "owner": str(uuid4())}).execute()
    assert caught.value.code == "42501"
    message = 'new row violates row-level security policy for table "notes"'
    assert caught.value.message == message


async def test_one_connection_serves_many_users_without_mixing_them(
    league: Stack, signed_in: SignUp
) -> None:
    people = [await signed_in() for _ in range(3)]
    sessions = [await person.auth.get_session() for person in people]
    async with httpx.AsyncClient(base_url=f"{league.url}/rest/v1") as http:
        for _ in range(5):
            for session in sessions:
                assert session is not None
                headers = {
                    "apikey": league.keys.publishable_key,
                    "authorization": f"Bearer {session.access_token}",
                }
                who = (await http.post("/rpc/who", headers=headers)).json()
                assert who["uid"] == session.user.id
