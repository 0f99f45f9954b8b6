-- Messaging, pauses: how long a number rests, how slow it is, and what ends that.
--
-- Pauses of a number stand in its row of `instances`:
--
--   cooldown_until           nothing is sent; the jobs of the number are not even claimed
--   cold_blocked_until       first messages wait; replies go on
--   campaigns_paused_until   campaigns wait; everything else goes on
--
-- infinity: until a person has acted, or the number has connected anew. Who pauses, and why:
-- *_messaging_reactions.sql.

set lock_timeout = '5s';


-- Pauses ------------------------------------------------------------------------------------

-- definer because whoever changes a number may not write jobs.
create function private.instances_hold_their_jobs()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
begin
  perform public.set_key_limits('number:' || new.id, jsonb_build_object('blocked_until', new.cooldown_until));
  return null;
end $$;
comment on function private.instances_hold_their_jobs is
  'Jobs of a number that rests are not claimed; when its rest ends, or a person ends it, they go on.';
-- Of no column: what a trigger before it sets is not named by the statement.
create trigger instances_hold_their_jobs after update on public.instances for each row
  when (old.cooldown_until is distinct from new.cooldown_until)
  execute function private.instances_hold_their_jobs();

create function private.numbers_of_scope(p_instance_id uuid, p_scope text)
returns uuid[] language sql volatile security invoker set search_path = '' as $$
  -- In one order, because several numbers of an account may fail at once.
  select array_agg(id) from (
    select other.id from public.instances as one
    join public.instances as other on other.id = one.id or (
      p_scope = 'account' and other.waba_id = one.waba_id and other.provider = one.provider
      and other.company_id = one.company_id
    )
    where one.id = p_instance_id
    order by other.id for no key update of other
  ) as locked
$$;
comment on function private.numbers_of_scope is 'The number, or all numbers of its account, locked.';

create function private.pause_numbers(p_ids uuid[], p_until timestamptz, p_reason text)
returns void language sql volatile security invoker set search_path = '' as $$
  update public.instances set
    cooldown_until = greatest(cooldown_until, p_until),
    cooldown_reason = case when p_until >= coalesce(cooldown_until, '-infinity') then p_reason else cooldown_reason end
  where id = any (p_ids)
$$;
comment on function private.pause_numbers is 'Nothing of these numbers is sent before that; a longer pause stays.';

create function private.slow_down(p_ids uuid[])
returns void language sql volatile security invoker set search_path = '' as $$
  -- Not below one in a minute. Without a rate of its own a number starts from Meta's 80 a second.
  select public.set_key_limits('number:' || instance.id, jsonb_build_object(
    'rate_per_second', greatest(1.0 / 60, coalesce(held.rate_per_second, 80) / 2)
  ))
  from public.instances as instance left join private.job_limits as held on held.limit_key = 'number:' || instance.id
  -- One that rests already was slowed for it: what was under way meets the same refusal.
  where instance.id = any (p_ids) and (cooldown_until is null or cooldown_until <= now())
$$;
comment on function private.slow_down is 'Halves the rate of numbers, once for all that were refused together; restore_rates brings it back.';

create function private.set_number_rate(p_instance public.instances)
returns void language sql volatile security invoker set search_path = '' as $$
  select public.set_key_limits('number:' || p_instance.id, jsonb_build_object(
    'rate_per_second', p_instance.rate_per_minute / 60, 'burst', 1
  ))
$$;
comment on function private.set_number_rate is 'The rate of a number as its company wants it; null: as fast as its provider takes it.';

-- definer because whoever changes a number may not write the limits of jobs.
create function private.instances_set_their_rate()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.set_number_rate(new);
  return null;
end $$;
comment on function private.instances_set_their_rate is 'The rate that a company sets holds from the next claim on.';
create trigger instances_set_their_rate after update of rate_per_minute on public.instances for each row
  when (old.rate_per_minute is distinct from new.rate_per_minute)
  execute function private.instances_set_their_rate();

-- definer because whoever changes a secret may not change the number.
create function private.secrets_end_a_pause()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
begin
  update public.instances set cooldown_until = null, cooldown_reason = null
  where id = new.instance_id and cooldown_until = 'infinity';
  return null;
end $$;
comment on function private.secrets_end_a_pause is 'A number that waited for a person goes on with the credentials that it was given.';
create trigger secrets_end_a_pause after update of credentials on private.instance_secrets for each row
  -- Sealed anew with another key they are the same credentials.
  when (old.credentials <> new.credentials and split_part(old.credentials, '.', 2) = split_part(new.credentials, '.', 2))
  execute function private.secrets_end_a_pause();

create function private.instances_rest_while_away()
returns trigger language plpgsql volatile security invoker set search_path = '' as $$
begin
  if new.state <> 'open' then
    new.cooldown_until := 'infinity';
    new.cooldown_reason := coalesce(case when old.cooldown_until = 'infinity' then old.cooldown_reason end, 'not_connected');
  elsif new.cooldown_until = 'infinity' then
    new.cooldown_until := null;
    new.cooldown_reason := null;
  end if;
  return new;
end $$;
comment on function private.instances_rest_while_away is
  'What is to be sent by a number that is logged out or banned waits; it goes on when the number has connected anew.';
create trigger instances_rest_while_away before update of state on public.instances for each row
  when (
    new.removed_at is null and new.state <> old.state and (
      new.state in ('qr', 'closed', 'banned') or new.state = 'open' and old.state not in ('open', 'degraded')
    )
  )
  execute function private.instances_rest_while_away();
grant execute on function
  private.numbers_of_scope, private.pause_numbers, private.slow_down, private.set_number_rate,
  private.instances_rest_while_away
to service_role;
