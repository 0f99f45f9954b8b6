-- Messaging, contacts: the people a company talks to, and the ids by which WhatsApp knows them.
--
-- One person has several ids: phone (E.164, in Brazil with the ninth digit), wa_id, lid, bsuid,
-- username. Each id of a company leads to one contact, and keeps what told of it. Ids of two
-- different contacts in one payload never merge them: the first match wins, the other keeps its
-- own, and the conflict waits for a person (see *_messaging_identity.sql).

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
  -- When somebody wrote from it: of two phones the one that was used last counts.
  phone_at timestamptz not null default '-infinity',
  -- Another contact that is the same person: this one is left as a signpost.
  merged_into uuid,
  -- Nothing of the person is left; see *_messaging_erasure.sql.
  erased_at timestamptz,
  created_at timestamptz not null default now(),
  constraint a_name_source_is_known check (name_source in ('profile', 'person')),
  constraint a_phone_is_e164 check (phone ~ '^\+[1-9][0-9]{5,17}$'),
  constraint a_contact_is_not_merged_into_itself check (merged_into <> id),
  constraint a_contact_that_is_merged_or_erased_is_empty
    check ((merged_into is null and erased_at is null) or (name is null and phone is null))
);
comment on table public.contacts is 'People. The phone is missing where WhatsApp does not tell it.';
create unique index contacts_by_company on public.contacts (company_id, id);
create index contacts_in_order on public.contacts (company_id, created_at desc, id desc);
alter table public.contacts add foreign key (company_id, merged_into) references public.contacts (company_id, id);
create index contacts_by_merged_into on public.contacts (company_id, merged_into) where merged_into is not null;

create function private.current_event(p_message_id uuid default null)
returns bigint language sql stable security invoker set search_path = '' as $$
  select coalesce(
    nullif(current_setting('recado.events_of_messages', true), '')::jsonb ->> p_message_id::text,
    nullif(current_setting('recado.event_id', true), '')
  )::bigint
$$;
comment on function private.current_event is
  'The inbound event that is being applied in this transaction, or null; of messages that are stored together, that of the one.';
grant execute on function private.current_event to authenticated, service_role;

create table public.contact_identities (
  company_id uuid not null,
  kind text not null,
  value text not null,
  contact_id uuid not null,
  -- What tied it to the contact: message, send, or what the provider calls it.
  evidence text not null default 'message',
  event_id bigint default private.current_event(),
  created_at timestamptz not null default now(),
  primary key (company_id, kind, value),
  foreign key (company_id, contact_id) references public.contacts (company_id, id) on delete cascade,
  constraint an_identity_kind_is_known
    check (kind in ('phone', 'wa_id', 'lid', 'bsuid', 'parent_bsuid', 'username')),
  constraint an_identity_is_not_empty check (length(value) between 1 and 200)
);
comment on table public.contact_identities is 'The ids by which WhatsApp knows a contact; each leads to one contact of a company.';
comment on column public.contact_identities.event_id is 'The inbound event that told of it first.';
create index contact_identities_by_contact on public.contact_identities (company_id, contact_id);

create table public.contact_conflicts (
  -- Several come in one payload, at one time: lists tell them apart by this.
  id uuid not null default gen_random_uuid(),
  company_id uuid not null,
  contact_id uuid not null,
  other_id uuid not null,
  kind text not null,
  value text not null,
  evidence text not null,
  event_id bigint default private.current_event(),
  created_at timestamptz not null default now(),
  primary key (company_id, contact_id, other_id),
  foreign key (company_id, contact_id) references public.contacts (company_id, id) on delete cascade,
  foreign key (company_id, other_id) references public.contacts (company_id, id) on delete cascade,
  constraint a_pair_stands_once check (contact_id < other_id)
);
comment on table public.contact_conflicts is
  'Pairs of contacts whose ids came in one payload: perhaps one person. The first evidence stays until a person merges them.';
create index contact_conflicts_by_other on public.contact_conflicts (company_id, other_id);
create index contact_conflicts_in_order on public.contact_conflicts (company_id, created_at desc, id desc);

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

alter table public.contact_conflicts enable row level security;
create policy "members read the conflicts" on public.contact_conflicts for select to authenticated
  using (company_id in (select private.my_company_ids()));
grant select on public.contact_conflicts to authenticated;
grant select, insert, update, delete on public.contact_conflicts to service_role;


-- Who is meant ------------------------------------------------------------------------------

create function private.canonical_phone(p_number text)
returns text language sql immutable security invoker set search_path = '' as $$
  -- The same as phone_of in functions/providers/identity.py.
  select case
    when digits !~ '^[1-9][0-9]{5,14}$' then null
    when digits ~ '^55[1-9][1-9]9?[6-9][0-9]{7}$' then '+' || regexp_replace(digits, '^(55..)9?(.{8})$', '\19\2')
    when digits ~ '^521?[2-9][0-9]{9}$' then '+' || regexp_replace(digits, '^521?(.{10})$', '52\1')
    when digits ~ '^549?[1-9][0-9]{9}$' then '+' || regexp_replace(digits, '^549?(.{10})$', '549\1')
    else '+' || digits
  end
  from (select regexp_replace(p_number, '[^0-9]', '', 'g') as digits) as written
$$;
comment on function private.canonical_phone is
  'E.164 in one form: Brazilian mobiles with the ninth digit, Mexican ones without the old 1, Argentine ones with the 9. Null for what is no phone.';
grant execute on function private.canonical_phone to authenticated, service_role;

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
  p_company_id uuid, p_identities jsonb, p_name text, p_at timestamptz default null, p_evidence text default null
)
returns uuid language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_contact_id uuid;
  v_phone text;
  v_has_new boolean;
  v_has_others boolean;
  v_evidence text := coalesce(p_evidence, case when private.current_event() is null then 'send' else 'message' end);
begin
  -- The same as find_contact, and what is left to do.
  select
    (array_agg(contact_id order by place) filter (where contact_id is not null))[1],
    (array_agg(id ->> 'value' order by place) filter (where id ->> 'kind' = 'phone'))[1],
    coalesce(bool_or(contact_id is null), false), count(distinct contact_id) > 1
  into v_contact_id, v_phone, v_has_new, v_has_others
  from jsonb_array_elements(p_identities) with ordinality as given (id, place)
  left join public.contact_identities as identity
    on identity.company_id = p_company_id and identity.kind = id ->> 'kind' and identity.value = id ->> 'value';
  if v_contact_id is null then
    insert into public.contacts (company_id, name, named_at, phone, phone_at)
    values (
      p_company_id, nullif(p_name, ''), case when p_name <> '' then coalesce(p_at, now()) else '-infinity' end,
      v_phone, case when v_phone is null then '-infinity' else coalesce(p_at, '-infinity') end
    )
    returning id into v_contact_id;
  else
    update public.contacts set
      phone = case when is_used then v_phone else phone end, phone_at = case when is_used then used_at else phone_at end,
      name = case when is_named then p_name else name end, named_at = case when is_named then told_at else named_at end
    from (
      select id as contact_id, used_at, told_at,
        coalesce((phone_at, coalesce(phone, '')) < (used_at, v_phone), false) as is_used,
        coalesce(name_source = 'profile' and p_name <> '' and (named_at, coalesce(name, '')) < (told_at, p_name), false) as is_named
      from public.contacts, (select coalesce(p_at, '-infinity') as used_at, coalesce(p_at, now()) as told_at) as moment
      where id = v_contact_id
    ) as told
    where id = contact_id and (is_used or is_named);
  end if;
  if v_has_new then
    insert into public.contact_identities (company_id, kind, value, contact_id, evidence)
    select p_company_id, id ->> 'kind', id ->> 'value', v_contact_id, v_evidence from jsonb_array_elements(p_identities) as id
    on conflict do nothing;
  end if;
  if v_has_others then
    insert into public.contact_conflicts (company_id, contact_id, other_id, kind, value, evidence)
    select
      p_company_id, least(v_contact_id, identity.contact_id), greatest(v_contact_id, identity.contact_id),
      identity.kind, identity.value, v_evidence
    from jsonb_array_elements(p_identities) as id
    join public.contact_identities as identity
      on identity.company_id = p_company_id and identity.kind = id ->> 'kind' and identity.value = id ->> 'value'
    where identity.contact_id <> v_contact_id
    on conflict do nothing;
  end if;
  return v_contact_id;
end $$;
comment on function private.resolve_contact is
  'The contact with these identities, made when none is known; learns new identities, the phone and the profile name, each as it was last at p_at. Ids of another contact stay with that one, and the conflict is kept. The caller holds the lock of the inbox.';
grant execute on function private.find_contact, private.resolve_contact to service_role;
