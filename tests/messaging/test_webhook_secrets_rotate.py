"""The secrets of a webhook address: asked for by Meta, rotated without a gap, revoked at once."""

import hashlib

import asyncpg
import httpx
import pytest

from functions.app import create_app
from functions.core.settings import Settings
from functions.messaging.credentials import place_of_address
from tests.fixtures import serving
from tests.messaging import bodies
from tests.messaging.conftest import Company
from tests.tenants import VAULT, Number, body


async def challenge(company: Company, path: str, **query: str) -> httpx.Response:
    return await company.api.http.get(
        path, params={f"hub.{name}": value for name, value in query.items()}
    )


async def test_metas_challenge_is_answered(company: Company) -> None:
    number = company.tenant.meta
    right = {"mode": "subscribe", "verify_token": number.secret, "challenge": "1158201444"}
    answer = await challenge(company, number.path, **right)
    assert (answer.status_code, answer.text) == (200, "1158201444")
    assert answer.headers["content-type"].startswith("text/plain")


async def test_a_wrong_challenge_is_refused(company: Company) -> None:
    number = company.tenant.meta
    right = {"mode": "subscribe", "verify_token": number.secret, "challenge": "1"}
    wrong: list[dict[str, str]] = [
        {},
        right | {"verify_token": "x"},
        right | {"verify_token": ""},
        right | {"verify_token": "é\x00"},
        right | {"mode": "unsubscribe"},
        {"mode": "subscribe", "verify_token": number.secret},
    ]
    for query in wrong:
        answer = await challenge(company, number.path, **query)
        assert answer.status_code == 403, query
        assert answer.json()["code"] == "invalid_verify_token"
    answer = await challenge(company, number.path + "0", **right)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_endpoint")
    answer = await challenge(company, company.tenant.evolution.path, **right)
    assert (answer.status_code, answer.json()["code"]) == (403, "invalid_verify_token")


async def set_secrets(database: asyncpg.Connection, number: Number, *values: str) -> None:
    names = ["tokens"] if number.provider == "evolution" else ["app_secrets", "verify_tokens"]
    token_hash = hashlib.sha256(number.path.rpartition("/")[2].encode()).hexdigest()
    await database.execute(
        """update private.inbound_endpoints set secrets = $1
           where id = (select endpoint_id from public.instances where id = $2::text::uuid)""",
        VAULT.seal(dict.fromkeys(names, values), place_of_address(token_hash)),
        number.instance_id,
    )


async def post_with(company: Company, number: Number, secret: str) -> int:
    values = {name: getattr(number, name) for name in number.__dataclass_fields__}
    raw = body(bodies.text(number, "5511987650000"))
    headers = Number(**values | {"secret": secret}).headers(raw)
    answer = await company.api.http.post(number.path, content=raw, headers=headers)
    return answer.status_code


@pytest.mark.parametrize("provider", ["evolution", "meta"])
async def test_old_and_new_are_accepted_while_secrets_rotate(
    provider: str, company: Company, database: asyncpg.Connection
) -> None:
    number: Number = getattr(company.tenant, provider)
    assert await post_with(company, number, number.secret) == 200
    await set_secrets(database, number, "new", number.secret)
    assert await post_with(company, number, "new") == 200, "works at once"
    assert await post_with(company, number, number.secret) == 200
    assert await post_with(company, number, "newer") == 401
    await set_secrets(database, number, "new")
    assert await post_with(company, number, "new") == 200


@pytest.mark.parametrize("provider", ["evolution", "meta"])
async def test_a_revoked_address_is_not_found(
    provider: str, company: Company, database: asyncpg.Connection, settings: Settings
) -> None:
    number: Number = getattr(company.tenant, provider)
    await database.execute(
        """update private.inbound_endpoints set revoked_at = now()
           where id = (select endpoint_id from public.instances where id = $1::text::uuid)""",
        number.instance_id,
    )
    # A process that has not used the address lately; one that has asks again within 30 s.
    async with serving(create_app(settings)) as url, httpx.AsyncClient(base_url=url) as http:
        raw = body(bodies.text(number, "5511987650000"))
        answer = await http.post(number.path, content=raw, headers=number.headers(raw))
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_endpoint")
    assert await company.events(number) == []


async def test_a_meta_address_without_a_secret_accepts_nothing(
    company: Company, database: asyncpg.Connection
) -> None:
    number = company.tenant.meta
    for secrets in ([], [""]):
        await set_secrets(database, number, *secrets)
        assert await post_with(company, number, "") == 401
