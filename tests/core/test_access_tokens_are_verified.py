"""Tokens of users: verified with the project's keys, or by the auth server; others are 401."""

import base64
import hmac
import time
from typing import Any

import httpx
import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from functions.app import create_app
from functions.core.settings import Settings
from local.keys import Keys
from local.stack import Stack
from tests.fixtures import Api, serving
from tests.tenants import Tenant


@pytest.fixture
def keys(stack: Stack) -> Keys:
    if not isinstance(stack.keys, Keys):
        pytest.skip("the signing keys of this project are not ours")
    return stack.keys


def claims_of(tenant: Tenant) -> dict[str, Any]:
    """Those of a session of the viewer."""
    token = tenant.people["viewer"].token
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


async def ask(api: Api, token: str | bytes) -> httpx.Response:
    raw = token if isinstance(token, bytes) else token.encode()
    return await api.http.get("/api/conversations", headers=[(b"authorization", b"Bearer " + raw)])


async def assert_refused(api: Api, token: str | bytes, code: str = "unauthorized") -> None:
    answer = await ask(api, token)
    assert (answer.status_code, answer.json()["code"]) == (401, code), answer.text
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_token_of_the_projects_keys_is_taken(api: Api, tenant: Tenant, keys: Keys) -> None:
    assert jwt.get_unverified_header(tenant.people["viewer"].token)["alg"] == "ES256"
    assert (await ask(api, tenant.people["viewer"].token)).status_code == 200
    own = keys.sign_user_token(claims_of(tenant))
    assert (await ask(api, own)).status_code == 200


async def test_a_legacy_token_is_shown_to_the_auth_server(
    api: Api, tenant: Tenant, keys: Keys
) -> None:
    claims = claims_of(tenant)
    assert (await ask(api, jwt.encode(claims, keys.jwt_secret, "HS256"))).status_code == 200
    await assert_refused(api, jwt.encode(claims, "x" * 40, "HS256"))
    past = claims | {"exp": int(time.time()) - 3600}
    await assert_refused(api, jwt.encode(past, keys.jwt_secret, "HS256"))


async def test_the_keys_of_the_project_are_no_users(api: Api, keys: Keys) -> None:
    for token in (keys.anon_key, keys.service_role_key, keys.publishable_key, keys.secret_key):
        await assert_refused(api, token)


async def test_an_expired_token_says_so(api: Api, tenant: Tenant, keys: Keys) -> None:
    past = claims_of(tenant) | {"exp": int(time.time()) - 60}
    await assert_refused(api, keys.sign_user_token(past), "token_expired")


@pytest.mark.parametrize(
    "change",
    [
        {"exp": None},
        {"sub": None},
        {"aud": "anon"},
        {"aud": None},
        {"nbf": 4_000_000_000},
        {"exp": "never"},
        {"sub": 7},
    ],
    ids=str,
)
async def test_a_claim_that_is_missing_or_wrong_is_refused(
    api: Api, tenant: Tenant, keys: Keys, change: dict[str, Any]
) -> None:
    claims = {k: v for k, v in (claims_of(tenant) | change).items() if v is not None}
    await assert_refused(api, keys.sign_user_token(claims))


async def test_a_key_that_is_not_the_projects_is_refused(
    api: Api, tenant: Tenant, keys: Keys
) -> None:
    own = ec.generate_private_key(ec.SECP256R1())
    claims = claims_of(tenant)
    kid = jwt.get_unverified_header(tenant.people["viewer"].token)["kid"]
    for named in (kid, "unknown", "", "\u00e9"):
        await assert_refused(api, jwt.encode(claims, own, "ES256", headers={"kid": named}))
    await assert_refused(api, jwt.encode(claims, own, "ES256"))
    # The public key as an HMAC secret, which confuses verifiers that believe the header.
    public = orjson.dumps(keys.jwks()["keys"][0])
    head, payload, _ = unsigned({"alg": "HS256", "kid": kid}, claims).split(".")
    mac = hmac.digest(public, f"{head}.{payload}".encode(), "sha256")
    await assert_refused(api, unsigned({"alg": "HS256", "kid": kid}, claims, mac))


def unsigned(header: Any, claims: Any, signature: bytes = b"") -> str:
    parts = (orjson.dumps(header), orjson.dumps(claims), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


async def test_an_unsigned_token_is_refused(api: Api, tenant: Tenant) -> None:
    claims = claims_of(tenant)
    kid = jwt.get_unverified_header(tenant.people["viewer"].token)["kid"]
    for alg in ("none", "None", "NONE", "", None, "ES256", "HS256", "RS256", 7):
        for header in ({"alg": alg}, {"alg": alg, "kid": kid}, {"alg": alg, "kid": 7}):
            await assert_refused(api, unsigned(header, claims))


@pytest.mark.parametrize(
    "token",
    [
        b"x",
        b"a.b.c",
        b"...",
        b"sb_secret_x",
        "é".encode(),
        b"eyJhbGciOiJIUzI1NiJ9.e30.\xc3\xa9",
        b"eyJhbGciOiJIUzI1NiJ9.e30.AAAA\xc3\xa9",
        b"eyJhbGciOiJIUzI1NiJ9.e30.AA AA",
        b"e30.e30.",
        b"bnVsbA.e30.",
        b"x" * 20_000,
    ],
    ids=lambda token: token[:20],
)
async def test_a_token_that_is_none_is_refused(api: Api, token: bytes) -> None:
    await assert_refused(api, token)


@pytest.mark.parametrize("header", ["", "Bearer", "Basic eDp5", "Token x", "x"])
async def test_a_header_without_a_bearer_is_refused(api: Api, header: str) -> None:
    answer = await api.http.get("/api/conversations", headers={"authorization": header})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert "Bearer" in answer.json()["hint"]


async def test_the_scheme_may_be_in_any_case(api: Api, tenant: Tenant) -> None:
    for scheme in ("bearer", "BEARER"):
        headers = {"authorization": f"{scheme} {tenant.people['viewer'].token}"}
        assert (await api.http.get("/api/conversations", headers=headers)).status_code == 200


async def test_without_the_auth_server_a_user_is_told_to_try_again(
    settings: Settings, tenant: Tenant
) -> None:
    away = Settings("http://127.0.0.1:9", settings.secret_key, settings.publishable_key)
    async with serving(create_app(away)) as url, httpx.AsyncClient(base_url=url) as http:
        headers = {"authorization": f"Bearer {tenant.people['viewer'].token}"}
        answer = await http.get("/api/conversations", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert answer.headers["retry-after"]
