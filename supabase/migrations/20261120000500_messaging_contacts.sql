-- Messaging, contacts: the people a company talks to, and the ids by which WhatsApp knows them.
--
-- One person has several ids: phone (E.164, in Brazil with the ninth digit), wa_id, lid, bsuid,
-- username. Each id of a company leads to one contact. Ids of two different contacts in one
-- payload never merge them: the first match wins and the other keeps its own.

set lock_timeout = '5s';

create table public.contacts (
  id uuid primary key default gen_random_uuid(),
  company_id uuid not null references public.companies (id) on delete cascade,
  name text,
  -- A name that a person gave is not overwritten by WhatsApp's profile name.
  name_source text not null default 'profile',
  -- When the profile had this name: an older message that comes late does not set it back.
  named_at timestamptz not null default '-infinity',
  phone text,
  created_at timestamptz not null default now(),
  constraint a_name_source_is_known check (name_source in ('profile', 'person')),
  constraint a_phone_is_e164 check (phone ~ '^\+[1-9][0-9]{5,17}$')
);
comment on table public.contacts is 'People. The phone is missing where WhatsApp does not tell it.';
create unique index contacts_by_company on public.contacts (company_id, id);

create table public.contact_identities (
  company_id uuid not null,
  kind text not null,
  value text not null,
  contact_id uuid not null,
  created_at timestamptz not null default now(),
  primary key (company_id, kind, value),
  foreign key (company_id, contact_id) references public.contacts (company_id, id) on delete cascade,
  constraint an_identity_kind_is_known
    check (kind in ('phone', 'wa_id', 'lid', 'bsuid', 'parent_bsuid', 'username')),
  constraint an_identity_is_not_empty check (length(value) between 1 and 200)
);
comment on table public.contact_identities is 'The ids by which WhatsApp knows a contact; each leads to one contact of a company.';
create index contact_identities_by_contact on public.contact_identities (company_id, contact_id);

alter table public.contacts enable row level security;
create policy "members read the contacts" on public.contacts for select to authenticated
  using (company_id in (select private.my_company_ids()));
grant select on public.contacts to authenticated;
grant select, insert, update, delete on public.contacts to service_role;

alter table public.contact_identities enable row level security;
create policy "members read the identities" on public.contact_identities for select to authenticated
  using (company_id in (select private.my_company_ids()));
grant select on public.contact_identities to authenticated;
grant select, insert, update, delete on public.contact_identities to service_role;

create function private.find_contact(p_company_id uuid, p_identities jsonb)
returns uuid language sql stable security invoker set search_path = '' as $$
  select identity.contact_id
  from jsonb_array_elements(p_identities) with ordinality as given (id, place)
  join public.contact_identities as identity
    on identity.company_id = p_company_id
   and identity.kind = given.id ->> 'kind' and identity.value = given.id ->> 'value'
  order by given.place
  limit 1
$$;
comment on function private.find_contact is
  'The contact that the first known of these identities leads to, or null. The order of the identities is their weight.';

create function private.resolve_contact(
  p_company_id uuid, p_identities jsonb, p_name text, p_at timestamptz default null
)
returns uuid language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_contact_id uuid := private.find_contact(p_company_id, p_identities);
  v_phone text := (
    select id ->> 'value' from jsonb_array_elements(p_identities) as id where id ->> 'kind' = 'phone' limit 1
  );
begin
  if v_contact_id is null then
    insert into public.contacts (company_id, name, named_at, phone)
    values (
      p_company_id, nullif(p_name, ''), case when p_name <> '' then coalesce(p_at, now()) else '-infinity' end, v_phone
    )
    returning id into v_contact_id;
  else
    update public.contacts set phone = v_phone
    where id = v_contact_id and phone is null and v_phone is not null;
    update public.contacts set name = p_name, named_at = coalesce(p_at, now())
    where id = v_contact_id and name_source = 'profile' and p_name <> ''
      and (named_at, coalesce(name, '')) < (coalesce(p_at, now()), p_name);
  end if;
  insert into public.contact_identities (company_id, kind, value, contact_id)
  select p_company_id, id ->> 'kind', id ->> 'value', v_contact_id from jsonb_array_elements(p_identities) as id
  on conflict do nothing;
  return v_contact_id;
end $$;
comment on function private.resolve_contact is
  'The contact with these identities, made when none is known; learns new identities, a missing phone and the profile name. The caller holds the lock of the inbox.';
grant execute on function private.find_contact, private.resolve_contact to service_role;
