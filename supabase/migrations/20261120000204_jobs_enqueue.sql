-- Jobs, enqueue: how work gets into a queue, in the transaction of whoever asks for it.
--
-- Called by functions/jobs/rpc.py as service_role, and by the functions of other rooms.

set lock_timeout = '5s';

create function private.lock_order_keys(p_jobs jsonb)
returns void language plpgsql volatile security invoker set search_path = '' as $$
begin
  -- Ids of one key must be given in commit order, or a job that commits late would overtake
  -- one that runs already. 256 locks in a fixed order: bounded, and free of deadlocks.
  perform pg_advisory_xact_lock(1701, bucket)
  from (
    select distinct hashtext(job ->> 'order_key') & 255 as bucket
    from jsonb_array_elements(p_jobs) as job
    where job ->> 'order_key' is not null
    order by 1
  ) as buckets;
end $$;
comment on function private.lock_order_keys is 'Serialises enqueues of one order key until the end of the transaction.';
grant execute on function private.lock_order_keys to service_role;

create function private.type_of_alias(p_alias public.job_types, p_data jsonb)
returns text language plpgsql immutable security invoker set search_path = '' as $$
begin
  if (p_alias).needs is not null and not coalesce(p_data ? (p_alias).needs, false) then
    raise exception using errcode = 'PT422', message = 'invalid_job_data',
      detail = format('%s needs data.%s.', (p_alias).type, (p_alias).needs),
      hint = 'See "Portuguese names" in docs/jobs.md.';
  end if;
  return (p_alias).alias_of;
end $$;
comment on function private.type_of_alias is 'The type that an alias stands for. Raises invalid_job_data.';
grant execute on function private.type_of_alias to service_role;

create function private.given_jobs(p_jobs jsonb)
returns table (
  place bigint, type text, queue text, company_id uuid, data jsonb, priority smallint, run_at timestamptz,
  max_attempts integer, unique_key text, order_key text, limit_key text, if_exists text
)
language sql stable security invoker set search_path = '' as $$
  select
    place,
    case when defaults.alias_of is null then given.type else private.type_of_alias(defaults, data) end,
    coalesce(given.queue, defaults.queue, 'default'), company_id, coalesce(data, '{}'),
    coalesce(given.priority, defaults.priority, 5::smallint),
    coalesce(run_at, now() + make_interval(secs => coalesce(delay_seconds, 0))),
    coalesce(given.max_attempts, defaults.max_attempts, 5),
    unique_key, order_key, limit_key, coalesce(if_exists, 'keep')
  from rows from (jsonb_to_recordset(p_jobs) as (
    type text, queue text, company_id uuid, data jsonb, priority smallint, run_at timestamptz,
    delay_seconds double precision, max_attempts integer, unique_key text, order_key text, limit_key text, if_exists text
  )) with ordinality as given (
    type, queue, company_id, data, priority, run_at, delay_seconds, max_attempts, unique_key, order_key, limit_key,
    if_exists, place
  )
  left join public.job_types as defaults on defaults.type = given.type
$$;
comment on function private.given_jobs is 'Jobs as they were asked for, with the defaults of their types. Raises invalid_job_data.';
grant execute on function private.given_jobs to service_role;

create function private.insert_jobs(p_jobs jsonb)
returns bigint[] language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_ids bigint[];
  v_lanes bigint[];
  v_turns timestamptz[];
begin
  with given as materialized (
    select
      nextval('public.queue_jobs_id_seq') as id, coalesce(company_id::text, '') || '/' || coalesce(limit_key, '') as lane,
      job.*
    -- Ids in the order given: the order within an order key.
    from (select * from private.given_jobs(p_jobs) order by place) as job
  ), wanted as materialized (
    select queue, lane, (array_agg(company_id))[1] as company_id, min(limit_key) as limit_key, min(run_at) as run_at
    from given group by queue, lane
  ), lane as materialized (
    -- The lock keeps claims from putting the lane to sleep before these jobs can be seen.
    select wanted.queue, wanted.lane, wanted.run_at, coalesce(
      (select id from private.queue_lanes as known where known.queue = wanted.queue and known.name = wanted.lane for key share),
      private.make_lane(wanted.queue, wanted.company_id, wanted.limit_key)
    ) as id
    from wanted
  ), inserted as (
    insert into public.queue_jobs
      (id, lane_id, type, queue, company_id, data, priority, run_at, max_attempts, unique_key, order_key, limit_key)
    select
      given.id, lane.id, type, queue, company_id, data, priority, given.run_at, max_attempts, unique_key, order_key, limit_key
    from given join lane using (queue, lane)
    order by place
    on conflict (queue, unique_key) where unique_key is not null and completed_at is null do nothing
    returning id
  )
  select
    (select array_agg(inserted.id order by given.place) from given left join inserted using (id)),
    (select array_agg(id order by id) from lane), (select array_agg(run_at order by id) from lane)
  into v_ids, v_lanes, v_turns;
  -- In a statement of its own, which sees a lane that went to sleep just before it was locked.
  perform private.wake_lane(id, run_at) from unnest(v_lanes, v_turns) as lane (id, run_at);
  return coalesce(v_ids, '{}');
end $$;
comment on function private.insert_jobs is
  'Inserts jobs and answers their ids in order, null where the unique key is taken. Raises unknown_queue, invalid_job_data.';
grant execute on function private.insert_jobs to service_role;


-- Unique keys -------------------------------------------------------------------------------

create function private.unfinished_job_like(p_job jsonb)
returns public.queue_jobs language sql volatile security invoker set search_path = '' as $$
  select job from private.given_jobs(jsonb_build_array(p_job)) as given
  join public.queue_jobs as job on job.queue = given.queue and job.unique_key = given.unique_key
  where job.completed_at is null
$$;
comment on function private.unfinished_job_like is 'The job that already has the unique key of this one.';

create function private.replace_job(p_job public.queue_jobs, p_by jsonb)
returns bigint language plpgsql volatile security invoker set search_path = '' as $$
begin
  select * into p_job from public.queue_jobs where id = p_job.id and completed_at is null for update;
  if not found then
    return null;
  end if;
  if p_job.lease_until > now() then
    -- It runs with what it was given. What comes now is work of its own.
    update public.queue_jobs set unique_key = null where id = p_job.id;
    return (private.insert_jobs(jsonb_build_array(p_by)))[1];
  end if;
  -- As in insert_jobs: its lane may be another, and must not go to sleep meanwhile.
  perform from private.queue_lanes where id = p_job.lane_id for key share;
  -- Without its lease, if that ran out: who still holds it has done something else.
  update public.queue_jobs as job set
    data = given.data, run_at = given.run_at, priority = given.priority, max_attempts = given.max_attempts, attempts = 0,
    lease_until = null
  from private.given_jobs(jsonb_build_array(p_by)) as given
  where job.id = p_job.id;
  return p_job.id;
end $$;
comment on function private.replace_job is
  'Gives an unfinished job the data, time and priority of another; one that is running goes on without its unique key, beside a new one.';

create function private.add_where_taken(p_job jsonb)
returns bigint language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_taken public.queue_jobs := private.unfinished_job_like(p_job);
begin
  if v_taken.id is null then
    -- It ended in between, and the key is free.
    return (private.insert_jobs(jsonb_build_array(p_job)))[1];
  end if;
  case coalesce(p_job ->> 'if_exists', 'keep')
    when 'keep' then
      return v_taken.id;
    when 'replace' then
      return private.replace_job(v_taken, p_job);
    else
      raise exception using errcode = 'PT409', message = 'unique_key_taken',
        detail = format('Job %s of queue %s has this unique key and has not ended.', v_taken.id, v_taken.queue),
        hint = 'Ask with if_exists "keep" or "replace" for its id, or wait for its end.';
  end case;
end $$;
comment on function private.add_where_taken is
  'Adds a job whose unique key was taken a moment ago, as its if_exists says; null: try again. Raises unique_key_taken.';
grant execute on function private.unfinished_job_like, private.replace_job, private.add_where_taken to service_role;


-- Enqueue -----------------------------------------------------------------------------------

create function private.check_jobs(p_jobs jsonb)
returns void language plpgsql immutable security invoker set search_path = '' as $$
begin
  if jsonb_typeof(p_jobs) is distinct from 'array' then
    raise exception using errcode = 'PT422', message = 'invalid_jobs', detail = 'p_jobs must be an array of jobs.';
  end if;
  perform from jsonb_array_elements(p_jobs) as job
  where job ->> 'if_exists' not in ('keep', 'replace', 'reject') or length(job ->> 'unique_key') > 500
    or length(job ->> 'order_key') > 500 or length(job ->> 'limit_key') > 200;
  if found then
    raise exception using errcode = 'PT422', message = 'invalid_jobs',
      detail = 'if_exists is keep, replace or reject; unique_key and order_key have at most 500 characters, limit_key 200.';
  end if;
  perform from jsonb_array_elements(p_jobs) as job where pg_column_size(job -> 'data') > 262144;
  if found then
    raise exception using errcode = 'PT413', message = 'job_too_large', detail = 'The data of a job has at most 256 kB.',
      hint = 'Store what is large, and give the job its id or path.';
  end if;
end $$;
comment on function private.check_jobs is 'Refuses what is no list of jobs. Raises invalid_jobs, job_too_large.';
grant execute on function private.check_jobs to service_role;

create function public.enqueue_jobs(p_jobs jsonb)
returns json language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_ids bigint[];
  v_place integer;
begin
  perform private.check_jobs(p_jobs);
  -- Queues before jobs, as everybody does: what replaces jobs locks several, and so does a settlement.
  perform private.lock_queues(null)
  where exists (select from jsonb_array_elements(p_jobs) as job where job ->> 'if_exists' = 'replace');
  perform private.lock_order_keys(p_jobs);
  v_ids := private.insert_jobs(p_jobs);
  loop
    -- Statements of their own, because only a new snapshot sees the job that was in the way.
    v_place := array_position(v_ids, null);
    exit when v_place is null;
    v_ids[v_place] := private.add_where_taken(p_jobs -> (v_place - 1));
  end loop;
  return array_to_json(v_ids);
end $$;
comment on function public.enqueue_jobs is
  'Adds jobs and answers their ids in order. Where an unfinished job has the unique_key already, if_exists decides: keep (its id is answered and nothing added), replace (it gets the new data and time; one that runs goes on, and a new one is added), reject. All or none are added. Raises invalid_jobs, job_too_large, unknown_queue, unique_key_taken, invalid_job_data.';
grant execute on function public.enqueue_jobs to service_role;
