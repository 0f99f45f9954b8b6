-- Jobs, settlements: how a lease ends.
--
--   ok            -> completed
--   cancelled     -> cancelled
--   dead          -> failed
--   retry         -> pending, later; failed where no attempt is left
--   snooze        -> pending, later; no attempt is counted
--   release       -> pending, at once; no attempt is counted
--   rate_limited  -> pending; nothing of its limit key, or without one of its queue, starts before
--
-- Called by functions/jobs/rpc.py as service_role.

set lock_timeout = '5s';

create function private.retry_delay(p_attempts integer)
returns interval language sql volatile security invoker set search_path = '' as $$
  -- 2, 4, 8 ... seconds up to an hour, each cut by up to half at random so that jobs that
  -- failed together do not come back together.
  select make_interval(secs => least(3600, 2.0 ^ least(p_attempts, 12)) * (0.5 + random() / 2))
$$;
comment on function private.retry_delay is 'Pause before the next attempt: exponential with jitter, at most an hour.';
grant execute on function private.retry_delay to service_role;

create function private.history_with(p_job public.queue_jobs, p_outcome text, p_error text)
returns jsonb language sql stable security invoker set search_path = '' as $$
  select private.with_entry((p_job).history, jsonb_build_array(jsonb_strip_nulls(jsonb_build_object(
    'attempt', (p_job).attempts, 'started_at', (p_job).started_at, 'worker', (p_job).worker, 'outcome', p_outcome,
    'seconds', round(extract(epoch from now() - (p_job).started_at), 3), 'error', p_error
  ))))
$$;
comment on function private.history_with is 'The history of a job whose lease ends with this outcome.';
grant execute on function private.history_with to service_role;

create function private.block_limit_keys(p_blocks jsonb)
returns void language sql volatile security invoker set search_path = '' as $$
  insert into private.job_limits as held (limit_key, blocked_until)
  select limit_key, now() + make_interval(secs => max(seconds))
  from jsonb_to_recordset(p_blocks) as block (limit_key text, seconds double precision)
  group by limit_key order by limit_key
  on conflict (limit_key) do update set blocked_until = greatest(held.blocked_until, excluded.blocked_until)
$$;
comment on function private.block_limit_keys is 'Providers said "not before" for these keys: [{limit_key, seconds}].';

create function private.change_queues(p_changes jsonb)
returns void language sql volatile security invoker set search_path = '' as $$
  update public.queues as queue set
    running = greatest(0, running - change.settled),
    blocked_until = greatest(blocked_until, now() + make_interval(secs => change.block_seconds))
  from jsonb_to_recordset(p_changes) as change (queue text, settled integer, block_seconds double precision)
  where queue.name = change.queue and (queue.concurrency is not null or change.block_seconds is not null)
$$;
comment on function private.change_queues is 'Gives back slots, and blocks queues: [{queue, settled, block_seconds}].';
grant execute on function private.block_limit_keys, private.change_queues to service_role;

create function private.settle_jobs(p_results jsonb)
returns json language plpgsql volatile security invoker set search_path = ''
-- Joined by hash, and by ids known beforehand: a plan made for an empty table would walk a full one.
set enable_seqscan = off set enable_bitmapscan = off set enable_nestloop = off set enable_mergejoin = off
as $$
declare
  v_ids bigint[] := array(select (given ->> 'id')::bigint from jsonb_array_elements(p_results) as given);
  v_answer json;
  v_queues jsonb;
  v_keys jsonb;
  v_blocks jsonb;
  v_limited boolean := exists (select from public.queues where concurrency is not null);
begin
  with result as materialized (
    -- A lease that had run out gives back no slot: it may have been counted out, and given away.
    select *, case when v_limited then (select lease_until > now() from public.queue_jobs as job where job.id = r.id) end as in_time
    from jsonb_to_recordset(p_results) as r (
      id bigint, claim integer, outcome text, result jsonb, error text, delay_seconds double precision
    )
  ), settled as materialized (
    update public.queue_jobs as job set
      status = case
        when outcome = 'ok' then 'completed'
        when outcome = 'cancelled' then 'cancelled'
        when outcome = 'dead' or (outcome = 'retry' and attempts >= max_attempts) then 'failed'
        else 'pending'
      end,
      completed_at = case
        when outcome in ('ok', 'cancelled', 'dead') or (outcome = 'retry' and attempts >= max_attempts) then now()
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
      last_error_at = case when outcome in ('retry', 'dead') then now() else last_error_at end,
      history = case when outcome = 'ok' then history else private.history_with(job, outcome, result.error) end
    from result
    -- `status`, not completed_at: the latter would tempt the planner to a partial index.
    where job.id = any (v_ids) and job.id = result.id and job.claims = result.claim
      and job.status = 'pending' and job.lease_until is not null
    returning
      job.id, job.queue, job.status, outcome, in_time, job.limit_key, job.order_key, delay_seconds,
      extract(epoch from now() - job.started_at) as run_seconds
  ), by_queue as materialized (
    select
      queue, count(*) filter (where in_time) as settled,
      count(*) filter (where status = 'completed') as completed,
      count(*) filter (where status = 'pending' and outcome = 'retry') as retried,
      count(*) filter (where status = 'failed') as failed,
      count(*) filter (where status = 'cancelled') as cancelled,
      count(*) filter (where status = 'pending' and outcome <> 'retry') as released,
      sum(run_seconds) as run_seconds,
      max(delay_seconds) filter (where outcome = 'rate_limited' and limit_key is null) as block_seconds
    from settled group by queue
  )
  select
    json_build_object(
      'completed', coalesce(sum(completed), 0), 'retried', coalesce(sum(retried), 0), 'failed', coalesce(sum(failed), 0),
      'cancelled', coalesce(sum(cancelled), 0), 'released', coalesce(sum(released), 0),
      'stale', (select coalesce(json_agg(id), '[]') from result where id not in (select id from settled))
    ),
    jsonb_agg(to_jsonb(by_queue)),
    (
      select jsonb_agg(jsonb_build_object('queue', queue, 'order_key', order_key)) from settled
      where order_key is not null and status <> 'pending'
    ),
    (
      select jsonb_agg(jsonb_build_object('limit_key', limit_key, 'seconds', delay_seconds)) from settled
      where limit_key is not null and outcome = 'rate_limited'
    )
  into v_answer, v_queues, v_keys, v_blocks from by_queue;
  perform private.count_ends(v_queues), private.change_queues(v_queues) where v_queues is not null;
  perform private.unpark_next(v_keys);
  perform private.block_limit_keys(v_blocks) where v_blocks is not null;
  return v_answer;
end $$;
comment on function private.settle_jobs is 'See complete_jobs; the caller holds the queues.';
grant execute on function private.settle_jobs to service_role;

create function public.complete_jobs(p_results jsonb)
returns json language plpgsql volatile security invoker set search_path = '' as $$
begin
  perform private.lock_queues(null);
  return private.settle_jobs(p_results);
end $$;
comment on function public.complete_jobs is
  'Settles claims: ok | retry | snooze | release | rate_limited | dead | cancelled. A claim no longer held is answered under "stale" and changes nothing.';

create function public.exchange_jobs(
  p_results jsonb, p_limit integer, p_lease_seconds integer, p_queues text[] default null, p_worker text default null
)
returns json language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_settled json;
begin
  -- All that either half will lock, before the first of it.
  perform private.lock_queues(case when p_results <> '[]' then null else p_queues end);
  v_settled := private.settle_jobs(p_results);
  return json_build_object('settled', v_settled, 'jobs', public.claim_jobs(p_limit, p_lease_seconds, p_queues, p_worker));
end $$;
comment on function public.exchange_jobs is 'Settles finished claims and leases the next jobs in one round trip.';

create function public.extend_jobs(p_claims jsonb, p_lease_seconds integer)
returns json language sql volatile security invoker set search_path = ''
set enable_seqscan = off set enable_bitmapscan = off set enable_nestloop = off set enable_mergejoin = off
as $$
  with extended as (
    update public.queue_jobs as job set
      lease_until = greatest(lease_until, now() + make_interval(secs => p_lease_seconds)),
      progress = coalesce(held.progress, job.progress)
    from jsonb_to_recordset(p_claims) as held (id bigint, claim integer, progress jsonb)
    where job.id = any (array(select (given ->> 'id')::bigint from jsonb_array_elements(p_claims) as given))
      and job.id = held.id and job.claims = held.claim and job.status = 'pending' and job.lease_until is not null
    returning job.id
  )
  select coalesce(json_agg(id), '[]') from extended
$$;
comment on function public.extend_jobs is
  'Prolongs leases, notes progress where it is given, and answers the ids still held. One that is missing was taken over or cancelled: stop working on it.';
grant execute on function public.complete_jobs, public.exchange_jobs, public.extend_jobs to service_role;
