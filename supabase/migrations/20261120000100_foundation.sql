-- Foundation: companies (the tenants), their members, their machine keys, and who may see what.
--
-- Rules that every later file keeps:
--   * public  = tables under row level security and the functions of the API;
--     private = predicates, trigger functions and secrets, never exposed over HTTP.
--   * Nothing is callable or readable unless a grant beside it says so, on projects old and new.
--   * Functions run as their caller. `security definer` needs a line "definer because ...".
--   * Domain errors are SQLSTATE PTnnn (nnn = the HTTP status) with a stable code as message.

set lock_timeout = '5s';

-- PUBLIC may execute every new function by default; the per-schema form of this statement
-- does not take that away, so it is said once for everything this role creates.
alter default privileges revoke execute on functions from public;
-- Projects from before 2026 grant everything in public to the API roles.
alter default privileges in schema public revoke execute on functions from anon, authenticated, service_role;
alter default privileges in schema public revoke all on tables from anon, authenticated, service_role;
alter default privileges in schema public revoke all on sequences from anon, authenticated, service_role;

create schema private;
comment on schema private is 'Predicates, trigger functions and secrets. Not exposed over HTTP.';
grant usage on schema private to authenticated, service_role;


-- Tables ------------------------------------------------------------------------------------

create table public.companies (
  id uuid primary key default gen_random_uuid(),
  name text not null,
  time_zone text not null default 'America/Sao_Paulo',
  -- Names one unbroken history of versions. A restore changes it, and every client starts over.
  epoch uuid not null default gen_random_uuid(),
  created_at timestamptz not null default now(),
  constraint a_company_has_a_name check (length(trim(name)) between 1 and 200)
);
comment on table public.companies is 'The tenants. Every row of every other table belongs to one.';
comment on column public.companies.epoch is 'Changes when versions may repeat (restore): clients reload everything.';

create table public.company_members (
  company_id uuid not null references public.companies (id) on delete cascade,
  user_id uuid not null references auth.users (id) on delete cascade,
  role text not null,
  created_at timestamptz not null default now(),
  primary key (company_id, user_id),
  constraint a_role_is_known check (role in ('viewer', 'agent', 'admin', 'owner'))
);
comment on table public.company_members is
  'Who belongs to which company. viewer reads; agent also writes to people; admin also configures; owner also removes.';
create index company_members_by_user on public.company_members (user_id);

create table public.api_keys (
  id uuid primary key default gen_random_uuid(),
  company_id uuid not null references public.companies (id) on delete cascade,
  name text not null,
  key_hash text not null,
  key_hint text not null,
  created_by uuid references auth.users (id) on delete set null,
  created_at timestamptz not null default now(),
  revoked_at timestamptz,
  constraint a_key_hash_is_a_sha256 check (key_hash ~ '^[0-9a-f]{64}$')
);
comment on table public.api_keys is
  'Keys of machine callers, one company each. Only the SHA-256 is kept; a key acts as an agent.';
create unique index api_keys_by_hash on public.api_keys (key_hash);
create index api_keys_by_company on public.api_keys (company_id);
create index api_keys_by_creator on public.api_keys (created_by);


-- Who may see what --------------------------------------------------------------------------

create function private.role_rank(p_role text)
returns integer language sql immutable security invoker set search_path = '' as $$
  select array_position(array['viewer', 'agent', 'admin', 'owner'], p_role)
$$;
comment on function private.role_rank is 'Orders the roles: a higher rank may do all that a lower one may.';
grant execute on function private.role_rank to authenticated, service_role;

-- definer because the policy on company_members would otherwise ask itself.
create function private.my_company_ids(p_min_role text default 'viewer')
returns setof uuid language sql stable security definer set search_path = '' as $$
  select member.company_id
  from public.company_members as member
  where member.user_id = (select auth.uid())
    and private.role_rank(member.role) >= private.role_rank(p_min_role)
$$;
comment on function private.my_company_ids is
  'Companies in which the signed-in user has at least this role. Policies call it once per query.';
grant execute on function private.my_company_ids to authenticated, service_role;

create function private.acting_company(p_company_id uuid, p_min_role text default 'viewer')
returns uuid language plpgsql stable security invoker set search_path = '' as $$
declare
  v_mine uuid[];
begin
  if current_user <> 'authenticated' then
    if p_company_id is null then
      raise exception using errcode = 'PT422', message = 'company_required',
        detail = 'This call must name a company.', hint = 'Pass company_id.';
    end if;
    return p_company_id;
  end if;
  v_mine := array(select private.my_company_ids());
  if p_company_id is null and cardinality(v_mine) = 1 then
    p_company_id := v_mine[1];
  elsif p_company_id is null then
    raise exception using errcode = 'PT422', message = 'company_required',
      detail = format('You belong to %s companies.', cardinality(v_mine)), hint = 'Pass company_id.';
  end if;
  if p_company_id <> all (v_mine) then
    raise exception using errcode = 'PT404', message = 'company_not_found',
      detail = 'There is no such company, or you are not a member of it.';
  end if;
  if p_company_id not in (select private.my_company_ids(p_min_role)) then
    raise exception using errcode = 'PT403', message = 'role_required',
      detail = format('This needs the role %s.', p_min_role), hint = 'Ask an owner of the company.';
  end if;
  return p_company_id;
end $$;
comment on function private.acting_company is
  'The company a call acts for: the one named, or the only one of a user. Raises company_required, company_not_found, role_required.';
grant execute on function private.acting_company to authenticated, service_role;


-- Row level security ------------------------------------------------------------------------

alter table public.companies enable row level security;
create policy "members read their companies" on public.companies for select to authenticated
  using (id in (select private.my_company_ids()));
create policy "admins change their companies" on public.companies for update to authenticated
  using (id in (select private.my_company_ids('admin')))
  with check (id in (select private.my_company_ids('admin')));
grant select on public.companies to authenticated;
grant update (name, time_zone) on public.companies to authenticated;
grant select, insert, update, delete on public.companies to service_role;

alter table public.company_members enable row level security;
create policy "members read their colleagues" on public.company_members for select to authenticated
  using (company_id in (select private.my_company_ids()));
grant select on public.company_members to authenticated;
grant select, insert, update, delete on public.company_members to service_role;

alter table public.api_keys enable row level security;
create policy "admins read the keys" on public.api_keys for select to authenticated
  using (company_id in (select private.my_company_ids('admin')));
create policy "admins make keys" on public.api_keys for insert to authenticated
  with check (company_id in (select private.my_company_ids('admin')));
create policy "admins revoke keys" on public.api_keys for update to authenticated
  using (company_id in (select private.my_company_ids('admin')))
  with check (company_id in (select private.my_company_ids('admin')));
grant select (id, company_id, name, key_hint, created_by, created_at, revoked_at) on public.api_keys to authenticated;
grant insert (id, company_id, name, key_hash, key_hint, created_by) on public.api_keys to authenticated;
grant update (revoked_at) on public.api_keys to authenticated;
grant select, insert, update, delete on public.api_keys to service_role;


-- Machine keys ------------------------------------------------------------------------------

create function public.create_api_key(p_name text, p_company_id uuid default null)
returns json language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_company_id uuid := private.acting_company(p_company_id, 'admin');
  v_id uuid := gen_random_uuid();
  v_key text := 'rk_' || replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');
begin
  insert into public.api_keys (id, company_id, name, key_hash, key_hint, created_by)
  values (v_id, v_company_id, p_name, encode(sha256(convert_to(v_key, 'UTF8')), 'hex'),
          right(v_key, 4), (select auth.uid()));
  return json_build_object('id', v_id, 'company_id', v_company_id, 'name', p_name, 'key', v_key);
end $$;
comment on function public.create_api_key is
  'A new machine key of a company. The answer is the only place where the key itself ever appears.';
grant execute on function public.create_api_key to authenticated, service_role;

create function public.find_api_key(p_key_hash text)
returns json language sql stable security invoker set search_path = '' as $$
  select json_build_object('id', id, 'company_id', company_id)
  from public.api_keys
  where key_hash = p_key_hash and revoked_at is null
$$;
comment on function public.find_api_key is
  'The live key with this SHA-256 (hex) and its company, or null. A revoked key is gone at once.';
grant execute on function public.find_api_key to service_role;


-- Health ------------------------------------------------------------------------------------

create function public.health()
returns json language sql stable security invoker set search_path = '' as $$
  select json_build_object('now', now())
$$;
comment on function public.health is 'Answers when the database does.';
grant execute on function public.health to service_role;
