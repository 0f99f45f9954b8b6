-- Messaging, limits: what a provider says that a number or its account may send, and how it is rated.
--
-- It comes as an event, late and in any order, or as the answer to a question. Of each part (quality,
-- throughput, daily_limit, restriction) the latest word about a number holds.

set lock_timeout = '5s';

create function private.apply_limit(p_instance_id uuid, p_told jsonb)
returns void language sql volatile security invoker set search_path = '' as $$
  update public.instances set
    quality = coalesce(p_told ->> 'quality', quality),
    throughput = coalesce(p_told ->> 'throughput', throughput),
    -- -1: no limit.
    portfolio_limit = case when p_told ->> 'daily_limit' is null then portfolio_limit
      else nullif((p_told ->> 'daily_limit')::integer, -1) end,
    -- '' lifts it; without an end a person has to act.
    campaigns_paused_until = case p_told ->> 'restriction' when '' then null else greatest(campaigns_paused_until, pause.until) end,
    cold_blocked_until = case p_told ->> 'restriction' when '' then null else greatest(cold_blocked_until, pause.until) end
  from (
    select case when p_told ->> 'restriction' <> '' then coalesce((p_told ->> 'until')::timestamptz, 'infinity') end as until
  ) as pause
  where id = p_instance_id
$$;
comment on function private.apply_limit is
  'Takes over {quality, throughput, daily_limit, restriction, until}: what is not told stays. A restricted number answers, and writes to nobody first.';
grant execute on function private.apply_limit to service_role;

create function private.latest_of_limit(p_event public.provider_events, p_instance public.instances)
returns jsonb language sql stable security invoker set search_path = '' as $$
  select coalesce(jsonb_object_agg(part, value), '{}')
  from jsonb_each((p_event).data) as told (part, value)
  where value <> 'null' and not exists (
    select from public.provider_events as later
    where later.company_id = (p_event).company_id and later.instance_id = (p_event).instance_id and later.event = 'limit'
      -- At the same moment, whichever comes first: the same one.
      and (later.occurred_at, later.data::text) > ((p_event).occurred_at, (p_event).data::text)
      and later.data ->> case part when 'until' then 'restriction' else part end is not null
      and (later.data ->> 'number' is null or later.data ->> 'number' = (p_instance).number)
  )
$$;
comment on function private.latest_of_limit is 'What an event tells of a number, without what a later one tells otherwise.';
grant execute on function private.latest_of_limit to service_role;

-- definer because an event may come by any function.
create function private.events_set_limits()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.apply_limit(instance.id, private.latest_of_limit(new, instance))
  from unnest(private.numbers_of_scope(new.instance_id, 'account')) as told (id)
  join public.instances as instance on instance.id = told.id
  where instance.removed_at is null and (
    -- Meta tells an account of one of its numbers, or of all.
    new.data ->> 'scope' = 'account' or instance.number = new.data ->> 'number'
    or instance.id = new.instance_id and coalesce(new.data ->> 'number', instance.number) is not distinct from instance.number
  );
  return null;
end $$;
comment on function private.events_set_limits is
  'What a provider says of a number, or of all numbers of an account, holds for them: the rating, how many may be written to first, and whether anybody may.';
create trigger events_set_limits after insert or update on public.provider_events for each row
  when (new.event = 'limit')
  execute function private.events_set_limits();
