"""Whatever stands in a request is a name from the catalog, a bound value, or refused."""

from contextlib import suppress
from urllib.parse import quote

import asyncpg
import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.gateway.rest.errors import RestError
from local.gateway.rest.querystring import parse
from local.stack import Stack

ATTACKS = (
    "id;drop table teams",
    'id"; drop table teams; --',
    "id) from teams; drop table teams; --",
    "1' or '1'='1",
    "teams\x00",
    '"',
    "\\",
    "$1",
    "*/",
    "id/**/",
    "(select 1)",
    "pg_sleep(10)",
    "public.teams",
    "information_schema.tables",
    "ï¼‡",
    "x" * 3000,
)


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize(
    "path",
    [
        "/{}", "/rpc/{}", "/teams?{}=eq.1", "/teams?select={}", "/teams?select=id::{}",
        "/teams?select=x:{}", "/teams?select={}:id", "/teams?select=details->{}",
        "/teams?select=details->>{}", "/teams?select={}(id)", "/teams?select=players!{}(id)",
        "/teams?order={}", "/teams?order=id.{}", "/teams?limit={}", "/teams?offset={}",
        "/teams?id={}", "/teams?id=eq.{}", "/teams?id={}.1", "/teams?name=in.({})",
        "/teams?name=in.({}", "/teams?id=is.{}", "/teams?or=({})", "/teams?or=(id.eq.{})",
        "/teams?or=({}.eq.1)", "/teams?select=players(id)&players.{}=eq.1",
        "/teams?name=eq(any).{}", "/teams?colours=cs.{}", "/rpc/add?{}=1", "/rpc/add?a={}",
        "/rpc/total?n=1&n={}", "/teams?columns={}", "/teams?on_conflict={}",
        "/teams?select=id.{}()",
        "/teams?select=id.count()::{}", "/teams?select=...{}(id)", "/teams?order={}(id)",
        "/teams?select=name,players(id)&order=players({})", "/teams?name=fts({}).x",
        "/teams?name=eq({}).x", "/teams?not.{}=(id.eq.1)",
    ],
)  # fmt: skip
async def test_no_place_in_a_url_takes_sql(rest: httpx.AsyncClient, path: str, attack: str) -> None:
    answer = await rest.get(path.format(quote(attack, safe="")))
    assert answer.status_code in (200, 300, 400, 404, 406, 416), answer.text
    if answer.status_code != 200:
        assert set(answer.json()) == {"code", "message", "details", "hint"}
        assert answer.json()["code"] not in ("42601", "42P02"), "it reached Postgres as SQL"


@pytest.mark.parametrize("attack", ATTACKS)
async def test_no_key_of_a_body_takes_sql(
    rest: httpx.AsyncClient, database: asyncpg.Pool, attack: str
) -> None:
    for path, body in (
        ("/teams", {attack: 1}),
        ("/teams", [{"name": "x", attack: attack}]),
        (f"/teams?columns={quote(attack, safe='')}", {attack: 1}),
        (f"/teams?on_conflict={quote(attack, safe='')}", {"name": "on"}),
        ("/rpc/add", {attack: 1}),
        ("/rpc/add", {"a": attack}),
    ):
        headers = {"prefer": "return=representation, resolution=merge-duplicates, missing=default"}
        answer = await rest.post(path, json=body, headers=headers)
        assert answer.status_code in (400, 404), answer.text
        assert answer.json()["code"] not in ("42601", "42P02"), "it reached Postgres as SQL"
    updated = await rest.patch("/teams?id=eq.0", json={attack: 1})
    assert updated.status_code == 400
    assert await database.fetchval("select to_regclass('public.teams') is not null")


@pytest.mark.parametrize("attack", [a for a in ATTACKS if a.isascii() and "\0" not in a])
async def test_no_header_takes_sql(rest: httpx.AsyncClient, attack: str) -> None:
    for name, value in (
        ("accept", f"application/vnd.pgrst.plan+json; for={attack}"),
        ("accept", f'application/vnd.pgrst.plan+json; for="{attack}"; options={attack}'),
        ("accept", attack),
        ("accept-profile", attack),
        ("prefer", f"timezone={attack}"),
        ("prefer", f"handling=strict, {attack}"),
    ):
        answer = await rest.get("/many?limit=1", headers={name: value})
        assert answer.status_code in (200, 400, 406), answer.text
        if answer.status_code != 200:
            assert answer.json()["code"] not in ("42601", "42P02"), "it reached Postgres as SQL"


async def test_headers_are_values_too(rest: httpx.AsyncClient) -> None:
    headers = {
        "x-odd": "'; drop table teams; --",
        "cookie": "a='; drop table teams; --",
        "range": "0-'; drop table teams",
        "accept": "application/json, '; drop table teams",
    }
    answer = await rest.get("/many?limit=1", headers=headers)
    assert (answer.status_code, answer.json()) == (200, [{"id": 1}])
    zone = await rest.get("/many", headers={"prefer": "timezone='; drop table teams; --"})
    assert (zone.status_code, zone.json()["code"]) == (400, "22023")


async def test_values_arrive_as_they_were_sent(rest: httpx.AsyncClient) -> None:
    for text in ("'", '"', "\\", "\\'", "$$", "; --", "a,b", "(x)", "{x}", "é", "🎉", "%", "null"):
        value = f"{text} as a name"
        body = {"p": {"v": value}}
        assert (await rest.post("/rpc/as_json", json=body)).json() == {"v": value}
        row = {"name": value}
        await rest.post(
            "/teams?on_conflict=name", json=row, headers={"prefer": "resolution=merge-duplicates"}
        )
        found = await rest.get("/teams", params={"select": "name", "name": f"eq.{value}"})
        assert found.json() == [row], value
        quoted = value.replace("\\", "\\\\").replace('"', '\\"')
        listed = await rest.get("/teams", params={"select": "name", "name": f'in.("{quoted}")'})
        assert listed.json() == [row], value


async def test_deep_nesting_is_refused(rest: httpx.AsyncClient) -> None:
    logic = "and(" * 500 + "id.eq.1" + ")" * 500
    answer = await rest.get(f"/teams?or=({logic})")
    assert (answer.status_code, answer.json()["code"]) == (400, "PGRST100")
    select = "players(teams(" * 200 + "id" + "))" * 200
    answer = await rest.get(f"/teams?select={select}")
    assert (answer.status_code, answer.json()["code"]) == (400, "PGRST100")


KEYS = st.sampled_from(["select", "order", "limit", "or", "and", "columns", "id", "a.b", "not.or"])


@given(st.lists(st.tuples(KEYS | st.text(), st.text()), max_size=4))
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_text_parses_or_is_refused(pairs: list[tuple[str, str]]) -> None:
    with suppress(RestError):
        parse(pairs)


async def test_a_request_larger_than_it_may_be_is_no_crash(league: Stack) -> None:
    headers = {"apikey": league.keys.secret_key}
    async with httpx.AsyncClient(base_url=f"{league.url}/rest/v1", headers=headers) as http:
        body = {"p": {"v": "x" * 5_000_000}}
        answer = await http.post("/rpc/as_json", json=body, timeout=30)
        assert answer.json() == body["p"]
