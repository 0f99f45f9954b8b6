-- Messaging, pacing: when a message may go, before anybody is called.
--
-- A reply is a message to somebody who wrote within 24 hours. Replies wait for nothing but the gap
-- and the rate of their number; what a company says on its own account waits for more:
--
--   window       Meta takes free text only as a reply (72 hours after a click on an advertisement)
--   quiet hours  of the company, by its time zone; a person who writes at night is not held back
--   daily cap    of the number, and while it warms up the step of its day
--   portfolio    Meta: so many people may be written to first in 24 hours, by all numbers together
--
-- The rate of a number is the token bucket number:<id> of the queue (set_key_limits).

set lock_timeout = '5s';


-- Tables ------------------------------------------------------------------------------------

create table public.sending_rules (
  company_id uuid primary key references public.companies (id) on delete cascade,
  quiet_from time not null default '20:00',
  quiet_until time not null default '08:00',
  -- 1 = Monday ... 7 = Sunday, quiet all day.
  quiet_days smallint[] not null default '{}',
  constraint quiet_days_are_days_of_the_week check (quiet_days <@ '{1, 2, 3, 4, 5, 6, 7}'),
  constraint a_day_is_not_quiet_every_week check (not quiet_days @> '{1, 2, 3, 4, 5, 6, 7}')
);
comment on table public.sending_rules is
  'When a company writes to nobody who did not write first, in its time zone. Without a row, or with equal times, no hour is quiet.';
alter table public.sending_rules enable row level security;
create policy "members read the sending rules" on public.sending_rules for select to authenticated
  using (company_id in (select private.my_company_ids()));
grant select on public.sending_rules to authenticated;
grant select, insert, update, delete on public.sending_rules to service_role;

create table private.warmup_steps (
  day integer primary key,
  daily_cap integer not null,
  constraint a_warmup_day_is_positive check (day > 0),
  constraint a_warmup_cap_is_positive check (daily_cap > 0)
);
comment on table private.warmup_steps is
  'How many people a fresh number may write to first on its n-th day; after the last step its own cap holds.';
alter table private.warmup_steps enable row level security;
grant select, insert, update, delete on private.warmup_steps to service_role;
-- From 20 to 200 a day, as an open source CRM with the same purpose does it.
insert into private.warmup_steps (day, daily_cap) values
  (1, 20), (2, 25), (3, 30), (4, 40), (5, 50), (6, 60), (7, 75), (8, 90), (9, 105), (10, 120), (11, 140), (12, 160),
  (13, 180), (14, 200);

create table private.number_paces (
  instance_id uuid primary key references public.instances (id) on delete cascade,
  next_at timestamptz not null default '-infinity',
  -- Of the company's calendar.
  day date not null default '-infinity',
  first_messages integer not null default 0
) with (fillfactor = 50);
comment on table private.number_paces is 'When a number may send again, and to how many it has written first today.';
alter table private.number_paces enable row level security;
grant select, insert, update, delete on private.number_paces to service_role;

create table private.portfolio_recipients (
  portfolio text not null,
  contact_id uuid not null references public.contacts (id) on delete cascade,
  written_at timestamptz not null default now(),
  primary key (portfolio, contact_id)
);
comment on table private.portfolio_recipients is 'Whom the numbers of a business portfolio have written to first in the last 24 hours.';
create index portfolio_recipients_by_age on private.portfolio_recipients (portfolio, written_at);
create index portfolio_recipients_by_contact on private.portfolio_recipients (contact_id);
alter table private.portfolio_recipients enable row level security;
grant select, insert, update, delete on private.portfolio_recipients to service_role;


-- The window --------------------------------------------------------------------------------

create function private.window_ends_at(p_conversation public.conversations)
returns timestamptz language sql stable security invoker set search_path = '' as $$
  select greatest(
    (p_conversation).last_inbound_at + interval '24 hours',
    case when (p_conversation).last_inbound_at > now() - interval '72 hours' then (
      -- A click on an advertisement opens it for 72 hours.
      select max(occurred_at) + interval '72 hours' from public.messages
      where company_id = (p_conversation).company_id and conversation_id = (p_conversation).id
        and occurred_at > now() - interval '72 hours' and direction = 'in' and payload ? 'referral'
    ) end,
    -- Before the number came to us the contact may have written where we did not hear it.
    case when (p_conversation).last_inbound_at is null then (
      select created_at + interval '24 hours' from public.instances where id = (p_conversation).instance_id
    ) end
  )
$$;
comment on function private.window_ends_at is 'Until when free text may be sent where WhatsApp has such a window.';

-- definer because a sender may not read the whole of a number.
create function private.window_is_closed(p_conversation_id uuid, p_type text)
returns boolean language sql stable security definer set search_path = '' as $$
  select p_type <> 'template' and instance.provider = 'meta' and conversation.kind = 'direct'
    and coalesce(private.window_ends_at(conversation) <= now(), true)
  from public.conversations as conversation
  join public.instances as instance on instance.id = conversation.instance_id
  where conversation.id = p_conversation_id
$$;
comment on function private.window_is_closed is 'Whether the provider would refuse a message of this type now.';
grant execute on function private.window_ends_at to service_role;
grant execute on function private.window_is_closed to authenticated, service_role;

create function private.is_reply(p_conversation public.conversations)
returns boolean language sql stable security invoker set search_path = '' as $$
  select (p_conversation).kind <> 'direct'
    or coalesce((p_conversation).last_inbound_at > now() - interval '24 hours', false)
$$;
comment on function private.is_reply is 'Whether a message there answers somebody; groups count as answered.';


-- Hours and days ----------------------------------------------------------------------------

create function private.is_quiet(p_rules public.sending_rules, p_local timestamp)
returns boolean language sql immutable security invoker set search_path = '' as $$
  select extract(isodow from p_local)::smallint = any ((p_rules).quiet_days) or case
    when (p_rules).quiet_from <= (p_rules).quiet_until
      then p_local::time >= (p_rules).quiet_from and p_local::time < (p_rules).quiet_until
    else p_local::time >= (p_rules).quiet_from or p_local::time < (p_rules).quiet_until
  end
$$;
comment on function private.is_quiet is 'Whether this time of the company''s own clock is quiet.';

create function private.local_time(p_company_id uuid, p_at timestamptz)
returns timestamp language plpgsql stable security invoker set search_path = '' as $$
begin
  return p_at at time zone (select time_zone from public.companies where id = p_company_id);
exception when invalid_parameter_value then
  return p_at at time zone 'UTC';
end $$;
comment on function private.local_time is 'What a company''s clock shows; UTC where its zone is none.';

create function private.quiet_until(p_company_id uuid, p_at timestamptz default now())
returns timestamptz language plpgsql stable security invoker set search_path = '' as $$
declare
  v_rules public.sending_rules;
  v_start timestamp := private.local_time(p_company_id, p_at);
  v_local timestamp := v_start;
begin
  select * into v_rules from public.sending_rules where company_id = p_company_id;
  -- A week has seven days, each with at most two quiet parts.
  for v_step in 1 .. 16 loop
    exit when v_rules.company_id is null or not private.is_quiet(v_rules, v_local);
    v_local := case
      when extract(isodow from v_local)::smallint = any (v_rules.quiet_days) then date_trunc('day', v_local) + interval '1 day'
      when v_local::time < v_rules.quiet_until then date_trunc('day', v_local) + v_rules.quiet_until
      else date_trunc('day', v_local) + interval '1 day'
    end;
  end loop;
  return case when v_local > v_start then p_at + (v_local - v_start) end;
end $$;
comment on function private.quiet_until is 'When the quiet hours end in which this time lies; null where it lies in none.';

create function private.daily_cap(p_instance public.instances, p_today date)
returns integer language sql stable security invoker set search_path = '' as $$
  select least((p_instance).daily_cap, (
    select daily_cap from private.warmup_steps where day = p_today - (p_instance).warmup_started_on + 1
  ))
$$;
comment on function private.daily_cap is 'To how many people a number may write first today; null: to any number.';
grant execute on function
  private.is_reply, private.is_quiet, private.local_time, private.quiet_until, private.daily_cap
to service_role;


-- May it go? --------------------------------------------------------------------------------

create function private.take_portfolio_budget(p_instance public.instances, p_contact_id uuid)
returns timestamptz language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_portfolio text := coalesce((p_instance).portfolio_id, (p_instance).waba_id, (p_instance).id::text);
  v_since timestamptz := now() - interval '24 hours';
begin
  if (p_instance).portfolio_limit is null or p_contact_id is null then
    return null;
  end if;
  -- One after the other, so that the last place is given once.
  perform pg_advisory_xact_lock(1703, hashtext(v_portfolio));
  delete from private.portfolio_recipients where portfolio = v_portfolio and written_at <= v_since;
  if exists (select from private.portfolio_recipients where portfolio = v_portfolio and contact_id = p_contact_id) then
    return null;
  elsif (select count(*) from private.portfolio_recipients where portfolio = v_portfolio) >= (p_instance).portfolio_limit then
    return coalesce(
      (select min(written_at) + interval '24 hours' from private.portfolio_recipients where portfolio = v_portfolio),
      now() + interval '1 hour'
    );
  end if;
  insert into private.portfolio_recipients (portfolio, contact_id) values (v_portfolio, p_contact_id);
  return null;
end $$;
comment on function private.take_portfolio_budget is
  'Counts a person whom a business writes to first; null, or when the next place is free.';

create function private.take_pace(p_instance public.instances, p_is_reply boolean, out until timestamptz, out reason text)
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_today date := private.local_time((p_instance).company_id, now());
  v_cap integer := case when not p_is_reply then private.daily_cap(p_instance, v_today) end;
  v_gap double precision := (p_instance).gap_seconds + random() * (p_instance).jitter_seconds;
  v_pace private.number_paces;
begin
  if v_gap = 0 and v_cap is null then
    return;
  end if;
  insert into private.number_paces (instance_id) values ((p_instance).id)
  on conflict (instance_id) do update set next_at = number_paces.next_at
  returning * into v_pace;
  if v_pace.next_at > now() then
    until := v_pace.next_at;
    reason := 'gap';
  elsif v_pace.day = v_today and v_pace.first_messages >= v_cap or v_cap = 0 then
    until := now() + (v_today + 1 - private.local_time((p_instance).company_id, now()));
    reason := 'daily_cap';
  else
    update private.number_paces set
      next_at = now() + make_interval(secs => v_gap), day = v_today,
      first_messages = case when day = v_today then first_messages else 0 end + (v_cap is not null)::integer
    where instance_id = (p_instance).id;
    if v_gap > 0 then
      perform private.block_limit_keys(jsonb_build_array(jsonb_build_object(
        'limit_key', 'number:' || (p_instance).id, 'seconds', v_gap
      )));
    end if;
  end if;
end $$;
comment on function private.take_pace is
  'Counts a message against the gap and the daily cap of its number; or says until when it has to wait, and for what.';

create function private.take_turn(p_message public.messages, out until timestamptz, out reason text)
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_instance public.instances;
  v_conversation public.conversations;
  v_is_reply boolean;
begin
  select * into v_instance from public.instances where id = p_message.instance_id;
  select * into v_conversation from public.conversations where id = p_message.conversation_id;
  v_is_reply := private.is_reply(v_conversation);
  if v_instance.campaigns_paused_until > now() and p_message.origin = 'campaign' then
    until := v_instance.campaigns_paused_until;
    reason := 'campaigns_paused';
  elsif v_instance.cold_blocked_until > now() and v_conversation.kind = 'direct' and v_conversation.last_inbound_at is null then
    until := v_instance.cold_blocked_until;
    reason := 'cold_blocked';
  elsif not v_is_reply and p_message.origin <> 'agent' then
    until := private.quiet_until(p_message.company_id);
    reason := 'quiet_hours';
  end if;
  if until is null then
    select pace.until, pace.reason into until, reason from private.take_pace(v_instance, v_is_reply) as pace;
  end if;
  if until is null and not v_is_reply and v_instance.provider = 'meta' then
    until := private.take_portfolio_budget(v_instance, v_conversation.contact_id);
    reason := 'portfolio_budget';
  end if;
  if until is null then
    reason := null;
  end if;
end $$;
comment on function private.take_turn is
  'Whether a message may go now: null, and it is counted; or until when it waits, and for what.';
grant execute on function private.take_portfolio_budget, private.take_pace, private.take_turn to service_role;


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
