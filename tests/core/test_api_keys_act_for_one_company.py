"""Machine keys: made by admins, shown once, bound to a company, gone once they are revoked."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.core.conftest import Rivals

Json = dict[str, Any]


async def get(rivals: Rivals, key: str, path: str, **params: str) -> httpx.Response:
    headers = {"authorization": f"Bearer {key}"}
    return await rivals.mine.api.http.get(path, params=params, headers=headers)


async def make(rivals: Rivals, role: str, **params: str) -> httpx.Response:
    project = rivals.mine.project
    return await project.http.post(
        f"{project.url}/rest/v1/rpc/create_api_key",
        json={"p_name": "erp"} | params,
        headers=rivals.rest(role),
    )


async def test_a_key_reads_and_sends_for_its_company(rivals: Rivals) -> None:
    (conversation, *_) = (await get(rivals, rivals.api_key, "/api/conversations")).json()["data"]
    assert conversation["company_id"] == rivals.mine.id
    answer = await get(
        rivals, rivals.api_key, "/api/conversations", company_id=rivals.mine.id, limit="1"
    )
    assert answer.status_code == 200
    path = f"/api/conversations/{conversation['id']}/messages"
    assert (await get(rivals, rivals.api_key, path)).status_code == 200
    message = {"id": str(uuid4()), "conversation_id": conversation["id"], "body": "oi"}
    sent = await rivals.mine.api.http.post(
        "/api/messages", json=message, headers=rivals.bearer("api key")
    )
    assert sent.status_code == 202, sent.text
    assert (sent.json()["origin"], sent.json()["created_by"]) == ("api", None)
    await rivals.mine.idle()


async def test_a_key_asking_for_another_company_is_told_so(rivals: Rivals) -> None:
    theirs = rivals.ids["company_id"]
    answer = await get(rivals, rivals.api_key, "/api/conversations", company_id=theirs)
    assert (answer.status_code, answer.json()["code"]) == (404, "company_not_found")


async def test_only_admins_make_keys(rivals: Rivals) -> None:
    for role, status in (("owner", 200), ("admin", 200), ("agent", 403), ("viewer", 403)):
        answer = await make(rivals, role)
        assert answer.status_code == status, role
    assert (await make(rivals, "nobody")).status_code == 401


async def test_a_key_is_kept_as_a_hash_that_nobody_reads(rivals: Rivals) -> None:
    key: Json = (await make(rivals, "owner")).json()
    assert key["key"].startswith("rk_")
    assert len(key["key"]) > 60
    stored = "\n".join((await rivals.everything_of_theirs()).get("public.api_keys", []))
    rows = await rivals.database.fetch("select t::text from public.api_keys as t")
    assert key["key"] not in stored + "".join(row["t"] for row in rows)
    project = rivals.mine.project
    hashes = await project.http.get(
        f"{project.url}/rest/v1/api_keys?select=key_hash", headers=rivals.rest("owner")
    )
    assert hashes.status_code == 403
    shown = await project.http.get(
        f"{project.url}/rest/v1/api_keys?select=id,name,key_hint&id=eq.{key['id']}",
        headers=rivals.rest("owner"),
    )
    assert shown.json()[0]["key_hint"] == key["key"][-4:]


async def test_a_revoked_key_is_refused_at_once(rivals: Rivals) -> None:
    key: Json = (await make(rivals, "owner")).json()
    assert (await get(rivals, key["key"], "/api/conversations")).status_code == 200
    project = rivals.mine.project
    revoked = await project.http.patch(
        f"{project.url}/rest/v1/api_keys?id=eq.{key['id']}",
        json={"revoked_at": "2026-01-01T00:00:00Z"},
        headers=rivals.rest("admin"),
    )
    assert revoked.status_code == 204, revoked.text
    answer = await get(rivals, key["key"], "/api/conversations")
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_api_key")


@pytest.mark.parametrize("key", ["rk_", "rk_x", "rk_" + "0" * 64, "rk_é", "RK_x"])
async def test_an_unknown_key_is_refused(rivals: Rivals, key: str) -> None:
    answer = await rivals.mine.api.http.get(
        "/api/conversations", headers=[(b"authorization", f"Bearer {key}".encode())]
    )
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_key_is_no_token_of_the_database(rivals: Rivals) -> None:
    project = rivals.mine.project
    answer = await project.http.get(
        f"{project.url}/rest/v1/messages", headers=rivals.rest("api key")
    )
    assert answer.status_code == 401
