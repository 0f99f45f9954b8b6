-- Messaging, replay: what came in, as people look at it, and reading it again.
--
--   failed | ignored | processed -> received    reprocess_inbound: by filter, a part at a time
--
-- Items whose body is still there are read again by the parser of the day. Applying one again
-- changes only what was not understood before, so reading too many does no harm.
--
-- Bodies are dropped some weeks after they came, the rows stay: expire_inbound_bodies, called by
-- a schedule.
--
-- Admins look at the items of their company, the service at all. Called by
-- functions/messaging/inbound_events.py.

set lock_timeout = '5s';


-- Look --------------------------------------------------------------------------------------

create function private.check_inbound_filter(p_filter jsonb, p_cursor text)
returns void language plpgsql immutable security invoker set search_path = '' as $$
begin
  if p_filter ->> 'state' not in ('received', 'processed', 'ignored', 'failed') then
    raise exception using errcode = 'PT422', message = 'invalid_filter',
      detail = 'The state is received, processed, ignored or failed.';
  end if;
  if p_cursor !~ '^[0-9]{1,18}$' then
    raise exception using errcode = 'PT422', message = 'invalid_cursor',
      detail = 'The cursor is not one that this call has given.', hint = 'Start again without cursor.';
  end if;
end $$;
comment on function private.check_inbound_filter is 'Raises invalid_filter, invalid_cursor.';

-- By columns: a whole row would have its body read.
create function private.is_meant(
  p_filter jsonb, p_provider text, p_endpoint_id uuid, p_kind text, p_state text, p_outcome text, p_received_at timestamptz
)
returns boolean language sql stable security invoker set search_path = '' as $$
  select coalesce(p_provider = p_filter ->> 'provider', true)
    and coalesce(p_endpoint_id = (p_filter ->> 'endpoint_id')::uuid, true)
    and coalesce(p_kind = p_filter ->> 'kind', true)
    and coalesce(p_state = p_filter ->> 'state', true)
    and (p_filter ->> 'outcome' is null or coalesce(p_filter ->> 'outcome' = any (string_to_array(p_outcome, ' ')), false))
    and coalesce(p_received_at >= (p_filter ->> 'after')::timestamptz, true)
    and coalesce(p_received_at < (p_filter ->> 'before')::timestamptz, true)
$$;
comment on function private.is_meant is
  'Whether a filter means an item: provider, endpoint_id, kind, state, outcome (one of its words), received from after to before.';
grant execute on function private.check_inbound_filter, private.is_meant to authenticated, service_role;

create function public.list_inbound_events(
  p_company_id uuid default null, p_provider text default null, p_endpoint_id uuid default null, p_kind text default null,
  p_state text default null, p_outcome text default null, p_after timestamptz default null, p_before timestamptz default null,
  p_limit integer default 50, p_cursor text default null
)
returns json language plpgsql stable security invoker set search_path = ''
-- A filter that is not given must vanish from the plan.
set plan_cache_mode = force_custom_plan
as $$
declare
  v_company_id uuid := private.operated_company(p_company_id);
  v_limit integer := least(greatest(coalesce(p_limit, 50), 1), 200);
  v_window integer := 2000;
  v_filter jsonb := jsonb_build_object(
    'provider', p_provider, 'endpoint_id', p_endpoint_id, 'kind', p_kind, 'state', p_state, 'outcome', p_outcome,
    'after', p_after, 'before', p_before
  );
  v_answer json;
begin
  perform private.check_inbound_filter(v_filter, p_cursor);
  with seen as (
    -- A bounded look, however many there are: filters pick from it.
    select
      id, provider, company_id, instance_id, endpoint_id, kind, state, outcome, error as reason, received_at, processed_at,
      raw is not null as has_body
    from public.inbound_events
    where (v_company_id is null or company_id = v_company_id) and (p_cursor is null or id < p_cursor::bigint)
    order by id desc limit v_window
  ), shown as materialized (
    select *, row_number() over (order by id desc) as place from seen
    where private.is_meant(v_filter, provider, endpoint_id, kind, state, outcome, received_at) order by id desc limit v_limit + 1
  )
  select json_build_object(
    'data', coalesce(json_agg(to_jsonb(shown) - 'place' order by place) filter (where place <= v_limit), '[]'),
    'next_cursor', case
      when count(*) > v_limit then max(id) filter (where place = v_limit)
      else (select min(id) from seen having count(*) = v_window) end::text
  ) into v_answer from shown;
  return v_answer;
end $$;
comment on function public.list_inbound_events is
  'A page of items without their bodies, newest first: of a company, provider, endpoint, kind, state, outcome, received from p_after to p_before. Answers {data, next_cursor}; a page may be short, even empty, the list ends where next_cursor is null. Raises role_required, company_required, invalid_filter, invalid_cursor.';

create function public.find_inbound_event(p_id bigint)
returns json language plpgsql stable security invoker set search_path = '' as $$
declare
  v_item public.inbound_events;
begin
  select * into v_item from public.inbound_events where id = p_id;
  if v_item.id is null then
    raise exception using errcode = 'PT404', message = 'inbound_event_not_found',
      detail = 'There is no such item, or you are no admin of its company.';
  end if;
  return to_jsonb(v_item) - 'error' || jsonb_build_object('reason', v_item.error, 'has_body', v_item.raw is not null);
end $$;
comment on function public.find_inbound_event is 'An item with its body, which is null once it was dropped. Raises inbound_event_not_found.';
grant execute on function public.list_inbound_events, public.find_inbound_event to authenticated, service_role;


-- Read again --------------------------------------------------------------------------------

create function private.read_again(p_ids bigint[])
returns integer language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_jobs jsonb;
begin
  with routed as (
    select item.id, number.id as instance_id, number.company_id
    from public.inbound_events as item
    left join lateral private.route_instance(item.endpoint_id, item.route_kind, item.route_value) as number
      on item.state = 'ignored'
    where item.id = any (p_ids)
  ), started as (
    update public.inbound_events as item set
      state = 'received', error = null, processed_at = null, route_kind = null, route_value = null,
      instance_id = coalesce(item.instance_id, routed.instance_id), company_id = coalesce(item.company_id, routed.company_id)
    from routed
    -- An ignored one only once somebody is meant.
    where item.id = routed.id and coalesce(item.instance_id, routed.instance_id) is not null
    returning item.id, item.company_id
  )
  select jsonb_agg(jsonb_build_object(
    'type', 'messages.ingest', 'company_id', company_id, 'data', jsonb_build_object('event_id', id),
    -- Behind what comes in meanwhile.
    'priority', 8, 'unique_key', 'inbound:' || id
  ) order by id) into v_jobs from started;
  perform public.enqueue_jobs(coalesce(v_jobs, '[]'));
  return coalesce(jsonb_array_length(v_jobs), 0);
end $$;
comment on function private.read_again is 'Starts items anew, with a job each; those that still mean nobody stay. How many were started.';
grant execute on function private.read_again to service_role;

-- definer because admins may not write items; it asks itself whether they may do this.
create function private.reprocess(p_filter jsonb, p_limit integer, p_cursor text)
returns json language plpgsql volatile security definer set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
declare
  v_company_id uuid := p_filter ->> 'company_id';
  v_window integer := 20000;
  v_limit integer := private.batch_limit(p_limit);
  v_ids bigint[];
  v_next bigint;
  v_started integer;
begin
  if not private.may_operate(v_company_id) then
    raise exception using errcode = 'PT403', message = 'role_required', detail = 'This needs the role admin.';
  end if;
  perform private.check_inbound_filter(p_filter, p_cursor);
  with seen as (
    select id, provider, endpoint_id, kind, state, outcome, received_at, raw is not null as has_body from public.inbound_events
    where (v_company_id is null or company_id = v_company_id) and (p_cursor is null or id > p_cursor::bigint)
    order by id limit v_window
  ), meant as materialized (
    select id from seen
    where has_body and state <> 'received' and private.is_meant(p_filter, provider, endpoint_id, kind, state, outcome, received_at)
      and (
        p_filter ->> 'state' is not null or p_filter ->> 'outcome' is not null
        or state = 'failed' or outcome like '%unknown%' or outcome like '%unsupported%'
      )
    order by id limit v_limit
  )
  select array_agg(id order by id), case
    when count(*) = v_limit then max(id)
    else (select max(id) from seen having count(*) = v_window) end
  into v_ids, v_next from meant;
  v_ids := array(select id from public.inbound_events where id = any (v_ids) and state <> 'received' for update skip locked);
  v_started := private.read_again(v_ids);
  perform private.record_operation('reprocess', v_company_id, p_filter || jsonb_build_object('cursor', p_cursor), v_started);
  return json_build_object('reprocessed', v_started, 'next_cursor', v_next::text);
end $$;
comment on function private.reprocess is 'See reprocess_inbound.';
grant execute on function private.reprocess to authenticated, service_role;

create function public.reprocess_inbound(
  p_company_id uuid default null, p_provider text default null, p_endpoint_id uuid default null, p_kind text default null,
  p_state text default null, p_outcome text default null, p_after timestamptz default null, p_before timestamptz default null,
  p_limit integer default 1000, p_cursor text default null
)
returns json language sql volatile security invoker set search_path = '' as $$
  select private.reprocess(jsonb_build_object(
    'company_id', private.operated_company(p_company_id), 'provider', p_provider, 'endpoint_id', p_endpoint_id,
    'kind', p_kind, 'state', p_state, 'outcome', p_outcome, 'after', p_after, 'before', p_before
  ), p_limit, p_cursor)
$$;
comment on function public.reprocess_inbound is
  'Reads up to p_limit (5000 at most) items again whose body is still there, oldest first: of a company, provider, endpoint, kind, received from p_after to p_before, with p_state or p_outcome; without these two, what failed or is unknown or unsupported. Ignored ones only where their number is known by now. Answers {reprocessed, next_cursor}: repeated with that until it is null, it has looked at all. Raises role_required, company_required, invalid_filter, invalid_cursor.';
grant execute on function public.reprocess_inbound to authenticated, service_role;


-- Retention ---------------------------------------------------------------------------------

create table private.inbound_retention (
  id bigint generated by default as identity primary key,
  company_id uuid references public.companies (id) on delete cascade,
  days integer not null,
  constraint one_retention_per_company unique nulls not distinct (company_id),
  constraint bodies_are_kept_for_1_day_to_10_years check (days between 1 and 3650)
);
comment on table private.inbound_retention is 'For how many days bodies are kept; the row without a company is for all that have none of their own.';
insert into private.inbound_retention (company_id, days) values (null, 30);
alter table private.inbound_retention enable row level security;
grant select, insert, update, delete on private.inbound_retention to service_role;
grant usage on sequence private.inbound_retention_id_seq to service_role;

create function public.set_inbound_retention(p_days integer, p_company_id uuid default null)
returns json language plpgsql volatile security invoker set search_path = '' as $$
begin
  if p_days is null and p_company_id is not null then
    delete from private.inbound_retention where company_id = p_company_id;
  elsif p_days is null or p_days not between 1 and 3650 then
    raise exception using errcode = 'PT422', message = 'invalid_retention', detail = 'Bodies are kept for 1 to 3650 days.';
  else
    insert into private.inbound_retention (company_id, days) values (p_company_id, p_days)
    on conflict (company_id) do update set days = excluded.days;
  end if;
  return (
    select json_build_object('company_id', p_company_id, 'days', days) from private.inbound_retention
    where company_id = p_company_id or company_id is null order by company_id limit 1
  );
end $$;
comment on function public.set_inbound_retention is
  'For how many days the bodies of a company are kept, or without one those of all that have no setting of their own; null days end a setting. Answers what holds. Raises invalid_retention.';

create function private.expired_bodies(p_limit integer)
returns setof bigint language sql stable security invoker set search_path = '' as $$
  with setting as (
    select companies.id as company_id, coalesce(own.days, general.days) as days
    from public.companies
    join private.inbound_retention as general on general.company_id is null
    left join private.inbound_retention as own on own.company_id = companies.id
  )
  select item.id from setting cross join lateral (
    select id from public.inbound_events
    where company_id = setting.company_id and raw is not null and state <> 'received'
      and received_at < now() - make_interval(days => setting.days)
    order by received_at limit p_limit
  ) as item
  union all (
    select id from public.inbound_events
    where company_id is null and raw is not null and state <> 'received' and received_at < now() - make_interval(days => (
      select days from private.inbound_retention where company_id is null
    ))
    order by received_at limit p_limit
  )
  limit p_limit
$$;
comment on function private.expired_bodies is 'Up to p_limit items whose body is past its time; never of one that is still to be read.';

create function public.expire_inbound_bodies(p_limit integer default 1000)
returns integer language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_count integer;
begin
  update public.inbound_events set raw = null, body_dropped_at = now()
  where id = any (array(
    select id from public.inbound_events
    where id = any (array(select private.expired_bodies(least(greatest(p_limit, 1), 5000)))) and raw is not null and state <> 'received'
    for update skip locked
  ));
  get diagnostics v_count = row_count;
  return v_count;
end $$;
comment on function public.expire_inbound_bodies is 'Drops up to p_limit (5000 at most) bodies past their time; how many. Their rows stay.';
grant execute on function private.expired_bodies, public.set_inbound_retention, public.expire_inbound_bodies to service_role;

insert into public.job_types (type, queue, priority, max_attempts) values ('inbound.expire', 'default', 9, 3);
-- At night in Brazil. What one run leaves, it does itself a moment later.
insert into public.queue_schedules (name, type, cron, time_zone, next_run_at)
values (
  'inbound.expire', 'inbound.expire', '17 3 * * *', 'UTC',
  (date_trunc('day', now() at time zone 'UTC') + interval '1 day 3 hours 17 minutes') at time zone 'UTC'
);
