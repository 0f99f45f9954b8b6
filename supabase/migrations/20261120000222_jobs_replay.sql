-- Jobs, replay: what failed, and starting it anew.
--
--   failed | cancelled -> pending    replay_job, replay_jobs: the same job, its attempts anew
--
-- copy_job makes a new job instead, with other data. Who may do what, and the record of it, stand
-- in *_jobs_operations.sql. Called by functions/jobs/operator.py.

set lock_timeout = '5s';


-- Dead letters ------------------------------------------------------------------------------

create function private.replay_obstacle(p_job public.queue_jobs)
returns text language sql stable security invoker set search_path = ''
set enable_seqscan = off
as $$
  select case
    when (p_job).status not in ('failed', 'cancelled') then 'job_not_failed'
    when exists (select from public.job_types where type = (p_job).type and not replayable) then 'job_not_replayable'
    when (p_job).unique_key is not null and exists (
      select from public.queue_jobs as other
      where other.queue = (p_job).queue and other.unique_key = (p_job).unique_key and other.completed_at is null
    ) then 'unique_key_taken'
    -- It comes before the later ones of its key, so none of them may have started; one whose lease
    -- ran out may be prolonged yet.
    when (p_job).order_key is not null and exists (
      select from public.queue_jobs as other
      where other.queue = (p_job).queue and other.order_key = (p_job).order_key
        and other.completed_at is null and other.lease_until is not null
    ) then 'order_key_busy'
  end
$$;
comment on function private.replay_obstacle is 'Why an ended job cannot start anew now, or null.';
grant execute on function private.replay_obstacle to authenticated, service_role;

create function private.ended_jobs(p_status text, p_filter jsonb, p_limit integer)
returns setof public.queue_jobs language plpgsql stable security invoker set search_path = ''
set plan_cache_mode = force_custom_plan set enable_seqscan = off set enable_bitmapscan = off
as $$
declare
  v_queue text := p_filter ->> 'queue';
  v_type text := p_filter ->> 'type';
  v_company_id uuid := p_filter ->> 'company_id';
  v_after timestamptz := p_filter ->> 'after';
  v_before timestamptz := p_filter ->> 'before';
  v_before_id bigint := coalesce((p_filter ->> 'before_id')::bigint, 0);
  v_error text := p_filter ->> 'error';
  v_replayable boolean := coalesce((p_filter ->> 'replayable')::boolean, false);
begin
  return query
  select ended.* from public.queues cross join lateral (
    select job.* from public.queue_jobs as job
    where job.queue = queues.name and job.status = p_status and job.completed_at is not null
      and (v_type is null or job.type = v_type)
      and (v_company_id is null or job.company_id = v_company_id)
      and (v_after is null or job.completed_at >= v_after)
      and (v_before is null or (job.completed_at, job.id) < (v_before, v_before_id))
      and (v_error is null or strpos(job.error, v_error) > 0)
      and (not v_replayable or private.replay_obstacle(job) is null)
    order by job.completed_at desc, job.id desc
    limit p_limit
  ) as ended
  where v_queue is null or queues.name = v_queue
  order by ended.completed_at desc, ended.id desc
  limit p_limit;
end $$;
comment on function private.ended_jobs is
  'Ended jobs of a status that a filter means, newest end first: queue, type, company_id, after and before (ended), error (a part of it).';
grant execute on function private.ended_jobs to authenticated, service_role;

create function public.list_failed_jobs(
  p_company_id uuid default null, p_queue text default null, p_type text default null, p_error text default null,
  p_after timestamptz default null, p_limit integer default 50, p_cursor text default null
)
returns json language plpgsql stable security invoker set search_path = '' as $$
declare
  v_company_id uuid := private.operated_company(p_company_id);
  v_limit integer := least(greatest(p_limit, 1), 200);
  v_filter jsonb;
  v_answer json;
begin
  if p_cursor !~ '^[0-9]{1,18}_[0-9]{1,18}$' then
    raise exception using errcode = 'PT422', message = 'invalid_cursor',
      detail = 'The cursor is not one that this list has given.', hint = 'Start again without cursor.';
  end if;
  v_filter := jsonb_build_object(
    'company_id', v_company_id, 'queue', p_queue, 'type', p_type, 'error', p_error, 'after', p_after,
    'before', timestamptz 'epoch' + split_part(p_cursor, '_', 1)::bigint * interval '1 microsecond',
    'before_id', split_part(p_cursor, '_', 2)
  );
  with page as (
    select *, row_number() over (order by completed_at desc, id desc) as place
    from private.ended_jobs('failed', v_filter, v_limit + 1)
  )
  select json_build_object(
    'data', coalesce(json_agg(json_build_object(
      'id', id, 'type', type, 'queue', queue, 'company_id', company_id, 'error', error, 'attempts', attempts,
      'max_attempts', max_attempts, 'replays', replays, 'priority', priority, 'unique_key', unique_key,
      'order_key', order_key, 'created_at', created_at, 'started_at', started_at, 'completed_at', completed_at
    ) order by place) filter (where place <= v_limit), '[]'),
    'next_cursor', case when count(*) > v_limit then (
      select (extract(epoch from completed_at) * 1000000)::bigint || '_' || id from page where place = v_limit
    ) end
  ) into v_answer from page;
  return v_answer;
end $$;
comment on function public.list_failed_jobs is
  'A page of failed jobs without their data, newest end first: of a company, queue, type, with p_error in their error, ended since p_after. Answers {data, next_cursor}. Raises role_required, company_required, invalid_cursor.';
grant execute on function public.list_failed_jobs to authenticated, service_role;

create function private.lock_queues_of(p_ids bigint[])
returns void language sql volatile security invoker set search_path = '' as $$
  select private.lock_queues(array(select distinct queue from public.queue_jobs where id = any (p_ids)))
$$;
comment on function private.lock_queues_of is 'Keeps claims of these queues waiting, so that no job of a key starts meanwhile.';
create function private.revive(p_ids bigint[], p_run_at timestamptz, p_spread_seconds double precision)
returns void language plpgsql volatile security invoker set search_path = ''
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
begin
  update public.queue_jobs as job set
    replays = replays + 1, status = 'pending', completed_at = null, attempts = 0, started_at = null, result = null,
    run_at = coalesce(p_run_at, now()) + make_interval(secs => coalesce(p_spread_seconds, 0) * (place - 1) / cardinality(p_ids))
  from unnest(p_ids) with ordinality as given (id, place)
  where job.id = any (p_ids) and job.id = given.id;
exception when unique_violation then
  -- Enqueued a moment ago under the same key: the whole call is worth another try.
  raise exception using errcode = '40001', message = 'A job with the same unique key was enqueued meanwhile.';
end $$;
comment on function private.revive is 'Starts locked, ended jobs anew, evenly spread over a time.';
grant execute on function private.lock_queues_of, private.revive to service_role;

-- definer because admins may not write jobs; lock_job asks whether they may do this.
create function private.replay_one(p_id bigint, p_run_at timestamptz)
returns json language plpgsql volatile security definer set search_path = '' as $$
declare
  v_job public.queue_jobs;
  v_obstacle text;
begin
  perform private.lock_queues_of(array[p_id]);
  v_job := private.lock_job(p_id);
  v_obstacle := private.replay_obstacle(v_job);
  if v_obstacle is not null then
    raise exception using errcode = 'PT409', message = v_obstacle, detail = case v_obstacle
      when 'job_not_failed' then format('Job %s is %s; only failed and cancelled jobs are replayed.', p_id, v_job.status)
      when 'job_not_replayable' then format('A second run of %s would do nothing; make a new one.', v_job.type)
      when 'unique_key_taken' then 'Another unfinished job has its unique key.'
      else 'A later job of its order key is running; try again when that has ended.'
    end;
  end if;
  perform private.revive(array[p_id], p_run_at, 0);
  perform private.record_operation('replay', v_job.company_id, jsonb_build_object('id', p_id, 'run_at', p_run_at), 1);
  return json_build_object('id', p_id, 'status', 'pending');
end $$;
comment on function private.replay_one is 'See replay_job.';

create function public.replay_job(p_id bigint, p_run_at timestamptz default null)
returns json language sql volatile security invoker set search_path = '' as $$
  select private.replay_one(p_id, p_run_at)
$$;
comment on function public.replay_job is
  'Starts a failed or cancelled job anew, now or at p_run_at, with all its attempts and its old place in its order key. Raises job_not_found, job_not_failed, job_not_replayable, unique_key_taken, order_key_busy.';

-- definer because admins may not write jobs; it asks itself whether they may do this.
create function private.replay_many(
  p_filter jsonb, p_run_at timestamptz, p_spread_seconds double precision, p_limit integer
)
returns json language plpgsql volatile security definer set search_path = '' as $$
declare
  v_company_id uuid := p_filter ->> 'company_id';
  v_status text := coalesce(p_filter ->> 'status', 'failed');
  v_meant bigint;
  v_ids bigint[];
begin
  if not private.may_operate(v_company_id) then
    raise exception using errcode = 'PT403', message = 'role_required', detail = 'This needs the role admin.';
  end if;
  perform private.check_filter(p_filter);
  -- Counted before the lock, which keeps claims waiting.
  select count(*) into v_meant from private.ended_jobs(v_status, p_filter || '{"replayable": true}', 10000);
  v_ids := array(
    select id from public.queue_jobs
    where id = any (array(
      select id from private.ended_jobs(v_status, p_filter || '{"replayable": true}', private.batch_limit(p_limit))
    )) and status = v_status
    for update skip locked
  );
  perform private.lock_queues_of(v_ids);
  v_ids := array(
    select distinct on (queue, coalesce(unique_key, id::text), unique_key is null) id from public.queue_jobs as job
    where id = any (v_ids) and private.replay_obstacle(job) is null
    order by queue, coalesce(unique_key, id::text), unique_key is null, id desc
  );
  v_ids := array(select unnest(v_ids) as id order by id);
  perform private.revive(v_ids, p_run_at, p_spread_seconds);
  perform private.record_operation('replay', v_company_id, p_filter || jsonb_build_object(
    'run_at', p_run_at, 'spread_seconds', p_spread_seconds
  ), cardinality(v_ids));
  return json_build_object('replayed', cardinality(v_ids), 'left', greatest(0, v_meant - cardinality(v_ids)));
end $$;
comment on function private.replay_many is 'See replay_jobs.';

create function public.replay_jobs(
  p_queue text default null, p_type text default null, p_company_id uuid default null, p_status text default null,
  p_error text default null, p_after timestamptz default null, p_before timestamptz default null,
  p_run_at timestamptz default null, p_spread_seconds double precision default 0, p_limit integer default 1000
)
returns json language sql volatile security invoker set search_path = '' as $$
  select private.replay_many(jsonb_build_object(
    'queue', p_queue, 'type', p_type, 'company_id', private.operated_company(p_company_id), 'status', p_status,
    'error', p_error, 'after', p_after, 'before', p_before
  ), p_run_at, p_spread_seconds, p_limit)
$$;
comment on function public.replay_jobs is
  'Starts up to p_limit (5000 at most) ended jobs anew, as replay_job does, spread evenly from p_run_at over p_spread_seconds: of a queue, type, company, status failed (or cancelled), with p_error in their error, ended from p_after to p_before. Those that cannot start now are passed over. Answers {replayed, left}; left is counted among the first 10000. Raises role_required, filter_required, invalid_filter.';
grant execute on function private.replay_one, private.replay_many, public.replay_job, public.replay_jobs to authenticated, service_role;

create function public.copy_job(
  p_id bigint, p_data jsonb default null, p_delay_seconds double precision default 0, p_priority integer default null
)
returns json language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_job public.queue_jobs := private.lock_job(p_id);
  v_copy bigint;
begin
  if v_job.completed_at is null then
    raise exception using errcode = 'PT409', message = 'job_not_ended', detail = format('Job %s has not ended.', p_id);
  end if;
  v_copy := public.enqueue_jobs(jsonb_build_array(jsonb_build_object(
    'type', v_job.type, 'queue', v_job.queue, 'company_id', v_job.company_id, 'data', coalesce(p_data, v_job.data),
    'priority', coalesce(p_priority, v_job.priority), 'max_attempts', v_job.max_attempts,
    'order_key', v_job.order_key, 'limit_key', v_job.limit_key, 'delay_seconds', p_delay_seconds
  ))) ->> 0;
  perform private.record_operation('copy', v_job.company_id, jsonb_build_object('id', p_id, 'copy', v_copy), 1);
  return json_build_object('id', v_copy);
end $$;
comment on function public.copy_job is
  'A new job like an ended one, with other data where given; the old one stays as it is. It has no unique key and comes last in its order key. Each call makes one. Raises job_not_found, job_not_ended.';
grant execute on function public.copy_job to service_role;
