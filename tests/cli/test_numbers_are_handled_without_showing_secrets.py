"""numbers ...: what docs/connect.md does not show, which is what goes wrong, and rotation."""

import base64
import hashlib
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from functions.messaging.credentials import Vault, place_of_number
from local.stack import Stack
from tests.cli.conftest import Recado
from tests.tenants import CREDENTIALS_KEY, VAULT, Tenant

SEALING = {"CREDENTIALS_KEY": CREDENTIALS_KEY}
PUBLIC = {"PUBLIC_URL": "https://recado.example"}
KEYS = {"EVOLUTION_API_KEY": "key-of-nobody", "META_ACCESS_TOKEN": "EAAB", "META_APP_SECRET": "x"}


def connect(stack: Stack, tenant: Tenant, **changes: str) -> list[str]:
    given = {"server": str(stack.whatsapp_url), "instance": f"i-{uuid4().hex[:8]}"} | changes
    words = ["numbers", "connect", "evolution", "Balcão", "--company", tenant.company_id]
    return words + [word for name, value in given.items() for word in (f"--{name}", value)]


@pytest.mark.parametrize(
    ("env", "code", "said"),
    [
        (SEALING | PUBLIC, 2, "EVOLUTION_API_KEY"),
        (SEALING | KEYS, 2, "PUBLIC_URL"),
        (SEALING | KEYS | PUBLIC, 1, "credentials_refused"),
        (PUBLIC | KEYS | {"EVOLUTION_API_KEY": "fake-global-key"}, 2, "CREDENTIALS_KEY"),
    ],
)
async def test_what_is_missing_is_said(
    env: dict[str, str], code: int, said: str, recado: Recado, stack: Stack, tenant: Tenant
) -> None:
    ended = await recado(*connect(stack, tenant), env=env)
    assert (ended.code, ended.out) == (code, ""), ended.err
    assert said in ended.err
    assert "key-of-nobody" not in ended.err
    assert "Traceback" not in ended.err


async def test_no_argument_takes_a_secret(recado: Recado) -> None:
    for provider in ("evolution", "meta"):
        helped = await recado("numbers", "connect", provider, "--help")
        assert helped.code == 0
        assert not {"--api-key", "--key", "--token", "--app-secret"} & set(helped.out.split())


async def test_the_list_is_of_one_company_or_of_all(recado: Recado, tenant: Tenant) -> None:
    mine = (await recado("numbers", "list", "--company", tenant.company_id, "--json")).json["data"]
    assert {row["id"] for row in mine} == {number.instance_id for number in tenant.numbers}
    everybody = (await recado("numbers", "--json")).json["data"]
    assert {row["id"] for row in mine} <= {row["id"] for row in everybody}
    text = (await recado("numbers", "list", "--company", tenant.company_id)).out
    for number in tenant.numbers:
        assert number.instance_id in text
        assert number.key not in text


async def test_a_number_that_is_not_there_is_1(recado: Recado) -> None:
    for command in ("show", "qr", "restart"):
        ended = await recado("numbers", command, uuid4(), env=SEALING)
        assert (ended.code, ended.err.partition(":")[0]) == (1, "number_not_found")
    gone = await recado("numbers", "remove", uuid4(), "--yes", env=SEALING)
    assert (gone.code, gone.out) == (1, "There is no such number.\n")
    asked = await recado("numbers", "remove", uuid4(), env=SEALING)
    assert (asked.code, "--yes" in asked.err) == (2, True)


async def test_a_rotated_key_seals_everything_anew(
    recado: Recado, tenant: Tenant, stack: Stack
) -> None:
    old = base64.b64encode(hashlib.sha256(b"old").digest()).decode()
    id = tenant.meta.instance_id
    place = place_of_number(id)

    async def stored(database: asyncpg.Connection) -> Any:
        query = (
            "select credentials from private.instance_secrets where instance_id = $1::text::uuid"
        )
        return await database.fetchval(query, id)

    database = await asyncpg.connect(stack.database_url)
    try:
        await database.execute(
            "update private.instance_secrets set credentials = $1 where instance_id::text = $2",
            Vault(old).seal({"access_token": "EAAB"}, place),
            id,
        )
        refused = await recado("numbers", "reseal", env=SEALING)
        assert (refused.code, refused.err.partition(":")[0]) == (2, "credentials_unreadable")
        both = {"CREDENTIALS_KEY": f"{CREDENTIALS_KEY},{old}"}
        done = (await recado("numbers", "reseal", "--json", env=both)).json
        assert done == {"resealed": 1}
        assert VAULT.open(await stored(database), place) == {"access_token": "EAAB"}
        assert (await recado("numbers", "reseal", "--json", env=SEALING)).json == {"resealed": 0}
    finally:
        await database.close()
