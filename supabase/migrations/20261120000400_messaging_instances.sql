-- Messaging, instances: the WhatsApp numbers of a company and the doors their events come in by.
--
-- An instance is one number at one provider. An inbound endpoint is one webhook URL with its
-- secrets: an Evolution instance has its own, a Meta app has one for all its numbers. Events
-- reach only instances attached to the endpoint that they came in by, so the owner of one
-- endpoint cannot speak for another's number.
--
-- Secrets stand in private, sealed with a key that is not in the database; service_role alone reads
-- them, and the functions that use them open them. See functions/messaging/credentials.py.

set lock_timeout = '5s';

create table private.inbound_endpoints (
  id uuid primary key default gen_random_uuid(),
  provider text not null,
  token_hash text not null,
  secrets text not null,
  created_at timestamptz not null default now(),
  revoked_at timestamptz,
  constraint a_token_hash_is_a_sha256 check (token_hash ~ '^[0-9a-f]{64}$'),
  constraint secrets_are_sealed check (secrets ~ '^v1\.[0-9a-f]{8}\.[A-Za-z0-9_-]{38,}$')
);
comment on table private.inbound_endpoints is
  'Webhook URLs: /in/{provider}/{token}. secrets = lists by name, several values while they rotate, sealed.';
create unique index inbound_endpoints_by_token on private.inbound_endpoints (token_hash);
alter table private.inbound_endpoints enable row level security;
grant select, insert, update, delete on private.inbound_endpoints to service_role;

create table public.instances (
  id uuid primary key default gen_random_uuid(),
  company_id uuid not null references public.companies (id) on delete cascade,
  provider text not null,
  name text not null,
  base_url text not null,
  -- What the provider calls it: Evolution's instance name, Meta's phone_number_id.
  external_id text not null,
  waba_id text,
  number text,
  endpoint_id uuid references private.inbound_endpoints (id) on delete set null,
  state text not null default 'new',
  state_reason text,
  -- When the provider says it was so, by its own clock: an older report that comes late is no news.
  state_at timestamptz,
  -- Nothing is sent before this; infinity: until a person has acted. See *_messaging_reactions.sql.
  cooldown_until timestamptz,
  cooldown_reason text,
  -- WhatsApp refuses first messages to strangers; replies go on.
  cold_blocked_until timestamptz,
  -- WhatsApp counts too much as spam; replies go on.
  campaigns_paused_until timestamptz,
  -- The pace; see *_messaging_pacing.sql. Null: no limit of that kind.
  rate_per_minute double precision,
  gap_seconds double precision not null default 0,
  jitter_seconds double precision not null default 0,
  daily_cap integer,
  warmup_started_on date,
  -- Meta: numbers of one business share a limit of people to write to first within 24 hours.
  portfolio_id text,
  portfolio_limit integer,
  -- How people rate it, and how fast it may send, in the provider's words.
  quality text,
  throughput text,
  last_seen_at timestamptz,
  -- When a probe last showed that its connection lives.
  alive_at timestamptz,
  -- Removed: it keeps its conversations, and nothing goes out or comes in.
  removed_at timestamptz,
  created_at timestamptz not null default now(),
  constraint an_instance_state_is_known
    check (state in ('new', 'qr', 'connecting', 'open', 'degraded', 'closed', 'banned')),
  constraint a_rate_is_positive check (rate_per_minute > 0),
  constraint a_gap_is_at_most_an_hour check (gap_seconds between 0 and 3600 and jitter_seconds between 0 and 3600),
  constraint a_daily_cap_is_not_negative check (daily_cap >= 0),
  constraint a_portfolio_limit_is_not_negative check (portfolio_limit >= 0)
);
comment on table public.instances is 'WhatsApp numbers. new -> qr -> connecting -> open <-> closed; banned ends it.';
-- A number belongs to one company only, until that removes it.
create unique index instances_by_external_id on public.instances (provider, base_url, external_id)
  where removed_at is null;
create unique index instances_by_company on public.instances (company_id, id);
create index instances_by_endpoint on public.instances (endpoint_id);

alter table public.instances enable row level security;
create policy "members read the instances" on public.instances for select to authenticated
  using (company_id in (select private.my_company_ids()));
grant select on public.instances to authenticated;
grant select, insert, update, delete on public.instances to service_role;

create table private.instance_secrets (
  instance_id uuid primary key references public.instances (id) on delete cascade,
  credentials text not null,
  qr_code text,
  pairing_code text,
  qr_at timestamptz,
  constraint credentials_are_sealed check (credentials ~ '^v1\.[0-9a-f]{8}\.[A-Za-z0-9_-]{38,}$')
);
comment on table private.instance_secrets is 'What it takes to act as the number: provider credentials and the pairing code.';
alter table private.instance_secrets enable row level security;
grant select, insert, update, delete on private.instance_secrets to service_role;


-- Functions ---------------------------------------------------------------------------------

create function public.create_inbound_endpoint(p_provider text, p_token_hash text, p_secrets text)
returns uuid language sql volatile security invoker set search_path = '' as $$
  insert into private.inbound_endpoints (provider, token_hash, secrets)
  values (p_provider, p_token_hash, p_secrets)
  returning id
$$;
comment on function public.create_inbound_endpoint is
  'A webhook URL whose token has this SHA-256 (hex), with its sealed secrets.';
grant execute on function public.create_inbound_endpoint to service_role;

create function public.create_instance(
  p_company_id uuid, p_provider text, p_name text, p_base_url text, p_external_id text,
  p_endpoint_id uuid, p_credentials text, p_waba_id text default null, p_number text default null,
  p_id uuid default gen_random_uuid()
)
returns uuid language sql volatile security invoker set search_path = '' as $$
  with instance as (
    insert into public.instances
      (id, company_id, provider, name, base_url, external_id, endpoint_id, waba_id, number)
    values
      (p_id, p_company_id, p_provider, p_name, p_base_url, p_external_id, p_endpoint_id, p_waba_id, p_number)
    returning id
  ), secret as (
    insert into private.instance_secrets (instance_id, credentials)
    select id, p_credentials from instance
  )
  select id from instance
$$;
comment on function public.create_instance is 'Registers a WhatsApp number of a company with its provider credentials, sealed for its id.';
grant execute on function public.create_instance to service_role;

create function public.find_inbound_endpoint(p_provider text, p_token_hash text)
returns json language sql stable security invoker set search_path = '' as $$
  select json_build_object(
    'id', endpoint.id, 'secrets', endpoint.secrets,
    'route', (
      select min(external_id) from public.instances
      where endpoint_id = endpoint.id having count(*) = 1
    )
  )
  from private.inbound_endpoints as endpoint
  where provider = p_provider and token_hash = p_token_hash and revoked_at is null
$$;
comment on function public.find_inbound_endpoint is
  'The live webhook URL with this token hash: its secrets and, where it serves one number only, that number''s name. Null otherwise.';
grant execute on function public.find_inbound_endpoint to service_role;
