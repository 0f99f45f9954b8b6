"""API keys and CORS: what stands before every service."""

from collections.abc import AsyncIterator

import httpx
import pytest

from local.keys import Keys
from local.stack import Stack


@pytest.fixture
async def http(league: Stack) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=league.url) as client:
        yield client


async def role(http: httpx.AsyncClient, query: str = "", **headers: str) -> str:
    answer = await http.post(f"/rest/v1/rpc/who{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    found: str = answer.json()["role"]
    return found


async def test_each_of_the_four_keys_has_its_role(league: Stack, http: httpx.AsyncClient) -> None:
    keys = league.keys
    for key, expected in (
        (keys.publishable_key, "anon"),
        (keys.anon_key, "anon"),
        (keys.secret_key, "service_role"),
        (keys.service_role_key, "service_role"),
    ):
        assert await role(http, apikey=key) == expected
        assert await role(http, apikey=key, authorization=f"Bearer {key}") == expected
        assert await role(http, f"?apikey={key}") == expected


async def test_without_a_known_key_nothing_opens(league: Stack, http: httpx.AsyncClient) -> None:
    absent = await http.get("/rest/v1/teams")
    assert (absent.status_code, absent.json()) == (
        401,
        {"message": "No API key found in request"},
    )
    foreign = Keys.create()
    for key in ("x", "", "sb_secret_x", foreign.anon_key, foreign.secret_key):
        for path in ("/rest/v1/teams", "/auth/v1/user", "/auth/v1/health"):
            answer = await http.get(path, headers={"apikey": key})
            assert answer.status_code == 401
            expected = "Invalid API key" if key else "No API key found in request"
            assert answer.json() == {"message": expected}
            assert answer.headers["access-control-allow-origin"] == "*"


async def test_a_bearer_is_the_users_and_never_another_key(
    league: Stack, http: httpx.AsyncClient
) -> None:
    keys = league.keys
    token = keys.sign_user_token({"role": "authenticated", "exp": 2**33})
    bearer = {"authorization": f"Bearer {token}"}
    assert await role(http, apikey=keys.publishable_key, **bearer) == "authenticated"
    assert await role(http, apikey=keys.secret_key, **bearer) == "authenticated"
    answer = await http.get(
        "/rest/v1/teams",
        headers={"apikey": keys.publishable_key, "authorization": f"Bearer {keys.secret_key}"},
    )
    assert (answer.status_code, answer.json()) == (401, {"message": "Invalid API key"})


async def test_a_browser_may_not_use_a_secret_key(league: Stack, http: httpx.AsyncClient) -> None:
    agent = {"user-agent": "Mozilla/5.0"}
    secret = await http.get("/rest/v1/teams", headers={"apikey": league.keys.secret_key, **agent})
    assert secret.status_code == 401
    assert await role(http, apikey=league.keys.publishable_key, **agent) == "anon"


async def test_browsers_are_allowed_from_anywhere(http: httpx.AsyncClient) -> None:
    asked = {
        "origin": "https://example.com",
        "access-control-request-method": "PATCH",
        "access-control-request-headers": "apikey,authorization,prefer",
    }
    answer = await http.options("/rest/v1/teams", headers=asked)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "PATCH" in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-headers"] == "apikey,authorization,prefer"


async def test_a_service_that_is_left_out_says_so(league: Stack, http: httpx.AsyncClient) -> None:
    for path in ("/storage/v1/s3/bucket", "/graphql/v1", "/functions/v1/hello", "/pg/tables"):
        answer = await http.get(path, headers={"apikey": league.keys.secret_key})
        assert answer.status_code == 501
        assert "not served by the local gateway" in answer.json()["message"]
    root = await http.get("/rest/v1/", headers={"apikey": league.keys.secret_key})
    assert (root.status_code, root.json()["code"]) == (404, "PGRST126")
