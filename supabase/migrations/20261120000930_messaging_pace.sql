-- Messaging, pace: how fast and when numbers send, as people set it; and what waits looks again.
--
-- A message that waits for quiet hours or a cap sleeps until they end. Who changes them has all
-- that sleeps look again, by a job: there may be many. A contact who writes is answered at once.

set lock_timeout = '5s';


-- Set ---------------------------------------------------------------------------------------

-- definer because an admin may not write the table; public.set_sending_rules checks who asks.
create function private.write_sending_rules(p_company_id uuid, p_rules jsonb)
returns public.sending_rules language plpgsql volatile security definer set search_path = '' as $$
declare
  v_rules public.sending_rules;
begin
  insert into public.sending_rules (company_id) values (p_company_id) on conflict do nothing;
  select * into v_rules from public.sending_rules where company_id = p_company_id for update;
  v_rules := jsonb_populate_record(v_rules, p_rules - 'company_id');
  update public.sending_rules set
    quiet_from = v_rules.quiet_from, quiet_until = v_rules.quiet_until, quiet_days = v_rules.quiet_days
  where company_id = p_company_id;
  return v_rules;
end $$;
comment on function private.write_sending_rules is 'Changes some of the sending rules of a company.';

create function public.set_sending_rules(p_rules jsonb, p_company_id uuid default null)
returns json language sql volatile security invoker set search_path = '' as $$
  select to_json(private.write_sending_rules(private.acting_company(p_company_id, 'admin'), p_rules))
$$;
comment on function public.set_sending_rules is
  'Sets some of quiet_from, quiet_until and quiet_days of a company; answers all. Raises company_required, role_required.';

create function public.get_sending_rules(p_company_id uuid default null)
returns json language sql stable security invoker set search_path = '' as $$
  select coalesce(
    (select to_json(rules) from public.sending_rules as rules where company_id = acting.id),
    json_build_object('company_id', acting.id, 'quiet_from', '00:00:00', 'quiet_until', '00:00:00', 'quiet_days', '[]'::json)
  )
  from private.acting_company(p_company_id) as acting (id)
$$;
comment on function public.get_sending_rules is 'The sending rules of a company; equal times and no days where it has none. Raises company_required.';

-- definer because an admin may not write numbers; public.set_number_pace checks who asks.
create function private.write_number_pace(p_instance_id uuid, p_company_id uuid, p_pace jsonb)
returns json language plpgsql volatile security definer set search_path = '' as $$
declare
  v_row public.instances;
begin
  select * into v_row from public.instances where id = p_instance_id and company_id = p_company_id for update;
  if v_row.id is null then
    return null;
  end if;
  v_row := jsonb_populate_record(v_row, p_pace);
  update public.instances set
    rate_per_minute = v_row.rate_per_minute, gap_seconds = coalesce(v_row.gap_seconds, 0),
    jitter_seconds = coalesce(v_row.jitter_seconds, 0), daily_cap = v_row.daily_cap,
    warmup_started_on = v_row.warmup_started_on, portfolio_id = v_row.portfolio_id,
    portfolio_limit = v_row.portfolio_limit
  where id = p_instance_id
  returning * into v_row;
  return json_build_object(
    'id', v_row.id, 'rate_per_minute', v_row.rate_per_minute, 'gap_seconds', v_row.gap_seconds,
    'jitter_seconds', v_row.jitter_seconds, 'daily_cap', v_row.daily_cap, 'warmup_started_on', v_row.warmup_started_on,
    'portfolio_id', v_row.portfolio_id, 'portfolio_limit', v_row.portfolio_limit,
    'cooldown_until', v_row.cooldown_until, 'cooldown_reason', v_row.cooldown_reason,
    'cold_blocked_until', v_row.cold_blocked_until, 'campaigns_paused_until', v_row.campaigns_paused_until
  );
end $$;
comment on function private.write_number_pace is 'Changes some of the pace of a number; null where there is no such number.';

create function public.set_number_pace(p_instance_id uuid, p_pace jsonb, p_company_id uuid default null)
returns json language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_pace json := private.write_number_pace(p_instance_id, private.acting_company(p_company_id, 'admin'), p_pace);
begin
  if v_pace is null then
    raise exception using errcode = 'PT404', message = 'instance_not_found',
      detail = 'There is no such number in this company.';
  end if;
  return v_pace;
end $$;
comment on function public.set_number_pace is
  'Sets some of rate_per_minute, gap_seconds, jitter_seconds, daily_cap, warmup_started_on, portfolio_id and portfolio_limit; null takes a limit away. Answers them with the pauses. Raises company_required, role_required, instance_not_found.';
grant execute on function
  private.write_sending_rules, private.write_number_pace, public.set_sending_rules, public.get_sending_rules,
  public.set_number_pace
to authenticated, service_role;


-- What waits --------------------------------------------------------------------------------

insert into public.job_types (type, queue, priority, max_attempts) values ('messages.release', 'outbound', 7, 5);

create function public.release_waiting(p_company_id uuid, p_job_id bigint, p_limit integer default 1000)
returns integer language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_count integer;
begin
  update public.queue_jobs set run_at = now() where ctid = any (array(
    select job.ctid from private.queue_lanes as lane
    join public.queue_jobs as job on job.lane_id = lane.id
    where lane.company_id = p_company_id and lane.queue = 'outbound' and lane.limit_key like 'number:%'
      and job.completed_at is null and not job.parked and job.type = 'messages.send' and job.lease_until is null
      -- Whoever looked after the claim of this job has seen the change, and what nobody looked at
      -- has its time from elsewhere.
      and job.run_at > now() and job.started_at <= (select started_at from public.queue_jobs where id = p_job_id)
      and pg_input_is_valid(job.data ->> 'message_id', 'uuid')
      and not exists (select from public.send_attempts where message_id = (job.data ->> 'message_id')::uuid)
    limit p_limit
    for update of job skip locked
  ));
  get diagnostics v_count = row_count;
  return v_count;
end $$;
comment on function public.release_waiting is
  'Messages of a company that were last looked at before this job was claimed and have no attempt look again, so many at most; how many.';

create function private.ask_for_release(p_company_id uuid)
returns void language sql volatile security invoker set search_path = '' as $$
  -- A change that comes while such a job runs needs one more: it may have passed some already.
  select public.enqueue_jobs(jsonb_build_array(jsonb_build_object(
    'type', 'messages.release', 'company_id', p_company_id,
    'data', jsonb_build_object('company_id', p_company_id)
  )))
$$;
comment on function private.ask_for_release is 'What waits for rules that have changed looks again.';
grant execute on function public.release_waiting, private.ask_for_release to service_role;

-- definer because an admin may not write jobs.
create function private.companies_change_their_clock()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.ask_for_release(new.id);
  return null;
end $$;
comment on function private.companies_change_their_clock is 'In another time zone the quiet hours and the day end at another time.';
create trigger companies_change_their_clock after update of time_zone on public.companies for each row
  when (old.time_zone is distinct from new.time_zone)
  execute function private.companies_change_their_clock();

-- definer because an admin may not write jobs.
create function private.rules_change()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.ask_for_release(coalesce(new.company_id, old.company_id))
  where exists (select from public.companies where id = coalesce(new.company_id, old.company_id));
  return null;
end $$;
comment on function private.rules_change is 'Other quiet hours hold from now on, also for what waits already.';
create trigger rules_change after insert or update or delete on public.sending_rules for each row
  execute function private.rules_change();

-- definer because an admin may not write jobs.
create function private.numbers_change_their_pace()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
begin
  update private.number_paces set
    next_at = least(next_at, now() + make_interval(secs => new.gap_seconds + new.jitter_seconds))
  where instance_id = new.id;
  perform public.set_key_limits('number:' || new.id, jsonb_build_object('blocked_until', new.cooldown_until));
  perform private.ask_for_release(new.company_id);
  return null;
end $$;
comment on function private.numbers_change_their_pace is 'Another gap, cap or portfolio holds from now on, also for what waits already.';
create trigger numbers_change_their_pace
after update of gap_seconds, jitter_seconds, daily_cap, warmup_started_on, portfolio_id, portfolio_limit on public.instances
for each row
when (
  (old.gap_seconds, old.jitter_seconds, old.daily_cap, old.warmup_started_on, old.portfolio_id, old.portfolio_limit)
  is distinct from
  (new.gap_seconds, new.jitter_seconds, new.daily_cap, new.warmup_started_on, new.portfolio_id, new.portfolio_limit)
)
execute function private.numbers_change_their_pace();

-- definer because whoever hears may not write jobs.
create function private.conversations_release_what_waits()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
begin
  -- What was begun before waits for a reason of its own.
  update public.queue_jobs set run_at = now() where ctid = any (array(
    select job.ctid from public.queue_jobs as job
    where queue = 'outbound' and order_key = new.id::text and completed_at is null and type = 'messages.send'
      and lease_until is null and run_at > now() and pg_input_is_valid(data ->> 'message_id', 'uuid')
      and not exists (select from public.send_attempts where message_id = (data ->> 'message_id')::uuid)
    for update skip locked
  ));
  return null;
end $$;
comment on function private.conversations_release_what_waits is
  'Whoever writes gets at once, as a reply, what quiet hours, a cap or a cold lock held back.';
create trigger conversations_release_what_waits after update of last_inbound_at on public.conversations for each row
  when (new.last_inbound_at > now() - interval '24 hours' and old.last_inbound_at is distinct from new.last_inbound_at)
  execute function private.conversations_release_what_waits();
