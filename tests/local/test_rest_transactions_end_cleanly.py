"""Whatever a request does to its transaction, the next one on that connection begins afresh."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest

SCHEMA = """
create table public.pairs_of (
  id int primary key,
  other int references public.pairs_of deferrable initially deferred
);
grant select, insert on public.pairs_of to service_role;
create function public.isolation() returns text language sql
  set default_transaction_isolation = 'serializable'
  as $$ select current_setting('transaction_isolation') $$;
create domain public.percent as int check (value between 0 and 100);
create function public.percent_to_json(public.percent) returns json language sql immutable as
  $$ select to_json($1::int || ' %') $$;
create function public.percent_from_json(json) returns public.percent language sql immutable as
  $$ select replace($1 #>> '{}', ' %', '')::int::public.percent $$;
create function public.percent_from_text(text) returns public.percent language sql immutable as
  $$ select replace($1, ' %', '')::int::public.percent $$;
create table public.discounts (id int primary key, off public.percent);
grant select, insert on public.discounts to service_role;
"""
CASTS = """
create cast (public.percent as json) with function public.percent_to_json(public.percent)
  as implicit;
create cast (json as public.percent) with function public.percent_from_json(json) as implicit;
create cast (text as public.percent) with function public.percent_from_text(text) as implicit;
"""
AWAY = """
drop table public.pairs_of, public.discounts; drop function public.isolation();
drop domain public.percent cascade;
"""


@pytest.fixture(scope="module", autouse=True)
async def schema(migrator: asyncpg.Pool, database: asyncpg.Pool) -> AsyncIterator[None]:
    await migrator.execute(SCHEMA)
    await database.execute(CASTS)
    await database.execute("notify pgrst, 'reload schema'")
    yield
    await database.execute(AWAY)


async def test_a_constraint_checked_at_the_end_is_an_error_too(rest: httpx.AsyncClient) -> None:
    dangling = await rest.post("/pairs_of", json={"id": 1, "other": 2})
    assert (dangling.status_code, dangling.json()["code"]) == (409, "23503")
    both = await rest.post("/pairs_of", json=[{"id": 1, "other": 2}, {"id": 2, "other": 1}])
    assert both.status_code == 201
    checked = {"accept": "application/vnd.pgrst.object+json", "prefer": "return=representation"}
    again = await rest.post("/pairs_of", json={"id": 3, "other": 4}, headers=checked)
    assert (again.status_code, again.json()["code"]) == (409, "23503")
    assert len((await rest.get("/pairs_of")).json()) == 2


async def test_errors_and_successes_share_connections(rest: httpx.AsyncClient) -> None:
    async def one(number: int) -> int:
        if number % 3 == 0:
            return (await rest.post("/rpc/fail_with", json={"code": "PT418"})).status_code
        if number % 3 == 1:
            return (await rest.get("/many?id=eq.x")).status_code
        answer = await rest.post("/rpc/add", json={"a": number})
        assert answer.json() == number + 10
        return answer.status_code

    statuses = await asyncio.gather(*(one(number) for number in range(120)))
    assert statuses == [418, 400, 200] * 40


async def test_any_number_of_different_queries_is_answered(rest: httpx.AsyncClient) -> None:
    for number in range(0, 1100, 10):
        paths = [f"/many?select=a{n}:id&limit=1" for n in range(number, number + 10)]
        answers = await asyncio.gather(*map(rest.get, paths))
        assert [answer.json() for answer in answers] == [
            [{f"a{n}": 1}] for n in range(number, number + 10)
        ]


async def test_text_that_postgres_cannot_hold_is_refused(rest: httpx.AsyncClient) -> None:
    for answer in (
        await rest.get("/teams?name=eq.%00"),
        await rest.post("/teams", json={"name": "a\0b"}),
        await rest.post("/rpc/as_json", content=b'{"p": "\xff"}'),
    ):
        assert answer.status_code == 400, answer.text
    assert (await rest.get("/teams?name=eq.%ff&select=id")).json() == []


async def test_a_function_can_ask_for_an_isolation_level(rest: httpx.AsyncClient) -> None:
    assert (await rest.post("/rpc/isolation")).json() == "serializable"
    level = await rest.post("/rpc/setting", json={"name": "transaction_isolation"})
    assert level.json() == "read committed"


async def test_a_domain_with_casts_is_seen_in_its_other_form(rest: httpx.AsyncClient) -> None:
    full = {"prefer": "return=representation"}
    made = await rest.post("/discounts", json={"id": 1, "off": "25 %"}, headers=full)
    assert (made.status_code, made.json()) == (201, [{"id": 1, "off": "25 %"}])
    for condition in ("off=eq.25 %", "off=in.(25 %,30 %)", "off=gt.20 %"):
        assert (await rest.get(f"/discounts?{condition}")).json() == made.json(), condition
    assert (await rest.get("/discounts?off=eq.26 %")).json() == []
