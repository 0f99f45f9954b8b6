"""What `alter role authenticator set pgrst...` changes: schemas, page size, the end, a check."""

from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest

from tests.fixtures import until

SCHEMA = """
create schema private_matters;
grant usage on schema private_matters to service_role;
create table private_matters.teams (id int primary key, secret text);
create table private_matters.notes (
  id int primary key, team_id int references private_matters.teams
);
insert into private_matters.teams values (1, 'x');
insert into private_matters.notes values (1, 1);
grant select, insert on all tables in schema private_matters to service_role;
create function private_matters.where_am_i() returns text language sql stable as
  $$ select current_setting('search_path') $$;
create function public.refuse() returns void language plpgsql as $$
begin
  if current_setting('request.path') = '/many' then
    raise sqlstate 'PT429' using message = 'too many';
  end if;
end $$;
"""
SETTINGS = ("db_schemas", "db_max_rows", "db_tx_end", "db_pre_request")


@pytest.fixture(scope="module", autouse=True)
async def schemas(migrator: asyncpg.Pool, database: asyncpg.Pool) -> AsyncIterator[None]:
    await migrator.execute(SCHEMA)
    yield
    await database.execute("drop schema private_matters cascade; drop function public.refuse()")


@pytest.fixture(autouse=True)
async def reset(database: asyncpg.Pool, rest: httpx.AsyncClient) -> AsyncIterator[None]:
    yield
    for name in SETTINGS:
        await database.execute(f"alter role authenticator reset pgrst.{name}")
    await database.execute("notify pgrst, 'reload config'")
    await settled(rest, "/many", 200, 1000)


async def configure(database: asyncpg.Pool, name: str, value: str) -> None:
    await database.execute(f"alter role authenticator set pgrst.{name} = '{value}'")
    await database.execute("notify pgrst, 'reload config'")


async def settled(rest: httpx.AsyncClient, path: str, status: int, rows: int = 0) -> None:
    async def answers() -> bool:
        answer = await rest.get(path)
        return answer.status_code == status and (not rows or len(answer.json()) == rows)

    await until(answers, what=f"{path} answers {status}")


async def test_a_profile_names_the_schema(rest: httpx.AsyncClient, database: asyncpg.Pool) -> None:
    await configure(database, "db_schemas", "public, private_matters")
    read = {"accept-profile": "private_matters"}

    async def exposed() -> bool:
        return (await rest.get("/teams", headers=read)).status_code == 200

    await until(exposed, what="the second schema is exposed")
    answer = await rest.get("/teams?select=secret,notes(id)", headers=read)
    assert answer.json() == [{"secret": "x", "notes": [{"id": 1}]}]
    assert answer.headers["content-profile"] == "private_matters"
    first = await rest.get("/many?limit=1")
    assert (first.json(), first.headers["content-profile"]) == ([{"id": 1}], "public")
    write = {"content-profile": "private_matters", "prefer": "return=representation"}
    made = await rest.post("/notes", json={"id": 2, "team_id": 1}, headers=write)
    assert (made.status_code, made.json()) == (201, [{"id": 2, "team_id": 1}])
    path = await rest.post("/rpc/where_am_i", headers=write)
    assert path.json() == '"private_matters", "public", "extensions"'
    missing = await rest.get("/players", headers=read)
    assert missing.json()["message"] == (
        "Could not find the table 'private_matters.players' in the schema cache"
    )
    other = await rest.get("/teams", headers={"accept-profile": "auth"})
    assert other.status_code == 406
    assert other.json()["hint"] == "Only the following schemas are exposed: public, private_matters"


async def test_the_page_size_can_be_set(rest: httpx.AsyncClient, database: asyncpg.Pool) -> None:
    await configure(database, "db_max_rows", "5")
    await settled(rest, "/many", 200, 5)
    planned = await rest.get("/many", headers={"prefer": "count=planned"})
    assert planned.status_code == 206
    assert int(planned.headers["content-range"].rpartition("/")[2]) > 5
    estimated = await rest.get("/many?id=lt.4", headers={"prefer": "count=estimated"})
    assert (estimated.status_code, estimated.headers["content-range"]) == (200, "0-2/3")


async def test_a_caller_may_roll_back_where_the_project_allows_it(
    rest: httpx.AsyncClient, database: asyncpg.Pool
) -> None:
    headers = {"prefer": "tx=rollback, return=representation"}
    await configure(database, "db_tx_end", "commit-allow-override")

    async def applied() -> bool:
        answer = await rest.get("/many?limit=1", headers=headers)
        return "tx=rollback" in answer.headers.get("preference-applied", "")

    await until(applied, what="tx is understood")
    answer = await rest.post("/teams", json={"name": "never"}, headers=headers)
    assert answer.status_code == 201
    assert answer.json()[0]["name"] == "never"
    assert await database.fetchval("select count(*) from teams where name = 'never'") == 0


async def test_a_function_can_look_at_every_request_first(
    rest: httpx.AsyncClient, database: asyncpg.Pool
) -> None:
    await configure(database, "db_pre_request", "public.refuse")
    await settled(rest, "/many", 429)
    assert (await rest.post("/rpc/add", json={"a": 1})).json() == 11
