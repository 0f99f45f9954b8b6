-- Messaging, suppressions: whom a company must not write to, and what for.
--
--   all        nothing is sent, not even an answer
--   marketing  no marketing
--   number     no marketing from one number
--   campaign   no message of one campaign
--
-- A suppression holds for values (phone, wa_id, lid, bsuid), kept only as hashes, so that it
-- outlives the contact: whoever was erased and comes back is not written to. The salt is the
-- company's own and stands in private.
--
-- Opt-outs and second thoughts come late and in any order: the latest by its own time counts.
-- A suppression that was lifted before it came is kept as lifted. Nothing is deleted.
--
-- How contacts opt out: *_messaging_consent.sql. Asked just before each send, and by whoever
-- chooses recipients.

set lock_timeout = '5s';

create table private.suppression_salts (
  company_id uuid primary key references public.companies (id) on delete cascade,
  salt text not null default gen_random_uuid()::text || gen_random_uuid()::text
);
comment on table private.suppression_salts is 'Makes the hashes of one company useless for another.';
alter table private.suppression_salts enable row level security;
grant select, insert, update, delete on private.suppression_salts to service_role;

-- definer because whoever makes a company need not read its salt.
create function private.companies_get_a_salt()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
begin
  insert into private.suppression_salts (company_id) values (new.id);
  return null;
end $$;
comment on function private.companies_get_a_salt is 'A company has its salt from the start: hashes without it would never match later.';
create trigger companies_get_a_salt after insert on public.companies
  for each row execute function private.companies_get_a_salt();
insert into private.suppression_salts (company_id) select id from public.companies;

create table public.suppressions (
  id uuid primary key default gen_random_uuid(),
  company_id uuid not null references public.companies (id) on delete cascade,
  scope text not null,
  instance_id uuid,
  campaign_id uuid,
  -- Whom it is about; null while no contact has these values.
  contact_id uuid,
  reason text not null,
  evidence jsonb not null default '{}',
  suppressed_at timestamptz not null default now(),
  lifted_at timestamptz,
  lift_evidence jsonb,
  created_at timestamptz not null default now(),
  foreign key (company_id, instance_id) references public.instances (company_id, id) on delete cascade,
  foreign key (company_id, contact_id) references public.contacts (company_id, id) on delete set null (contact_id),
  constraint a_scope_is_known check (scope in ('all', 'marketing', 'number', 'campaign')),
  constraint a_scope_names_what_it_is_about
    check ((scope = 'number') = (instance_id is not null) and (scope = 'campaign') = (campaign_id is not null)),
  constraint a_reason_is_known check (reason in ('word', 'button', 'preference', 'provider', 'person')),
  constraint evidence_is_an_object check (jsonb_typeof(evidence) = 'object' and jsonb_typeof(lift_evidence) = 'object'),
  constraint what_was_lifted_says_why check ((lifted_at is null) = (lift_evidence is null))
);
comment on table public.suppressions is
  'Whom not to write to, by hashed values, with what proves it: message_id, event_id, user_id, code, note. In force until lifted_at.';
create unique index suppressions_by_company on public.suppressions (company_id, id);
create index suppressions_in_order on public.suppressions (company_id, created_at desc, id desc);
create index suppressions_by_contact on public.suppressions (company_id, contact_id);
create index suppressions_by_instance on public.suppressions (company_id, instance_id);

create table private.suppression_values (
  company_id uuid not null,
  value_hash text not null,
  suppression_id uuid not null,
  primary key (company_id, value_hash, suppression_id),
  foreign key (company_id, suppression_id) references public.suppressions (company_id, id) on delete cascade,
  constraint a_value_hash_is_a_sha256 check (value_hash ~ '^[0-9a-f]{64}$')
);
comment on table private.suppression_values is 'The hashes for which a suppression holds.';
create index suppression_values_by_suppression on private.suppression_values (company_id, suppression_id);
alter table private.suppression_values enable row level security;
grant select, insert, update, delete on private.suppression_values to service_role;

create table private.consents (
  company_id uuid not null references public.companies (id) on delete cascade,
  value_hash text not null,
  wanted_at timestamptz not null,
  evidence jsonb not null,
  primary key (company_id, value_hash)
);
comment on table private.consents is
  'When somebody last asked for marketing: an opt-out of before that comes later is taken back already.';
alter table private.consents enable row level security;
grant select, insert, update, delete on private.consents to service_role;

alter table public.suppressions enable row level security;
create policy "members read the suppressions" on public.suppressions for select to authenticated
  using (company_id in (select private.my_company_ids()));
grant select on public.suppressions to authenticated;
grant select, insert, update, delete on public.suppressions to service_role;


-- Values ------------------------------------------------------------------------------------

create function private.suppression_hashes(p_company_id uuid, p_identities jsonb)
returns text[] language sql stable security invoker set search_path = '' as $$
  select coalesce(array_agg(distinct encode(sha256(convert_to(
    salt || ':' || case when phone is null then kind else 'phone' end || ':' || coalesce(phone, value), 'UTF8'
  )), 'hex')), '{}')
  from private.suppression_salts
  cross join jsonb_to_recordset(p_identities) as given (kind text, value text)
  -- All forms of a phone are one value.
  cross join lateral (
    select case when kind in ('phone', 'wa_id') then private.canonical_phone(value) end as phone
  ) as canonical
  -- A username passes from one person to another.
  where company_id = p_company_id and kind <> 'username'
$$;
comment on function private.suppression_hashes is 'The hashes of identities [{kind, value}]; empty when none of them can carry a suppression.';

create function private.identities_of(p_company_id uuid, p_contact_id uuid)
returns jsonb language sql stable security invoker set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object('kind', kind, 'value', value)), '[]')
  from public.contact_identities
  where company_id = p_company_id and contact_id = (
    select coalesce(merged_into, id) from public.contacts where company_id = p_company_id and id = p_contact_id
  )
$$;
comment on function private.identities_of is 'All ids of a contact, or of the one that it was merged into.';

create function private.matching_suppressions(p_company_id uuid, p_hashes text[])
returns setof public.suppressions language sql stable security invoker set search_path = '' as $$
  select * from public.suppressions
  where company_id = p_company_id and id in (
    select suppression_id from private.suppression_values
    where company_id = p_company_id and value_hash = any (p_hashes)
  )
$$;
comment on function private.matching_suppressions is 'Suppressions of these values, lifted ones too.';

create function private.remember_values(p_company_id uuid, p_suppression_id uuid, p_hashes text[])
returns void language sql volatile security invoker set search_path = '' as $$
  insert into private.suppression_values (company_id, value_hash, suppression_id)
  select p_company_id, value_hash, p_suppression_id from unnest(p_hashes) as value_hash
  on conflict do nothing
$$;
comment on function private.remember_values is 'A suppression holds for these values too.';
grant execute on function private.identities_of to authenticated, service_role;
grant execute on function private.suppression_hashes, private.matching_suppressions, private.remember_values to service_role;

-- definer because an agent may open a conversation, which learns ids, but not write suppressions.
create function private.identities_carry_suppressions()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
begin
  update public.suppressions set contact_id = new.contact_id
  where company_id = new.company_id and contact_id is null and lifted_at is null and id in (
    select id from private.matching_suppressions(new.company_id, private.suppression_hashes(
      new.company_id, jsonb_build_array(jsonb_build_object('kind', new.kind, 'value', new.value))
    ))
  );
  perform private.remember_values(new.company_id, suppression.id, private.suppression_hashes(
    new.company_id, private.identities_of(new.company_id, new.contact_id)
  ))
  from public.suppressions as suppression
  where suppression.company_id = new.company_id and suppression.contact_id = new.contact_id
    and suppression.lifted_at is null;
  return null;
end $$;
comment on function private.identities_carry_suppressions is
  'A suppression of ids that nobody had is about the contact who gets one of them, and holds for all that this contact has.';
create trigger identities_carry_suppressions after insert or update of contact_id on public.contact_identities
  for each row execute function private.identities_carry_suppressions();


-- Suppress and lift -------------------------------------------------------------------------

create function private.suppress(
  p_company_id uuid, p_identities jsonb, p_scope text, p_reason text, p_evidence jsonb,
  p_at timestamptz default null, p_instance_id uuid default null, p_campaign_id uuid default null
)
returns uuid language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_hashes text[] := private.suppression_hashes(p_company_id, p_identities);
  v_at timestamptz := coalesce(p_at, now());
  v_consent private.consents;
  v_id uuid;
begin
  if cardinality(v_hashes) = 0 then
    return null;
  end if;
  select * into v_consent from private.consents
  where company_id = p_company_id and value_hash = any (v_hashes) and wanted_at >= v_at and p_scope = 'marketing'
  order by wanted_at limit 1;
  -- Said again, it is one suppression, and counts from the later time.
  update public.suppressions set suppressed_at = greatest(suppressed_at, v_at)
  where id = (
    select known.id from private.matching_suppressions(p_company_id, v_hashes) as known
    where known.scope = p_scope and known.instance_id is not distinct from p_instance_id
      and known.campaign_id is not distinct from p_campaign_id
      and (known.lifted_at is null or known.suppressed_at = v_at)
    order by known.lifted_at nulls first limit 1
  )
  returning id into v_id;
  if v_id is null then
    insert into public.suppressions (
      company_id, scope, instance_id, campaign_id, contact_id, reason, evidence, suppressed_at, lifted_at, lift_evidence
    ) values (
      p_company_id, p_scope, p_instance_id, p_campaign_id, private.find_contact(p_company_id, p_identities), p_reason,
      jsonb_strip_nulls(p_evidence), v_at, v_consent.wanted_at, v_consent.evidence
    ) returning id into v_id;
  end if;
  perform private.remember_values(p_company_id, v_id, v_hashes);
  return v_id;
end $$;
comment on function private.suppress is
  'Suppresses whoever has these ids, once per scope; answers the suppression, or null when the ids can carry none. What was taken back at or after p_at is kept as lifted.';

create function private.lift(
  p_company_id uuid, p_identities jsonb, p_evidence jsonb, p_at timestamptz, p_instance_id uuid
)
returns void language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_hashes text[] := private.suppression_hashes(p_company_id, p_identities);
  v_at timestamptz := coalesce(p_at, now());
  v_evidence jsonb := jsonb_strip_nulls(p_evidence);
begin
  update public.suppressions set lifted_at = v_at, lift_evidence = v_evidence
  where id in (select id from private.matching_suppressions(p_company_id, v_hashes))
    and lifted_at is null and suppressed_at <= v_at
    and (scope in ('marketing', 'campaign') or scope = 'number' and instance_id = p_instance_id);
  insert into private.consents (company_id, value_hash, wanted_at, evidence)
  select p_company_id, value_hash, v_at, v_evidence from unnest(v_hashes) as value_hash
  on conflict (company_id, value_hash) do update set wanted_at = excluded.wanted_at, evidence = excluded.evidence
  where consents.wanted_at < excluded.wanted_at;
end $$;
comment on function private.lift is
  'Whoever has these ids wants marketing again, from this number too: ends what was said until p_at. Scope all is ended by people alone.';

create function private.find_suppression(
  p_company_id uuid, p_identities jsonb, p_purpose text, p_instance_id uuid default null, p_campaign_id uuid default null
)
returns public.suppressions language sql stable security invoker set search_path = '' as $$
  select known from private.matching_suppressions(
    p_company_id, private.suppression_hashes(p_company_id, p_identities)
  ) as known
  where known.lifted_at is null and (
    known.scope = 'all' or p_purpose = 'marketing' and (
      known.scope = 'marketing' or known.instance_id = p_instance_id or known.campaign_id = p_campaign_id
    )
  )
  order by known.scope = 'all' desc, known.suppressed_at
  limit 1
$$;
comment on function private.find_suppression is
  'What forbids a message of this purpose, service or marketing, to whoever has these ids; null when nothing does.';

create function private.send_obstacle(
  p_company_id uuid, p_contact_id uuid, p_purpose text, p_instance_id uuid, p_campaign_id uuid default null
)
returns jsonb language plpgsql stable security invoker set search_path = '' as $$
declare
  v_contact public.contacts;
  v_suppression public.suppressions;
begin
  select * into v_contact from public.contacts where company_id = p_company_id and id = p_contact_id;
  if v_contact.erased_at is not null then
    return jsonb_build_object('code', 'contact_erased', 'details', 'The contact was erased.');
  end if;
  v_suppression := private.find_suppression(
    p_company_id, private.identities_of(p_company_id, p_contact_id), p_purpose, p_instance_id, p_campaign_id
  );
  if v_suppression.id is not null then
    return jsonb_build_object('code', 'suppressed', 'details', format(
      'The contact gets no %s: %s, suppression %s.',
      case when v_suppression.scope = 'all' then 'messages' else 'marketing' end, v_suppression.reason, v_suppression.id
    ));
  end if;
  return null;
end $$;
comment on function private.send_obstacle is
  'Why a contact must not be sent a message of this purpose, {code: suppressed | contact_erased, details}, or null. Asked in the transaction that starts a send; null for groups.';
grant execute on function private.suppress, private.lift, private.find_suppression, private.send_obstacle to service_role;

create function public.is_suppressed(
  p_company_id uuid, p_identities jsonb, p_purpose text default 'marketing', p_instance_id uuid default null,
  p_campaign_id uuid default null
)
returns boolean language sql stable security invoker set search_path = '' as $$
  select (private.find_suppression(p_company_id, p_identities, p_purpose, p_instance_id, p_campaign_id)).id is not null
$$;
comment on function public.is_suppressed is
  'Whether somebody with these ids [{kind, value}] must not be sent a message of this purpose. For whoever chooses recipients; a send asks again.';
grant execute on function public.is_suppressed to service_role;
