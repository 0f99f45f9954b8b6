"""Rules about the migrated database, asked of its catalog: row security, grants, comments.

Each rule is one query over our own tables or functions and yields the name of the offender. What an
extension owns, and what stands in a schema of Supabase's, is not ours.
"""

from collections.abc import Mapping, Sequence

import asyncpg

from local.lint.finding import Finding
from local.lint.statements import RESERVED_SCHEMAS

_OURS = """
with ours as (
  select oid, nspname from pg_catalog.pg_namespace
  where nspname <> all ($1::text[]) and nspname !~ '^pg_'
), relation as (
  select c.oid, nspname || '.' || c.relname as name, nspname, c.relname, c.relkind, c.relacl,
         c.relrowsecurity, c.relowner
  from pg_catalog.pg_class c join ours on ours.oid = c.relnamespace
  where not exists (select from pg_catalog.pg_depend d
                    where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid
                      and d.deptype = 'e')
), routine as (
  select p.oid, nspname || '.' || p.proname as name, nspname, p.proname, p.proacl, p.prosecdef,
         p.proconfig, p.proowner, p.prorettype
  from pg_catalog.pg_proc p join ours on ours.oid = p.pronamespace
  where not exists (select from pg_catalog.pg_depend d
                    where d.classid = 'pg_catalog.pg_proc'::regclass and d.objid = p.oid
                      and d.deptype = 'e')
)
"""

# rule -> (what is wrong, the query for the names)
RULES: Mapping[str, tuple[str, str]] = {
    "row-security": (
        "enable row level security",
        "select name from relation where relkind in ('r', 'p') and not relrowsecurity",
    ),
    "table-grant": (
        "grant it to the roles that use it: new projects grant nothing by themselves",
        """
        select name from relation
        where relkind in ('r', 'p', 'v', 'm') and nspname = 'public'
          and not exists (
            select from pg_catalog.aclexplode(relacl) as entry
            join pg_catalog.pg_roles on pg_roles.oid = entry.grantee
            where rolname in ('anon', 'authenticated', 'service_role'))
          and not exists (
            select from pg_catalog.pg_attribute as a, pg_catalog.aclexplode(a.attacl) as entry
            where a.attrelid = relation.oid)
        """,
    ),
    "table-open-to-all": (
        "is granted to PUBLIC: name the roles",
        """
        select name from relation
        where exists (select from pg_catalog.aclexplode(relacl) as entry where entry.grantee = 0)
        """,
    ),
    "table-comment": (
        "comment on it: what one row is, and its states",
        """
        select name from relation
        where relkind in ('r', 'p', 'v', 'm')
          and pg_catalog.obj_description(oid, 'pg_class') is null
        """,
    ),
    "search-path": (
        "set search_path = '' and qualify every name",
        """
        select name from routine
        where not 'search_path=""' = any (coalesce(proconfig, '{}'))
        """,
    ),
    "function-open-to-all": (
        "PUBLIC may execute it: revoke that and name the roles",
        """
        select name from routine
        where exists (
          select from pg_catalog.aclexplode(
            coalesce(proacl, pg_catalog.acldefault('f', proowner))) as entry
          where entry.grantee = 0)
        """,
    ),
    "function-grant": (
        "no role of the API may execute it: grant it, or move it to private",
        """
        select name from routine
        where nspname = 'public' and prorettype <> 'pg_catalog.trigger'::regtype
          and not exists (
            select from pg_catalog.pg_roles
            where rolname in ('anon', 'authenticated', 'service_role')
              and pg_catalog.has_function_privilege(pg_roles.oid, routine.oid, 'execute'))
        """,
    ),
    "definer-for-anon": (
        "runs as its owner and anyone on the internet may call it",
        """
        select name from routine
        where prosecdef and pg_catalog.has_function_privilege('anon', oid, 'execute')
        """,
    ),
    "function-comment": (
        "comment on it: the promise first",
        "select name from routine where pg_catalog.obj_description(oid, 'pg_proc') is null",
    ),
    "overload": (
        "PostgREST picks functions by argument names: one name, one function",
        "select name from routine where nspname <> 'private' group by name having count(*) > 1",
    ),
}


async def check(database_url: str, places: Mapping[str, tuple[str, int]]) -> list[Finding]:
    """Every fault in this database; `places` says where each name is declared."""
    connection = await asyncpg.connect(database_url)
    try:
        findings = [
            finding for rule in RULES for finding in await _broken(connection, rule, places)
        ]
    finally:
        await connection.close()
    return sorted(findings)


async def _broken(
    connection: "asyncpg.Connection[asyncpg.Record]",
    rule: str,
    places: Mapping[str, tuple[str, int]],
) -> Sequence[Finding]:
    text, query = RULES[rule]
    rows = await connection.fetch(_OURS + query, sorted(RESERVED_SCHEMAS))
    found = []
    for (name,) in rows:
        file, line = places.get(name, ("database", 0))
        found.append(Finding(file, line, rule, f"{name}: {text}"))
    return found
