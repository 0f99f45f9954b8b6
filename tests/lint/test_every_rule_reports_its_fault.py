"""Each line of FAULTS plants one fault in a migration; the rule must name its file and line."""

import pytest

from local.lint import declarations, statements, writes
from local.lint.finding import Finding
from local.lint.migration import Migration, unwaived

FILE = "supabase/migrations/20260101000000_jobs.sql"
RULES = (*statements.RULES, *writes.RULES, *declarations.RULES)


def lint(*sources: str) -> list[Finding]:
    """Findings over migrations made of these texts, named in order."""
    migrations = [
        Migration.parse(FILE.replace("0000_", f"000{number}_"), source)
        for number, source in enumerate(sources)
    ]
    return unwaived(migrations, (finding for rule in RULES for finding in rule(migrations)))


def function(body: str, *, language: str = "plpgsql") -> str:
    return f"create function public.f() returns void language {language} as $$\n{body}\n$$;"


FAULTS = [
    ("reserved-schema", 1, "create table auth.profiles (id uuid);"),
    ("reserved-schema", 1, "alter table auth.users add column phone2 text;"),
    ("reserved-schema", 2, "select 1;\nalter table only storage.objects disable trigger all;"),
    ("reserved-schema", 1, "alter table realtime.messages enable row level security;"),
    ("reserved-schema", 1, "drop function if exists auth.uid();"),
    (
        "reserved-schema",
        1,
        "create or replace function auth.uid() returns uuid as 'x' language sql;",
    ),
    (
        "reserved-schema",
        1,
        'create index concurrently if not exists i on "storage".objects (name);',
    ),
    ("reserved-schema", 1, "create policy p on storage.migrations for select using (true);"),
    ("reserved-schema", 1, "create trigger t after insert on realtime.subscription execute f();"),
    ("reserved-schema", 1, "revoke select on table auth.users from anon;"),
    ("reserved-schema", 1, "truncate table storage.objects;"),
    ("reserved-schema", 1, "create view storage.v as select 1;"),
    ("reserved-schema", 3, "do $$\nbegin\ncreate table auth.x ();\nend $$;"),
    ("reserved-schema", 4, "do $$\nbegin\nif true then\ncreate table auth.x (); end if;\nend $$;"),
    ("reserved-role", 1, "alter role postgres with superuser;"),
    ("reserved-role", 1, "alter role anon with login;"),
    ("reserved-role", 1, "alter role supabase_admin set statement_timeout = '1s';"),
    ("reserved-role", 1, "drop role if exists visitor, anon;"),
    ("reserved-role", 1, "grant service_role to visitor;"),
    ("reserved-role", 1, "alter table public.t owner to supabase_admin;"),
    ("extension", 1, "create extension if not exists pgcrypto with schema extensions;"),
    ("extension", 1, "create extension vector version '0.7.0';"),
    ("privileged", 1, "create event trigger t on ddl_command_end execute function f();"),
    ("privileged", 1, "create publication p for all tables;"),
    ("transaction", 1, "begin;\nselect 1;"),
    ("transaction", 2, "select 1;\nCOMMIT;"),
    ("transaction", 1, "savepoint here;"),
    ("transaction", 1, "vacuum full public.jobs;"),
    ("transaction", 1, "alter system set work_mem = '1GB';"),
    ("concurrently", 2, "select 1;\ncreate index concurrently i on public.jobs (id);"),
    ("unfiltered-write", 1, "update public.jobs set attempts = 0;"),
    ("unfiltered-write", 1, "delete from public.jobs;"),
    ("unfiltered-write", 1, "delete from only public.jobs using public.t returning id;"),
    ("unfiltered-write", 1, "update public.a set b = (select 1 from public.c where true);"),
    ("unfiltered-write", 1, "with d as (delete from public.a returning *) select 1 where true;"),
    ("unfiltered-write", 2, function("delete from public.jobs", language="sql")),
    ("unfiltered-write", 3, function("begin\ndelete from public.jobs;\nend")),
    ("unfiltered-write", 3, function("begin\nif x then update public.a set b = 1; end if;\nend")),
    (
        "unfiltered-write",
        2,
        function("begin return query update public.a set b=1 returning *; end"),
    ),
    (
        "unfiltered-write",
        2,
        function(
            "begin for r in delete from public.a returning * loop"
            " update public.b set c = 1 where id = r.id; end loop; end"
        ),
    ),
    ("unfiltered-write", 2, function("begin execute format('delete from %I', p_table); end")),
    ("unfiltered-write", 2, "do $$ begin\ndelete from public.a; end $$;"),
    (
        "unfiltered-write",
        2,
        "create procedure public.p() language sql begin atomic\ndelete from public.a; end;",
    ),
    ("storage-delete", 1, "delete from storage.objects where bucket_id = 'media';"),
    ("storage-delete", 2, function("begin delete from storage.buckets where id = 'm'; end")),
    (
        "storage-delete",
        2,
        function("begin execute 'delete from storage.objects where id = $1' using p; end"),
    ),
    ("migration-table", 1, "insert into storage.migrations (id) values (1);"),
    ("migration-table", 1, "update auth.schema_migrations set version = '1' where true;"),
    (
        "migration-table",
        2,
        "select 1;\ndelete from supabase_migrations.schema_migrations where true;",
    ),
    ("broadcast-payload", 2, function("begin perform realtime.send('[]'::jsonb, 'e', 't'); end")),
    ("broadcast-payload", 2, function("begin perform realtime.send(jsonb_agg(x), 'e', 't'); end")),
    ("broadcast-payload", 1, "select realtime.send(null, 'change', 'topic', true);"),
    ("broadcast-payload", 1, "select realtime.send(payload => '1', event => 'e', topic => 't');"),
    ("broadcast-changes", 2, function("begin perform realtime.broadcast_changes('t'); end")),
    (
        "definer-reason",
        2,
        "select 1;\ncreate function f() returns int language sql security definer as 'select 1';",
    ),
]

CLEAN = [
    "create policy p on realtime.messages for select to authenticated using (true);",
    "drop policy if exists p on storage.objects;",
    "comment on policy p on storage.objects is 'members read the media of their company';",
    "create trigger t after insert on auth.users for each row execute function private.f();",
    "create table public.members (user_id uuid references auth.users (id) on delete cascade);",
    "insert into storage.buckets (id, name) values ('media', 'media');",
    "alter role authenticator set statement_timeout = '8s';",
    "alter role authenticated reset statement_timeout;",
    "grant select on public.jobs to service_role;",
    "grant usage on schema private to service_role;",
    "grant select, insert, update, delete on public.jobs to service_role;",
    "create extension if not exists vector with schema extensions;",
    "create index concurrently i on public.jobs (id);",
    "create policy p on public.jobs for delete to authenticated using (true);",
    "create trigger t before update or delete on public.jobs for each row execute function p.f();",
    "comment on table public.jobs is 'begin; delete from public.jobs;'; -- commit; delete from x",
    "/* nested /* delete from public.a; */ begin; */ select 1;",
    "select $tag$ delete from public.a; $tag$, 'it''s; commit;', \"delete\" from x;",
    "select E'\\'; commit; delete from public.a;';",
    "select id from public.jobs for update of jobs skip locked;",
    "insert into public.a values (1) on conflict (id) do update set b = 2;",
    "update public.jobs set note = case when a then 'x' else 'y' end where id = 1;",
    "merge into public.a using public.b on true when matched then update set c = 1;",
    function("begin perform 1 from public.a for no key update; end"),
    function("begin return case when p_x then 1 else comment end; end"),
    function("begin return (select case when p_x then 1 else comment end); v := drop; end"),
    function("begin execute format('delete from %I where id = $1', t) using p_id; end"),
    function("begin perform realtime.send('{\"v\":1}', 'e', 't'); end"),
    function("begin perform realtime.send(jsonb_build_object('v', 1), 'e', 't'); end"),
    function("begin perform realtime.send(payload => jsonb_build_object('v', 1)); end"),
    "insert into public.migrations values (1);",
    "select version from supabase_migrations.schema_migrations;",
    function(
        "begin begin delete from public.a where id = 1; exception when others then null; end; end"
    ),
    "-- definer because the policy would ask itself.\n"
    "create function public.f() returns int language sql security definer as 'select 1';",
]


@pytest.mark.parametrize(("rule", "line", "source"), FAULTS)
def test_a_planted_fault_is_reported_where_it_stands(rule: str, line: int, source: str) -> None:
    found = lint(source)
    assert [(f.rule, f.file, f.line) for f in found if f.rule == rule] == [(rule, FILE, line)]


@pytest.mark.parametrize("source", CLEAN)
def test_what_hosted_projects_accept_passes(source: str) -> None:
    assert lint(source) == []


def test_a_name_of_a_later_file_is_reported() -> None:
    early = function("begin perform 1 from public.campaigns; end")
    later = "create table public.campaigns (id uuid);"
    assert [(f.rule, f.line) for f in lint(early, later)] == [("forward-reference", 2)]
    assert lint(later, early) == []


def test_a_file_name_that_the_cli_skips_is_reported() -> None:
    found = [
        Migration.parse(f"supabase/migrations/{name}", "select 1;")
        for name in ("20260101000000_jobs.sql", "20260101000000_cache.sql", "1_jobs.sql")
    ]
    assert [(f.file.rpartition("/")[2], f.rule) for f in statements.file_names(found)] == [
        ("20260101000000_cache.sql", "file-name"),
        ("1_jobs.sql", "file-name"),
    ]


def test_a_reason_in_place_waives_one_rule_for_one_statement() -> None:
    reason = "-- lint: allow unfiltered-write because the table has one row\n"
    assert lint(f"{reason}delete from public.a;") == []
    assert [f.line for f in lint(f"{reason}delete from public.a;\ndelete from public.b;")] == [3]
    assert lint("-- lint: allow unfiltered-write\ndelete from public.a;") != []
    assert lint(f"{reason}vacuum;") != []


def test_a_finding_reads_as_place_rule_and_advice() -> None:
    assert str(lint("delete from public.a;")[0]) == (
        f"{FILE}:1: unfiltered-write: the API refuses delete without where"
    )
