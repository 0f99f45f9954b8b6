-- Messaging, numbers: connecting them, what a company sees of them, and taking them away.
--
--   new -> qr -> connecting -> open <-> closed | degraded       a person scans, the provider reports
--   any -> removed_at is set                                    its conversations stay; it sends no more
--
-- Reports come by webhook (ingest_instance) and as answers to what we ask the provider
-- (record_number_events). Connecting the same number again replaces its credentials.

set lock_timeout = '5s';

-- definer because an item is stored by whoever received it; the row is not waited for, so that
-- receiving never queues behind a change of the number.
create function private.inbound_events_show_life()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
begin
  update public.instances set last_seen_at = now()
  where id in (
    select id from public.instances
    where id in (select instance_id from added)
      and (last_seen_at is null or last_seen_at < now() - interval '1 minute')
    for update skip locked
  );
  return null;
end $$;
comment on function private.inbound_events_show_life is 'When a number last had something to tell, to the minute.';
create trigger inbound_events_show_life after insert on public.inbound_events
  referencing new table as added for each statement execute function private.inbound_events_show_life();

-- definer because attempts are written by whoever sends.
create function private.removed_numbers_send_nothing()
returns trigger language plpgsql stable security definer set search_path = '' as $$
begin
  if exists (
    select from public.messages join public.instances on instances.id = messages.instance_id
    where messages.id = new.message_id and removed_at is not null
  ) then
    raise exception using errcode = 'PT409', message = 'number_removed',
      detail = 'The number of this conversation was removed.';
  end if;
  return new;
end $$;
comment on function private.removed_numbers_send_nothing is 'What waits for a removed number fails when its turn comes.';
create trigger removed_numbers_send_nothing before insert on public.send_attempts
  for each row execute function private.removed_numbers_send_nothing();


-- Read --------------------------------------------------------------------------------------

create function private.number_row(p_instance public.instances)
returns json language sql stable security invoker set search_path = '' as $$
  select json_build_object(
    'id', (p_instance).id, 'company_id', (p_instance).company_id, 'provider', (p_instance).provider,
    'name', (p_instance).name, 'server', (p_instance).base_url, 'external_id', (p_instance).external_id,
    'account_id', (p_instance).waba_id, 'number', (p_instance).number,
    'state', (p_instance).state, 'state_reason', (p_instance).state_reason, 'state_at', (p_instance).state_at,
    'last_seen_at', (p_instance).last_seen_at,
    'quality', (p_instance).quality, 'throughput', (p_instance).throughput,
    'people_per_day', (p_instance).portfolio_limit,
    'rate_per_minute', (p_instance).rate_per_minute, 'daily_cap', (p_instance).daily_cap,
    'needs_a_person', coalesce((p_instance).cooldown_until = 'infinity', false),
    'paused_until', nullif((p_instance).cooldown_until, 'infinity'), 'pause_reason', (p_instance).cooldown_reason,
    'cold_blocked_until', nullif((p_instance).cold_blocked_until, 'infinity'),
    'created_at', (p_instance).created_at, 'removed_at', (p_instance).removed_at
  )
$$;
comment on function private.number_row is 'A number as the API shows it: nothing of it is secret.';
grant execute on function private.number_row to authenticated, service_role;

create function public.list_numbers(p_company_id uuid default null)
returns json language plpgsql stable security invoker set search_path = '' as $$
declare
  v_company_id uuid := p_company_id;
begin
  if p_company_id is not null or current_user <> 'service_role' then
    v_company_id := private.acting_company(p_company_id);
  end if;
  return (
    select json_build_object('data', coalesce(json_agg(private.number_row(instance) order by name, id), '[]'))
    from public.instances as instance
    where (v_company_id is null or company_id = v_company_id) and removed_at is null
  );
end $$;
comment on function public.list_numbers is 'The numbers of a company, or for the service of all: {data}. Raises company_required, company_not_found.';
grant execute on function public.list_numbers to authenticated, service_role;

create function public.find_number(p_id uuid, p_company_id uuid default null, p_min_role text default 'viewer')
returns json language plpgsql stable security invoker set search_path = '' as $$
declare
  v_instance public.instances;
begin
  select * into v_instance from public.instances
  where id = p_id and removed_at is null and (p_company_id is null or company_id = p_company_id);
  if v_instance.id is null then
    raise exception using errcode = 'PT404', message = 'number_not_found',
      detail = 'There is no such number, or none that you may see.';
  end if;
  perform private.acting_company(v_instance.company_id, p_min_role);
  return private.number_row(v_instance);
end $$;
comment on function public.find_number is 'A number that the caller has this role for. Raises number_not_found, role_required.';
grant execute on function public.find_number to authenticated, service_role;

create function public.may_connect_numbers(p_company_id uuid default null)
returns uuid language sql stable security invoker set search_path = '' as $$
  select private.acting_company(p_company_id, 'admin')
$$;
comment on function public.may_connect_numbers is
  'The company that the caller may connect numbers for. Raises company_required, company_not_found, role_required.';
grant execute on function public.may_connect_numbers to authenticated, service_role;

create function public.find_number_access(p_id uuid)
returns json language sql stable security invoker set search_path = '' as $$
  select json_build_object(
    'instance', json_build_object(
      'id', instance.id, 'provider', instance.provider, 'base_url', instance.base_url,
      'external_id', instance.external_id, 'account_id', coalesce(instance.waba_id, ''),
      'credentials', secret.credentials
    ),
    'number', instance.number, 'state', instance.state,
    'token_hash', endpoint.token_hash, 'secrets', endpoint.secrets,
    'qr_code', secret.qr_code, 'pairing_code', secret.pairing_code, 'qr_at', secret.qr_at
  )
  from public.instances as instance
  join private.instance_secrets as secret on secret.instance_id = instance.id
  left join private.inbound_endpoints as endpoint on endpoint.id = instance.endpoint_id
  where instance.id = p_id and removed_at is null
$$;
comment on function public.find_number_access is
  'What it takes to act as a number, sealed, and the code to scan as it was last told. Null where there is none.';
grant execute on function public.find_number_access to service_role;

create function public.find_number_place(
  p_company_id uuid, p_provider text, p_base_url text, p_external_id text, p_waba_id text default null
)
returns json language plpgsql stable security invoker set search_path = '' as $$
declare
  v_known public.instances;
begin
  select * into v_known from public.instances
  where provider = p_provider and base_url = p_base_url and external_id = p_external_id and removed_at is null;
  if v_known.company_id <> p_company_id then
    raise exception using errcode = 'PT409', message = 'number_taken',
      detail = 'This number is connected to another company.', hint = 'Remove it there first.';
  end if;
  return json_build_object('id', v_known.id, 'address', (
    select json_build_object('token_hash', token_hash, 'secrets', secrets)
    from private.inbound_endpoints as endpoint
    where provider = p_provider and revoked_at is null
      and exists (
        select from public.instances
        where endpoint_id = endpoint.id and (id = v_known.id or p_provider = 'meta' and waba_id = p_waba_id)
      )
      -- What another company's numbers come in by is not ours to change.
      and not exists (select from public.instances where endpoint_id = endpoint.id and company_id <> p_company_id)
    order by created_at desc limit 1
  ));
end $$;
comment on function public.find_number_place is
  'Where a number that is about to be connected stands already: {id, address: {token_hash, secrets}}, null what is missing. An account of Meta has one address for all its numbers. Raises number_taken.';
grant execute on function public.find_number_place to service_role;


-- Connect -----------------------------------------------------------------------------------

create function public.connect_number(
  p_id uuid, p_company_id uuid, p_provider text, p_name text, p_base_url text, p_external_id text,
  p_credentials text, p_token_hash text, p_secrets text, p_waba_id text default null, p_number text default null
)
returns json language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_endpoint_id uuid;
  v_instance public.instances;
begin
  insert into private.inbound_endpoints (provider, token_hash, secrets)
  values (p_provider, p_token_hash, p_secrets)
  on conflict (token_hash) do update set secrets = excluded.secrets
  returning id into v_endpoint_id;
  insert into public.instances as known
    (id, company_id, provider, name, base_url, external_id, endpoint_id, waba_id, number)
  values
    (p_id, p_company_id, p_provider, p_name, p_base_url, p_external_id, v_endpoint_id, p_waba_id, p_number)
  on conflict (id) do update set
    name = excluded.name, endpoint_id = excluded.endpoint_id, waba_id = excluded.waba_id,
    number = coalesce(excluded.number, known.number)
  returning * into v_instance;
  insert into private.instance_secrets as known (instance_id, credentials) values (p_id, p_credentials)
  on conflict (instance_id) do update set credentials = excluded.credentials;
  return private.number_row(v_instance);
exception when unique_violation then
  raise exception using errcode = 'PT409', message = 'number_taken',
    detail = 'This number was connected in the same moment.', hint = 'Look at it before you try again.';
end $$;
comment on function public.connect_number is
  'Stores a number with its webhook address, or gives a known one new credentials; all sealed. Raises number_taken.';
grant execute on function public.connect_number to service_role;

create function public.record_number_events(p_id uuid, p_events jsonb)
returns json language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_event jsonb;
  v_instance public.instances;
begin
  for v_event in select event from jsonb_array_elements(p_events) as event loop
    if v_event ->> 'event' = 'instance' then
      update public.instances set
        state = coalesce(v_event ->> 'state', state),
        state_reason = case when v_event ->> 'state' is null then state_reason else v_event ->> 'reason' end,
        number = coalesce(v_event ->> 'number', number)
      where id = p_id;
      update private.instance_secrets set
        qr_code = v_event ->> 'qr', pairing_code = v_event ->> 'pairing_code',
        qr_at = case when coalesce(v_event ->> 'qr', v_event ->> 'pairing_code') is not null then now() end
      where instance_id = p_id;
    elsif v_event ->> 'event' = 'limit' then
      perform private.apply_limit(p_id, v_event);
    end if;
  end loop;
  select * into v_instance from public.instances where id = p_id;
  return private.number_row(v_instance);
end $$;
comment on function public.record_number_events is 'Takes over what a provider answered about a number: the number as it stands.';
grant execute on function public.record_number_events to service_role;


-- Remove ------------------------------------------------------------------------------------

create function public.remove_number(p_id uuid)
returns boolean language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_endpoint_id uuid;
begin
  select endpoint_id into v_endpoint_id from public.instances where id = p_id and removed_at is null for update;
  if not found then
    return false;
  end if;
  -- Without a pause, so that what waits fails at once.
  update public.instances set
    removed_at = now(), endpoint_id = null, state = 'closed', state_reason = 'removed',
    cooldown_until = null, cooldown_reason = null
  where id = p_id;
  delete from private.instance_secrets where instance_id = p_id;
  update private.inbound_endpoints set revoked_at = now()
  where id = v_endpoint_id and not exists (select from public.instances where endpoint_id = v_endpoint_id);
  return true;
end $$;
comment on function public.remove_number is
  'Takes a number away: its credentials are deleted, its address is closed, its conversations stay. False where there is none.';
grant execute on function public.remove_number to service_role;
