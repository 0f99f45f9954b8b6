-- Jobs, sweep: bounded housekeeping of a tick. Nothing here is needed for a job to run: what a
-- worker left behind is due again by itself.
--
-- Called by functions/jobs/rpc.py as service_role.

set lock_timeout = '5s';


-- Ticks -------------------------------------------------------------------------------------

create table private.last_tick (
  the_only_row boolean primary key default true,
  at timestamptz not null default '-infinity',
  constraint there_is_one_row check (the_only_row)
);
comment on table private.last_tick is 'When a tick last looked after the queues.';
insert into private.last_tick default values;
alter table private.last_tick enable row level security;
grant select, update on private.last_tick to service_role;

-- definer because admins ask too, who may not read the table.
create function private.last_tick_at()
returns timestamptz language sql stable security definer set search_path = '' as $$
  select at from private.last_tick
$$;
comment on function private.last_tick_at is 'When a tick last looked after the queues.';
grant execute on function private.last_tick_at to authenticated, service_role;


-- Retention ---------------------------------------------------------------------------------

create function private.sweep_ended(p_queue text, p_status text, p_kept interval, p_limit integer)
returns integer language plpgsql volatile security invoker set search_path = ''
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
declare
  v_deleted integer;
begin
  delete from public.queue_jobs where id = any (array(
    select id from public.queue_jobs
    where queue = p_queue and status = p_status and completed_at < now() - p_kept
    order by completed_at limit p_limit
    for update skip locked
  ));
  get diagnostics v_deleted = row_count;
  return v_deleted;
end $$;
comment on function private.sweep_ended is 'Drops up to p_limit ended jobs of a queue and status past their retention; how many.';
grant execute on function private.sweep_ended to service_role;


-- What got stuck ----------------------------------------------------------------------------

create function private.recount_running()
returns void language sql volatile security invoker set search_path = '' as $$
  -- A worker that died gave back no slot.
  update public.queues as queue set running = (
    select count(*) from public.queue_jobs as job
    where job.queue = queue.name and job.completed_at is null and job.lease_until > now()
  )
  where queue.concurrency is not null
$$;
comment on function private.recount_running is 'Counts the taken slots of queues with a limit anew; the caller holds the queues.';

create function private.unpark_orphans(p_limit integer)
returns void language sql volatile security invoker set search_path = ''
set enable_seqscan = off set enable_bitmapscan = off
as $$
  -- Jobs ahead can vanish past every function, with their company or by hand.
  with recursive parked as (
    (select queue, order_key, 1 as place from public.queue_jobs where parked order by queue, order_key, id limit 1)
    union all
    select next.queue, next.order_key, parked.place + 1
    from parked cross join lateral (
      select job.queue, job.order_key from public.queue_jobs as job
      where job.parked and (job.queue, job.order_key) > (parked.queue, parked.order_key)
      order by job.queue, job.order_key, job.id limit 1
    ) as next
    where parked.place < p_limit
  )
  select private.unpark_next(jsonb_agg(to_jsonb(parked))) from parked
$$;
comment on function private.unpark_orphans is 'Brings back parked jobs with none ahead, of up to p_limit order keys.';
grant execute on function private.recount_running, private.unpark_orphans to service_role;
