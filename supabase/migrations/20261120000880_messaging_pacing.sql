-- Messaging, pacing: when a message may go, before anybody is called.
--
-- A reply is a message to somebody who wrote within 24 hours. Replies wait for nothing but the gap
-- and the rate of their number; what a company says on its own account waits for more:
--
--   window       Meta takes free text only as a reply (72 hours after a click on an advertisement)
--   quiet hours  of the company, by its time zone; a person who writes at night is not held back
--   daily cap    of the number, and while it warms up the step of its day
--   portfolio    Meta: so many people may be written to first in 24 hours, by all numbers together;
--                marketing leaves a tenth of them to everything else
--
-- Caps count people: who was counted today, or in these 24 hours, may be written to again.
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
  people integer not null default 0
) with (fillfactor = 50);
comment on table private.number_paces is 'When a number may send again, and to how many people it has written first today.';
alter table private.number_paces enable row level security;
grant select, insert, update, delete on private.number_paces to service_role;

create table private.number_recipients (
  instance_id uuid not null references public.instances (id) on delete cascade,
  -- No foreign key: a row is gone the day after, and counted until then.
  contact_id uuid not null,
  primary key (instance_id, contact_id)
);
comment on table private.number_recipients is 'Whom a number with a daily cap has written to first today.';
alter table private.number_recipients enable row level security;
grant select, insert, update, delete on private.number_recipients to service_role;

create table private.portfolios (
  company_id uuid not null references public.companies (id) on delete cascade,
  portfolio text not null,
  people integer not null default 0,
  primary key (company_id, portfolio)
) with (fillfactor = 50);
comment on table private.portfolios is 'How many people the numbers of a business portfolio have written to first in the last 24 hours.';
alter table private.portfolios enable row level security;
grant select, insert, update, delete on private.portfolios to service_role;

create table private.portfolio_recipients (
  company_id uuid not null,
  portfolio text not null,
  -- No foreign key: a row is gone a day later, and counted until then.
  contact_id uuid not null,
  written_at timestamptz not null default now(),
  primary key (company_id, portfolio, contact_id),
  foreign key (company_id, portfolio) references private.portfolios (company_id, portfolio) on delete cascade
);
comment on table private.portfolio_recipients is 'Who they are, and when they were last written to so.';
create index portfolio_recipients_by_age on private.portfolio_recipients (company_id, portfolio, written_at);
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

create function private.time_zone(p_company_id uuid)
returns text language plpgsql stable security invoker set search_path = '' as $$
declare
  v_zone text := (select time_zone from public.companies where id = p_company_id);
begin
  perform now() at time zone v_zone;
  return v_zone;
exception when invalid_parameter_value then
  return 'UTC';
end $$;
comment on function private.time_zone is 'The zone of a company''s clock; UTC where it has none that there is.';

create function private.quiet_until(p_company_id uuid, p_at timestamptz default now())
returns timestamptz language plpgsql stable security invoker set search_path = '' as $$
declare
  v_rules public.sending_rules;
  v_zone text;
  v_start timestamp;
  v_local timestamp;
begin
  select * into v_rules from public.sending_rules where company_id = p_company_id;
  if not found then
    return null;
  end if;
  v_zone := private.time_zone(p_company_id);
  v_start := p_at at time zone v_zone;
  v_local := v_start;
  -- A week has seven days, each with at most two quiet parts.
  for v_step in 1 .. 16 loop
    exit when not private.is_quiet(v_rules, v_local);
    v_local := case
      when extract(isodow from v_local)::smallint = any (v_rules.quiet_days) then date_trunc('day', v_local) + interval '1 day'
      when v_local::time < v_rules.quiet_until then date_trunc('day', v_local) + v_rules.quiet_until
      else date_trunc('day', v_local) + interval '1 day'
    end;
  end loop;
  return case when v_local > v_start then v_local at time zone v_zone end;
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
  private.is_reply, private.is_quiet, private.time_zone, private.quiet_until, private.daily_cap
to service_role;


-- May it go? --------------------------------------------------------------------------------

create function private.portfolio_of(p_instance public.instances)
returns text language sql immutable security invoker set search_path = '' as $$
  select coalesce((p_instance).portfolio_id, (p_instance).waba_id, (p_instance).id::text)
$$;
comment on function private.portfolio_of is 'Numbers of a company with the same one share a limit.';

create function private.portfolio_opens_at(p_instance public.instances, p_purpose text, p_contact_id uuid)
returns timestamptz language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_portfolio text := private.portfolio_of(p_instance);
  v_limit integer := case p_purpose when 'marketing' then ceil((p_instance).portfolio_limit * 0.9)
    else (p_instance).portfolio_limit end;
  v_people integer;
begin
  if (p_instance).provider <> 'meta' or v_limit is null or p_contact_id is null then
    return null;
  end if;
  -- One after the other, so that the last place is given once.
  insert into private.portfolios (company_id, portfolio) values ((p_instance).company_id, v_portfolio)
  on conflict (company_id, portfolio) do update set portfolio = excluded.portfolio;
  with gone as (
    delete from private.portfolio_recipients
    where company_id = (p_instance).company_id and portfolio = v_portfolio and written_at <= now() - interval '24 hours'
    returning 1
  )
  update private.portfolios set people = people - (select count(*) from gone)
  where company_id = (p_instance).company_id and portfolio = v_portfolio
  returning people into v_people;
  if v_people < v_limit or exists (
    select from private.portfolio_recipients
    where company_id = (p_instance).company_id and portfolio = v_portfolio and contact_id = p_contact_id
  ) then
    return null;
  end if;
  return coalesce(
    (select min(written_at) + interval '24 hours' from private.portfolio_recipients
     where company_id = (p_instance).company_id and portfolio = v_portfolio),
    now() + interval '1 hour'
  );
end $$;
comment on function private.portfolio_opens_at is
  'When a business may write to one more person first; null: now, or this one is counted already. Locks the count.';

create function private.pace_opens_at(
  p_instance public.instances, p_contact_id uuid, p_is_reply boolean, out until timestamptz, out reason text
)
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_zone text := private.time_zone((p_instance).company_id);
  v_today date := (now() at time zone v_zone)::date;
  v_cap integer := case when not p_is_reply then private.daily_cap(p_instance, v_today) end;
  v_pace private.number_paces;
begin
  if (p_instance).gap_seconds + (p_instance).jitter_seconds = 0 and v_cap is null then
    return;
  end if;
  insert into private.number_paces (instance_id) values ((p_instance).id)
  on conflict (instance_id) do update set next_at = number_paces.next_at
  returning * into v_pace;
  if v_pace.day <> v_today then
    delete from private.number_recipients where instance_id = (p_instance).id;
    update private.number_paces set day = v_today, people = 0 where instance_id = (p_instance).id returning * into v_pace;
  end if;
  if v_pace.next_at > now() then
    until := v_pace.next_at;
    reason := 'gap';
  elsif v_pace.people >= v_cap and not exists (
    select from private.number_recipients where instance_id = (p_instance).id and contact_id = p_contact_id
  ) then
    until := (v_today + 1)::timestamp at time zone v_zone;
    reason := 'daily_cap';
  end if;
end $$;
comment on function private.pace_opens_at is
  'Until when the gap or the daily cap of a number makes a message wait, and which of them; null: neither. Locks the pace.';

create function private.count_turn(p_instance public.instances, p_contact_id uuid, p_is_reply boolean)
returns void language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_gap double precision := (p_instance).gap_seconds + random() * (p_instance).jitter_seconds;
begin
  if not p_is_reply and p_contact_id is not null then
    with added as (
      insert into private.number_recipients (instance_id, contact_id)
      select (p_instance).id, p_contact_id where num_nonnulls((p_instance).daily_cap, (p_instance).warmup_started_on) > 0
      on conflict do nothing returning 1
    )
    update private.number_paces set people = people + 1
    where instance_id = (p_instance).id and exists (select from added);
    if (p_instance).provider = 'meta' and (p_instance).portfolio_limit is not null then
      update private.portfolio_recipients set written_at = now()
      where company_id = (p_instance).company_id and portfolio = private.portfolio_of(p_instance) and contact_id = p_contact_id;
      if not found then
        insert into private.portfolio_recipients (company_id, portfolio, contact_id)
        values ((p_instance).company_id, private.portfolio_of(p_instance), p_contact_id);
        update private.portfolios set people = people + 1
        where company_id = (p_instance).company_id and portfolio = private.portfolio_of(p_instance);
      end if;
    end if;
  end if;
  if v_gap > 0 then
    update private.number_paces set next_at = now() + make_interval(secs => v_gap) where instance_id = (p_instance).id;
    perform private.block_limit_keys(jsonb_build_array(jsonb_build_object(
      'limit_key', 'number:' || (p_instance).id, 'seconds', v_gap
    )));
  end if;
end $$;
comment on function private.count_turn is 'Counts a message that goes now: its number rests for the gap, and whom it writes to first is one more person.';

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
    select pace.until, pace.reason into until, reason
    from private.pace_opens_at(v_instance, v_conversation.contact_id, v_is_reply) as pace;
  end if;
  if until is null and not v_is_reply then
    until := private.portfolio_opens_at(v_instance, p_message.purpose, v_conversation.contact_id);
    reason := 'portfolio_budget';
  end if;
  if until is null then
    reason := null;
    perform private.count_turn(v_instance, v_conversation.contact_id, v_is_reply);
  end if;
end $$;
comment on function private.take_turn is
  'Whether a message may go now: null, and it is counted; or until when it waits, and for what.';
grant execute on function
  private.portfolio_of, private.portfolio_opens_at, private.pace_opens_at, private.count_turn, private.take_turn
to service_role;
