-- Jobs, stats: how the queues do.
--
-- What ended is counted as it happens (*_jobs_minutes.sql). What waits is counted when somebody
-- asks, but never beyond 10000 jobs of a queue: from there on the figure is that of the last tick,
-- which counts further.
--
-- Called by functions/jobs/rpc.py as service_role.

set lock_timeout = '5s';


-- Count -------------------------------------------------------------------------------------

create function private.count_live(p_queue text, p_limit integer, out waiting integer, out running integer, out scheduled integer)
language plpgsql volatile security invoker set search_path = ''
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
as $$
begin
  -- Only a lane that is awake, or stopped by its limit, has jobs that are due.
  select count(*) filter (where lease_until is null or lease_until <= now()), count(*) filter (where lease_until > now())
  into waiting, running
  from (
    select job.lease_until
    from private.queue_lanes as lane cross join generate_series(0, 9) as level cross join lateral (
      select live.lease_until from public.queue_jobs as live
      where live.lane_id = lane.id and live.priority = level and live.completed_at is null and not live.parked
        and live.run_at <= now()
      limit p_limit
    ) as job
    where lane.queue = p_queue and (lane.turn_at <= now() + interval '10 seconds' or lane.blocked_until > now())
    limit p_limit
  ) as due;
  waiting := waiting + (
    select count(*) from (select from public.queue_jobs as job where job.parked and job.queue = p_queue limit p_limit) as parked
  );
  select count(*) into scheduled
  from (
    select from private.queue_lanes as lane cross join generate_series(0, 9) as level cross join lateral (
      select from public.queue_jobs as later
      where later.lane_id = lane.id and later.priority = level and later.completed_at is null and not later.parked
        and later.run_at > now()
      limit p_limit
    ) as job
    where lane.queue = p_queue and lane.turn_at < 'infinity'
    limit p_limit
  ) as counted;
end $$;
comment on function private.count_live is
  'Of a queue, each up to p_limit: jobs that are due and not running (also behind another), running, due later.';

create function private.oldest_due_at(p_queue text)
returns timestamptz language sql volatile security invoker set search_path = ''
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
as $$
  select min(job.run_at)
  from (
    select id from private.queue_lanes
    where queue = p_queue and (turn_at <= now() or blocked_until > now()) order by turn_at limit 1000
  ) as lane
  cross join generate_series(0, 9) as level
  cross join lateral (
    select first.run_at from public.queue_jobs as first
    where first.lane_id = lane.id and first.priority = level and first.completed_at is null and not first.parked
      and first.run_at <= now() and (first.lease_until is null or first.lease_until <= now())
    order by first.run_at limit 1
  ) as job
$$;
comment on function private.oldest_due_at is 'Since when the longest waiting job of a queue is due; null: none waits.';

create function private.failed_jobs_kept(p_queue text, p_limit integer)
returns integer language sql stable security invoker set search_path = ''
set enable_seqscan = off
as $$
  select count(*)::integer from (
    select from public.queue_jobs where queue = p_queue and status = 'failed' and completed_at is not null limit p_limit
  ) as failed
$$;
comment on function private.failed_jobs_kept is 'Failed jobs of a queue that nobody replayed, up to p_limit.';

create function private.note_waiting()
returns void language sql volatile security invoker set search_path = '' as $$
  insert into private.queue_minutes as minute (queue, minute, waiting, scheduled)
  select name, date_trunc('minute', now()), live.waiting, live.scheduled
  from public.queues cross join lateral private.count_live(name, 1000000) as live
  order by name
  on conflict (queue, minute) do update set waiting = excluded.waiting, scheduled = excluded.scheduled
$$;
comment on function private.note_waiting is 'Writes down how many jobs of each queue wait; for the tick.';
grant execute on function
  private.count_live, private.oldest_due_at, private.failed_jobs_kept, private.note_waiting
to service_role;

create function public.sweep_jobs(p_limit integer default 5000)
returns json language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_kept record;
  v_left integer := p_limit;
begin
  perform private.lock_queues(null);
  perform private.recount_running();
  perform private.unpark_orphans(1000);
  perform private.note_waiting() where not exists (
    select from private.queue_minutes where minute = date_trunc('minute', now()) and waiting is not null
  );
  for v_kept in
    select name, status, case status when 'failed' then keep_failed else keep_completed end as kept
    from public.queues cross join unnest('{completed, cancelled, failed}'::text[]) as status order by random()
  loop
    exit when v_left <= 0;
    v_left := v_left - private.sweep_ended(v_kept.name, v_kept.status, v_kept.kept, v_left);
  end loop;
  delete from private.queue_minutes where minute < now() - interval '7 days';
  update private.last_tick set at = now() where the_only_row;
  return json_build_object('deleted', p_limit - v_left);
end $$;
comment on function public.sweep_jobs is
  'Bounded housekeeping of a tick: drops up to p_limit jobs past the retention of their queue (queues.keep_completed, keep_failed), recounts taken slots, notes how much waits.';
grant execute on function public.sweep_jobs to service_role;


-- Rates -------------------------------------------------------------------------------------

create function private.wait_percentile(p_waits integer[], p_part double precision)
returns double precision language sql immutable security invoker set search_path = '' as $$
  select case when count(*) > 0 then
    coalesce((private.wait_bounds())[min(place)], (private.wait_bounds())[cardinality(private.wait_bounds())])
  end
  from (
    select place, sum(jobs) over (order by place) as up_to, sum(jobs) over () as jobs_in_all
    from unnest(p_waits) with ordinality as class (jobs, place)
  ) as classes
  where up_to >= p_part * jobs_in_all and jobs_in_all > 0
$$;
comment on function private.wait_percentile is
  'The bound in seconds that this part of the waits stays under; the last bound where they are longer. Null without waits.';

grant execute on function private.wait_percentile to service_role;

create function private.queue_rates(p_queue text)
returns json language sql stable security invoker set search_path = '' as $$
  with recent as (
    select * from private.queue_minutes where queue = p_queue and minute >= now() - interval '1 hour'
  ), near as (
    -- Five whole minutes and the one that has begun.
    select *, extract(epoch from now() - greatest(min(minute) over (), date_trunc('minute', now()) - interval '5 minutes')) as seconds
    from recent where minute >= date_trunc('minute', now()) - interval '5 minutes'
  ), waited as (
    select array(
      select sum(class.jobs)::integer from near cross join unnest(near.waits) with ordinality as class (jobs, place)
      group by place order by place
    ) as waits
  )
  select json_build_object(
    'started_per_second', coalesce(sum(started) / max(seconds), 0),
    'completed_per_second', coalesce(sum(completed) / max(seconds), 0),
    'failure_rate', (select sum(failed)::double precision / nullif(sum(failed) + sum(completed), 0) from recent),
    'retry_rate', (select sum(retried)::double precision / nullif(sum(retried) + sum(completed), 0) from recent),
    'wait_seconds_average', sum(wait_seconds) / nullif(sum(started), 0),
    'wait_seconds_p50', (select private.wait_percentile(waits, 0.5) from waited),
    'wait_seconds_p95', (select private.wait_percentile(waits, 0.95) from waited),
    'wait_seconds_max', max(longest_wait_seconds) filter (where started > 0),
    'run_seconds_average', sum(run_seconds) / nullif(sum(completed) + sum(retried) + sum(failed), 0),
    'completed_last_hour', (select coalesce(sum(completed), 0) from recent),
    'failed_last_hour', (select coalesce(sum(failed), 0) from recent)
  ) from near
$$;
comment on function private.queue_rates is
  'What a queue did: rates and waits of the last five minutes, failures of the last hour.';

create function private.growth_per_second(p_queue text, p_waiting integer)
returns double precision language sql stable security invoker set search_path = '' as $$
  select (p_waiting - waiting) / extract(epoch from now() - minute)
  from private.queue_minutes
  where queue = p_queue and waiting is not null and minute between now() - interval '10 minutes' and now() - interval '1 minute'
  order by minute limit 1
$$;
comment on function private.growth_per_second is 'By how many jobs a second the backlog has grown in the last ten minutes; null: not known.';

create function private.seconds_until_empty(p_waiting integer, p_completed_per_second double precision, p_growth double precision)
returns double precision language sql immutable security invoker set search_path = '' as $$
  select case
    when p_waiting = 0 then 0
    when p_growth >= 0 then null
    when p_growth < 0 then p_waiting / -p_growth
    when p_completed_per_second > 0 then p_waiting / p_completed_per_second
  end
$$;
comment on function private.seconds_until_empty is
  'When a backlog will be worked off as things go; by its growth, or where that is not known as if nothing came. Null: never.';

create function private.queue_health(p_paused boolean, p_waiting integer, p_oldest_due_at timestamptz)
returns text language sql stable security invoker set search_path = '' as $$
  select case
    when p_waiting = 0 then 'ok'
    when p_paused then 'paused'
    when p_oldest_due_at < now() - interval '3 minutes' and private.last_tick_at() < now() - interval '3 minutes' then 'no_tick'
    when p_waiting > 500 then 'critical'
    when p_waiting > 100 then 'warning'
    else 'ok'
  end
$$;
comment on function private.queue_health is
  'ok, warning (more than 100 wait), critical (more than 500), paused, or no_tick: jobs wait and nobody called /api/queue/process for three minutes.';
grant execute on function
  private.queue_rates, private.growth_per_second, private.seconds_until_empty, private.queue_health
to service_role;

create function private.queue_state(p_queue public.queues)
returns json language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_live record;
  v_noted record;
  v_rates json := private.queue_rates((p_queue).name);
  v_oldest timestamptz := private.oldest_due_at((p_queue).name);
begin
  select * into v_live from private.count_live((p_queue).name, 10000);
  select waiting, scheduled into v_noted from private.queue_minutes
  where queue = (p_queue).name and waiting is not null order by minute desc limit 1;
  if v_live.waiting + v_live.running >= 10000 then
    v_live.waiting := greatest(v_live.waiting, v_noted.waiting);
  end if;
  if v_live.scheduled >= 10000 then
    v_live.scheduled := greatest(v_live.scheduled, v_noted.scheduled);
  end if;
  return json_build_object(
    'paused', (p_queue).paused, 'blocked_until', (p_queue).blocked_until,
    'rate_per_second', (p_queue).rate_per_second, 'burst', (p_queue).burst, 'concurrency', (p_queue).concurrency,
    'waiting', v_live.waiting, 'running', v_live.running, 'scheduled', v_live.scheduled,
    'failed', private.failed_jobs_kept((p_queue).name, 10000),
    'oldest_waiting_seconds', coalesce(extract(epoch from now() - v_oldest), 0)::double precision,
    'seconds_until_empty', private.seconds_until_empty(
      v_live.waiting, (v_rates ->> 'completed_per_second')::double precision,
      private.growth_per_second((p_queue).name, v_live.waiting)
    ),
    'health', private.queue_health((p_queue).paused, v_live.waiting, v_oldest),
    'rates', v_rates
  );
end $$;
comment on function private.queue_state is 'One queue now; see queue_stats.';
grant execute on function private.queue_state to service_role;

create function public.queue_stats()
returns json language sql volatile security invoker set search_path = '' as $$
  select json_object_agg(name, private.queue_state(queue) order by name) from public.queues as queue
$$;
comment on function public.queue_stats is
  'Per queue: waiting, running, scheduled, failed, the age of the oldest waiting job, when it will be empty, its health, its limits, and what it did lately under "rates". Counts from 10000 on are those of the last tick.';
grant execute on function public.queue_stats to service_role;
