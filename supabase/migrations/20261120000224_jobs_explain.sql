-- Jobs, explain: why a job is not running, in one sentence.
--
-- Called by functions/jobs/operations.py, for admins of the job's company and the service.

set lock_timeout = '5s';

grant execute on function private.queue_tokens to authenticated;

create function private.job_ahead(p_job public.queue_jobs)
returns bigint language sql stable security invoker set search_path = ''
set enable_seqscan = off
as $$
  select min(id) from public.queue_jobs as earlier
  where earlier.queue = (p_job).queue and earlier.order_key = (p_job).order_key
    and earlier.completed_at is null and earlier.id < (p_job).id
$$;
comment on function private.job_ahead is 'The job of the same order key that has to end first, or null.';
create function private.job_reason(p_job public.queue_jobs, p_queue public.queues)
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
    else 'due'
  end
$$;
comment on function private.job_reason is 'Why a job is not running, in a word.';
create function private.time_in_words(p_time timestamptz)
returns text language sql stable security invoker set search_path = '' as $$
  select to_char(p_time at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')
$$;
comment on function private.time_in_words is 'A time for people.';
create function private.job_sentence(p_reason text, p_job public.queue_jobs, p_queue public.queues)
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
    else format('It is due since %s and waits for a worker.', private.time_in_words((p_job).run_at))
  end
$$;
comment on function private.job_sentence is 'Why a job is not running, in one sentence.';
grant execute on function
  private.job_ahead, private.job_reason, private.time_in_words, private.job_sentence
to authenticated, service_role;

create function public.explain_job(p_id bigint)
returns json language plpgsql stable security invoker set search_path = '' as $$
declare
  v_job public.queue_jobs;
  v_queue public.queues;
  v_reason text;
begin
  select * into v_job from public.queue_jobs where id = p_id;
  if v_job.id is null then
    raise exception using errcode = 'PT404', message = 'job_not_found',
      detail = 'There is no such job, or you are no admin of its company.';
  end if;
  select * into v_queue from public.queues where name = v_job.queue;
  v_reason := private.job_reason(v_job, v_queue);
  return json_build_object(
    'id', p_id, 'reason', v_reason, 'sentence', private.job_sentence(v_reason, v_job, v_queue),
    'job', to_jsonb(v_job),
    'queue', json_build_object(
      'name', v_queue.name, 'paused', v_queue.paused, 'blocked_until', v_queue.blocked_until,
      'rate_per_second', v_queue.rate_per_second, 'burst', v_queue.burst, 'tokens', private.queue_tokens(v_queue),
      'concurrency', v_queue.concurrency, 'running', case when v_queue.concurrency is not null then v_queue.running end
    ),
    'behind', private.job_ahead(v_job)
  );
end $$;
comment on function public.explain_job is
  'Why a job is not running: {reason, sentence} and the facts {job, queue, behind}. Reasons: ended, running, queue_paused, scheduled, queue_blocked, rate_limited, no_free_slot, behind_another, due. Raises job_not_found.';
grant execute on function public.explain_job to authenticated, service_role;
