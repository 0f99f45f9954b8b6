-- Messaging, health: a number that looks alive is asked, and one that is not rests.
--
-- A dead connection still says that it is open, and takes messages that never leave. What tells:
-- a message that is accepted and no more after ten minutes, or a failure of the connection. Then a
-- probe asks something that only a live connection answers; with five such messages campaigns wait.
--
--   open -> degraded   no answer: the number rests, and the same job probes it again
--   degraded -> open   an answer: it goes on at once

set lock_timeout = '5s';

insert into public.job_types (type, queue, priority, max_attempts) values ('messages.watch', 'outbound', 7, 3);
insert into public.queue_schedules (name, type, cron, time_zone, catch_up, next_run_at)
values ('messages.watch', 'messages.watch', '*/5 * * * *', 'UTC', 'none', now() + interval '5 minutes');


-- Probes ------------------------------------------------------------------------------------

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
    update public.instances set
      alive_at = now(), state = case when state = 'degraded' then 'open' else state end,
      state_reason = case when state = 'degraded' then null else state_reason end,
      cooldown_until = case when cooldown_reason = 'degraded' then null else cooldown_until end,
      cooldown_reason = case when cooldown_reason = 'degraded' then null else cooldown_reason end
    where id = p_instance_id;
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
grant execute on function public.begin_probe, public.record_probe to service_role;


-- Watch -------------------------------------------------------------------------------------

create function private.suspects(out instance_id uuid, out company_id uuid, out stuck bigint)
returns setof record language sql stable security invoker set search_path = '' as $$
  select instance.id, instance.company_id, waiting.stuck
  from public.instances as instance
  cross join lateral (
    select count(*) as stuck from (
      select from public.messages as message
      where message.instance_id = instance.id and message.status = 'accepted' and message.direction = 'out'
        -- Ten minutes: STUCK_SECONDS in functions/providers/attempt.py. A day later nobody waits, and
        -- what a live connection had taken has left: only its report got lost.
        and message.accepted_at between greatest(instance.alive_at, now() - interval '1 day') and now() - interval '10 minutes'
      limit 5
    ) as message
  ) as waiting
  where instance.state = 'open' and waiting.stuck > 0
$$;
comment on function private.suspects is 'Numbers that say they are open while what they took does not leave, and how many messages those are, up to five.';

create function private.restore_rates()
returns integer language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_instance public.instances;
  v_count integer := 0;
begin
  for v_instance in
    select instance.* from public.instances as instance
    join private.job_limits as held on held.limit_key = 'number:' || instance.id
    where held.rate_per_second < coalesce(instance.rate_per_minute / 60, 80)
      and not exists (
        select from private.send_strikes as strike
        where strike.instance_id = instance.id and class in ('throttle', 'app_throttle')
          and struck_at > now() - interval '10 minutes'
      )
    order by instance.id
  loop
    perform public.set_key_limits('number:' || v_instance.id, jsonb_build_object('rate_per_second', (
      -- Doubled in steps; from half of what is wanted on, the wanted rate itself.
      select case when 2 * rate_per_second < coalesce(v_instance.rate_per_minute / 60, 80) then 2 * rate_per_second
        else v_instance.rate_per_minute / 60 end
      from private.job_limits where limit_key = 'number:' || v_instance.id
    )));
    v_count := v_count + 1;
  end loop;
  return v_count;
end $$;
comment on function private.restore_rates is 'Doubles the rate of numbers that were slowed and not throttled for ten minutes; how many.';

create function public.watch_numbers()
returns json language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_suspect record;
  v_suspects integer := 0;
begin
  for v_suspect in select * from private.suspects() order by instance_id loop
    perform private.ask_for_probe(v_suspect.instance_id, v_suspect.company_id);
    -- STUCK_PAUSES_CAMPAIGNS in functions/providers/attempt.py.
    update public.instances set campaigns_paused_until = greatest(campaigns_paused_until, now() + interval '10 minutes')
    where id = v_suspect.instance_id and v_suspect.stuck >= 5;
    v_suspects := v_suspects + 1;
  end loop;
  -- One whose probe was given up would stay degraded for ever.
  perform private.ask_for_probe(id, company_id) from public.instances
  where state = 'degraded' and removed_at is null;
  delete from public.send_reactions where ctid = any (array(
    select ctid from public.send_reactions where created_at < now() - interval '90 days' limit 1000
  ));
  return json_build_object('suspects', v_suspects, 'restored', private.restore_rates());
end $$;
comment on function public.watch_numbers is
  'Probes numbers whose messages do not leave or that are degraded, and speeds those up again that were slowed. Answers {suspects, restored}.';
grant execute on function private.suspects, private.restore_rates, public.watch_numbers to service_role;
