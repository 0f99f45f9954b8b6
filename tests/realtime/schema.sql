-- The smallest database side of protocol ledger/1, for tests of its Python side: scopes with gapless
-- versions, rows with `rev`, broadcasts in the writing transaction, sync and heads.

create schema probe;
grant usage on schema probe to authenticated, service_role;

create table probe.members (
  company_id uuid not null,
  user_id uuid not null,
  primary key (company_id, user_id)
);
create table probe.scopes (
  scope text primary key,
  company_id uuid not null,
  epoch uuid not null default gen_random_uuid(),
  version bigint not null default 0
);
create table probe.rows (
  id uuid primary key default gen_random_uuid(),
  scope text not null references probe.scopes,
  rev bigint not null,
  body text not null,
  deleted_at timestamptz
);
create index on probe.rows (scope, rev);
grant select on all tables in schema probe to authenticated, service_role;

create policy "members hear their scopes" on realtime.messages
for select to authenticated
using (
  extension = 'broadcast'
  and exists (
    select 1
    from probe.scopes s
    join probe.members m using (company_id)
    where s.scope = (select realtime.topic()) and m.user_id = (select auth.uid())
  )
);

create policy "members write in rooms" on realtime.messages
for insert to authenticated
with check (
  extension = 'broadcast'
  and realtime.topic() like 'room:%'
  and exists (
    select 1
    from probe.scopes s
    join probe.members m using (company_id)
    where s.scope = realtime.topic() and m.user_id = (select auth.uid())
  )
);

-- One statement's worth of writes: p_rows is [{"id"?, "body", "deleted"?}]. Tells the new version.
create function probe.write(p_scope text, p_rows jsonb, p_silent boolean default false)
returns bigint
language plpgsql security definer set search_path = ''
as $$
declare
  v_scope probe.scopes;
  v_prev bigint;
  v_rows jsonb := '[]';
  v_row probe.rows;
  v_item jsonb;
begin
  update probe.scopes set version = version + jsonb_array_length(p_rows)
  where scope = p_scope returning * into strict v_scope;
  v_prev := v_scope.version - jsonb_array_length(p_rows);
  for v_item in select * from jsonb_array_elements(p_rows) loop
    v_prev := v_prev + 1;
    insert into probe.rows as r (id, scope, rev, body, deleted_at)
    values (
      coalesce((v_item ->> 'id')::uuid, gen_random_uuid()), p_scope, v_prev, v_item ->> 'body',
      case when (v_item ->> 'deleted')::boolean then now() end
    )
    on conflict (id) do update
    set rev = excluded.rev, body = excluded.body, deleted_at = excluded.deleted_at
    returning * into v_row;
    v_rows := v_rows || to_jsonb(v_row);
  end loop;
  if not p_silent then
    perform realtime.send(
      jsonb_build_object(
        'v', 1, 'scope', p_scope, 'epoch', v_scope.epoch, 'at', clock_timestamp(),
        'prev', v_scope.version - jsonb_array_length(p_rows), 'ver', v_scope.version,
        'rows', case when length(v_rows::text) <= 16384 then v_rows end
      ),
      'change', p_scope
    );
  end if;
  return v_scope.version;
end
$$;

-- What a restore does: another epoch, an earlier version, some rows gone for good.
create function probe.restore(p_scope text) returns void
language sql security definer set search_path = ''
as $$
  delete from probe.rows r using probe.scopes s
  where r.scope = p_scope and s.scope = p_scope and r.rev > s.version / 2;
  update probe.scopes set epoch = gen_random_uuid(), version = version / 2 where scope = p_scope;
$$;

create function probe.sync(p_scope text, p_after bigint, p_epoch uuid, p_limit int)
returns jsonb
language plpgsql stable set search_path = ''
as $$
declare
  v_scope probe.scopes;
  v_reset boolean;
  v_rows jsonb;
  v_count int;
  v_ver bigint;
begin
  select * into strict v_scope from probe.scopes where scope = p_scope;
  v_reset := p_epoch is distinct from v_scope.epoch
    or p_after > v_scope.version or v_scope.version - p_after > 500;
  select coalesce(jsonb_agg(to_jsonb(r) order by r.rev), '[]'), count(*), max(r.rev)
  into v_rows, v_count, v_ver
  from (
    (select * from probe.rows where not v_reset and scope = p_scope and rev > p_after
     order by rev limit p_limit)
    union all
    (select * from probe.rows where v_reset and scope = p_scope and deleted_at is null
     order by rev desc limit 100)
  ) r;
  return jsonb_build_object(
    'epoch', v_scope.epoch, 'reset', v_reset, 'head', v_scope.version, 'rows', v_rows,
    'more', not v_reset and v_count = p_limit and v_ver < v_scope.version,
    'ver', case when not v_reset and v_count = p_limit then v_ver else v_scope.version end,
    'now', clock_timestamp()
  );
end
$$;

create function probe.heads(p_scopes jsonb) returns jsonb
language sql stable set search_path = ''
as $$
  select coalesce(
    jsonb_object_agg(s.scope, jsonb_build_object('ver', s.version, 'epoch', s.epoch)), '{}'
  )
  from jsonb_each(p_scopes) asked (scope, known)
  join probe.scopes s using (scope)
  where (asked.known ->> 'ver')::bigint is distinct from s.version
     or (asked.known ->> 'epoch')::uuid is distinct from s.epoch
$$;

grant execute on all functions in schema probe to authenticated, service_role;
