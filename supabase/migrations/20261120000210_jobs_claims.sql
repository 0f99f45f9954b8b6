-- Jobs, claims: who gets a job.
--
-- A claim writes only columns that stand in no index (lease_until, claims, attempts, started_at,
-- worker): with fillfactor 50 it is a HOT update and touches no index. Keep it that way.
--
-- `claims` counts leases and fences: a worker settles the claim that it holds, and a late or
-- repeated settlement matches nothing. `attempts` counts only what the retry limit is about.
--
-- Called by functions/jobs/rpc.py as service_role.

set lock_timeout = '5s';


-- Room --------------------------------------------------------------------------------------

create function private.queue_room(p_queue public.queues, p_limit integer)
returns integer language sql stable security invoker set search_path = '' as $$
  select case when (p_queue).paused or (p_queue).blocked_until > now() then 0 else greatest(0, least(
    p_limit,
    (p_queue).concurrency - (p_queue).running,
    floor(private.queue_tokens(p_queue))::integer
  )) end
$$;
comment on function private.queue_room is 'How many jobs of a queue may start now: the smallest of limit, free slots and tokens.';

create function private.limit_opens_at(p_limit private.job_limits)
returns timestamptz language sql stable security invoker set search_path = '' as $$
  select greatest(
    (p_limit).blocked_until,
    case when (p_limit).rate_per_second is not null then
      now() + make_interval(secs => least(1e9, (1 - private.limit_tokens(p_limit)) / (p_limit).rate_per_second))
    end
  )
$$;
comment on function private.limit_opens_at is 'When a limit key lets its next job start; past or null: now.';
grant execute on function private.queue_room, private.limit_opens_at to service_role;

create function private.room_of_limits(p_lane_ids bigint[])
returns table (lane_id bigint, room integer) language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_held text[];
begin
  -- A key that a claim of another queue holds is passed over: its lanes keep their turn.
  v_held := array(
    select held.limit_key from private.job_limits as held
    where held.limit_key in (select lane.limit_key from private.queue_lanes as lane where lane.id = any (p_lane_ids))
    for no key update skip locked
  );
  update private.queue_lanes as lane set
    blocked_until = private.limit_opens_at(held), turn_at = private.limit_opens_at(held)
  from private.job_limits as held
  where lane.id = any (array(
      select free.id from private.queue_lanes as free where free.id = any (p_lane_ids) for no key update skip locked
    ))
    and held.limit_key = lane.limit_key and held.limit_key = any (v_held) and private.limit_opens_at(held) > now();
  return query
  -- Of several lanes of one key the first gets what it has; the others keep their turn.
  select distinct on (coalesce(held.limit_key, lane.id::text), held.limit_key is null)
    lane.id, floor(private.limit_tokens(held))::integer
  from private.queue_lanes as lane left join private.job_limits as held using (limit_key)
  where lane.id = any (p_lane_ids)
    and (held.limit_key is null or (held.limit_key = any (v_held) and coalesce(private.limit_opens_at(held) <= now(), true)))
  order by coalesce(held.limit_key, lane.id::text), held.limit_key is null, lane.turn_at, lane.id;
end $$;
comment on function private.room_of_limits is
  'Of these lanes those whose limit key lets jobs start now, and how many; null: any number. Those it stops sleep until it opens.';
grant execute on function private.room_of_limits to service_role;


-- Lease -------------------------------------------------------------------------------------

create function private.with_entry(p_history jsonb, p_entry jsonb)
returns jsonb language sql immutable security invoker set search_path = '' as $$
  select jsonb_path_query_array(p_entry || coalesce(p_history, '[]'), '$[0 to 9]')
$$;
comment on function private.with_entry is 'A history with one more entry, the newest first, ten at most.';

create function private.history_with_lost_lease(p_job public.queue_jobs)
returns jsonb language sql stable security invoker set search_path = '' as $$
  select private.with_entry((p_job).history, jsonb_build_array(jsonb_build_object(
    'attempt', (p_job).attempts, 'started_at', (p_job).started_at, 'worker', (p_job).worker, 'outcome', 'lost',
    'seconds', round(extract(epoch from (p_job).lease_until - (p_job).started_at), 3),
    'error', 'lease_ended: the worker did not settle it in time'
  )))
$$;
comment on function private.history_with_lost_lease is 'The history of a job whose lease ran out.';
grant execute on function private.with_entry, private.history_with_lost_lease to service_role;

create function private.lease_jobs(
  p_lane_ids bigint[], p_shares integer[], p_limit integer, p_lease_seconds integer, p_worker text
)
returns setof public.queue_jobs language plpgsql volatile security invoker set search_path = ''
-- Plans made while the table is empty turn against us when it is full: pin the index scans.
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
as $$
begin
  return query
  -- Materialised, or the planner may update more rows than the limit. One descent per priority,
  -- since Postgres before 18 cannot skip to the due jobs of the next priority by itself. At most
  -- 50 jobs that wait behind another are stepped over; park_blocked takes more out of the way. Whose
  -- turn it is comes first: offset 0 keeps the planner from going through the lanes in another order.
  with picked as materialized (
    select free.ctid
    from unnest(p_lane_ids, p_shares) as turn (lane_id, share)
    cross join lateral (select * from private.queue_lanes where id = turn.lane_id offset 0) as lane
    cross join lateral (
      select due.ctid
      from generate_series(9, 0, -1) as level
      cross join lateral (
        select near.ctid from (
          select job.ctid, job.id, job.queue, job.order_key from public.queue_jobs as job
          where job.lane_id = lane.id and job.priority = level and job.completed_at is null and not job.parked
            and job.run_at >= coalesce(lane.floors[level + 1], '-infinity') and job.run_at <= now()
            and (job.lease_until is null or job.lease_until <= now())
          order by job.run_at, job.id
          limit turn.share + 50
          for update of job skip locked
        ) as near
        where near.order_key is null or not exists (
          select from public.queue_jobs as earlier
          where earlier.queue = near.queue and earlier.order_key = near.order_key
            and earlier.completed_at is null and earlier.id < near.id
        )
        limit turn.share
      ) as due
      limit turn.share
    ) as free
    limit p_limit
  )
  update public.queue_jobs as job set
    claims = claims + 1,
    attempts = least(attempts + 1, max_attempts),
    started_at = now(),
    worker = p_worker,
    -- A lease that ran out on the last attempt ends the job here instead of starting it again.
    lease_until = case when attempts < max_attempts then now() + make_interval(secs => p_lease_seconds) end,
    status = case when attempts < max_attempts then 'pending' else 'failed' end,
    completed_at = case when attempts < max_attempts then null else now() end,
    error = case when attempts < max_attempts then error else 'worker_died: no attempt is left' end,
    last_error_at = case when attempts < max_attempts then last_error_at else now() end,
    history = case when lease_until is null then history else private.history_with_lost_lease(job) end
  where job.ctid = any (array(select ctid from picked))
  returning job.*;
end $$;
comment on function private.lease_jobs is
  'Leases due jobs of these lanes, of each up to its share: by priority, then due time; of an order key only the first.';
grant execute on function private.lease_jobs to service_role;


-- Turns -------------------------------------------------------------------------------------

create function private.free_jobs_left(p_lane_id bigint, p_limit integer)
returns integer language sql volatile security invoker set search_path = ''
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
as $$
  select count(*)::integer from (
    select from private.queue_lanes as lane cross join generate_series(0, 9) as level cross join lateral (
      select from public.queue_jobs as job
      where job.lane_id = lane.id and job.priority = level and job.completed_at is null and not job.parked
        and job.run_at >= coalesce(lane.floors[level + 1], '-infinity') and job.run_at <= now()
        and (job.lease_until is null or job.lease_until <= now())
      limit p_limit
    ) as free
    where lane.id = p_lane_id limit p_limit
  ) as counted
$$;
comment on function private.free_jobs_left is
  'How many due jobs of a lane are free, up to a limit; after a claim that found too few, those wait behind another.';

create function private.next_due_at(p_lane_id bigint)
returns timestamptz language sql volatile security invoker set search_path = ''
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
as $$
  -- The first that is due is leased, since none is free. Nothing tells when a lease ends: look again.
  select min(case when next.run_at <= now() then now() + interval '5 seconds' else next.run_at end)
  from private.queue_lanes as lane
  cross join generate_series(0, 9) as level
  cross join unnest(array[coalesce(lane.floors[level + 1], '-infinity'), now()]) as after
  cross join lateral (
    select job.run_at from public.queue_jobs as job
    where job.lane_id = lane.id and job.priority = level and job.completed_at is null and not job.parked
      and job.run_at > after
    order by job.run_at, job.id limit 1
  ) as next
  where lane.id = p_lane_id
$$;
comment on function private.next_due_at is 'When a lane without free jobs wants to be looked at; null: not by itself.';

create function private.end_turn(p_lane_id bigint)
returns boolean language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_left integer;
begin
  -- Who is enqueueing into the lane holds it: it keeps its turn then. Claims never wait for a lane.
  perform from private.queue_lanes where id = p_lane_id for update skip locked;
  if not found then
    return false;
  end if;
  v_left := private.free_jobs_left(p_lane_id, 50);
  if v_left = 50 and private.park_blocked(array[p_lane_id], 200) > 0 then
    return true;
  end if;
  update private.queue_lanes as lane set turn_at = case
    when v_left = 0 then coalesce(
      least(private.next_due_at(p_lane_id), case when floors is not null then now() + interval '5 seconds' end), 'infinity'
    )
    else now()
  end
  where id = p_lane_id;
  return false;
end $$;
comment on function private.end_turn is
  'Sends a lane that had too few jobs to sleep, or to the end of the line. True: jobs behind another were put out of its way, look once more.';

create function private.raise_floors(p_lane_ids bigint[])
returns void language sql volatile security invoker set search_path = ''
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
as $$
  -- A snapshot that is held anywhere keeps the index entries of jobs that have ended, and claims
  -- would step over them, and over those that run. Not while somebody enqueues into the lane, whose
  -- jobs cannot be seen yet; who comes later with an earlier time lowers the floors (wake_lane).
  update private.queue_lanes as lane set floored_at = coalesce(floored_at, now()), floors = array(
    select least(now() - interval '20 milliseconds', (
      select job.run_at from public.queue_jobs as job
      where job.lane_id = lane.id and job.priority = level and job.completed_at is null and not job.parked
        and job.run_at >= coalesce(lane.floors[level + 1], '-infinity')
        and (job.lease_until is null or job.lease_until <= now())
      order by job.run_at, job.id limit 1
    ))
    from generate_series(0, 9) as level order by level
  )
  where id = any (array(select id from private.queue_lanes where id = any (p_lane_ids) order by id for update skip locked))
$$;
comment on function private.raise_floors is 'Notes from which due time on claims have to look, per priority.';

create function private.drop_floors(p_lane_ids bigint[])
returns void language sql volatile security invoker set search_path = '' as $$
  update private.queue_lanes set floors = null, floored_at = null
  where id = any (array(
    select id from private.queue_lanes
    where id = any (p_lane_ids) and floored_at < now() - interval '10 seconds' for no key update skip locked
  ))
$$;
comment on function private.drop_floors is
  'Looks at everything again after ten seconds, for leases that ran out.';
grant execute on function
  private.free_jobs_left, private.next_due_at, private.end_turn, private.raise_floors, private.drop_floors
to service_role;


-- Claim -------------------------------------------------------------------------------------

create function private.open_lanes(p_queue text, out lane_ids bigint[], out rooms integer[])
language plpgsql volatile security invoker set search_path = '' as $$
begin
  lane_ids := array(
    select id from private.queue_lanes where queue = p_queue and turn_at <= now() order by turn_at, id limit 64
  );
  perform private.drop_floors(lane_ids);
  if exists (select from private.queue_lanes where id = any (lane_ids) and limit_key is not null) then
    select coalesce(array_agg(lane_id order by place), '{}'), array_agg(room order by place) into lane_ids, rooms
    from private.room_of_limits(lane_ids) join unnest(lane_ids) with ordinality as open (lane_id, place) using (lane_id);
  end if;
end $$;
comment on function private.open_lanes is 'Up to 64 lanes of a queue whose turn it is, and how many jobs the limit of each lets start; null: any number.';

create function private.spend_tokens(p_lane_ids bigint[])
returns void language sql volatile security invoker set search_path = '' as $$
  update private.job_limits as spent set tokens = coalesce(private.limit_tokens(spent) - taken.jobs, 0), refilled_at = now()
  from (
    select lane.limit_key, count(*) as jobs from unnest(p_lane_ids) as given (id) join private.queue_lanes as lane using (id)
    where lane.limit_key is not null group by lane.limit_key
  ) as taken
  where spent.limit_key = taken.limit_key
$$;
comment on function private.spend_tokens is 'Takes a token of the limit key of each of these lanes, given once per job.';
grant execute on function private.open_lanes, private.spend_tokens to service_role;

create function private.claim_from_queue(
  p_queue text, p_limit integer, p_lease_seconds integer, p_worker text, out jobs text[], out claimed integer
)
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_open bigint[];
  v_rooms integer[];
  v_shares integer[];
  v_served bigint[] := '{}';
  v_taken bigint[];
  v_lanes integer;
  v_jobs text;
  v_started integer;
  v_ended jsonb;
  v_waits double precision[];
  v_began timestamptz;
begin
  jobs := '{}';
  claimed := 0;
  select lane_ids, rooms into v_open, v_rooms from private.open_lanes(p_queue);
  v_lanes := cardinality(v_open);
  for v_round in 1 .. 20 loop
    exit when claimed >= p_limit or coalesce(cardinality(v_open), 0) = 0;
    v_shares := array(
      select least(ceil((p_limit - claimed)::numeric / cardinality(v_open))::integer, room)
      from unnest(v_open, v_rooms) with ordinality as lane (id, room, place) order by place
    );
    v_began := clock_timestamp();
    select
      -- A job as its worker receives it (functions/jobs/models.py, Job). Written out, because
      -- json_build_object looks up its types for every row, and costs as much as the claim.
      string_agg(
        '{"id":' || id || ',"claim":' || claims || ',"type":' || to_json(type) || ',"queue":"' || queue
        || '","company_id":' || coalesce('"' || company_id || '"', 'null')
        || ',"attempt":' || attempts || ',"max_attempts":' || max_attempts || ',"data":' || data
        || ',"order_key":' || coalesce(to_json(order_key)::text, 'null')
        || ',"limit_key":' || coalesce(to_json(limit_key)::text, 'null')
        || ',"progress":' || coalesce(progress::text, 'null') || '}',
        ',' order by priority desc, run_at, id
      ) filter (where status = 'pending'),
      count(*) filter (where status = 'pending'), coalesce(array_agg(lane_id), '{}'),
      array_agg(extract(epoch from started_at - run_at)::double precision),
      jsonb_agg(jsonb_build_object('queue', queue, 'order_key', order_key)) filter (where status = 'failed')
    into v_jobs, v_started, v_taken, v_waits, v_ended
    from private.lease_jobs(v_open, v_shares, p_limit - claimed, p_lease_seconds, p_worker) as job;
    -- Worth a write where much was taken, or where little took long.
    if v_started >= 50 or clock_timestamp() - v_began > interval '3 milliseconds' then
      perform private.raise_floors(v_open);
    end if;
    claimed := claimed + v_started;
    jobs := jobs || v_jobs;
    v_served := v_served || v_taken;
    perform private.unpark_next(v_ended);
    perform private.count_starts(p_queue, v_waits, cardinality(v_taken) - v_started);
    -- Those that had their whole share may have more; of the others those that look once more.
    select array_agg(lane.id order by place), array_agg(lane.room - share order by place) into v_open, v_rooms
    from unnest(v_open, v_rooms, v_shares) with ordinality as lane (id, room, share, place)
    left join (select id, count(*) as jobs from unnest(v_taken) as taken (id) group by id) as taken using (id)
    where claimed < p_limit
      and case when taken.jobs >= share then coalesce(lane.room > share, true) else private.end_turn(lane.id) end;
  end loop;
  perform private.spend_tokens(v_served);
  if v_lanes > 1 then
    update private.queue_lanes set turn_at = now() where id = any (array(
      select id from private.queue_lanes where id = any (v_served) and turn_at <= now() for no key update skip locked
    ));
  end if;
end $$;
comment on function private.claim_from_queue is
  'Leases up to p_limit due jobs of one queue, evenly from the lanes whose turn it is; answers them as JSON.';
grant execute on function private.claim_from_queue to service_role;

create function private.queues_with_turns(p_queues text[])
returns setof public.queues language sql volatile security invoker set search_path = '' as $$
  select queue.* from public.queues as queue
  where (p_queues is null or name = any (p_queues)) and not paused and (blocked_until is null or blocked_until <= now())
    and exists (select from private.queue_lanes as lane where lane.queue = queue.name and lane.turn_at <= now())
$$;
comment on function private.queues_with_turns is 'Those of these queues, or of all, that may have a job to start.';
grant execute on function private.queues_with_turns to service_role;

create function private.lanes_in_line()
returns bigint language sql volatile security invoker set search_path = '' as $$
  select sum(line.lanes)::bigint from public.queues as queue cross join lateral (
    select count(*) as lanes from (
      select from private.queue_lanes as lane where lane.queue = queue.name and lane.turn_at < now() limit 2000
    ) as waiting
  ) as line
$$;
comment on function private.lanes_in_line is 'How many lanes wait for their turn, up to 2000 of each queue.';
grant execute on function private.lanes_in_line to service_role;

create function public.claim_jobs(
  p_limit integer, p_lease_seconds integer, p_queues text[] default null, p_worker text default null
)
returns json language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_queue public.queues;
  v_part integer;
  v_claimed integer;
  v_jobs text[];
  v_all text[] := '{}';
  v_before integer;
  v_line bigint;
  v_line_before bigint;
begin
  perform private.lock_queues(p_queues);
  perform private.wake_noted_lanes();
  for v_pass in 1 .. 20 loop
    v_before := p_limit;
    select ceil(p_limit::numeric / count(*)) into v_part from private.queues_with_turns(p_queues) having count(*) > 0;
    exit when p_limit <= 0 or not found;
    for v_queue in select * from private.queues_with_turns(p_queues) order by random() loop
      select jobs, claimed into v_jobs, v_claimed from private.claim_from_queue(
        v_queue.name, private.queue_room(v_queue, least(v_part, p_limit)), p_lease_seconds, p_worker
      );
      if v_claimed > 0 and (v_queue.concurrency is not null or v_queue.rate_per_second is not null) then
        update public.queues set
          running = running + v_claimed,
          tokens = coalesce(private.queue_tokens(v_queue) - v_claimed, 0), refilled_at = now()
        where name = v_queue.name;
      end if;
      p_limit := p_limit - v_claimed;
      v_all := v_all || v_jobs;
    end loop;
    -- What some queues did not use goes to the others; and where many lanes have nothing, to those
    -- behind. A lane that somebody enqueues into stays in line: a second look finds no more in it.
    if p_limit = v_before then
      v_line := private.lanes_in_line();
      exit when v_line = 0 or v_line = v_line_before;
      v_line_before := v_line;
    end if;
  end loop;
  return '[' || array_to_string(v_all, ',') || ']';
end $$;
comment on function public.claim_jobs is
  'Leases up to p_limit due jobs for p_lease_seconds and answers them in the order to start. Queues share a claim, and in a queue its companies and limit keys.';
grant execute on function public.claim_jobs to service_role;
