-- Jobs, explain: why a job is not running, in one sentence.
--
-- Called by functions/jobs/operator.py, for admins of the job's company and the service.

set lock_timeout = '5s';

grant execute on function private.bucket_tokens, private.queue_tokens, private.limit_tokens to authenticated;

-- definer because admins ask about their own jobs, and may not read the limits of all.
create function private.limit_of_key(p_limit_key text)
returns private.job_limits language sql stable security definer set search_path = '' as $$
  select * from private.job_limits where limit_key = p_limit_key
$$;
comment on function private.limit_of_key is 'The limit of a key.';
grant execute on function private.limit_of_key to authenticated, service_role;

create function private.job_ahead(p_job public.queue_jobs)
returns bigint language sql stable security invoker set search_path = ''
set enable_seqscan = off
as $$
  -- Compared as a row, or the planner may walk the primary key until it meets the order key.
  select id from (
    select earlier.id, earlier.queue, earlier.order_key from public.queue_jobs as earlier
    where (earlier.queue, earlier.order_key, earlier.id) >= ((p_job).queue, (p_job).order_key, 0)
      and earlier.order_key is not null and earlier.completed_at is null
    order by earlier.queue, earlier.order_key, earlier.id limit 1
  ) as first
  where queue = (p_job).queue and order_key = (p_job).order_key and id < (p_job).id
$$;
comment on function private.job_ahead is 'The job of the same order key that has to end first, or null.';
create function private.job_reason(p_job public.queue_jobs, p_queue public.queues, p_limit private.job_limits)
returns text language sql stable security invoker set search_path = '' as $$
  select case
    when (p_job).completed_at is not null then 'ended'
    when (p_job).lease_until > now() then 'running'
    when (p_queue).paused then 'queue_paused'
    when (p_job).run_at > now() then 'scheduled'
    when (p_queue).blocked_until > now() then 'queue_blocked'
    when private.queue_tokens(p_queue) < 1 then 'rate_limited'
    when (p_queue).running >= (p_queue).concurrency then 'no_free_slot'
    when private.job_ahead(p_job) is not null then 'behind_another'
    when (p_limit).blocked_until > now() then 'key_blocked'
    when private.limit_tokens(p_limit) < 1 then 'key_rate_limited'
    when private.last_tick_at() < now() - interval '3 minutes' and (p_job).run_at < now() - interval '1 minute' then 'no_tick'
    else 'due'
  end
$$;
comment on function private.job_reason is 'Why a job is not running, in a word.';
create function private.time_in_words(p_time timestamptz)
returns text language sql stable security invoker set search_path = '' as $$
  select to_char(p_time at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')
$$;
comment on function private.time_in_words is 'A time for people.';
create function private.job_sentence(
  p_reason text, p_job public.queue_jobs, p_queue public.queues, p_limit private.job_limits
)
returns text language sql stable security invoker set search_path = '' as $$
  select case p_reason
    when 'ended' then format('It has ended: %s at %s%s.', (p_job).status, private.time_in_words((p_job).completed_at),
      case when (p_job).status = 'failed' then coalesce(' (' || (p_job).error || ')', '') else '' end)
    when 'running' then format('It is running since %s, attempt %s of %s.',
      private.time_in_words((p_job).started_at), (p_job).attempts, (p_job).max_attempts)
    when 'queue_paused' then format('Its queue %s is paused.', (p_queue).name)
    when 'scheduled' then format('It is scheduled for %s%s.', private.time_in_words((p_job).run_at),
      case when (p_job).attempts > 0 then format(', after attempt %s of %s', (p_job).attempts, (p_job).max_attempts) else '' end)
    when 'queue_blocked' then format('Its queue %s is blocked until %s: a provider asked for a rest.',
      (p_queue).name, private.time_in_words((p_queue).blocked_until))
    when 'rate_limited' then format('Its queue %s has used up its rate of %s per second.', (p_queue).name, (p_queue).rate_per_second)
    when 'no_free_slot' then format('All %s slots of its queue %s are taken.', (p_queue).concurrency, (p_queue).name)
    when 'behind_another' then format('It waits behind job %s of its order key.', private.job_ahead(p_job))
    when 'key_blocked' then format('Its limit key %s is blocked until %s: a provider asked for a rest.',
      (p_limit).limit_key, private.time_in_words((p_limit).blocked_until))
    when 'key_rate_limited' then format('Its limit key %s has used up its rate of %s per second.',
      (p_limit).limit_key, (p_limit).rate_per_second)
    when 'no_tick' then format('It is due since %s and nobody works: the last call of /api/queue/process was %s.',
      private.time_in_words((p_job).run_at),
      case when private.last_tick_at() > '-infinity' then private.time_in_words(private.last_tick_at()) else 'never' end)
    else format('It is due since %s and waits for a worker.', private.time_in_words((p_job).run_at))
  end
$$;
comment on function private.job_sentence is 'Why a job is not running, in one sentence.';
grant execute on function
  private.job_ahead, private.job_reason, private.time_in_words, private.job_sentence
to authenticated, service_role;

create function private.attempts_of(p_job public.queue_jobs)
returns jsonb language sql stable security invoker set search_path = '' as $$
  -- Success and what runs stand in the row itself; the history has the other leases.
  select case when (p_job).status = 'completed' or (p_job).lease_until > now() then jsonb_build_array(jsonb_strip_nulls(
    jsonb_build_object(
      'attempt', (p_job).attempts, 'started_at', (p_job).started_at, 'worker', (p_job).worker,
      'outcome', case when (p_job).status = 'completed' then 'ok' else 'running' end,
      'seconds', round(extract(epoch from coalesce((p_job).completed_at, now()) - (p_job).started_at), 3)
    )
  )) else '[]' end || coalesce((p_job).history, '[]')
$$;
comment on function private.attempts_of is 'The leases of a job, newest first: attempt, started_at, worker, outcome, seconds, error.';
grant execute on function private.attempts_of to authenticated, service_role;

create function public.explain_job(p_id bigint)
returns json language plpgsql stable security invoker set search_path = '' as $$
declare
  v_job public.queue_jobs;
  v_queue public.queues;
  v_limit private.job_limits;
  v_reason text;
begin
  select * into v_job from public.queue_jobs where id = p_id;
  if v_job.id is null then
    raise exception using errcode = 'PT404', message = 'job_not_found',
      detail = 'There is no such job, or you are no admin of its company.';
  end if;
  select * into v_queue from public.queues where name = v_job.queue;
  v_limit := private.limit_of_key(v_job.limit_key);
  v_reason := private.job_reason(v_job, v_queue, v_limit);
  return json_build_object(
    'id', p_id, 'reason', v_reason, 'sentence', private.job_sentence(v_reason, v_job, v_queue, v_limit),
    'job', to_jsonb(v_job) - 'history' - 'lane_id',
    'queue', json_build_object(
      'name', v_queue.name, 'paused', v_queue.paused, 'blocked_until', v_queue.blocked_until,
      'rate_per_second', v_queue.rate_per_second, 'burst', v_queue.burst, 'tokens', private.queue_tokens(v_queue),
      'concurrency', v_queue.concurrency, 'running', case when v_queue.concurrency is not null then v_queue.running end
    ),
    'limit', case when v_limit.limit_key is not null then to_json(v_limit) end,
    'attempts', private.attempts_of(v_job),
    'behind', private.job_ahead(v_job)
  );
end $$;
comment on function public.explain_job is
  'Why a job is not running: {reason, sentence} the facts {job, queue, limit, behind} and its last attempts. Reasons: ended, running, queue_paused, scheduled, queue_blocked, rate_limited, no_free_slot, behind_another, key_blocked, key_rate_limited, no_tick, due. Raises job_not_found.';
grant execute on function public.explain_job to authenticated, service_role;
