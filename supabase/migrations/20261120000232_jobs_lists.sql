-- Jobs, lists: pages of jobs and of schedules, and the live view, for people.
--
--   failed, completed, cancelled   newest end first
--   waiting, scheduled, running    longest due first
--   no state                       newest made first
--
-- A page reads an index in its order and looks at a bounded number of jobs, however many there
-- are; filters that no index knows pick from these. So a page may be short, even empty: the list
-- ends where there is no next_cursor.
--
-- Lists hold no data, results or keys, which may be about people; explain_job answers them.
--
-- Called by functions/jobs/lists.py for admins, and by functions/cli/ as service_role.

set lock_timeout = '5s';


-- In sight ----------------------------------------------------------------------------------

create function private.jobs_by_due_time(
  p_queue text, p_company_id uuid, p_from timestamptz, p_after_id bigint, p_until timestamptz, p_limit integer
)
returns setof public.queue_jobs language plpgsql stable security invoker set search_path = ''
set plan_cache_mode = force_custom_plan set enable_seqscan = off set enable_bitmapscan = off
as $$
begin
  return query
  with first as materialized (
    select free.run_at, free.id
    from public.queues as queue
    cross join lateral (
      select known.id from private.queue_lanes as known
      where known.queue = queue.name and known.turn_at < 'infinity'
        and (p_company_id is null or known.company_id = p_company_id)
      order by known.turn_at limit 1000
    ) as lane
    cross join generate_series(0, 9) as level
    cross join lateral (
      select job.run_at, job.id from public.queue_jobs as job
      where job.lane_id = lane.id and job.priority = level and job.completed_at is null and not job.parked
        and (job.run_at, job.id) > (p_from, p_after_id) and job.run_at <= p_until
      order by job.run_at, job.id limit p_limit
    ) as free
    where p_queue is null or queue.name = p_queue
    union all
    -- No index has these by time: of more than 5000, the others are not in sight.
    select parked.run_at, parked.id from (
      select job.run_at, job.id, job.company_id from public.queue_jobs as job
      where job.parked and (p_queue is null or job.queue = p_queue) limit 5000
    ) as parked
    where (parked.run_at, parked.id) > (p_from, p_after_id) and parked.run_at <= p_until
      and (p_company_id is null or parked.company_id = p_company_id)
    order by run_at, id limit p_limit
  )
  select job.* from first join public.queue_jobs as job using (id) order by first.run_at, id;
end $$;
comment on function private.jobs_by_due_time is
  'Up to p_limit unfinished jobs that are due from p_from (behind p_after_id) to p_until, longest due first: of a queue, a company.';

create function private.jobs_by_id(p_company_id uuid, p_before_id bigint, p_limit integer)
returns setof public.queue_jobs language plpgsql stable security invoker set search_path = ''
set plan_cache_mode = force_custom_plan set enable_seqscan = off set enable_bitmapscan = off
as $$
begin
  return query
  select * from public.queue_jobs as job
  where (p_company_id is null or job.company_id = p_company_id) and (p_before_id is null or job.id < p_before_id)
  order by job.id desc limit p_limit;
end $$;
comment on function private.jobs_by_id is 'Up to p_limit jobs, newest first: of a company.';

create function private.jobs_in_sight(p_filter jsonb, p_limit integer)
returns setof public.queue_jobs language plpgsql stable security invoker set search_path = '' as $$
declare
  v_state text := p_filter ->> 'state';
  v_queue text := p_filter ->> 'queue';
  v_company_id uuid := p_filter ->> 'company_id';
  v_at timestamptz := timestamptz 'epoch' + (p_filter ->> 'cursor_at')::bigint * interval '1 microsecond';
  v_id bigint := p_filter ->> 'cursor_id';
begin
  if v_state in ('failed', 'completed', 'cancelled') then
    return query select * from private.ended_jobs(
      v_state, jsonb_build_object('queue', v_queue, 'before', v_at, 'before_id', v_id), p_limit
    );
  elsif v_state = 'scheduled' then
    return query select * from private.jobs_by_due_time(
      v_queue, v_company_id, greatest(v_at, now()), coalesce(v_id, 0), '9999-12-31', p_limit
    );
  elsif v_state is not null then
    return query select * from private.jobs_by_due_time(
      v_queue, v_company_id, coalesce(v_at, '-infinity'), coalesce(v_id, 0), now(), p_limit
    );
  else
    return query select * from private.jobs_by_id(v_company_id, v_id, p_limit);
  end if;
end $$;
comment on function private.jobs_in_sight is
  'The next p_limit jobs among which a page is looked for, in its order: by state and cursor, and by queue and company as far as an index has them.';
grant execute on function private.jobs_by_due_time, private.jobs_by_id, private.jobs_in_sight to service_role;


-- Pages -------------------------------------------------------------------------------------

create function private.check_list(p_state text, p_cursor text)
returns void language plpgsql immutable security invoker set search_path = '' as $$
begin
  if p_state not in ('waiting', 'scheduled', 'running', 'completed', 'failed', 'cancelled') then
    raise exception using errcode = 'PT422', message = 'invalid_filter',
      detail = 'The state is waiting, scheduled, running, completed, failed or cancelled.';
  end if;
  if p_cursor !~ '^[0-9]{1,18}_[0-9]{1,18}$' then
    raise exception using errcode = 'PT422', message = 'invalid_cursor',
      detail = 'The cursor is not one that this list has given.', hint = 'Start again without cursor.';
  end if;
end $$;
comment on function private.check_list is 'Raises invalid_filter, invalid_cursor.';
grant execute on function private.check_list to service_role;

create function private.list_cursor(p_at timestamptz, p_id bigint)
returns text language sql immutable security invoker set search_path = '' as $$
  select (extract(epoch from greatest(p_at, 'epoch')) * 1000000)::bigint || '_' || p_id
$$;
comment on function private.list_cursor is 'Where a list goes on behind a job.';
grant execute on function private.list_cursor to service_role;

-- definer because lanes are the service's; it asks itself whether the caller may see this.
create function private.page_of_jobs(p_filter jsonb, p_limit integer)
returns json language plpgsql stable security definer set search_path = '' as $$
declare
  v_type text := p_filter ->> 'type';
  v_queue text := p_filter ->> 'queue';
  v_company_id uuid := p_filter ->> 'company_id';
  v_state text := p_filter ->> 'state';
  v_error text := p_filter ->> 'error';
  v_window integer := 2 * p_limit + 400;
  v_answer json;
begin
  if not private.may_operate(v_company_id) then
    raise exception using errcode = 'PT403', message = 'role_required', detail = 'This needs the role admin.';
  end if;
  with seen as materialized (
    select *, case
      when completed_at is not null then status
      when lease_until > now() then 'running'
      when run_at > now() then 'scheduled'
      else 'waiting'
    end as state
    from private.jobs_in_sight(p_filter, v_window) with ordinality
  ), shown as materialized (
    select *, row_number() over (order by ordinality) as place from seen
    where (v_state is null or state = v_state) and (v_type is null or type = v_type) and (v_queue is null or queue = v_queue)
      and (v_company_id is null or company_id = v_company_id) and (v_error is null or strpos(error, v_error) > 0)
  ), last as (
    (select completed_at, run_at, id from shown where place = p_limit and exists (select from shown where place > p_limit))
    union all
    (select completed_at, run_at, id from seen where ordinality = v_window)
    limit 1
  )
  select json_build_object(
    'data', coalesce(json_agg(json_build_object(
      'id', id, 'type', type, 'queue', queue, 'company_id', company_id, 'state', state, 'priority', priority,
      'attempts', attempts, 'max_attempts', max_attempts, 'replays', replays, 'created_at', created_at, 'run_at', run_at,
      'started_at', started_at, 'completed_at', completed_at, 'worker', worker, 'progress', progress, 'error', left(error, 500)
    ) order by place) filter (where place <= p_limit), '[]'),
    'next_cursor', (select private.list_cursor(coalesce(completed_at, run_at), id) from last)
  ) into v_answer from shown;
  return v_answer;
end $$;
comment on function private.page_of_jobs is 'See list_jobs.';
grant execute on function private.page_of_jobs to authenticated, service_role;

create function public.list_jobs(
  p_company_id uuid default null, p_queue text default null, p_type text default null, p_state text default null,
  p_error text default null, p_limit integer default 50, p_cursor text default null
)
returns json language plpgsql stable security invoker set search_path = '' as $$
begin
  perform private.check_list(p_state, p_cursor);
  return private.page_of_jobs(jsonb_build_object(
    'company_id', private.operated_company(p_company_id), 'queue', p_queue, 'type', p_type, 'state', p_state,
    'error', p_error, 'cursor_at', split_part(p_cursor, '_', 1), 'cursor_id', split_part(p_cursor, '_', 2)
  ), least(greatest(coalesce(p_limit, 50), 1), 200));
end $$;
comment on function public.list_jobs is
  'A page of jobs without their data: of a company, queue, type, state (waiting, scheduled, running, completed, failed, cancelled), with p_error in their error. Unfinished ones longest due first, ended ones newest end first, all newest made first. Answers {data, next_cursor}; a page may be short, the list ends where next_cursor is null. Raises role_required, company_required, invalid_filter, invalid_cursor.';
grant execute on function private.check_list, public.list_jobs to authenticated, service_role;

create function public.count_jobs(
  p_queue text default null, p_type text default null, p_company_id uuid default null, p_state text default null,
  p_status text default null, p_error text default null, p_after timestamptz default null, p_before timestamptz default null
)
returns integer language plpgsql stable security invoker set search_path = '' as $$
declare
  v_filter jsonb := jsonb_build_object(
    'queue', p_queue, 'type', p_type, 'company_id', p_company_id, 'state', p_state, 'status', p_status, 'error', p_error,
    'after', p_after, 'before', p_before
  );
begin
  perform private.check_filter(v_filter);
  if p_status is null then
    return (select count(*) from private.unfinished_jobs(v_filter, 10000));
  end if;
  return (select count(*) from private.ended_jobs(p_status, v_filter || '{"replayable": true}', 10000));
end $$;
comment on function public.count_jobs is
  'How many jobs cancel_jobs would mean now, or with p_status (failed, cancelled) replay_jobs; counted up to 10000. Raises filter_required, invalid_filter.';
grant execute on function public.count_jobs to service_role;


-- The live view -----------------------------------------------------------------------------

create function public.watch_jobs(p_limit integer default 10)
returns json language sql volatile security invoker set search_path = '' as $$
  select json_build_object(
    'at', now(), 'last_tick_at', nullif(private.last_tick_at(), '-infinity'), 'queues', public.queue_stats(),
    'running', public.list_jobs(p_state => 'running', p_limit => p_limit) -> 'data',
    'failed', public.list_jobs(p_state => 'failed', p_limit => p_limit) -> 'data'
  )
$$;
comment on function public.watch_jobs is
  'What a person watches: {at, last_tick_at, queues} as queue_stats answers them, and the jobs that run longest due and failed last, up to p_limit of each.';
grant execute on function public.watch_jobs to service_role;


-- Schedules ---------------------------------------------------------------------------------

create function public.list_schedules(
  p_company_id uuid default null, p_limit integer default 100, p_cursor text default null
)
returns json language sql stable security invoker set search_path = '' as $$
  with size as (
    select least(greatest(coalesce(p_limit, 100), 1), 200) as shown
  ), page as (
    select *, row_number() over (order by name) as place
    from size cross join lateral (
      select * from public.queue_schedules
      where (p_company_id is null or company_id = p_company_id) and (p_cursor is null or name > p_cursor)
      order by name limit size.shown + 1
    ) as schedule
  )
  select json_build_object(
    'data', coalesce(json_agg(json_build_object(
      'name', name, 'company_id', company_id, 'type', type, 'queue', queue, 'cron', cron, 'time_zone', time_zone,
      'paused', paused, 'catch_up', catch_up, 'next_run_at', next_run_at, 'last_run_at', last_run_at, 'error', error
    ) order by place) filter (where place <= shown), '[]'),
    'next_cursor', case when count(*) > max(shown) then max(name) filter (where place = shown) end
  ) from page
$$;
comment on function public.list_schedules is
  'A page of schedules by name, without the data of their jobs: of a company. Answers {data, next_cursor}.';
grant execute on function public.list_schedules to service_role;
