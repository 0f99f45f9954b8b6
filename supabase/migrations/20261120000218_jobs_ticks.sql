-- Jobs, ticks: who works through the queue, and whether anybody does.
--
-- Ticks may overlap: each leases jobs of its own, so a second one helps the first. Slots bound how
-- many help at once. A slot is leased too: a tick that was killed frees it by the passing of time.
--
-- Called by functions/jobs/rpc.py as service_role.

set lock_timeout = '5s';

create table private.tick_slots (
  slot integer primary key,
  tick uuid,
  held_until timestamptz not null default '-infinity',
  constraint a_slot_is_one_of_64 check (slot between 1 and 64)
) with (fillfactor = 50);
comment on table private.tick_slots is 'Who works through the queue; how many may at once is a setting of the deployment.';
insert into private.tick_slots (slot) select generate_series(1, 64);
alter table private.tick_slots enable row level security;
grant select, update on private.tick_slots to service_role;

create function public.begin_tick(p_tick uuid, p_slots integer, p_lease_seconds integer)
returns integer language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_slot integer;
begin
  -- Somebody looks after the queues, also where all slots are taken. Who is in the way has just done this.
  update private.last_tick set at = now()
  where the_only_row = any (array(select the_only_row from private.last_tick for no key update skip locked));
  select slot into v_slot from private.tick_slots
  where tick = p_tick or (slot <= p_slots and held_until <= now())
  order by (tick = p_tick) is true desc, slot limit 1
  for no key update skip locked;
  update private.tick_slots set tick = p_tick, held_until = now() + make_interval(secs => p_lease_seconds)
  where slot = v_slot;
  return v_slot;
end $$;
comment on function public.begin_tick is
  'Gives a tick one of the first p_slots slots for p_lease_seconds; null where all are taken. Twice is once.';

create function private.due_jobs(p_limit integer)
returns bigint language sql volatile security invoker set search_path = '' as $$
  select coalesce(sum(least(live.waiting, p_limit)), 0)::bigint
  from public.queues cross join lateral private.count_live(name, p_limit) as live
$$;
comment on function private.due_jobs is 'How many jobs are due and do not run, counted up to p_limit per queue.';

create function public.end_tick(p_tick uuid)
returns bigint language plpgsql volatile security invoker set search_path = '' as $$
begin
  update private.tick_slots set tick = null, held_until = '-infinity' where tick = p_tick;
  return private.due_jobs(1000);
end $$;
comment on function public.end_tick is
  'Frees the slot of a tick, if it has one. Answers how many jobs are due and do not run, counted up to 1000 per queue.';
grant execute on function public.begin_tick, private.due_jobs, public.end_tick to service_role;

create function public.rate_opens_in(p_queues text[], p_seconds double precision)
returns double precision language sql volatile security invoker set search_path = '' as $$
  -- Lanes that a limit key stopped sleep until it opens; those of a queue over its rate stay awake.
  -- What has opened since the claim that found it closed counts too: in 0 seconds.
  select min(greatest(0, extract(epoch from opens_at - now())))::double precision
  from public.queues as queue cross join lateral (
    select now() + make_interval(secs => least(1e9, (1 - private.queue_tokens(queue)) / queue.rate_per_second)) as opens_at
    where queue.rate_per_second is not null
      and exists (select from private.queue_lanes as lane where lane.queue = queue.name and lane.turn_at <= now())
    union all
    select lane.turn_at from private.queue_lanes as lane
    where lane.queue = queue.name and lane.blocked_until is not null
      and lane.turn_at <= now() + make_interval(secs => p_seconds)
  ) as held
  where (p_queues is null or queue.name = any (p_queues)) and not queue.paused
    and (queue.blocked_until is null or queue.blocked_until <= now())
    and (queue.concurrency is null or queue.running < queue.concurrency)
    and opens_at <= now() + make_interval(secs => p_seconds)
$$;
comment on function public.rate_opens_in is
  'In how many seconds a job may start that is due and only waits for a rate; null: none within p_seconds.';
grant execute on function public.rate_opens_in to service_role;


-- Health ------------------------------------------------------------------------------------

create function public.queue_health()
returns json language sql volatile security invoker set search_path = '' as $$
  with queue as (
    select
      name, live.waiting, oldest.due_at,
      private.queue_health(paused, live.waiting, oldest.due_at) as health
    from public.queues
    cross join lateral private.count_live(name, 1000) as live
    cross join lateral (select private.oldest_due_at(name) as due_at) as oldest
  )
  select json_build_object(
    'health', (
      select grade from unnest('{no_tick, critical, warning, paused, ok}'::text[]) with ordinality as grades (grade, place)
      where grade in (select health from queue) order by place limit 1
    ),
    'last_tick_at', (select nullif(at, '-infinity') from private.last_tick),
    'ticks', (select count(*) from private.tick_slots where held_until > now()),
    'queues', (
      select json_object_agg(name, json_build_object(
        'health', health, 'waiting', waiting,
        'oldest_waiting_seconds', coalesce(extract(epoch from now() - due_at), 0)::double precision
      ) order by name) from queue
    )
  )
$$;
comment on function public.queue_health is
  'The worst health of all queues and that of each (ok, paused, warning, critical, no_tick), when a tick last came, and how many run now. Jobs that wait are counted up to 1000 per queue.';
grant execute on function public.queue_health to service_role;
