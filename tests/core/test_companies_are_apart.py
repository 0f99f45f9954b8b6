"""Every table, function, route and topic, tried on another company: nothing is seen or changed."""

from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.core.conftest import CALLERS, Rivals
from tests.core.conversations_tries import functions_of_conversations, routes_of_conversations
from tests.core.inbound_tries import functions_of_inbound, routes_of_inbound
from tests.core.people_tries import functions_of_people, routes_of_people
from tests.core.sending_tries import functions_of_sending, routes_of_sending
from tests.core.test_access_to_every_table_and_function_is_decided import (
    FUNCTIONS_OF_THE_SERVICE,
    FUNCTIONS_OF_USERS,
    TABLES,
)
from tests.messaging import bodies
from tests.tenants import body

Json = dict[str, Any]

SHARED = {"job_types", "queues"}
# They know no companies: the cron's secret opens them, and no user has it.
ROUTES_OF_THE_CRON: dict[str, tuple[str, str, Json]] = {
    "process_queue_get": ("GET", "/api/queue/process", {}),
    "process_queue_post": ("POST", "/api/queue/process", {}),
    "queue_stats": ("GET", "/api/queue/stats", {}),
    "queue_health": ("GET", "/api/queue/health", {}),
    "pause_queue": ("POST", "/api/queue/queues/inbound/pause", {}),
    "resume_queue": ("POST", "/api/queue/queues/inbound/resume", {}),
    "set_queue_limits": ("PUT", "/api/queue/queues/inbound/limits", {"json": {"burst": 1}}),
    "set_key_limits": ("PUT", "/api/queue/keys/x/limits", {"json": {"burst": 1}}),
}


def assert_closed(answer: httpx.Response, what: str) -> None:
    """A clear refusal, or a success that touched nothing."""
    if answer.status_code >= 400:
        assert answer.status_code < 500, f"{what}: {answer.status_code} {answer.text}"
        assert answer.json()["code"], what
        return
    assert answer.status_code in (200, 204), f"{what}: {answer.status_code} {answer.text}"
    assert answer.content in (b"", b"[]", b"null", b"{}"), f"{what}: {answer.text}"


async def assert_untouched(rivals: Rivals, before: dict[str, list[str]]) -> None:
    after = await rivals.everything_of_theirs()
    for name, rows in before.items():
        assert after[name] == rows, name


@pytest.mark.parametrize("caller", CALLERS)
async def test_no_table_shows_or_takes_anything(caller: str, rivals: Rivals) -> None:
    before = await rivals.everything_of_theirs()
    http, url = rivals.mine.project.http, f"{rivals.mine.project.url}/rest/v1"
    headers = rivals.rest(caller) | {"prefer": "return=representation,count=exact"}
    for table in sorted(TABLES):
        key = "id" if table == "companies" else "company_id"
        theirs = {} if table in SHARED else {key: f"eq.{rivals.theirs.id}"}
        if table not in SHARED:
            seen = await http.get(f"{url}/{table}", params=theirs, headers=headers)
            assert_closed(seen, f"select {table}")
            assert seen.headers.get("content-range", "*/0") == "*/0", table
            everything = await http.get(f"{url}/{table}", headers=rivals.rest(caller))
            assert rivals.theirs.id not in everything.text, table
        (row,) = await rivals.mine.project.rows(table, **theirs, limit="1")
        where = theirs or {next(iter(row)): "not.is.null"}
        fresh = {"id": str(uuid4())} if isinstance(row.get("id"), str) else {}
        answer = await http.post(f"{url}/{table}", json=row | fresh, headers=headers)
        assert_closed(answer, f"insert {table}")
        for column in row:
            change = {column: row[column]}
            answer = await http.patch(f"{url}/{table}", json=change, params=where, headers=headers)
            assert_closed(answer, f"update {table}.{column}")
        answer = await http.delete(f"{url}/{table}", params=where, headers=headers)
        assert_closed(answer, f"delete {table}")
    await assert_untouched(rivals, before)


@pytest.mark.parametrize("caller", CALLERS)
async def test_what_a_member_may_insert_stays_in_the_company(caller: str, rivals: Rivals) -> None:
    before = await rivals.everything_of_theirs()
    theirs, mine = rivals.ids, rivals.mine.id
    message = {"conversation_id": theirs["conversation_id"], "body": "oi"}
    key = {"name": "x", "key_hash": "0" * 64, "key_hint": "x"}
    for table, row in (
        ("messages", message | {"company_id": theirs["company_id"]}),
        ("messages", message | {"company_id": mine}),
        ("api_keys", key | {"company_id": theirs["company_id"]}),
    ):
        answer = await rivals.mine.project.http.post(
            f"{rivals.mine.project.url}/rest/v1/{table}", json=row, headers=rivals.rest(caller)
        )
        assert answer.status_code in (401, 403, 409), f"{table}: {answer.text}"
    await assert_untouched(rivals, before)


def tries_of_users(rivals: Rivals) -> dict[str, list[Json]]:
    """Each function that users may call, with the other company's ids."""
    company, conversation = rivals.ids["company_id"], rivals.ids["conversation_id"]
    start = {"p_after": 0, "p_epoch": str(uuid4())}
    scopes = {scope: {"ver": -1, "epoch": None} for scope in topics(rivals)}
    job = rivals.ids["job_id"]
    return {
        "cancel_job": [{"p_id": job}, {"p_id": job, "p_running": True}],
        "cancel_jobs": [{"p_company_id": company}],
        "explain_job": [{"p_id": job}],
        **functions_of_inbound(rivals),
        "list_failed_jobs": [{"p_company_id": company}],
        "list_jobs": [{"p_company_id": company}, {"p_company_id": company, "p_state": "failed"}],
        "replay_job": [{"p_id": job}],
        "replay_jobs": [{"p_company_id": company, "p_status": "cancelled"}],
        "create_api_key": [{"p_name": "x", "p_company_id": company}],
        **functions_of_people(rivals),
        "find_media": [{"p_message_id": rivals.ids["message_id"]}],
        "find_number": [{"p_id": rivals.ids["instance_id"]}],
        "list_numbers": [{"p_company_id": company}],
        "may_connect_numbers": [{"p_company_id": company}],
        **functions_of_sending(rivals),
        **functions_of_conversations(rivals),
        "list_messages": [
            {"p_conversation_id": conversation},
            {"p_conversation_id": conversation, "p_company_id": company},
            {"p_conversation_id": conversation, "p_company_id": rivals.mine.id},
        ],
        "sync_conversation": [start | {"p_id": conversation}],
        "sync_heads": [{"p_scopes": scopes}],
        "sync_inbox": [start | {"p_id": company}],
    }


def topics(rivals: Rivals) -> list[str]:
    return [f"inbox:{rivals.theirs.id}", f"conversation:{rivals.ids['conversation_id']}"]


@pytest.mark.parametrize("caller", CALLERS)
async def test_no_function_shows_or_takes_anything(caller: str, rivals: Rivals) -> None:
    before = await rivals.everything_of_theirs()
    tries = tries_of_users(rivals)
    assert set(tries) == FUNCTIONS_OF_USERS
    for name, calls in (tries | await tries_of_the_service(rivals)).items():
        for params in calls:
            answer = await rivals.mine.project.http.post(
                f"{rivals.mine.project.url}/rest/v1/rpc/{name}",
                json=params,
                headers=rivals.rest(caller),
            )
            assert_closed(answer, f"{name} {params}")
            if name in FUNCTIONS_OF_THE_SERVICE:
                assert answer.status_code in (401, 403), f"{name}: {answer.text}"
    await assert_untouched(rivals, before)


async def tries_of_the_service(rivals: Rivals) -> dict[str, list[Json]]:
    """Each function of the service, with values of the right types, from the catalog."""
    by_name = {
        "p_company_id": rivals.ids["company_id"],
        "p_endpoint_id": rivals.ids["endpoint_id"],
        "p_message_id": rivals.ids["message_id"],
        "p_ids": rivals.ids["event_ids"],
        "p_queues": ["inbound"],
    }
    by_type: dict[str, Any] = {"uuid": str(uuid4()), "jsonb": [], "boolean": True, "text": "x"}
    rows = await rivals.database.fetch(
        """select proname, name, format_type(type, null) as type
           from pg_proc
           left join unnest(proargnames, proargtypes::oid[]) as argument (name, type) on true
           where pronamespace = 'public'::regnamespace and proname = any ($1)""",
        list(FUNCTIONS_OF_THE_SERVICE),
    )
    tries: dict[str, Json] = {}
    for row in rows:
        params = tries.setdefault(row["proname"], {})
        if row["name"]:
            params[row["name"]] = by_name.get(row["name"], by_type.get(row["type"], 1))
    assert set(tries) == FUNCTIONS_OF_THE_SERVICE
    return {name: [params] for name, params in tries.items()}


def tries_of_routes(rivals: Rivals) -> dict[str, list[tuple[str, str, Json]]]:
    """Each operation of the API with the other company's ids: method, path, what goes with it."""
    ids = rivals.ids
    number = rivals.theirs.tenant.meta
    raw = body(bodies.text(number, "5511987654321"))
    forged = {"content": raw, "headers": rivals.mine.tenant.meta.headers(raw)}
    in_company = {"company_id": ids["company_id"]}
    messages = f"/api/conversations/{ids['conversation_id']}/messages"
    return {
        "list_jobs": [("GET", "/api/jobs", {"params": in_company})],
        "health": [],  # shows nothing of anybody
        "answer_challenge": [("GET", number.path, {})],
        "receive": [("POST", number.path, forged)],
        **routes_of_conversations(rivals),
        "list_messages": [("GET", messages, {}), ("GET", messages, {"params": in_company})],
        **routes_of_sending(rivals),
        "get_media": [("GET", f"/api/messages/{ids['message_id']}/media", {})],
        **tries_of_numbers(ids["instance_id"], in_company),
        **routes_of_inbound(rivals),
        "list_failed_jobs": [("GET", "/api/jobs/failed", {"params": in_company})],
        **routes_of_people(rivals),
        "explain_job": [("GET", f"/api/jobs/{ids['job_id']}", {})],
        "cancel_job": [("POST", f"/api/jobs/{ids['job_id']}/cancel", {})],
        "replay_job": [("POST", f"/api/jobs/{ids['job_id']}/replay", {})],
        "cancel_jobs": [("POST", "/api/jobs/cancel", {"json": in_company})],
        "replay_jobs": [("POST", "/api/jobs/replay", {"json": in_company})],
        **{name: [one] for name, one in ROUTES_OF_THE_CRON.items()},
    }


def tries_of_numbers(id: str, in_company: Json) -> dict[str, list[tuple[str, str, Json]]]:
    """Each operation on the other company's number."""
    wanted = {"provider": "evolution", "name": "x", "external_id": "x"}
    wanted |= {"server": "http://127.0.0.1:9", "api_key": "x"} | in_company
    number = f"/api/numbers/{id}"
    return {
        "list_numbers": [("GET", "/api/numbers", {"params": in_company})],
        "connect_number": [("POST", "/api/numbers", {"json": wanted})],
        "show_number": [("GET", number, {})],
        "link_number": [("POST", f"{number}/connect", {})],
        "show_qr": [("GET", f"{number}/qr", {})],
        "refresh_number": [("POST", f"{number}/refresh", {})],
        "restart_number": [("POST", f"{number}/restart", {})],
        "log_out_number": [("POST", f"{number}/logout", {})],
        "remove_number": [("DELETE", number, {})],
    }


@pytest.mark.parametrize("caller", [*CALLERS, "api key"])
async def test_no_route_shows_or_takes_anything(caller: str, rivals: Rivals) -> None:
    before = await rivals.everything_of_theirs()
    http = rivals.mine.api.http
    paths = (await http.get("/openapi.json")).json()["paths"]
    tries = tries_of_routes(rivals)
    assert set(tries) == {
        operation["operationId"] for path in paths.values() for operation in path.values()
    }
    for name, calls in tries.items():
        for method, path, content in calls:
            headers = content.pop("headers", {}) | rivals.bearer(caller)
            answer = await http.request(method, path, **content, headers=headers)
            assert 400 <= answer.status_code < 500, f"{name}: {answer.status_code} {answer.text}"
            assert answer.json()["code"], name
            assert "confidencial" not in answer.text
            if caller in ("nobody", "garbage", "expired") and path.startswith("/api/"):
                assert answer.status_code == 401, f"{name}: {answer.text}"
    await assert_untouched(rivals, before)


def socket_of(rivals: Rivals) -> connect:
    project = rivals.mine.project
    address = f"{project.url.replace('http', 'ws', 1)}/realtime/v1/websocket"
    return connect(f"{address}?vsn=1.0.0&apikey={project.publishable_key}")


async def asked_to_join(socket: ClientConnection, topic: str, token: str | None) -> str:
    """ok or error: the answer to a private join."""
    join = {"config": {"private": True}} | ({"access_token": token} if token else {})
    frame = {"topic": f"realtime:{topic}", "event": "phx_join", "ref": "1", "payload": join}
    await socket.send(orjson.dumps(frame).decode())
    while (answer := orjson.loads(await socket.recv()))["event"] != "phx_reply":
        pass
    status: str = answer["payload"]["status"]
    return status


@pytest.mark.parametrize("caller", CALLERS)
async def test_no_topic_can_be_heard(caller: str, rivals: Rivals) -> None:
    member = rivals.theirs.tenant.people["viewer"]
    for topic in topics(rivals):
        async with socket_of(rivals) as socket:
            assert await asked_to_join(socket, topic, rivals.tokens[caller]) == "error"
        async with socket_of(rivals) as socket:
            assert await asked_to_join(socket, topic, member.token) == "ok"


async def test_nobody_but_the_database_speaks_on_a_topic(rivals: Rivals) -> None:
    project, topic = rivals.mine.project, topics(rivals)[0]
    people = rivals.theirs.tenant.people
    forged = {"topic": topic, "event": "change", "payload": {"ver": 999}, "private": True}
    async with socket_of(rivals) as socket:
        await asked_to_join(socket, topic, people["viewer"].token)
        for token in (rivals.tokens["owner"], people["owner"].token):
            await project.http.post(
                f"{project.url}/realtime/v1/api/broadcast",
                json={"messages": [forged]},
                headers=project.headers(token),
            )
        number = rivals.theirs.tenant.meta
        await rivals.theirs.post(number, bodies.text(number, "5511987654321"))
        while (frame := orjson.loads(await socket.recv()))["event"] != "broadcast":
            pass
        assert frame["payload"]["payload"]["ver"] != 999
    await rivals.theirs.settled()
