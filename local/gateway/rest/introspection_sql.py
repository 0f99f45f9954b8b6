"""The queries on pg_catalog that introspection.py turns into the catalog."""

CONFIG = """
select distinct on (name) replace(split_part(setting, '=', 1), 'pgrst.', '') as name,
  substr(setting, strpos(setting, '=') + 1) as value
from pg_catalog.pg_db_role_setting s
join pg_catalog.pg_roles r on r.oid = s.setrole
cross join unnest(s.setconfig) as setting
where r.rolname = $1 and setting like 'pgrst.%' and s.setdatabase in (
  0, (select oid from pg_catalog.pg_database where datname = current_database()))
order by name, s.setdatabase desc
"""

RELATIONS = """
with recursive base_types (oid, base) as (
  select oid, oid from pg_catalog.pg_type where typbasetype = 0
  union all
  select t.oid, b.base from pg_catalog.pg_type t join base_types b on b.oid = t.typbasetype
)
select n.nspname as schema, c.relname as name, c.relkind in ('v', 'm') as is_view,
  coalesce((
    select json_agg(json_build_object(
        'name', a.attname,
        'type', case t.typtype
          when 'd' then pg_catalog.format_type(a.atttypid, a.atttypmod)
          else pg_catalog.format_type(a.atttypid, -1) end,
        'base', pg_catalog.format_type(b.base, -1),
        'default', case
          when a.attidentity = 'd' then format('nextval(%L::regclass)',
            pg_catalog.pg_get_serial_sequence(format('%I.%I', n.nspname, c.relname), a.attname))
          when a.attgenerated <> '' or a.attidentity <> '' then null
          when d.adbin is not null then pg_catalog.pg_get_expr(d.adbin, d.adrelid)
          else pg_catalog.pg_get_expr(t.typdefaultbin, 0)
        end) order by a.attnum)
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_type t on t.oid = a.atttypid
    join base_types b on b.oid = t.oid
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
where c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
  and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
order by n.nspname, c.relname
"""

CASTS = """
select pg_catalog.format_type(c.castsource, null) as source,
  pg_catalog.format_type(c.casttarget, null) as target, n.nspname as schema, p.proname as name
from pg_catalog.pg_cast c
join pg_catalog.pg_type s on s.oid = c.castsource
join pg_catalog.pg_type t on t.oid = c.casttarget
join pg_catalog.pg_proc p on p.oid = c.castfunc
join pg_catalog.pg_namespace n on n.oid = p.pronamespace
where c.castcontext = 'i' and (s.typtype = 'd' or t.typtype = 'd')
"""

VIEWS = """
select n.nspname as schema, c.relname as name, r.ev_action::text as query,
  (select json_object_agg(a.attnum, a.attname) from pg_catalog.pg_attribute a
   where a.attrelid = c.oid and a.attnum > 0)::text as columns,
  (select json_object_agg(b.oid, json_build_object('schema', bn.nspname, 'name', b.relname,
     'columns', (select json_object_agg(a.attnum, a.attname) from pg_catalog.pg_attribute a
                 where a.attrelid = b.oid and a.attnum > 0)))
   from pg_catalog.pg_class b
   join pg_catalog.pg_namespace bn on bn.oid = b.relnamespace
   where b.oid in (
     select d.refobjid from pg_catalog.pg_depend d
     where d.classid = 'pg_catalog.pg_rewrite'::regclass and d.objid = r.oid
       and d.refclassid = 'pg_catalog.pg_class'::regclass))::text as bases
from pg_catalog.pg_rewrite r
join pg_catalog.pg_class c on c.oid = r.ev_class
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('v', 'm') and r.rulename = '_RETURN'
  and n.nspname not in ('pg_catalog', 'information_schema')
"""

FOREIGN_KEYS = """
select k.conname as name, ns.nspname as schema, t.relname as "table",
  fs.nspname as target_schema, f.relname as target,
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
join pg_catalog.pg_namespace ns on ns.oid = t.relnamespace
join pg_catalog.pg_class f on f.oid = k.confrelid
join pg_catalog.pg_namespace fs on fs.oid = f.relnamespace
where k.contype = 'f' and k.conparentid = 0
order by k.conname
"""

COMPUTED = """
select pn.nspname as schema, p.proname as name, not p.proretset or p.prorows = 1 as to_one,
  sn.nspname as source_schema, s.typname as source, tn.nspname as target_schema, t.typname as target
from pg_catalog.pg_proc p
join pg_catalog.pg_namespace pn on pn.oid = p.pronamespace
join pg_catalog.pg_type s on s.oid = p.proargtypes[0]
join pg_catalog.pg_class sc on sc.oid = s.typrelid and sc.relkind in ('r', 'p', 'v', 'm', 'f')
join pg_catalog.pg_namespace sn on sn.oid = s.typnamespace
join pg_catalog.pg_type t on t.oid = p.prorettype
join pg_catalog.pg_class tc on tc.oid = t.typrelid and tc.relkind in ('r', 'p', 'v', 'm', 'f')
join pg_catalog.pg_namespace tn on tn.oid = t.typnamespace
where p.pronargs = 1
order by p.oid
"""

FUNCTIONS = """
select n.nspname as schema, p.proname as name,
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
  t.typtype = 'c' as returns_rows,
  p.provolatile::text as volatility,
  p.proconfig as settings,
  rn.nspname as table_schema, r.relname as table
from pg_catalog.pg_proc p
join pg_catalog.pg_namespace n on n.oid = p.pronamespace
join pg_catalog.pg_type o on o.oid = p.prorettype
join pg_catalog.pg_type t on t.oid = coalesce(nullif(o.typbasetype, 0), o.oid)
left join pg_catalog.pg_class r on r.oid = t.typrelid
left join pg_catalog.pg_namespace rn on rn.oid = r.relnamespace
where n.nspname = any($1) and p.prokind = 'f'
  and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
order by p.proname, p.oid
"""

HANDLERS = """
with media_types as (
  select t.oid, t.typname, n.nspname
  from pg_catalog.pg_type t
  join pg_catalog.pg_namespace n on n.oid = t.typnamespace
  where t.typtype = 'd'
    and (t.typname ~* '^[a-z0-9.-]+/[a-z0-9.+-]+$' or t.typname = '*/*')
)
select pn.nspname as schema, p.proname as name, an.nspname as target_schema, a.typname as target,
  m.typname as media_type
from media_types m
join pg_catalog.pg_proc p on p.prorettype = m.oid and p.pronargs = 1
join pg_catalog.pg_namespace pn on pn.oid = p.pronamespace
join pg_catalog.pg_aggregate g on g.aggfnoid = p.oid
join pg_catalog.pg_type a on a.oid = p.proargtypes[0]
  and (a.typtype = 'c' or a.typname = 'anyelement')
join pg_catalog.pg_namespace an on an.oid = a.typnamespace
where pn.nspname = any($1)
union all
select m.nspname, m.typname, pn.nspname, p.proname, m.typname
from media_types m
join pg_catalog.pg_proc p on p.prorettype = m.oid and p.prokind = 'f' and not p.proretset
join pg_catalog.pg_namespace pn on pn.oid = p.pronamespace
where pn.nspname = any($1)
"""

ROLE_SETTINGS = """
select r.rolname as role, split_part(s.setting, '=', 1) as name,
  substr(s.setting, strpos(s.setting, '=') + 1) as value
from pg_catalog.pg_roles r
cross join unnest(r.rolconfig) as s (setting)
join pg_catalog.pg_settings g on g.name = split_part(s.setting, '=', 1) and g.context = 'user'
where pg_catalog.pg_has_role($1, r.oid, 'member') and r.rolname <> $1
"""
