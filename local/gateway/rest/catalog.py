"""What the exposed schema has, read from pg_catalog: the only source of names in our SQL.

Types are spelled qualified, by a transaction with an empty search_path, and without length: a
value is cast to them as text, and a cast to varchar(3) would cut it silently.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import orjson

SCHEMA = "public"
# Function settings that must be in force before the function starts to have any effect.
HOISTED_SETTINGS = ("statement_timeout",)


def quote(name: str) -> str:
    """An SQL identifier for `name`, whatever characters it has."""
    # A NUL would end the statement's text in the protocol.
    return '"' + name.replace("\0", "").replace('"', '""') + '"'


def literal(text: str) -> str:
    """An SQL string for a name out of the catalog; values from outside are bound instead."""
    return "'" + text.replace("'", "''") + "'"


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The one of `names` that a typing error would make of it, if any."""
    found = get_close_matches(name, names, n=1, cutoff=0.75)
    return found[0] if found else None


@dataclass(frozen=True, slots=True)
class Column:
    """`default` is the SQL expression for a missing value, None when that is null."""

    name: str
    type: str
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or view; `columns` by name, in their order."""

    name: str
    columns: dict[str, Column]
    primary_key: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """`table` (`columns`) refers to `target` (`target_columns`); `unique`: at most one row does."""

    name: str
    table: str
    columns: tuple[str, ...]
    target: str
    target_columns: tuple[str, ...]
    unique: bool


@dataclass(frozen=True, slots=True)
class Parameter:
    """An input of a function; the name is '' for an unnamed one."""

    name: str
    type: str
    required: bool
    variadic: bool


@dataclass(frozen=True, slots=True)
class Function:
    """`columns` are those of a row it returns, None when it returns scalars."""

    name: str
    parameters: tuple[Parameter, ...]
    returns_set: bool
    returns_void: bool
    columns: dict[str, Column] | None
    returns_table: str | None
    writes: bool
    settings: tuple[tuple[str, str], ...]

    @property
    def signature(self) -> str:
        """For messages: public.f(a => integer)."""
        shown = ", ".join(f"{p.name} => {p.type}" for p in self.parameters)
        return f"{SCHEMA}.{self.name}({shown})"


@dataclass(frozen=True, slots=True)
class Catalog:
    """One moment of the schema."""

    relations: dict[str, Relation] = field(default_factory=dict)
    functions: dict[str, list[Function]] = field(default_factory=dict)
    foreign_keys: tuple[ForeignKey, ...] = ()
    role_settings: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)


async def load(connection: Any) -> Catalog:
    """Reads the schema; `connection` is a plain asyncpg connection outside a transaction."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute("set local search_path = ''")
        relations = [_relation(row) for row in await connection.fetch(RELATIONS, SCHEMA)]
        by_name = {relation.name: relation for relation in relations}
        functions: dict[str, list[Function]] = {}
        for row in await connection.fetch(FUNCTIONS, SCHEMA):
            function = _function(row)
            if all(p.name for p in function.parameters) or len(function.parameters) == 1:
                functions.setdefault(function.name, []).append(function)
        keys = [_foreign_key(row) for row in await connection.fetch(FOREIGN_KEYS, SCHEMA)]
        settings: dict[str, tuple[tuple[str, str], ...]] = {}
        for row in await connection.fetch(ROLE_SETTINGS):
            settings[row["role"]] = (*settings.get(row["role"], ()), (row["name"], row["value"]))
    return Catalog(by_name, functions, tuple(keys), settings)


def _columns(described: str) -> dict[str, Column]:
    rows = orjson.loads(described)
    return {row["name"]: Column(row["name"], row["type"], row.get("default")) for row in rows}


def _relation(row: Any) -> Relation:
    return Relation(row["name"], _columns(row["columns"]), tuple(row["primary_key"]))


def _foreign_key(row: Any) -> ForeignKey:
    return ForeignKey(
        row["name"],
        row["table"],
        tuple(row["columns"]),
        row["target"],
        tuple(row["target_columns"]),
        row["is_unique"],
    )


def _function(row: Any) -> Function:
    modes = row["modes"] or ["i"] * len(row["types"])
    names = row["names"] or [""] * len(row["types"])
    arguments = list(zip(names, row["types"], modes, strict=True))
    inputs = [argument for argument in arguments if argument[2] in "ibv"]
    outputs = [argument for argument in arguments if argument[2] in "obt"]
    required = len(inputs) - row["defaults"]
    columns = None
    if outputs:
        columns = {name: Column(name, type_) for name, type_, _ in outputs}
    elif row["returned_columns"] is not None:
        columns = _columns(row["returned_columns"])
    settings = [entry.partition("=")[::2] for entry in row["settings"] or []]
    return Function(
        name=row["name"],
        parameters=tuple(
            Parameter(name, type_, index < required and mode != "v", mode == "v")
            for index, (name, type_, mode) in enumerate(inputs)
        ),
        returns_set=row["returns_set"],
        returns_void=row["returns_void"],
        columns=columns,
        returns_table=row["returned_table"],
        writes=row["volatility"] == "v",
        settings=tuple((k.lower(), v) for k, v in settings if k.lower() in HOISTED_SETTINGS),
    )


RELATIONS = """
select c.relname as name,
  coalesce((
    select json_agg(json_build_object(
        'name', a.attname,
        'type', pg_catalog.format_type(a.atttypid, -1),
        'default', case
          when a.attgenerated <> '' then null
          when a.attidentity <> '' then format('nextval(%L::regclass)',
            pg_catalog.pg_get_serial_sequence(format('%I.%I', n.nspname, c.relname), a.attname))
          when d.adbin is not null then pg_catalog.pg_get_expr(d.adbin, d.adrelid)
        end) order by a.attnum)
    from pg_catalog.pg_attribute a
    left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped), '[]')::text as columns,
  array(
    select a.attname::text
    from pg_catalog.pg_index i
    cross join unnest(i.indkey::int2[]) with ordinality as k (attnum, place)
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
    where i.indrelid = c.oid and i.indisprimary order by k.place) as primary_key
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname = $1 and c.relkind in ('r', 'p', 'v', 'm', 'f')
"""

FOREIGN_KEYS = """
select k.conname as name, t.relname as "table", f.relname as target,
  (select array_agg(a.attname::text order by u.place)
   from unnest(k.conkey) with ordinality as u (attnum, place)
   join pg_catalog.pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.attnum) as columns,
  (select array_agg(a.attname::text order by u.place)
   from unnest(k.confkey) with ordinality as u (attnum, place)
   join pg_catalog.pg_attribute a on a.attrelid = k.confrelid and a.attnum = u.attnum)
     as target_columns,
  exists (
    select from pg_catalog.pg_constraint u
    where u.conrelid = k.conrelid and u.contype in ('p', 'u')
      and u.conkey <@ k.conkey and u.conkey @> k.conkey) as is_unique
from pg_catalog.pg_constraint k
join pg_catalog.pg_class t on t.oid = k.conrelid
join pg_catalog.pg_class f on f.oid = k.confrelid
where k.contype = 'f' and k.conparentid = 0
  and t.relnamespace = $1::regnamespace and f.relnamespace = $1::regnamespace
order by k.conname
"""

FUNCTIONS = """
select p.proname as name,
  p.proargnames as names,
  p.proargmodes::text[] as modes,
  array(
    select pg_catalog.format_type(a.type, -1)
    from unnest(coalesce(p.proallargtypes, p.proargtypes::oid[]))
      with ordinality as a (type, place)
    order by a.place) as types,
  p.pronargdefaults as defaults,
  p.proretset as returns_set,
  p.prorettype = 'void'::regtype as returns_void,
  p.provolatile::text as volatility,
  p.proconfig as settings,
  case when r.relnamespace = p.pronamespace then r.relname end as returned_table,
  case when r.oid is not null then (
    select json_agg(json_build_object(
      'name', a.attname, 'type', pg_catalog.format_type(a.atttypid, -1)) order by a.attnum)
    from pg_catalog.pg_attribute a
    where a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped)::text
  end as returned_columns
from pg_catalog.pg_proc p
join pg_catalog.pg_type t on t.oid = p.prorettype
left join pg_catalog.pg_class r on r.oid = t.typrelid
where p.pronamespace = $1::regnamespace and p.prokind = 'f'
  and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
order by p.proname, p.oid
"""

ROLE_SETTINGS = """
select r.rolname as role, split_part(s.setting, '=', 1) as name,
  substr(s.setting, strpos(s.setting, '=') + 1) as value
from pg_catalog.pg_roles r
cross join unnest(r.rolconfig) as s (setting)
join pg_catalog.pg_settings g on g.name = split_part(s.setting, '=', 1) and g.context = 'user'
where pg_catalog.pg_has_role('authenticator', r.oid, 'member') and r.rolname <> 'authenticator'
"""
