-- Messaging, health: a number that looks alive is asked, one that is not rests, and what a provider
-- says of limits holds.
--
-- A dead connection still says that it is open, and takes messages that never leave. What tells:
-- messages that are accepted and no more after ten minutes, or failures of the connection. Then a
-- probe asks something that only a live connection answers:
--
--   open -> degraded   no answer: the number rests, and the same job probes it again
--   degraded -> open   an answer: it goes on at once

set lock_timeout = '5s';

insert into public.job_types (type, queue, priority, max_attempts) values ('messages.watch', 'outbound', 7, 3);
insert into public.queue_schedules (name, type, cron, time_zone, catch_up, next_run_at)
values ('messages.watch', 'messages.watch', '*/5 * * * *', 'UTC', 'none', now() + interval '5 minutes');


-- Probes ------------------------------------------------------------------------------------

create function private.ask_for_probe(p_instance public.instances)
returns void language sql volatile security invoker set search_path = '' as $$
  select public.enqueue_jobs(jsonb_build_array(jsonb_build_object(
    'type', 'messages.probe', 'company_id', (p_instance).company_id,
    'unique_key', 'probe:' || (p_instance).id,
    'data', jsonb_build_object('instance_id', (p_instance).id)
  )))
$$;
comment on function private.ask_for_probe is 'Probes a number, unless that is planned already.';

create function public.begin_probe(p_instance_id uuid)
returns json language sql stable security invoker set search_path = '' as $$
  select json_build_object(
    'instance', json_build_object(
      'id', instance.id, 'provider', instance.provider, 'base_url', instance.base_url,
      'external_id', instance.external_id, 'credentials', secret.credentials
    ),
    'number', instance.number
  )
  from public.instances as instance join private.instance_secrets as secret on secret.instance_id = instance.id
  where instance.id = p_instance_id and instance.state in ('open', 'degraded', 'new') and instance.number is not null
$$;
comment on function public.begin_probe is 'Whom to ask about itself: {instance, number}; null for a number that does not claim to be connected.';

create function public.record_probe(p_instance_id uuid, p_is_alive boolean, p_reason text default null)
returns json language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_instance public.instances;
  v_wait double precision;
begin
  select * into v_instance from public.instances where id = p_instance_id for update;
  if v_instance.id is null then
    return json_build_object('state', null);
  end if;
  if p_is_alive then
    delete from private.send_strikes where instance_id = p_instance_id and class = 'probe';
    if v_instance.state = 'degraded' then
      update public.instances set
        state = 'open', state_reason = null,
        cooldown_until = case when cooldown_reason = 'degraded' then null else cooldown_until end,
        cooldown_reason = case when cooldown_reason = 'degraded' then null else cooldown_reason end
      where id = p_instance_id;
    end if;
    return json_build_object('state', 'open');
  end if;
  -- One minute, two, four ... up to half an hour.
  v_wait := least(1800, 60 * 2 ^ least(private.count_strike(p_instance_id, 'probe', '', '', 1) - 1, 10));
  update public.instances set
    state = 'degraded', state_reason = p_reason,
    cooldown_until = greatest(cooldown_until, now() + make_interval(secs => v_wait)),
    cooldown_reason = case when cooldown_until > now() + make_interval(secs => v_wait) then cooldown_reason else 'degraded' end
  where id = p_instance_id;
  return json_build_object('state', 'degraded', 'wait_seconds', v_wait);
end $$;
comment on function public.record_probe is
  'What a probe showed: a dead number is degraded and rests, one that came back goes on. Answers {state}, and wait_seconds until the next probe of a dead one.';
grant execute on function private.ask_for_probe, public.begin_probe, public.record_probe to service_role;


-- Watch -------------------------------------------------------------------------------------

create function private.suspects()
returns setof public.instances language sql stable security invoker set search_path = '' as $$
  -- Ten minutes and five messages: STUCK in functions/providers/attempt.py. A day later nobody waits.
  select instance.* from public.instances as instance
  where instance.state = 'open' and 5 <= (
    select count(*) from (
      select from public.messages as message
      where message.instance_id = instance.id and message.status = 'accepted' and message.direction = 'out'
        and message.accepted_at between now() - interval '1 day' and now() - interval '10 minutes'
      limit 5
    ) as stuck
  )
$$;
comment on function private.suspects is 'Numbers that say they are open while what they took does not leave.';

create function public.watch_numbers()
returns json language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_instance public.instances;
  v_suspects integer := 0;
begin
  for v_instance in select * from private.suspects() loop
    perform private.ask_for_probe(v_instance);
    update public.instances set campaigns_paused_until = greatest(campaigns_paused_until, now() + interval '10 minutes')
    where id = v_instance.id;
    v_suspects := v_suspects + 1;
  end loop;
  -- One whose probe was given up would stay degraded for ever.
  perform private.ask_for_probe(instance) from public.instances as instance
  where state = 'degraded' and removed_at is null;
  delete from public.send_reactions where ctid = any (array(
    select ctid from public.send_reactions where created_at < now() - interval '90 days' limit 1000
  ));
  return json_build_object('suspects', v_suspects, 'restored', private.restore_rates());
end $$;
comment on function public.watch_numbers is
  'Probes numbers whose messages do not leave or that are degraded, and speeds those up again that were slowed. Answers {suspects, restored}.';
grant execute on function private.suspects, public.watch_numbers to service_role;


-- Limits ------------------------------------------------------------------------------------

-- definer because an event may come by any function.
create function private.events_set_limits()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
declare
  v_daily integer := (new.data ->> 'daily_limit')::integer;
  v_restriction text := new.data ->> 'restriction';
  v_until timestamptz := case when v_restriction <> '' then coalesce((new.data ->> 'until')::timestamptz, 'infinity') end;
begin
  -- Of each the latest report that says something of it counts.
  if exists (
    select from public.provider_events
    where company_id = new.company_id and instance_id = new.instance_id and event = 'limit'
      and (occurred_at, data::text) > (new.occurred_at, new.data::text) and data ->> 'daily_limit' is not null
  ) then
    v_daily := null;
  end if;
  if exists (
    select from public.provider_events
    where company_id = new.company_id and instance_id = new.instance_id and event = 'limit'
      and (occurred_at, data::text) > (new.occurred_at, new.data::text) and data ->> 'restriction' is not null
  ) then
    v_restriction := null;
  end if;
  update public.instances as number set
    portfolio_limit = case when v_daily is null then portfolio_limit else nullif(v_daily, -1) end,
    campaigns_paused_until = case when v_restriction is null then campaigns_paused_until else v_until end,
    cold_blocked_until = case when v_restriction is null then cold_blocked_until else v_until end
  from unnest(private.numbers_of_scope(new.instance_id, new.data ->> 'scope')) as locked (id)
  where number.id = locked.id and (v_daily is not null or v_restriction is not null);
  return null;
end $$;
comment on function private.events_set_limits is
  'What Meta says of an account holds for its numbers: how many may be written to first, and whether anybody may.';
create trigger events_set_limits after insert or update on public.provider_events for each row
  when (new.event = 'limit')
  execute function private.events_set_limits();
