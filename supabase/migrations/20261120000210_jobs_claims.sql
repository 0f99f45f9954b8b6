-- Jobs, claims: who gets a job, how it ends, and what is left to look after.
--
-- A claim writes only columns that stand in no index (lease_until, claims, attempts,
-- started_at): with fillfactor 50 it is a HOT update and touches no index. Keep it that way.
--
-- `claims` counts leases and fences: a worker settles the claim that it holds, and a late or
-- repeated settlement matches nothing. `attempts` counts only what the retry limit is about.
--
-- Called by functions/jobs/rpc.py as service_role.

set lock_timeout = '5s';


-- Claim -------------------------------------------------------------------------------------

create function private.queue_tokens(p_queue public.queues)
returns double precision language sql stable security invoker set search_path = '' as $$
  select least(
    (p_queue).burst,
    (p_queue).tokens + (p_queue).rate_per_second
      * greatest(0, extract(epoch from now() - (p_queue).refilled_at))
  ) where (p_queue).rate_per_second is not null
$$;
comment on function private.queue_tokens is 'Tokens in the bucket now, or null where the queue has no rate.';
create function private.queue_room(p_queue public.queues, p_limit integer)
returns integer language sql stable security invoker set search_path = '' as $$
  select greatest(0, least(
    p_limit,
    (p_queue).concurrency - (p_queue).running,
    floor(private.queue_tokens(p_queue))::integer
  ))
$$;
comment on function private.queue_room is 'How many jobs of a queue may start now: the smallest of limit, free slots and tokens.';
grant execute on function private.queue_room, private.queue_tokens to service_role;

create function private.claim_from_queue(p_queue text, p_limit integer, p_lease_seconds integer)
returns setof public.queue_jobs language plpgsql volatile security invoker set search_path = ''
-- Plans made while the table is empty turn against us when it is full: pin the index scans.
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
as $$
begin
  return query
  -- Materialised, or the planner may update more rows than the limit. One descent per priority,
  -- since Postgres before 18 cannot skip to the due jobs of the next priority by itself.
  with picked as materialized (
    select due.ctid
    from generate_series(9, 0, -1) as level
    cross join lateral (
      select job.ctid from public.queue_jobs as job
      where job.queue = p_queue and job.priority = level and job.completed_at is null
        and job.run_at <= now()
        and (job.lease_until is null or job.lease_until <= now())
        and (job.order_key is null or not exists (
          select from public.queue_jobs as earlier
          where earlier.queue = job.queue and earlier.order_key = job.order_key
            and earlier.completed_at is null and earlier.id < job.id
        ))
      order by job.run_at, job.id
      limit p_limit
      for update of job skip locked
    ) as due
    limit p_limit
  )
  update public.queue_jobs as job set
    claims = claims + 1,
    attempts = least(attempts + 1, max_attempts),
    started_at = now(),
    -- A lease that ran out on the last attempt ends the job here instead of starting it again.
    lease_until = case when attempts < max_attempts then now() + make_interval(secs => p_lease_seconds) end,
    status = case when attempts < max_attempts then 'pending' else 'failed' end,
    completed_at = case when attempts < max_attempts then null else now() end,
    error = case when attempts < max_attempts then error else 'worker_died: no attempt is left' end,
    last_error_at = case when attempts < max_attempts then last_error_at else now() end
  where job.ctid = any (array(select ctid from picked))
  returning job.*;
end $$;
comment on function private.claim_from_queue is
  'Leases up to p_limit due jobs of one queue: by priority, then due time; of an order key only the first.';
grant execute on function private.claim_from_queue to service_role;

create function private.claimed_job(p_job public.queue_jobs)
returns json language sql stable security invoker set search_path = '' as $$
  select json_build_object(
    'id', (p_job).id, 'claim', (p_job).claims, 'type', (p_job).type, 'queue', (p_job).queue,
    'company_id', (p_job).company_id, 'attempt', (p_job).attempts, 'max_attempts', (p_job).max_attempts,
    'data', (p_job).data, 'order_key', (p_job).order_key, 'lease_until', (p_job).lease_until,
    'created_at', (p_job).created_at, 'run_at', (p_job).run_at
  )
$$;
comment on function private.claimed_job is 'A job as its worker receives it (functions/jobs/models.py, Job).';
grant execute on function private.claimed_job to service_role;

create function private.lock_queues(p_queues text[])
returns void language plpgsql volatile security invoker set search_path = '' as $$
begin
  -- In one order by everybody, or workers that hold one queue and want another would deadlock.
  perform from public.queues where p_queues is null or name = any (p_queues) order by name for no key update;
end $$;
comment on function private.lock_queues is
  'Locks these queues, or all. Claims of one queue are serial, which costs nothing measurable and makes its limits exact.';
grant execute on function private.lock_queues to service_role;

create function public.claim_jobs(p_limit integer, p_lease_seconds integer, p_queues text[] default null)
returns json language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_queue public.queues;
  v_room integer;
  v_claimed integer;
  v_jobs text;
  v_all text[] := '{}';
begin
  perform private.lock_queues(p_queues);

  for v_queue in
    select * from public.queues
    where not paused and (p_queues is null or name = any (p_queues))
      and (blocked_until is null or blocked_until <= now())
    order by served_at, name
  loop
    v_room := private.queue_room(v_queue, p_limit);
    continue when v_room = 0;
    select count(*), string_agg(private.claimed_job(job)::text, ',' order by priority desc, run_at, id)
    into v_claimed, v_jobs
    from private.claim_from_queue(v_queue.name, v_room, p_lease_seconds) as job
    where status = 'pending';
    continue when v_claimed = 0;
    update public.queues set
      served_at = clock_timestamp(),
      running = running + v_claimed,
      tokens = coalesce(private.queue_tokens(v_queue) - v_claimed, 0),
      refilled_at = now()
    where name = v_queue.name;
    p_limit := p_limit - v_claimed;
    v_all := v_all || v_jobs;
  end loop;
  return '[' || array_to_string(v_all, ',') || ']';
end $$;
comment on function public.claim_jobs is
  'Leases up to p_limit due jobs for p_lease_seconds and answers them in the order to start. Queues take turns.';
grant execute on function public.claim_jobs to service_role;


-- Settle ------------------------------------------------------------------------------------

create function private.retry_delay(p_attempts integer)
returns interval language sql volatile security invoker set search_path = '' as $$
  -- 2, 4, 8 ... seconds up to an hour, each cut by up to half at random so that jobs that
  -- failed together do not come back together.
  select make_interval(secs => least(3600, 2.0 ^ least(p_attempts, 12)) * (0.5 + random() / 2))
$$;
comment on function private.retry_delay is 'Pause before the next attempt: exponential with jitter, at most an hour.';
grant execute on function private.retry_delay to service_role;

create function private.settled_status(p_outcome text, p_attempts integer, p_max_attempts integer)
returns text language sql immutable security invoker set search_path = '' as $$
  select case
    when p_outcome = 'ok' then 'completed'
    when p_outcome = 'cancelled' then 'cancelled'
    when p_outcome = 'dead' or (p_outcome = 'retry' and p_attempts >= p_max_attempts) then 'failed'
    else 'pending'
  end
$$;
comment on function private.settled_status is 'The status that an outcome leads to.';
grant execute on function private.settled_status to service_role;

create function public.complete_jobs(p_results jsonb)
returns json language plpgsql volatile security invoker set search_path = ''
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
declare
  v_answer json;
begin
  with result as materialized (
    select * from jsonb_to_recordset(p_results) as r (
      id bigint, claim integer, outcome text, result jsonb, error text, delay_seconds double precision
    )
  ), settled as (
    update public.queue_jobs as job set
      status = private.settled_status(outcome, attempts, max_attempts),
      completed_at = case
        when private.settled_status(outcome, attempts, max_attempts) <> 'pending' then now()
      end,
      lease_until = null,
      attempts = attempts - (outcome in ('snooze', 'release', 'rate_limited'))::integer,
      run_at = case
        when outcome in ('retry', 'snooze')
          then now() + coalesce(make_interval(secs => delay_seconds), private.retry_delay(attempts))
        else run_at
      end,
      result = coalesce(result.result, job.result),
      error = case when outcome in ('retry', 'dead') then result.error else job.error end,
      last_error_at = case when outcome in ('retry', 'dead') then now() else last_error_at end
    from result
    -- `status`, not completed_at: the latter would tempt the planner to a partial index.
    where job.id = result.id and job.claims = result.claim
      and job.status = 'pending' and job.lease_until is not null
    returning job.id, job.queue, job.status, outcome, delay_seconds
  ), queue_change as (
    update public.queues as queue set
      running = greatest(0, running - change.settled),
      blocked_until = greatest(blocked_until, now() + make_interval(secs => change.block_seconds))
    from (
      select counted.* from public.queues join (
        select queue as name, count(*)::integer as settled,
          max(delay_seconds) filter (where outcome = 'rate_limited') as block_seconds
        from settled group by queue
      ) as counted using (name)
      where concurrency is not null or counted.block_seconds is not null
      order by name for no key update of queues
    ) as change
    where queue.name = change.name
  )
  select json_build_object(
    'completed', count(*) filter (where status = 'completed'),
    'retried', count(*) filter (where status = 'pending' and outcome = 'retry'),
    'failed', count(*) filter (where status = 'failed'),
    'cancelled', count(*) filter (where status = 'cancelled'),
    'released', count(*) filter (where status = 'pending' and outcome <> 'retry'),
    'stale', (select coalesce(json_agg(id), '[]') from result where id not in (select id from settled))
  ) into v_answer from settled;
  return v_answer;
end $$;
comment on function public.complete_jobs is
  'Settles claims: ok | retry | snooze | release | rate_limited | dead | cancelled. A claim no longer held is answered under "stale" and changes nothing.';
grant execute on function public.complete_jobs to service_role;

create function public.exchange_jobs(
  p_results jsonb, p_limit integer, p_lease_seconds integer, p_queues text[] default null
)
returns json language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_settled json;
begin
  -- All that either half will lock, before the first of it.
  perform private.lock_queues(null);
  v_settled := public.complete_jobs(p_results);
  return json_build_object('settled', v_settled, 'jobs', public.claim_jobs(p_limit, p_lease_seconds, p_queues));
end $$;
comment on function public.exchange_jobs is 'Settles finished claims and leases the next jobs in one round trip.';
grant execute on function public.exchange_jobs to service_role;

create function public.extend_jobs(p_claims jsonb, p_lease_seconds integer)
returns json language sql volatile security invoker set search_path = '' as $$
  with extended as (
    update public.queue_jobs as job
    set lease_until = greatest(lease_until, now() + make_interval(secs => p_lease_seconds))
    from jsonb_to_recordset(p_claims) as held (id bigint, claim integer)
    where job.id = held.id and job.claims = held.claim and job.status = 'pending' and job.lease_until is not null
    returning job.id
  )
  select coalesce(json_agg(id), '[]') from extended
$$;
comment on function public.extend_jobs is
  'Prolongs leases and answers the ids still held. One that is missing was taken over: stop working on it.';
grant execute on function public.extend_jobs to service_role;


-- Look after --------------------------------------------------------------------------------

create table private.sweep_positions (
  status text primary key,
  completed_at timestamptz not null default '-infinity',
  id bigint not null default 0
);
comment on table private.sweep_positions is 'How far the walk over the ended jobs of a status has come; each tick goes on from there.';
insert into private.sweep_positions (status) values ('completed'), ('cancelled'), ('failed');
alter table private.sweep_positions enable row level security;
grant select, update on private.sweep_positions to service_role;

create function private.sweep_ended(p_status text, p_limit integer)
returns integer language plpgsql volatile security invoker set search_path = ''
set enable_seqscan = off set enable_bitmapscan = off
as $$
declare
  v_from private.sweep_positions;
  v_looked bigint[];
  v_shortest interval := (
    select min(case p_status when 'failed' then keep_failed else keep_completed end) from public.queues
  );
  v_deleted integer;
begin
  -- A tick that overlaps leaves the walk to the one that has it.
  select * into v_from from private.sweep_positions where status = p_status for update skip locked;
  if v_from.status is null then
    return 0;
  end if;
  -- Jobs of queues that keep longer stand between those that are over: a look is bounded too.
  v_looked := array(
    select id from public.queue_jobs
    where status = p_status and (completed_at, id) > (v_from.completed_at, v_from.id)
      and completed_at < now() - v_shortest
    order by completed_at, id limit p_limit
  );
  update private.sweep_positions as position set
    completed_at = coalesce(last.completed_at, '-infinity'), id = coalesce(last.id, 0)
  from (select p_status as status) as here
  left join public.queue_jobs as last on cardinality(v_looked) >= p_limit and last.id = v_looked[cardinality(v_looked)]
  where position.status = here.status;
  delete from public.queue_jobs as job using public.queues as queue
  where job.id = any (v_looked) and queue.name = job.queue and job.status = p_status
    and job.completed_at < now() - case p_status when 'failed' then queue.keep_failed else queue.keep_completed end;
  get diagnostics v_deleted = row_count;
  return v_deleted;
end $$;
comment on function private.sweep_ended is
  'Looks at the next p_limit ended jobs of a status, drops those past the retention of their queue, and answers how many.';
grant execute on function private.sweep_ended to service_role;

create function public.sweep_jobs(p_limit integer default 5000)
returns json language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_deleted integer := private.sweep_ended('completed', p_limit) + private.sweep_ended('cancelled', p_limit)
    + private.sweep_ended('failed', p_limit);
begin
  -- A worker that died gave back no slot: count them anew.
  perform private.lock_queues(null);
  update public.queues as queue set running = (
    select count(*) from public.queue_jobs as job
    where job.queue = queue.name and job.completed_at is null and job.lease_until > now()
  )
  where queue.concurrency is not null;
  return json_build_object('deleted', v_deleted);
end $$;
comment on function public.sweep_jobs is
  'Bounded housekeeping of a tick: drops jobs past the retention of their queue (queues.keep_completed, keep_failed) and recounts running slots.';
grant execute on function public.sweep_jobs to service_role;

create function public.queue_stats()
returns json language sql stable security invoker set search_path = '' as $$
  select json_object_agg(queue.name, json_build_object(
    'paused', queue.paused,
    'blocked_until', queue.blocked_until,
    'waiting', live.waiting, 'scheduled', live.scheduled, 'running', live.running,
    'oldest_waiting_seconds', live.oldest_waiting_seconds,
    'failed', (select count(*) from public.queue_jobs where status = 'failed' and queue_jobs.queue = queue.name)
  ) order by queue.name)
  from public.queues as queue
  cross join lateral (
    select
      count(*) filter (where run_at <= now() and (lease_until is null or lease_until <= now())) as waiting,
      count(*) filter (where run_at > now() and lease_until is null) as scheduled,
      count(*) filter (where lease_until > now()) as running,
      coalesce(extract(epoch from now() - min(run_at) filter (
        where run_at <= now() and (lease_until is null or lease_until <= now())
      )), 0)::double precision as oldest_waiting_seconds
    from public.queue_jobs as job where job.queue = queue.name and job.completed_at is null
  ) as live
$$;
comment on function public.queue_stats is
  'Per queue: waiting (due, not running), scheduled, running, failed, and the age in seconds of the oldest waiting job.';
grant execute on function public.queue_stats to service_role;
