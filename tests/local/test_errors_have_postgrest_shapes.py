"""Refusals: the status and the four fields that clients program against."""

import time
from typing import Any

import httpx
import pytest
from postgrest import APIError
from supabase import AsyncClient

from local.keys import Keys
from local.stack import Stack


@pytest.mark.parametrize(
    ("sqlstate", "status"),
    [
        ("P0001", 400), ("PT409", 409), ("PT503", 503), ("23505", 409), ("23503", 409),
        ("23502", 400), ("22P02", 400), ("42501", 403), ("42883", 404), ("42P01", 404),
        ("42P17", 500), ("40001", 500), ("40P01", 500), ("55P03", 500), ("57014", 500),
        ("53300", 503), ("53400", 500), ("54000", 500), ("08000", 503), ("25006", 405),
        ("28000", 403), ("0L000", 403), ("21000", 500), ("22023", 400), ("XX000", 500),
        ("P0002", 500), ("ZZ999", 400),
    ],
)  # fmt: skip
async def test_a_raised_code_decides_the_status(
    rest: httpx.AsyncClient, sqlstate: str, status: int
) -> None:
    answer = await rest.post("/rpc/fail_with", json={"code": sqlstate})
    assert answer.status_code == status
    assert answer.json() == {"code": sqlstate, "message": "no", "details": "why", "hint": "do"}
    assert answer.headers["proxy-status"] == f"PostgREST; error={sqlstate}"


async def test_missing_rights_are_401_for_anon_and_403_for_others(
    rest: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    known = await rest.get("/secrets")
    assert known.status_code == 403
    assert known.json() == {
        "code": "42501",
        "message": "permission denied for table secrets",
        "details": None,
        "hint": None,
    }
    unknown = await anonymous.get("/secrets")
    assert (unknown.status_code, unknown.headers["www-authenticate"]) == (401, "Bearer")
    assert (await anonymous.post("/rpc/forbidden")).status_code == 401


async def test_a_function_can_dictate_the_whole_answer(rest: httpx.AsyncClient) -> None:
    answer = await rest.post("/rpc/fail_as_response")
    assert answer.status_code == 418
    assert answer.json() == {"code": "E1", "message": "m", "details": "d", "hint": "h"}
    assert answer.headers["x-tea"] == "pot"
    garbled = await rest.post("/rpc/fail_with", json={"code": "PGRST"})
    assert (garbled.status_code, garbled.json()["code"]) == (500, "PGRST121")


@pytest.mark.parametrize(
    ("path", "status", "code", "message"),
    [
        ("/team", 404, "PGRST205", "Could not find the table 'public.team' in the schema cache"),
        ("/teams?nope=eq.1", 400, "42703", "column teams.nope does not exist"),
        ("/teams?select=nope", 400, "42703", "column teams.nope does not exist"),
        ("/teams?order=nope", 400, "42703", "column teams.nope does not exist"),
        ("/teams?or=(nope.eq.1)", 400, "42703", "column teams.nope does not exist"),
        ("/teams?id=eq.x", 400, "22P02", 'invalid input syntax for type bigint: "x"'),
        ("/teams?id=like.x", 404, "42883", "operator does not exist: bigint ~~ unknown"),
        ("/teams?select=id::nope", 400, "42704", 'type "nope" does not exist'),
        ("/teams?players.id=eq.1", 400, "PGRST108",
         "'players' is not an embedded resource in this request"),
        ("/teams?select=nope(id)", 400, "PGRST200",
         "Could not find a relationship between 'teams' and 'nope' in the schema cache"),
        ("/teams?select=id.sum()", 400, "PGRST123", "Use of aggregate functions is not allowed"),
        ("/teams?select=count()", 400, "PGRST123", "Use of aggregate functions is not allowed"),
        ("/teams?select=name,players(id)&order=players(id)", 400, "PGRST118",
         "A related order on 'players' is not possible"),
        ("/teams?name=fts(nope).x", 400, "42704",
         'text search configuration "nope" does not exist'),
        ("/teams?limit=-1", 416, "PGRST103", "Requested range not satisfiable"),
        ("/", 404, "PGRST126", "Root endpoint metadata is disabled"),
        ("/teams/x", 404, "PGRST125", "Invalid path specified in request URL"),
        ("/teams?id=xx.1", 400, "PGRST100", '"failed to parse filter (xx.1)" (line 1, column 1)'),
        ("/teams?id=1", 400, "PGRST100", '"failed to parse filter (1)" (line 1, column 1)'),
        ("/teams?select=a(", 400, "PGRST100",
         '"failed to parse select parameter (a()" (line 1, column 3)'),
        ("/teams?select=id,,name", 400, "PGRST100",
         '"failed to parse select parameter (id,,name)" (line 1, column 4)'),
        ("/teams?order=id.up", 400, "PGRST100",
         '"failed to parse order (id.up)" (line 1, column 3)'),
        ("/teams?or=id.eq.1", 400, "PGRST100",
         '"failed to parse logic tree (id.eq.1)" (line 1, column 3)'),
        ("/teams?id=is.maybe", 400, "PGRST100",
         '"failed to parse filter (is.maybe)" (line 1, column 4)'),
    ],
)  # fmt: skip
async def test_a_bad_query_is_named(
    rest: httpx.AsyncClient, path: str, status: int, code: str, message: str
) -> None:
    answer = await rest.get(path)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.json()["message"] == message
    assert set(answer.json()) == {"code", "message", "details", "hint"}


@pytest.mark.parametrize(
    "content", [b"{", b"", b"\xff", b"nul", b"[1]", b'[{"name":1},2]', b'[{"name":1},{"id":1}]']
)
async def test_a_bad_body_is_named(rest: httpx.AsyncClient, content: bytes) -> None:
    headers = {"content-type": "application/json"}
    answer = await rest.post("/teams", content=content, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "PGRST102")


async def test_a_body_with_unknown_columns_is_named(rest: httpx.AsyncClient) -> None:
    answer = await rest.post("/teams", json={"name": "x", "nope": 1})
    assert (answer.status_code, answer.json()["code"]) == (400, "PGRST204")
    message = "Could not find the 'nope' column of 'teams' in the schema cache"
    assert answer.json()["message"] == message
    columns = await rest.post("/teams?columns=nope", json={"name": "x"})
    assert columns.json()["code"] == "PGRST204"
    conflict = await rest.post(
        "/teams?on_conflict=nope",
        json={"name": "x"},
        headers={"prefer": "resolution=merge-duplicates"},
    )
    assert (conflict.status_code, conflict.json()["code"]) == (400, "42703")


async def test_other_schemas_and_media_types_are_refused(rest: httpx.AsyncClient) -> None:
    for method, header in (("GET", "accept-profile"), ("POST", "content-profile")):
        answer = await rest.request(method, "/teams", headers={header: "auth"}, json={})
        assert (answer.status_code, answer.json()["code"]) == (406, "PGRST106")
        assert answer.json()["message"] == "Invalid schema: auth"
        assert answer.json()["hint"] == "Only the following schemas are exposed: public"
    pdf = await rest.get("/many", headers={"accept": "application/pdf"})
    assert (pdf.status_code, pdf.json()["code"]) == (406, "PGRST107")
    preferred = await rest.get("/many", headers={"accept": "application/pdf, */*;q=0.1"})
    assert preferred.status_code == 200


async def test_head_has_no_body_even_when_it_fails(rest: httpx.AsyncClient) -> None:
    answer = await rest.head("/nowhere")
    assert (answer.status_code, answer.content) == (404, b"")
    assert answer.headers["proxy-status"] == "PostgREST; error=PGRST205"


async def test_supabase_py_raises_them_as_api_errors(supabase: AsyncClient) -> None:
    with pytest.raises(APIError) as caught:
        await supabase.rpc(
            "fail_with", {"code": "PT409", "message": "campaign_not_draft"}
        ).execute()
    error = caught.value
    assert (error.code, error.message) == ("PT409", "campaign_not_draft")
    assert (error.details, error.hint) == ("why", "do")
    with pytest.raises(APIError) as caught:
        await supabase.table("teams").select("id").eq("id", 0).single().execute()
    assert caught.value.code == "PGRST116"


def tokens(keys: Keys) -> list[tuple[str, str, str]]:
    now = int(time.time())
    good = {"sub": "1", "role": "authenticated", "exp": now + 60}
    other = Keys.create()
    tampered = keys.sign_user_token(good)
    tampered = tampered[:-6] + ("A" if tampered[-6] != "A" else "B") + tampered[-5:]
    return [
        ("garbage", "PGRST301", "Expected 3 parts in JWT; got 1"),
        ("a.b.c", "PGRST301", "JWT cryptographic operation failed"),
        (other.sign_user_token(good), "PGRST301", "No suitable key or wrong key type"),
        (tampered, "PGRST301", "No suitable key or wrong key type"),
        (keys.sign_user_token({**good, "exp": now - 60}), "PGRST303", "JWT expired"),
        (keys.sign_user_token({**good, "nbf": now + 90}), "PGRST303", "JWT not yet valid"),
        (keys.sign_user_token({**good, "iat": now + 90}), "PGRST303", "JWT issued at future"),
        ("eyJhbGciOiJub25lIn0.e30.", "PGRST301", "Wrong or unsupported encoding algorithm"),
    ]


async def test_a_bad_token_is_401_and_says_why(league: Stack, anonymous: httpx.AsyncClient) -> None:
    for token, code, message in tokens(league.keys):
        answer = await anonymous.get("/many", headers={"authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.json()["code"]) == (401, code), (token, answer.text)
        assert answer.json()["message"] == message
        assert answer.headers["www-authenticate"].startswith('Bearer error="invalid_token"')


async def test_clocks_may_differ_by_half_a_minute(
    league: Stack, anonymous: httpx.AsyncClient
) -> None:
    claims: dict[str, Any] = {"role": "anon", "exp": int(time.time()) - 20}
    token = league.keys.sign_user_token(claims)
    answer = await anonymous.get("/many?limit=1", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 200


async def test_a_role_that_cannot_be_taken_is_refused(
    league: Stack, anonymous: httpx.AsyncClient
) -> None:
    for role, status, code in (
        ("nobody", 401, "22023"),
        ("postgres", 403, "42501"),
        ("supabase_admin", 403, "42501"),
    ):
        token = league.keys.sign_user_token({"role": role, "exp": int(time.time()) + 60})
        answer = await anonymous.get("/many", headers={"authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.json()["code"]) == (status, code)
