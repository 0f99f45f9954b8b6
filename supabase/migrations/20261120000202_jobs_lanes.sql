-- Jobs, lanes: whose turn it is.
--
-- turn_at says when a lane wants to be looked at:
--
--   in the past       it may have a job that is due: claims serve the longest waiting lanes first,
--                     and a lane that was served goes to the end of the line
--   in the future     its next job is due then, or its limit lets one start then
--   infinity          it has nothing to do
--
-- Putting a lane to sleep needs a lock that whoever enqueues into it keeps away (FOR UPDATE
-- against FOR KEY SHARE), so no job arrives unnoticed. Whatever else makes a job free to start
-- earlier wakes its lane by the trigger below.
--
-- An order key whose jobs pile up would make every claim step over the pile. What a claim finds
-- behind another job it parks: out of the index of ready jobs, until the job ahead has ended.
--
-- Called by the other *_jobs_*.sql.

set lock_timeout = '5s';


-- Locks -------------------------------------------------------------------------------------

create function private.lock_queues(p_queues text[])
returns void language sql volatile security invoker set search_path = '' as $$
  -- In one order by everybody, or workers that hold one queue and want another would deadlock.
  -- No row locks: a claim that finds nothing then writes nothing, and waits for no disk.
  select pg_advisory_xact_lock(1702, hashtext(name)) from (
    select name from public.queues where p_queues is null or name = any (p_queues) order by hashtext(name)
  ) as queue
$$;
comment on function private.lock_queues is
  'Locks these queues, or all, against claims, settlements and changes until the end of the transaction: their limits and counts are exact.';
grant execute on function private.lock_queues to service_role;


-- Tokens ------------------------------------------------------------------------------------

create function private.bucket_tokens(
  p_tokens double precision, p_rate_per_second double precision, p_burst integer, p_refilled_at timestamptz
)
returns double precision language sql stable security invoker set search_path = '' as $$
  select least(p_burst, p_tokens + p_rate_per_second * greatest(0, extract(epoch from now() - p_refilled_at)))
  where p_rate_per_second is not null
$$;
comment on function private.bucket_tokens is 'Tokens in a bucket now; null where there is no rate.';

create function private.queue_tokens(p_queue public.queues)
returns double precision language sql stable security invoker set search_path = '' as $$
  select private.bucket_tokens((p_queue).tokens, (p_queue).rate_per_second, (p_queue).burst, (p_queue).refilled_at)
$$;
comment on function private.queue_tokens is 'Tokens of a queue now; null where it has no rate.';

create function private.limit_tokens(p_limit private.job_limits)
returns double precision language sql stable security invoker set search_path = '' as $$
  select private.bucket_tokens((p_limit).tokens, (p_limit).rate_per_second, (p_limit).burst, (p_limit).refilled_at)
$$;
comment on function private.limit_tokens is 'Tokens of a limit key now; null where it has no rate.';
grant execute on function private.bucket_tokens, private.queue_tokens, private.limit_tokens to service_role;


-- Into a lane -------------------------------------------------------------------------------

create function private.make_lane(p_queue text, p_company_id uuid, p_limit_key text)
returns bigint language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_id bigint;
begin
  if not exists (select from public.queues where name = p_queue) then
    raise exception using errcode = 'PT422', message = 'unknown_queue', detail = format('There is no queue %s.', p_queue),
      hint = 'Queues are rows of the table queues.';
  end if;
  insert into private.queue_lanes (queue, company_id, limit_key) values (p_queue, p_company_id, p_limit_key)
  on conflict on constraint one_lane_per_company_and_key do update set queue = excluded.queue
  returning id into v_id;
  return v_id;
end $$;
comment on function private.make_lane is 'The lane of a queue, a company and a limit key; made where it is missing. Raises unknown_queue.';

create table private.lane_wakes (
  id bigint generated always as identity primary key,
  lane_id bigint not null references private.queue_lanes (id) on delete cascade,
  run_at timestamptz not null
);
comment on table private.lane_wakes is 'Lanes to wake that somebody else held at that moment; the next claim does it. Nearly always empty.';
create index lane_wakes_by_lane on private.lane_wakes (lane_id);
alter table private.lane_wakes enable row level security;
grant select, insert, delete on private.lane_wakes to service_role;

create function private.wake_lane(p_lane_id bigint, p_run_at timestamptz)
returns void language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_lane private.queue_lanes;
begin
  select * into v_lane from private.queue_lanes where id = p_lane_id;
  if not (v_lane.turn_at > greatest(p_run_at, now(), v_lane.blocked_until) or coalesce(p_run_at < any (v_lane.floors), false)) then
    return;
  end if;
  -- Nobody waits for a lane: who did, and held another, could be waited for in turn.
  perform from private.queue_lanes where id = p_lane_id for no key update skip locked;
  if found then
    update private.queue_lanes set
      turn_at = least(turn_at, greatest(p_run_at, now(), blocked_until)),
      floors = case when floors is not null then array(select least(floor, p_run_at) from unnest(floors) as floor) end
    where id = p_lane_id;
  else
    insert into private.lane_wakes (lane_id, run_at) values (p_lane_id, p_run_at);
  end if;
end $$;
comment on function private.wake_lane is 'A job of the lane that is due then has become free to start.';

create function private.wake_noted_lanes()
returns void language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_noted record;
begin
  if exists (select from private.lane_wakes) then
    for v_noted in delete from private.lane_wakes where id > 0 returning * loop
      perform private.wake_lane(v_noted.lane_id, v_noted.run_at);
    end loop;
  end if;
end $$;
comment on function private.wake_noted_lanes is 'Wakes the lanes that were held when they were to be woken.';
grant execute on function private.make_lane, private.wake_lane, private.wake_noted_lanes to service_role;

create function private.wake_lane_of_job()
returns trigger language plpgsql security invoker set search_path = '' as $$
begin
  -- As for an enqueue: a claim that is putting the lane to sleep just now ends first, and is seen.
  perform from private.queue_lanes where id = new.lane_id for key share;
  perform private.wake_lane(new.lane_id, new.run_at);
  return null;
end $$;
comment on function private.wake_lane_of_job is 'Trigger: a job that can start earlier than its lane knows.';
grant execute on function private.wake_lane_of_job to service_role;
create trigger jobs_wake_their_lane after update of run_at, lease_until, parked, completed_at, lane_id
on public.queue_jobs for each row
when (
  new.completed_at is null and not new.parked and (
    old.parked or old.completed_at is not null or new.run_at < old.run_at or new.lane_id <> old.lane_id
    or (old.lease_until is not null and (new.lease_until is null or new.lease_until < old.lease_until))
  )
)
execute function private.wake_lane_of_job();


-- Out of the way ----------------------------------------------------------------------------

create function private.park_blocked(p_lane_ids bigint[], p_window integer)
returns integer language plpgsql volatile security invoker set search_path = ''
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
declare
  v_parked integer;
begin
  with waiting as materialized (
    select distinct free.queue, free.order_key
    from unnest(p_lane_ids) as lane (id)
    cross join generate_series(9, 0, -1) as level
    cross join lateral (
      select job.queue, job.order_key from public.queue_jobs as job
      where job.lane_id = lane.id and job.priority = level and job.completed_at is null and not job.parked
        and job.run_at <= now() and (job.lease_until is null or job.lease_until <= now())
      order by job.run_at, job.id
      limit p_window
    ) as free
    where free.order_key is not null
  ), head as materialized (
    -- Locked against its end: who ends it waits for us, and then sees what it has to bring back.
    select waiting.queue, waiting.order_key, first.id
    from waiting cross join lateral (
      -- Compared as a row, or the planner may walk the primary key until it meets the order key.
      select job.id, job.queue, job.order_key from public.queue_jobs as job
      where (job.queue, job.order_key, job.id) >= (waiting.queue, waiting.order_key, 0)
        and job.order_key is not null and job.completed_at is null
      order by job.queue, job.order_key, job.id limit 1
      for share of job skip locked
    ) as first
    where first.queue = waiting.queue and first.order_key = waiting.order_key
  ), blocked as materialized (
    select behind.ctid from head cross join lateral (
      select job.ctid from public.queue_jobs as job
      where job.queue = head.queue and job.order_key = head.order_key and job.completed_at is null
        and job.id > head.id and not job.parked and (job.lease_until is null or job.lease_until <= now())
      limit 5000
      for update of job skip locked
    ) as behind
    limit 5000
  )
  update public.queue_jobs as job set parked = true
  where job.ctid = any (array(select ctid from blocked));
  get diagnostics v_parked = row_count;
  return v_parked;
end $$;
comment on function private.park_blocked is
  'Parks what waits behind the order keys among the first p_window free jobs of these lanes, up to 5000 jobs; how many.';

create function private.unpark_next(p_keys jsonb)
returns void language plpgsql volatile security invoker set search_path = ''
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
begin
  if p_keys is null or not exists (select from public.queue_jobs where parked limit 1) then
    return;
  end if;
  update public.queue_jobs as job set parked = false, run_at = greatest(job.run_at, now())
  where job.parked and job.id = any (array(
    select first.id
    from (select distinct queue, order_key from jsonb_to_recordset(p_keys) as k (queue text, order_key text)) as ended
    cross join lateral (
      -- Compared as a row, or the planner may walk the primary key until it meets the order key.
      select live.id, live.queue, live.order_key from public.queue_jobs as live
      where (live.queue, live.order_key, live.id) >= (ended.queue, ended.order_key, 0)
        and live.order_key is not null and live.completed_at is null
      order by live.queue, live.order_key, live.id limit 1
    ) as first
    where first.queue = ended.queue and first.order_key = ended.order_key
  ));
end $$;
comment on function private.unpark_next is
  'Brings back the next job of order keys whose first has ended: [{queue, order_key}]. Call it in a statement after the one that ended them.';
grant execute on function private.park_blocked, private.unpark_next to service_role;
