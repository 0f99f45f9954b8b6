"""What a hosted project grants, owns and forbids holds for the bootstrapped database."""

import asyncpg
import pytest

from local.bootstrap import BootstrapChanged, bootstrap
from local.stack import Stack


async def test_roles_have_the_attributes_of_hosted(database: asyncpg.Pool) -> None:
    rows = await database.fetch(
        "select rolname, rolsuper, rolbypassrls, rolcanlogin, rolinherit, rolcreaterole,"
        " rolcreatedb from pg_roles"
    )
    roles = {row[0]: tuple(row)[1:] for row in rows}
    yes, no = True, False
    assert roles["supabase_admin"][0] is yes
    assert roles["postgres"] == (no, yes, yes, yes, yes, yes)
    assert roles["authenticator"] == (no, no, yes, no, no, no)
    assert roles["service_role"][:3] == (no, yes, no)
    assert roles["anon"][:3] == roles["authenticated"][:3] == (no, no, no)
    assert {"supabase_auth_admin", "supabase_storage_admin", "dashboard_user"} <= set(roles)


async def test_new_objects_in_public_have_no_grants(migrator: asyncpg.Pool) -> None:
    await migrator.execute(
        "create table public.bare (id serial); create function public.bare_f() returns int"
        " language sql as 'select 1'"
    )
    for role in ("anon", "authenticated", "service_role"):
        can = await migrator.fetchrow(
            "select has_table_privilege($1, 'public.bare', 'select') as read,"
            " has_sequence_privilege($1, 'public.bare_id_seq', 'usage') as count,"
            " has_function_privilege($1, 'public.bare_f()', 'execute') as call",
            role,
        )
        assert dict(can) == {"read": False, "count": False, "call": True}
    await migrator.execute("drop table public.bare; drop function public.bare_f()")


async def test_postgres_may_do_what_migrations_do(migrator: asyncpg.Pool) -> None:
    async with migrator.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(
            """
            create table public.t (owner uuid references auth.users);
            create policy p on storage.objects for select to authenticated
              using (owner = auth.uid());
            create policy p on storage.buckets for select to anon using (true);
            create policy p on realtime.messages for select to authenticated
              using (realtime.topic() = 'x');
            create function public.f() returns trigger language plpgsql as 'begin return new; end';
            create trigger t after insert on auth.users for each row execute function public.f();
            insert into storage.buckets (id, name, public) values ('b', 'b', false);
            create extension if not exists vector with schema extensions;
            create schema private;
            alter default privileges revoke execute on functions from public;
            alter role authenticated set statement_timeout = '9s';
            alter publication supabase_realtime add table public.t;
            create role app_reader;
            """
        )
        await transaction.rollback()


@pytest.mark.parametrize(
    "statement",
    [
        "alter system set work_mem = '1GB'",
        "create extension file_fdw",
        "copy (select 1) to program 'true'",
        "select pg_read_file('/etc/passwd')",
        "alter role supabase_admin nologin",
        "create role another superuser",
        "set session authorization supabase_admin",
        "delete from storage.objects",
        "delete from storage.buckets where id = 'x'",
    ],
)
async def test_postgres_is_no_superuser(migrator: asyncpg.Pool, statement: str) -> None:
    with pytest.raises(asyncpg.PostgresError):
        await migrator.execute(statement)


async def test_the_caller_is_read_from_the_request(database: asyncpg.Pool) -> None:
    async with database.acquire() as connection, connection.transaction():
        who = "select auth.uid()::text, auth.role(), auth.email(), auth.jwt() ->> 'x'"
        assert tuple(await connection.fetchrow(who)) == (None, None, None, None)
        uid = "11111111-1111-1111-1111-111111111111"
        claims = f'{{"sub":"{uid}","role":"authenticated","email":"a@b.co","x":"y"}}'
        await connection.execute("select set_config('request.jwt.claims', $1, true)", claims)
        assert tuple(await connection.fetchrow(who)) == (uid, "authenticated", "a@b.co", "y")
        await connection.execute("select set_config('request.jwt.claims', '', true)")
        assert tuple(await connection.fetchrow(who)) == (None, None, None, None)


async def test_paths_are_taken_apart(database: asyncpg.Pool) -> None:
    parts = await database.fetchrow(
        "select storage.foldername('a/b/c.tar.gz'), storage.filename('a/b/c.tar.gz'),"
        " storage.extension('a/b/c.tar.gz'), storage.foldername('c')"
    )
    assert tuple(parts) == (["a", "b"], "c.tar.gz", "gz", [])


async def test_the_bootstrap_runs_once_and_notices_other_files(
    league: Stack, database: asyncpg.Pool
) -> None:
    assert await bootstrap(league.database_url) is False
    mark = await database.fetchval(
        "select shobj_description(oid, 'pg_database') from pg_database where datname = 'postgres'"
    )
    await database.execute("comment on database postgres is 'local bootstrap of yesterday'")
    try:
        with pytest.raises(BootstrapChanged, match="starts over"):
            await bootstrap(league.database_url)
    finally:
        await database.execute(f"comment on database postgres is '{mark}'")
