"""GET /api/conversations with filters, sorts, cursors and page numbers: exactly what they mean."""

import itertools
from typing import Any

import asyncpg
import pytest

from local.stack import Stack
from tests.fixtures import Api
from tests.messaging.conftest import Company
from tests.tenants import Project

Json = dict[str, Any]
STATUSES, KINDS = ("open", "pending", "closed"), ("direct", "group")
FILL = """
  insert into conversations (
    company_id, instance_id, contact_id, kind, address, status, assignee_id, unread,
    last_message_at, last_message_direction, last_message_preview
  )
  select $1, case when n % 2 = 0 then $2::uuid else $3::uuid end,
    case when n % 5 > 0 then (select id from contacts where company_id = $1 limit 1 offset n) end,
    case when n % 5 > 0 then 'direct' else 'group' end, n::text,
    (array['open', 'pending', 'closed'])[1 + n % 3],
    case n % 7 when 0 then $4::uuid when 1 then $5::uuid end, n % 4,
    timestamptz '2026-01-01' + (n * 7 % 31) * interval '1 hour',
    case when n % 11 > 3 then 'in' else 'out' end, 'oi'
  from generate_series(1, 120) as n
"""


@pytest.fixture(scope="module")
async def inbox(project: Project, stack: Stack, api: Api) -> Company:
    """120 conversations in which everything occurs with everything."""
    assert stack.whatsapp_url
    company = Company(await project.new_tenant(stack.whatsapp_url), api, project)
    tenant = company.tenant
    database = await asyncpg.connect(stack.database_url)
    await database.execute(
        "insert into contacts (company_id) select $1 from generate_series(0, 120)", company.id
    )
    await database.execute(
        FILL,
        company.id,
        tenant.evolution.instance_id,
        tenant.meta.instance_id,
        tenant.people["agent"].id,
        tenant.people["owner"].id,
    )
    await database.close()
    return company


async def get(inbox: Company, **params: Any) -> Json:
    texts = {name: str(value) for name, value in params.items()}
    answer = await inbox.api.get("/api/conversations", inbox.tenant.people["agent"], **texts)
    assert answer.status_code == 200, answer.text
    page: Json = answer.json()
    return page


async def walk(inbox: Company, **params: Any) -> list[str]:
    """The ids of all pages."""
    page = await get(inbox, **params)
    ids = [row["id"] for row in page["data"]]
    while page["next_cursor"]:
        page = await get(inbox, **params, cursor=page["next_cursor"])
        ids += [row["id"] for row in page["data"]]
    return ids


def meant(inbox: Company, rows: list[Json], asked: Json) -> list[str]:
    """The ids that a list has to show, in its order."""
    agent = inbox.tenant.people["agent"].id
    assignee = {"me": agent, "none": None}.get(asked.get("assignee", ""), asked.get("assignee"))
    found = [
        row
        for row in rows
        if asked.get("status", row["status"]) == row["status"]
        and ("assignee" not in asked or row["assignee_id"] == assignee)
        and ("unread" not in asked or (row["unread"] > 0) == (asked["unread"] == "true"))
        and asked.get("kind", row["kind"]) == row["kind"]
        and asked.get("instance_id", row["instance_id"]) == row["instance_id"]
        and (asked.get("sort") != "waiting" or row["waiting_since"])
    ]
    key, back = ("waiting_since", False) if asked.get("sort") else ("last_message_at", True)
    return [row["id"] for row in sorted(found, key=lambda r: (r[key], r["id"]), reverse=back)]


def filters(inbox: Company) -> list[Json]:
    """Every filter with every other, or not."""
    choices: dict[str, list[Any]] = {
        "status": [None, "open", "closed"],
        "assignee": [None, "me", "none", inbox.tenant.people["owner"].id],
        "unread": [None, "true", "false"],
        "kind": [None, "group"],
        "instance_id": [None, inbox.tenant.meta.instance_id],
        "sort": [None, "waiting"],
    }
    return [
        {name: value for name, value in zip(choices, values, strict=True) if value}
        for values in itertools.product(*choices.values())
    ]


async def test_every_filter_finds_what_it_means(inbox: Company) -> None:
    rows = await inbox.rows("conversations")
    for asked in filters(inbox):
        page = await get(inbox, **asked, limit=200, fields="id")
        assert [row["id"] for row in page["data"]] == meant(inbox, rows, asked), asked


@pytest.mark.parametrize(
    "asked",
    [{}, {"sort": "waiting"}, {"assignee": "none"}, {"status": "open", "kind": "group"}],
    ids=str,
)
async def test_cursors_and_numbers_lead_through_the_same_list(inbox: Company, asked: Json) -> None:
    everything = meant(inbox, await inbox.rows("conversations"), asked)
    assert await walk(inbox, **asked, limit=7) == everything
    by_number: list[str] = []
    for number in range(1, len(everything) // 7 + 3):
        page = await get(inbox, **asked, limit=7, page=number)
        assert page["total"] == len(everything)
        by_number += [row["id"] for row in page["data"]]
    assert by_number == everything


async def test_a_page_by_number_goes_on_by_cursor(inbox: Company) -> None:
    everything = await walk(inbox, limit=200)
    page = await get(inbox, page=2, limit=10)
    page = await get(inbox, cursor=page["next_cursor"], limit=10)
    assert [row["id"] for row in page["data"]] == everything[20:30]
    assert page["total"] is None


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"assignee": "you"}, "invalid_filter"),
        ({"status": "all"}, "invalid_request"),
        ({"kind": "channel"}, "invalid_request"),
        ({"sort": "oldest"}, "invalid_request"),
        ({"unread": "perhaps"}, "invalid_request"),
        ({"instance_id": "1"}, "invalid_request"),
        ({"page": "0"}, "invalid_request"),
        ({"page": "10001"}, "invalid_request"),
        ({"page": "201"}, "invalid_page"),
        ({"page": "1", "cursor": "1_00000000-0000-0000-0000-000000000000"}, "invalid_page"),
    ],
    ids=str,
)
async def test_a_senseless_list_is_refused(inbox: Company, params: Json, code: str) -> None:
    answer = await inbox.api.get("/api/conversations", inbox.tenant.people["agent"], **params)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_an_api_key_is_nobodys_me(inbox: Company) -> None:
    key = await inbox.project.rpc(
        "create_api_key", {"p_name": "erp"}, inbox.tenant.people["owner"].token
    )
    headers = {"authorization": f"Bearer {key['key']}"}
    path = "/api/conversations?assignee="
    answer = await inbox.api.http.get(path + "me", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_filter")
    assert (await inbox.api.http.get(path + "none", headers=headers)).status_code == 200
