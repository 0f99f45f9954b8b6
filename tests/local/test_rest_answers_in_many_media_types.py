"""Bodies in and out that are not plain JSON: CSV, forms, raw bytes, types of the project's own."""

from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import httpx
import pytest

from tests.fixtures import until

SCHEMA = r"""
create domain public."application/x-ndjson" as text;
create domain public."application/octet-stream" as bytea;
create function public.pages(first int, last int) returns "application/x-ndjson"
  language sql stable as $$
    select string_agg(json_build_object('n', n)::text || E'\n', '' order by n)
    from generate_series(first, last) n
  $$;
create function public.add_line(state "application/x-ndjson", item anyelement)
  returns "application/x-ndjson" language sql immutable as
  $$ select state || to_json(item)::text || E'\n' $$;
create aggregate public.lines(anyelement) (
  sfunc = public.add_line, stype = "application/x-ndjson", initcond = ''
);
create function public.reversed(bytea) returns "application/octet-stream"
  language sql immutable as $$
    select string_agg(substr($1, i, 1), '' order by i desc) from generate_series(1, length($1)) i
  $$;
create function public.shouted(text) returns text language sql immutable as $$ select upper($1) $$;
"""
AWAY = """
drop domain public."application/x-ndjson", public."application/octet-stream" cascade;
drop function if exists public.shouted(text);
alter role authenticator reset pgrst.db_plan_enabled;
notify pgrst;
"""
NDJSON = {"accept": "application/x-ndjson"}


@pytest.fixture(scope="module", autouse=True)
async def media_types(migrator: asyncpg.Pool, database: asyncpg.Pool) -> AsyncIterator[None]:
    await migrator.execute(SCHEMA)
    yield
    await database.execute(AWAY)


async def test_a_function_answers_the_media_type_its_domain_is_named_for(
    rest: httpx.AsyncClient,
) -> None:
    answer = await rest.post("/rpc/pages", json={"first": 1, "last": 3}, headers=NDJSON)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.text == '{"n" : 1}\n{"n" : 2}\n{"n" : 3}\n'
    plain = await rest.get("/rpc/pages?first=1&last=1")
    assert plain.json() == '{"n" : 1}\n'


async def test_an_aggregate_makes_its_media_type_of_any_table(rest: httpx.AsyncClient) -> None:
    answer = await rest.get("/many?limit=2", headers=NDJSON)
    assert (answer.status_code, answer.text) == (200, '{"id":1}\n{"id":2}\n')
    assert answer.headers["content-range"] == "0-1/*"
    selected = await rest.get("/kinds?select=id,day", headers=NDJSON)
    assert selected.text == '{"id":1,"day":"2026-01-02"}\n'


async def test_bytes_go_in_and_come_out_as_they_are(rest: httpx.AsyncClient) -> None:
    raw = bytes(range(256))
    octets = "application/octet-stream"
    headers = {"content-type": octets, "accept": octets}
    answer = await rest.post("/rpc/reversed", content=raw, headers=headers)
    assert answer.content == raw[::-1]
    assert answer.headers["content-type"] == octets
    text = await rest.post("/rpc/shouted", content="olá", headers={"content-type": "text/plain"})
    assert text.json() == "OLÁ"


async def test_tables_are_read_and_written_as_csv(rest: httpx.AsyncClient) -> None:
    name = f"team {uuid4()}"
    csv = {"content-type": "text/csv", "prefer": "return=representation", "accept": "text/csv"}
    lines = f'name,founded\n"{name}, A",2020-01-02\n{name},NULL\n'
    posted = await rest.post("/teams?select=name,founded", content=lines, headers=csv)
    assert posted.status_code == 201, posted.text
    assert posted.headers["content-type"] == "text/csv; charset=utf-8"
    expected = f'name,founded\n"{name}, A",2020-01-02\n"{name}",'
    assert posted.text == expected
    found = await rest.get(
        f"/teams?select=name,founded&name=like.{name}*&order=id", headers={"accept": "text/csv"}
    )
    assert found.text == expected
    ragged = await rest.post("/teams", content="name,founded\nx\n", headers=csv)
    assert (ragged.status_code, ragged.json()["code"]) == (400, "PGRST102")
    assert ragged.json()["message"] == "All lines must have same number of fields"


async def test_forms_are_bodies_too(rest: httpx.AsyncClient) -> None:
    assert (await rest.post("/rpc/add", data={"a": "1", "b": "2"})).json() == 3
    name = f"team {uuid4()}"
    headers = {"prefer": "return=representation"}
    made = await rest.post("/teams?select=name", data={"name": name}, headers=headers)
    assert made.json() == [{"name": name}]


async def test_nulls_are_left_out_when_asked(rest: httpx.AsyncClient) -> None:
    array = {"accept": "application/vnd.pgrst.array+json;nulls=stripped"}
    answer = await rest.get("/kinds?select=id,nothing", headers=array)
    assert answer.json() == [{"id": 1}]
    stripped = "application/vnd.pgrst.array+json;nulls=stripped; charset=utf-8"
    assert answer.headers["content-type"] == stripped
    one = {"accept": "application/vnd.pgrst.object+json;nulls=stripped"}
    assert (await rest.get("/kinds?select=id,nothing", headers=one)).json() == {"id": 1}


async def test_the_plan_is_shown_where_the_project_allows_it(
    rest: httpx.AsyncClient, database: asyncpg.Pool
) -> None:
    accept = {"accept": 'application/vnd.pgrst.plan+json; for="text/csv"; options=verbose'}
    refused = await rest.get("/many", headers=accept)
    assert (refused.status_code, refused.json()["code"]) == (406, "PGRST107")
    await database.execute("alter role authenticator set pgrst.db_plan_enabled = 'true'")
    await database.execute("notify pgrst, 'reload config'")

    async def explained() -> httpx.Response | None:
        answer = await rest.get("/many", headers=accept)
        return answer if answer.status_code == 200 else None

    answer = await until(explained, what="plans are enabled")
    assert answer.json()[0]["Plan"]["Node Type"] == "Aggregate"
    expected = 'application/vnd.pgrst.plan+json; for="text/csv"; options=verbose; charset=utf-8'
    assert answer.headers["content-type"] == expected
