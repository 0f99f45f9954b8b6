-- Realtime: one version per thing that clients watch, and who may listen to its changes.
--
-- A scope names a thing and is at once its Realtime topic: inbox:<company>, conversation:<id>.
-- Its version is a gapless integer, raised in the transaction that changes the thing, under the
-- lock of the scope's row: commit order is version order, and a rollback leaves no hole.
-- The same number detects lost broadcasts, is the ETag of the API and the key of caches.
--
-- Broadcasts may be lost, doubled or late; versions make that visible and sync_* functions heal
-- it. The protocol is described in docs/realtime.md.
--
-- Locks are taken in one order by every writer: inbox, then conversation, then other rows.

set lock_timeout = '5s';

create table public.versions (
  scope text primary key,
  company_id uuid not null references public.companies (id) on delete cascade,
  version bigint not null default 0,
  floor bigint not null default 0,
  constraint a_version_only_grows_from_zero check (version >= 0),
  constraint the_floor_is_at_most_the_version check (floor between 0 and version)
) with (fillfactor = 50);
comment on table public.versions is 'The version of each scope. A scope is also the private Realtime topic of its changes.';
comment on column public.versions.floor is
  'When rows last left the scope without a tombstone: whoever knows an earlier version starts over.';
create index versions_by_company on public.versions (company_id);

alter table public.versions enable row level security;
create policy "members read the versions" on public.versions for select to authenticated
  using (company_id in (select private.my_company_ids()));
grant select on public.versions to authenticated;
grant select, insert, update, delete on public.versions to service_role;

-- Whoever may see a version may listen to its topic. Nobody may send: only the database speaks.
create policy "members listen to the scopes they may see" on realtime.messages for select to authenticated
  using (
    realtime.messages.extension = 'broadcast'
    and exists (select from public.versions where scope = (select realtime.topic()))
  );


-- Writing -----------------------------------------------------------------------------------

create function private.lock_version(p_scope text, p_company_id uuid)
returns void language plpgsql volatile security invoker set search_path = '' as $$
begin
  -- A row lock writes no new row, and is free for who holds it.
  perform from public.versions where scope = p_scope for no key update;
  if not found then
    insert into public.versions (scope, company_id) values (p_scope, p_company_id)
    on conflict (scope) do update set version = versions.version;
  end if;
end $$;
comment on function private.lock_version is 'Takes the lock of a scope without changing its version; creates the scope at 0.';

create function private.next_version(p_scope text, p_company_id uuid)
returns bigint language sql volatile security invoker set search_path = '' as $$
  insert into public.versions (scope, company_id, version) values (p_scope, p_company_id, 1)
  on conflict (scope) do update set version = versions.version + 1
  returning version
$$;
comment on function private.next_version is 'Raises the version of a scope by one and holds its lock until the transaction ends.';

create function private.broadcast_change(
  p_scope text, p_company_id uuid, p_previous bigint, p_version bigint, p_rows jsonb
)
returns void language sql volatile security invoker set search_path = '' as $$
  select realtime.send(
    jsonb_build_object(
      'v', 1, 'scope', p_scope, 'prev', p_previous, 'ver', p_version, 'at', clock_timestamp(),
      'epoch', (select epoch from public.companies where id = p_company_id),
      -- Beyond this size the client reads the rows itself; frames stay far below every plan's cap.
      'rows', case when octet_length(p_rows::text) <= 16384 then p_rows end
    ),
    'change', p_scope, true
  )
$$;
comment on function private.broadcast_change is
  'Tells the listeners of a scope, after commit, that it went from one version to another, with the changed rows when they are small.';

create function private.rows_left(p_scope text, p_company_id uuid)
returns bigint language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_version bigint := private.next_version(p_scope, p_company_id);
begin
  update public.versions set floor = v_version where scope = p_scope;
  perform private.broadcast_change(p_scope, p_company_id, v_version - 1, v_version, null);
  return v_version;
end $$;
comment on function private.rows_left is
  'Tells the listeners of a scope that rows went elsewhere, by a version that everybody has to ask for; that version.';
grant execute on function
  private.lock_version, private.next_version, private.broadcast_change, private.rows_left
to service_role;


-- Reading -----------------------------------------------------------------------------------

create function private.scope_state(p_scope text)
returns table (version bigint, floor bigint, epoch uuid)
language sql stable security invoker set search_path = '' as $$
  select versions.version, versions.floor, companies.epoch
  from public.versions join public.companies on companies.id = versions.company_id
  where versions.scope = p_scope
$$;
comment on function private.scope_state is 'Version, floor and epoch of a scope that the caller may see; no row otherwise.';

create function private.etag(p_scope text)
returns text language sql stable security invoker set search_path = '' as $$
  select format('"%s.%s"', left(epoch::text, 8), version) from private.scope_state(p_scope)
$$;
comment on function private.etag is 'The HTTP entity tag of what a scope shows.';

-- Stable, as the lists that call it are: tag and rows are of one snapshot.
create function private.answer_with_etag(p_scope text, p_if_none_match text)
returns boolean language plpgsql stable security invoker set search_path = '' as $$
declare
  v_etag text := private.etag(p_scope);
begin
  perform set_config('response.headers', json_build_array(json_build_object('ETag', v_etag))::text, true);
  return v_etag = p_if_none_match;
end $$;
comment on function private.answer_with_etag is
  'Puts the ETag of a scope on the response and tells whether the caller has this state already.';

create function private.sync_start(
  p_scope text, p_after bigint, p_epoch uuid, p_limit integer
)
returns table (epoch uuid, head bigint, reset boolean, after bigint, row_limit integer)
language sql stable security invoker set search_path = '' as $$
  select
    state.epoch, state.version, start.over,
    case when start.over then -1 else p_after end,
    case when start.over then 100 else least(greatest(p_limit, 1), 500) end
  from private.scope_state(p_scope) as state
  cross join lateral (
    select p_epoch is distinct from state.epoch or p_after > state.version or p_after < state.floor
      or state.version - p_after > 500 as over
  ) as start
$$;
comment on function private.sync_start is
  'How a sync of a scope is answered: onwards from p_after, or from the start (other epoch, future version, below the floor, gap above 500).';
create function private.sync_result(p_epoch uuid, p_head bigint, p_reset boolean, p_row_limit integer, p_rows jsonb)
returns json language sql stable security invoker set search_path = '' as $$
  select json_build_object(
    'epoch', p_epoch, 'reset', p_reset, 'head', p_head, 'ver', case when more then last_rev else p_head end,
    'rows', coalesce(p_rows, '[]'), 'more', more, 'now', clock_timestamp()
  )
  from (select (p_rows -> -1 ->> 'rev')::bigint as last_rev) as last
  cross join lateral (
    select coalesce(not p_reset and jsonb_array_length(p_rows) >= p_row_limit and last_rev < p_head, false) as more
  ) as rest
$$;
comment on function private.sync_result is
  'The answer of a sync as ledger/1 has it, of rows in the order of their rev: it reaches the head, or the last row when there are more.';
grant execute on function
  private.scope_state, private.etag, private.answer_with_etag, private.sync_start, private.sync_result
to authenticated, service_role;

create function public.sync_heads(p_scopes jsonb)
returns json language sql stable security invoker set search_path = '' as $$
  select coalesce(
    json_object_agg(known.key, json_build_object('ver', state.version, 'epoch', state.epoch)), '{}'
  )
  from jsonb_each(p_scopes) as known
  cross join lateral private.scope_state(known.key) as state
  where state.version is distinct from (known.value ->> 'ver')::bigint
     or state.epoch::text is distinct from known.value ->> 'epoch'
$$;
comment on function public.sync_heads is
  'Of the given {scope: {ver, epoch}}, those whose truth differs. Empty when nothing was missed.';
grant execute on function public.sync_heads to authenticated, service_role;
