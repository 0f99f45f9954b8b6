-- Jobs, schedules: recurring work, as rows with a cron expression and a time zone.
--
-- The tick works it out in Python (functions/jobs/schedules.py): it lists what is due, computes
-- the slots to run and the next one, and hands both to run_schedules, which adds the jobs and
-- moves the schedule on in one transaction. The move is a compare-and-set on next_run_at: of two
-- ticks that hold the same slot, one finds it gone.
--
-- Cron text is read by Python only, so a row that was written past it may hold nonsense: the tick
-- pauses such a schedule and says why in `error`.
--
-- Called by functions/jobs/rpc.py as service_role.

set lock_timeout = '5s';


-- Table -------------------------------------------------------------------------------------

create table public.queue_schedules (
  name text primary key,
  company_id uuid references public.companies (id) on delete cascade,
  type text not null,
  data jsonb not null default '{}',
  -- Null: the default of the type (table job_types).
  queue text references public.queues (name),
  priority smallint,
  max_attempts integer,
  cron text not null,
  time_zone text not null,
  paused boolean not null default false,
  catch_up text not null default 'one',
  next_run_at timestamptz not null,
  last_run_at timestamptz,
  error text,
  created_at timestamptz not null default now(),
  -- No @, which parts name and slot in a job's unique key.
  constraint a_schedule_name_is_a_word check (name ~ '^[a-z][a-z0-9_.:-]{0,99}$'),
  constraint a_schedule_has_a_type check (length(type) between 1 and 200),
  constraint a_catch_up_is_known check (catch_up in ('one', 'all', 'none')),
  constraint a_cron_is_at_most_200_characters check (length(cron) between 1 and 200),
  constraint a_time_zone_is_at_most_64_characters check (length(time_zone) between 1 and 64),
  constraint a_scheduled_priority_is_a_digit check (priority between 0 and 9),
  constraint a_scheduled_max_attempts_is_positive check (max_attempts > 0),
  constraint scheduled_data_is_an_object check (jsonb_typeof(data) = 'object'),
  -- A catch-up adds hundreds of copies at once.
  constraint scheduled_data_is_at_most_16_kilobytes check (pg_column_size(data) <= 16384)
);
comment on table public.queue_schedules is
  'Recurring work: each slot of `cron` in `time_zone` becomes one job with the unique key name@slot.';
comment on column public.queue_schedules.company_id is 'Whose jobs these are; null: the deployment''s own.';
comment on column public.queue_schedules.catch_up is
  'What happens to missed slots: one = the latest, all = every one, none = wait for the next.';
comment on column public.queue_schedules.next_run_at is 'The earliest slot that was not decided yet.';
comment on column public.queue_schedules.last_run_at is 'The latest slot that became a job; none up to it does again.';
comment on column public.queue_schedules.error is 'Why the tick paused it; null where a person did.';

create index queue_schedules_due on public.queue_schedules (next_run_at) where not paused;
create index queue_schedules_by_company on public.queue_schedules (company_id);
create index queue_schedules_by_queue on public.queue_schedules (queue);

alter table public.queue_schedules enable row level security;
create policy "admins read the schedules of their company" on public.queue_schedules for select to authenticated
  using (company_id in (select private.my_company_ids('admin')));
grant select on public.queue_schedules to authenticated;
grant select, insert, update, delete on public.queue_schedules to service_role;


-- Set, pause, resume, delete ----------------------------------------------------------------

create function public.set_schedule(p_schedule jsonb)
returns json language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_paused boolean := (p_schedule ->> 'paused')::boolean;
  v_row public.queue_schedules;
begin
  insert into public.queue_schedules as schedule
    (name, company_id, type, data, queue, priority, max_attempts, cron, time_zone, paused, catch_up, next_run_at)
  select name, company_id, type, coalesce(data, '{}'), queue, priority, max_attempts, cron, time_zone,
    coalesce(v_paused, false), coalesce(catch_up, 'one'), next_run_at
  from jsonb_to_record(p_schedule) as given (
    name text, company_id uuid, type text, data jsonb, queue text, priority smallint, max_attempts integer,
    cron text, time_zone text, catch_up text, next_run_at timestamptz
  )
  on conflict (name) do update set
    type = excluded.type, data = excluded.data, queue = excluded.queue, priority = excluded.priority,
    max_attempts = excluded.max_attempts, cron = excluded.cron, time_zone = excluded.time_zone,
    catch_up = excluded.catch_up,
    -- One that the tick had paused is mended by a definition that was checked.
    paused = coalesce(v_paused, schedule.paused and schedule.error is null),
    error = null,
    -- Setting the same times again, as a deployment does, loses no slot that is due. One that did
    -- not run meanwhile starts from now.
    next_run_at = case
      when (schedule.cron, schedule.time_zone, schedule.paused) = (excluded.cron, excluded.time_zone, false)
        then schedule.next_run_at
      else excluded.next_run_at
    end
  where schedule.company_id is not distinct from excluded.company_id
  returning schedule.* into v_row;
  if not found then
    raise exception using errcode = 'PT409', message = 'schedule_name_taken',
      detail = 'Another company has a schedule of this name.', hint = 'Choose another name.';
  end if;
  return to_json(v_row);
end $$;
comment on function public.set_schedule is
  'Adds a schedule or replaces the one of this name; answers its row. A pause stays unless `paused` is given. Raises schedule_name_taken.';
grant execute on function public.set_schedule to service_role;

create function public.find_schedule(p_name text, p_company_id uuid default null)
returns json language plpgsql stable security invoker set search_path = '' as $$
declare
  v_row public.queue_schedules;
begin
  select * into v_row from public.queue_schedules
  where name = p_name and (p_company_id is null or company_id = p_company_id);
  if not found then
    raise exception using errcode = 'PT404', message = 'schedule_not_found',
      detail = 'There is no schedule of this name, or it is of another company.';
  end if;
  return to_json(v_row);
end $$;
comment on function public.find_schedule is
  'The row of a schedule; with a company, only of that company. Raises schedule_not_found.';
grant execute on function public.find_schedule to service_role;

create function public.pause_schedule(p_name text, p_company_id uuid default null)
returns json language plpgsql volatile security invoker set search_path = '' as $$
begin
  update public.queue_schedules set paused = true
  where name = p_name and (p_company_id is null or company_id = p_company_id);
  return public.find_schedule(p_name, p_company_id);
end $$;
comment on function public.pause_schedule is
  'Stops a schedule until it is resumed; jobs that it added stay. Answers its row. Raises schedule_not_found.';
grant execute on function public.pause_schedule to service_role;

create function public.resume_schedule(
  p_name text, p_cron text, p_time_zone text, p_next_run_at timestamptz, p_company_id uuid default null
)
returns json language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_row public.queue_schedules;
begin
  select * into v_row from public.queue_schedules
  where name = p_name and (p_company_id is null or company_id = p_company_id) for update;
  if not found then
    return public.find_schedule(p_name, p_company_id);
  end if;
  if (v_row.cron, v_row.time_zone) <> (p_cron, p_time_zone) then
    raise exception using errcode = 'PT409', message = 'schedule_changed',
      detail = 'The schedule was changed meanwhile.', hint = 'Read it again and repeat.';
  end if;
  update public.queue_schedules set paused = false, error = null, next_run_at = p_next_run_at
  where name = p_name and paused;
  return public.find_schedule(p_name, p_company_id);
end $$;
comment on function public.resume_schedule is
  'Ends a pause; p_next_run_at is the next slot of the cron and zone named, so nothing of the pause is caught up. Raises schedule_not_found, schedule_changed.';
grant execute on function public.resume_schedule to service_role;

create function public.delete_schedule(p_name text, p_company_id uuid default null)
returns boolean language plpgsql volatile security invoker set search_path = '' as $$
begin
  delete from public.queue_schedules
  where name = p_name and (p_company_id is null or company_id = p_company_id);
  return found;
end $$;
comment on function public.delete_schedule is
  'Removes a schedule; jobs that it added stay. False where there was none.';
grant execute on function public.delete_schedule to service_role;


-- Run ---------------------------------------------------------------------------------------

create function public.due_schedules(p_limit integer default 100)
returns json language sql stable security invoker set search_path = '' as $$
  select json_build_object('now', now(), 'schedules', coalesce(json_agg(due), '[]'))
  from (
    select name, cron, time_zone, catch_up, next_run_at as due_at
    from public.queue_schedules
    where not paused and next_run_at <= now()
    order by next_run_at, name
    limit p_limit
  ) as due
$$;
comment on function public.due_schedules is
  'Up to p_limit schedules with a slot that has come, longest due first, and the time by the database''s clock.';
grant execute on function public.due_schedules to service_role;

create function private.slot_jobs(p_schedule public.queue_schedules, p_slots timestamptz[])
returns jsonb language sql stable security invoker set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
    'type', (p_schedule).type, 'queue', (p_schedule).queue, 'company_id', (p_schedule).company_id,
    'priority', (p_schedule).priority, 'max_attempts', (p_schedule).max_attempts,
    'unique_key', (p_schedule).name || '@' || written
  )) || jsonb_build_object('data', (p_schedule).data || jsonb_build_object('slot', written)) order by slot), '[]')
  from unnest(p_slots) as slot,
    to_char(slot at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as written
  where slot > coalesce((p_schedule).last_run_at, '-infinity')
$$;
comment on function private.slot_jobs is
  'The jobs of these slots as enqueue_jobs takes them, less those up to the last slot that ran.';
grant execute on function private.slot_jobs to service_role;

create function public.run_schedules(p_runs jsonb)
returns json language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_run record;
  v_schedule public.queue_schedules;
  v_jobs jsonb := '[]';
begin
  for v_run in
    select * from jsonb_to_recordset(p_runs) as run (
      name text, cron text, time_zone text, due_at timestamptz,
      slots timestamptz[], next_run_at timestamptz, error text
    )
    order by name
  loop
    -- A tick that waited here for another one reads the row again, and finds the slot gone.
    select * into v_schedule from public.queue_schedules
    where name = v_run.name and cron = v_run.cron and time_zone = v_run.time_zone
      and next_run_at = v_run.due_at and not paused
    for update;
    continue when not found;
    v_jobs := v_jobs || private.slot_jobs(v_schedule, v_run.slots);
    update public.queue_schedules set
      next_run_at = coalesce(v_run.next_run_at, next_run_at),
      last_run_at = greatest(last_run_at, (select max(slot) from unnest(v_run.slots) as slot)),
      paused = v_run.error is not null,
      error = v_run.error
    where name = v_schedule.name;
  end loop;
  perform public.enqueue_jobs(v_jobs);
  return json_build_object('scheduled', jsonb_array_length(v_jobs));
end $$;
comment on function public.run_schedules is
  'Adds the jobs of due slots and moves their schedules on, at once. A run of a schedule that is no longer as it was listed does nothing; one with an error pauses it.';
grant execute on function public.run_schedules to service_role;
