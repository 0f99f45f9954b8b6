"""GET /api/conversations and /api/conversations/{id}/messages: every row once, also while new ones
arrive; the ETag is the version."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.messaging import bodies
from tests.messaging.conftest import Company
from tests.tenants import Person

Json = dict[str, Any]
COUNT = 23


async def write(company: Company, first: int, count: int, sender: str | None = None) -> None:
    """Texts of one contact, or of one contact each; two at a time in the same second."""
    number = company.tenant.meta
    for n in range(first, first + count):
        who = sender or f"551198{n:07d}"
        await company.post(number, bodies.text(number, who, f"{n}", at=bodies.NOON + n // 2))
    await company.settled()


async def get(company: Company, path: str, person: Person, **params: Any) -> Json:
    answer = await company.api.get(path, person, **{k: str(v) for k, v in params.items()})
    assert answer.status_code == 200, answer.text
    page: Json = answer.json()
    return page


async def walk(company: Company, path: str, limit: int, arrive: Any) -> list[Json]:
    """All rows of all pages; something new arrives between the pages."""
    viewer = company.tenant.people["viewer"]
    page = await get(company, path, viewer, limit=limit)
    rows: list[Json] = page["data"]
    while page["next_cursor"]:
        await arrive()
        page = await get(company, path, viewer, limit=limit, cursor=page["next_cursor"])
        assert 1 <= len(page["data"]) <= limit
        rows += page["data"]
    return rows


@pytest.mark.parametrize("limit", [1, 7, COUNT, 200])
async def test_messages_are_walked_while_new_ones_arrive(company: Company, limit: int) -> None:
    await write(company, 0, COUNT, "5511987654321")
    (conversation,) = await company.rows("conversations")
    path = f"/api/conversations/{conversation['id']}/messages"
    late = [1000]

    async def arrive() -> None:
        late[0] += 1
        await write(company, late[0], 1, "5511987654321")

    rows = await walk(company, path, limit, arrive)
    places = [(row["occurred_at"], row["seq"]) for row in rows]
    assert places == sorted(places, reverse=True)
    assert {row["body"] for row in rows} == {f"{n}" for n in range(COUNT)}
    assert len(rows) == COUNT


async def test_conversations_are_walked_while_new_ones_arrive(company: Company) -> None:
    await write(company, 0, COUNT)
    late = [1000]

    async def arrive() -> None:
        late[0] += 1
        await write(company, late[0], 1)

    rows = await walk(company, "/api/conversations", 5, arrive)
    assert len({row["id"] for row in rows}) == len(rows) == COUNT
    places = [row["last_message_at"] for row in rows]
    assert places == sorted(places, reverse=True)


async def conversation_path(company: Company) -> str:
    id = await company.conversation(company.tenant.meta, "5511987654321")
    return f"/api/conversations/{id}/messages"


async def refused(company: Company, path: str, **params: str) -> tuple[int, str]:
    answer = await company.api.get(path, company.tenant.people["viewer"], **params)
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


async def test_fields_are_chosen_and_checked(shop: Company) -> None:
    viewer = shop.tenant.people["viewer"]
    for path in ("/api/conversations", await conversation_path(shop)):
        page = await get(shop, path, viewer, fields="id, rev,company_id")
        assert all(set(row) == {"id", "rev", "company_id"} for row in page["data"])
        assert await refused(shop, path, fields="id,secret") == (422, "unknown_field")
        assert await refused(shop, path, fields="id;drop") == (422, "unknown_field")
        answer = await shop.api.get(path, viewer, fields="nope")
        assert "last_message_at" in answer.json()["hint"] or "body" in answer.json()["hint"]
        assert set((await get(shop, path, viewer, fields=","))["data"][0]) != set()


BAD_CURSORS = [
    "x", "1", "1_", "_1", "-1_1", "1_1_1", "1.5_1", "1_zz", "9" * 30 + "_1", "1_" + "9" * 36,
    "1_---", "1_abc", "\x00", "é", "1_00000000-0000-0000-0000-00000000000", "1_1 ",
]  # fmt: skip


@pytest.mark.parametrize("cursor", BAD_CURSORS)
async def test_a_cursor_of_nobody_is_refused(shop: Company, cursor: str) -> None:
    for path in ("/api/conversations", await conversation_path(shop)):
        status, code = await refused(shop, path, cursor=cursor)
        # NUL is refused before the list sees it.
        assert (status, code) == (422, "invalid_value" if cursor == "\x00" else "invalid_cursor")


async def test_a_cursor_of_another_list_is_refused(shop: Company) -> None:
    message = "1_1"
    conversation = f"1_{uuid4()}"
    for path, cursor in (
        ("/api/conversations", message),
        (await conversation_path(shop), conversation),
    ):
        assert await refused(shop, path, cursor=cursor) == (422, "invalid_value")


@pytest.mark.parametrize("limit", ["0", "-1", "201", "x", "1e3", "", "99999999999999999999"])
async def test_a_limit_out_of_range_is_refused(shop: Company, limit: str) -> None:
    for path in ("/api/conversations", await conversation_path(shop)):
        assert await refused(shop, path, limit=limit) == (422, "invalid_request")


async def test_other_bad_parameters_are_refused(shop: Company) -> None:
    assert await refused(shop, "/api/conversations", status="all") == (422, "invalid_request")
    assert await refused(shop, "/api/conversations", company_id="1") == (422, "invalid_request")
    assert await refused(shop, "/api/conversations/1/messages") == (422, "invalid_request")
    missing = f"/api/conversations/{uuid4()}/messages"
    assert await refused(shop, missing) == (404, "conversation_not_found")


async def conditional(company: Company, path: str, etag: str | None) -> httpx.Response:
    token = company.tenant.people["viewer"].token
    headers = {"authorization": f"Bearer {token}"} | ({"if-none-match": etag} if etag else {})
    return await company.api.http.get(path, headers=headers)


async def test_the_etag_changes_exactly_when_the_list_does(company: Company) -> None:
    number = company.tenant.meta
    first = await conversation_path(company)
    other = await company.conversation(number, "5511911110000")
    lists = ("/api/conversations", first, f"/api/conversations/{other}/messages")
    etags: dict[str, str] = {}
    for path in lists:
        etags[path] = (await conditional(company, path, None)).headers["etag"]

    async def changed() -> list[bool]:
        """Which lists are new to somebody who knows them; they know them afterwards."""
        answers = []
        for path in lists:
            answer = await conditional(company, path, etags[path])
            assert answer.status_code in (200, 304)
            assert (answer.content == b"") == (answer.status_code == 304)
            assert answer.headers["cache-control"] == "private, no-cache"
            assert (answer.headers["etag"] != etags[path]) == (answer.status_code == 200)
            etags[path] = answer.headers["etag"]
            answers.append(answer.status_code == 200)
        return answers

    assert await changed() == [False, False, False]
    await company.post(number, bodies.text(number, "5511987654321", "de novo"))
    await company.settled()
    assert await changed() == [True, True, False]
    echoed = bodies.echo(number, "5511911110000", "do telefone", id="ECHO")
    await company.post(number, echoed)
    await company.settled()
    assert await changed() == [True, False, True]
    for is_news in (True, False):
        await company.post(number, bodies.status(number, "5511911110000", "ECHO", "delivered"))
        await company.settled()
        assert await changed() == [False, False, is_news]
    await company.post(number, echoed)
    await company.settled()
    assert await changed() == [False, False, False]


@pytest.mark.parametrize("etag", ["", "*x", '"x"', '""', "W/", "é", "a" * 5000])
async def test_a_strange_if_none_match_gets_the_list(shop: Company, etag: str) -> None:
    answer = await shop.api.http.get(
        "/api/conversations",
        headers=[
            (b"authorization", f"Bearer {shop.tenant.people['viewer'].token}".encode()),
            (b"if-none-match", etag.encode()),
        ],
    )
    assert answer.status_code == 200


async def test_an_etag_that_a_proxy_weakened_still_counts(shop: Company) -> None:
    path = await conversation_path(shop)
    etag = (await conditional(shop, path, None)).headers["etag"]
    assert (await conditional(shop, path, f"W/{etag}")).status_code == 304


async def test_a_user_of_two_companies_names_one(company: Company, shop: Company) -> None:
    viewer = company.tenant.people["viewer"]
    await shop.project.insert(
        "company_members", {"company_id": shop.id, "user_id": viewer.id, "role": "viewer"}
    )
    api = company.api
    answer = await api.get("/api/conversations", viewer)
    assert (answer.status_code, answer.json()["code"]) == (422, "company_required")
    assert answer.json()["hint"] == "Pass company_id."
    shops = await get(shop, "/api/conversations", viewer, company_id=shop.id)
    assert {row["company_id"] for row in shops["data"]} == {shop.id}
    own = await get(company, "/api/conversations", viewer, company_id=company.id)
    assert own["data"] == []
    # A conversation says by itself whose it is.
    assert (await get(shop, await conversation_path(shop), viewer))["data"]
    answer = await api.get("/api/conversations", viewer, company_id=str(uuid4()))
    assert (answer.status_code, answer.json()["code"]) == (404, "company_not_found")
    message = {"id": str(uuid4()), "conversation_id": str(uuid4()), "body": "oi"}
    answer = await api.send(viewer, message)
    assert (answer.status_code, answer.json()["code"]) == (422, "company_required")
    answer = await api.send(viewer, message | {"company_id": shop.id})
    assert (answer.status_code, answer.json()["code"]) == (403, "role_required")
