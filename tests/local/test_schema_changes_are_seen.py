"""After DDL the gateway answers by the new schema, without a restart."""

import asyncio

import asyncpg
import httpx


async def test_new_functions_and_tables_are_there_at_once(
    migrator: asyncpg.Pool, rest: httpx.AsyncClient
) -> None:
    for number in range(5):
        await migrator.execute(
            f"create function public.new_{number}() returns int language sql as 'select {number}';"
            f"create table public.fresh_{number} (id int);"
            f"grant select on public.fresh_{number} to service_role"
        )
        assert (await rest.post(f"/rpc/new_{number}")).json() == number
        assert (await rest.get(f"/fresh_{number}")).json() == []
        await migrator.execute(f"alter table public.fresh_{number} add more int")
        assert (await rest.get(f"/fresh_{number}?select=more")).status_code == 200


async def test_a_changed_return_type_is_followed(
    migrator: asyncpg.Pool, rest: httpx.AsyncClient
) -> None:
    await migrator.execute(
        "create function public.turning() returns int language sql as 'select 1'"
    )
    for _ in range(3):
        assert (await rest.post("/rpc/turning")).json() == 1
    await migrator.execute(
        "drop function public.turning();"
        "create function public.turning() returns table (a int) language sql as 'select 1'"
    )
    async with asyncio.timeout(10):
        while (await rest.post("/rpc/turning")).json() != [{"a": 1}]:
            await asyncio.sleep(0.01)


async def test_plans_prepared_before_ddl_do_not_fail(
    migrator: asyncpg.Pool, rest: httpx.AsyncClient
) -> None:
    await migrator.execute(
        "create type public.mood as enum ('good');"
        "create table public.moods (id int, mood public.mood);"
        "grant select, insert on public.moods to service_role"
    )
    for _ in range(8):
        await rest.post("/moods", json={"id": 1, "mood": "good"})
        assert (await rest.get("/moods?mood=eq.good&select=*")).status_code == 200
    await migrator.execute(
        "alter table public.moods drop column mood; drop type public.mood;"
        "create type public.mood as enum ('bad');"
        "alter table public.moods add mood public.mood"
    )
    for _ in range(8):
        posted = await rest.post("/moods", json={"id": 2, "mood": "bad"})
        assert posted.status_code == 201, posted.text
        answer = await rest.get("/moods?mood=eq.bad&select=*&limit=1")
        assert answer.json() == [{"id": 2, "mood": "bad"}], answer.text


async def test_notify_reloads_even_where_no_trigger_sees_it(
    database: asyncpg.Pool, rest: httpx.AsyncClient
) -> None:
    await database.execute("alter role service_role set lock_timeout = '7s'")
    try:
        await database.execute("notify pgrst, 'reload config'")
        async with asyncio.timeout(10):
            body = {"name": "lock_timeout"}
            while (await rest.post("/rpc/setting", json=body)).json() != "7s":
                await asyncio.sleep(0.01)
    finally:
        await database.execute("alter role service_role reset lock_timeout")
        await database.execute("notify pgrst, 'reload config'")
