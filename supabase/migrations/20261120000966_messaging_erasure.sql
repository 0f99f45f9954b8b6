-- Messaging, erasure: removing a person's data for good.
--
-- Erasing makes the contact anonymous at once: no name, no phone, no ids, no address to send to.
-- A job then does the rest stage by stage, in parts, as long as it takes: *_messaging_erasure_stages.sql.
--
-- What stays: the hashes of suppressions, so that nobody writes to the person again; hashes of the
-- ids in private.erasures, so that a restored backup can be erased anew; hashes of the messages'
-- ids, so that a late report of one is not kept; and who erased when.
-- Whatever keeps more about a contact removes it in a trigger on contacts.erased_at, whatever
-- keeps more about a message in one on messages.deleted_at.

set lock_timeout = '5s';

create table private.erasures (
  contact_id uuid primary key,
  company_id uuid not null references public.companies (id) on delete cascade,
  hashes text[] not null,
  -- What to look for, as it stands in bodies; gone when all is done.
  needles text[],
  -- Files whose messages are erased and that Storage still has.
  objects text[] not null default '{}',
  -- Groups in which the person spoke.
  groups uuid[] not null default '{}',
  stage text not null default 'items',
  -- How far the stage has come, in its own terms; '' at its beginning.
  place text not null default '',
  -- What comes in later tells of somebody new.
  last_event_id bigint not null,
  started_at timestamptz not null default now(),
  done_at timestamptz,
  constraint a_stage_is_known check (stage in ('items', 'said', 'groups', 'reports', 'jobs', 'heard', 'files')),
  constraint what_is_done_knows_no_ids check ((done_at is null) = (needles is not null))
);
comment on table private.erasures is 'Who was erased, by hashes of their ids, and how far an erasure has come.';
create index erasures_by_company on private.erasures (company_id);
alter table private.erasures enable row level security;
grant select, insert, update, delete on private.erasures to service_role;

create table private.erased_messages (
  instance_id uuid not null references public.instances (id) on delete cascade,
  id_hash bytea not null,
  primary key (instance_id, id_hash)
);
comment on table private.erased_messages is
  'Hashes of the ids that providers gave to erased messages: reports of them come for days, and are not kept.';
alter table private.erased_messages enable row level security;
grant select, insert, update, delete on private.erased_messages to service_role;

-- Before the first release the table is empty here, and a file is one transaction.
-- squawk-ignore require-concurrent-index-creation
create index messages_by_object on public.messages (company_id, (media ->> 'object')) where media ->> 'object' is not null;

insert into public.job_types (type, queue, priority, max_attempts) values ('contacts.erase', 'default', 7, 20);


-- Erase -------------------------------------------------------------------------------------

create function private.start_erasure(p_contact public.contacts)
returns void language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_company_id uuid := p_contact.company_id;
  v_identities jsonb := private.identities_of(v_company_id, p_contact.id);
  v_all uuid[] := array(
    select id from public.contacts where company_id = v_company_id and p_contact.id in (id, merged_into)
  );
begin
  insert into private.erasures (contact_id, company_id, hashes, needles, last_event_id) values (
    p_contact.id, v_company_id, private.suppression_hashes(v_company_id, v_identities), private.needles_of(v_identities),
    coalesce((select max(id) from public.inbound_events where company_id = v_company_id), 0)
  );
  update public.contacts set name = null, phone = null, erased_at = now() where id = any (v_all);
  delete from public.contact_identities where company_id = v_company_id and contact_id = any (v_all);
  delete from public.contact_conflicts
  where company_id = v_company_id and (contact_id = any (v_all) or other_id = any (v_all));
  delete from public.provider_events where company_id = v_company_id and contact_id = any (v_all);
  update public.suppressions set contact_id = null, evidence = evidence - 'note', lift_evidence = lift_evidence - 'note'
  where company_id = v_company_id and contact_id = any (v_all);
  -- The address may be the phone; nothing is sent to an erased contact.
  update public.conversations set
    address = 'erased:' || id, title = null, last_message_preview = null, status = 'closed', unread = 0
  where company_id = v_company_id and contact_id = any (v_all);
  perform public.enqueue_jobs(jsonb_build_array(jsonb_build_object(
    'type', 'contacts.erase', 'company_id', v_company_id, 'data', jsonb_build_object('contact_id', p_contact.id),
    'unique_key', 'erase:' || p_contact.id
  )));
  perform private.record_contact_operation(v_company_id, 'erase', p_contact.id);
end $$;
comment on function private.start_erasure is 'Makes a contact anonymous, with all that were merged into it, and adds the job that does the rest. The caller holds the lock of the inbox.';
grant execute on function private.start_erasure to service_role;

-- definer because members may not write contacts; it asks itself whether this one may.
create function private.erase_by_person(p_company_id uuid, p_id uuid)
returns void language plpgsql volatile security definer set search_path = '' as $$
declare
  v_contact public.contacts;
begin
  perform private.require_role(p_company_id, 'admin');
  perform private.lock_inbox(p_company_id);
  select * into v_contact from public.contacts where company_id = p_company_id and id = p_id;
  if v_contact.merged_into is not null and v_contact.erased_at is null then
    raise exception using errcode = 'PT409', message = 'contact_merged',
      detail = format('The contact was merged into %s.', v_contact.merged_into), hint = 'Erase that one.';
  end if;
  if v_contact.erased_at is null then
    perform private.start_erasure(v_contact);
  end if;
end $$;
comment on function private.erase_by_person is 'See erase_contact.';
grant execute on function private.erase_by_person to authenticated, service_role;

create function public.erase_contact(p_id uuid, p_company_id uuid default null)
returns json language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_contact public.contacts := private.visible_contact(p_id, p_company_id);
begin
  perform private.erase_by_person(private.acting_company(v_contact.company_id, 'admin'), p_id);
  return (select json_build_object('id', id, 'erased_at', erased_at) from public.contacts where id = p_id);
end $$;
comment on function public.erase_contact is
  'Removes a person for good: the contact at once, messages and bodies by a job. It cannot be undone; twice is once. Answers {id, erased_at}. Raises contact_not_found, role_required, contact_merged.';
grant execute on function public.erase_contact to authenticated, service_role;


-- What comes late ---------------------------------------------------------------------------

create function private.erased_key(p_key text)
returns text language sql immutable security invoker set search_path = '' as $$
  select case when p_key like 'erased|%' then p_key
    else 'erased|' || encode(sha256(convert_to(p_key, 'UTF8')), 'hex') end
$$;
comment on function private.erased_key is 'What stays of the key of an item: it may contain the phone.';
grant execute on function private.erased_key to service_role;

create function private.reports_of_erased_messages()
returns trigger language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_id text := to_jsonb(new) ->> tg_argv[0];
begin
  if exists (
    select from private.erased_messages
    where instance_id = new.instance_id and id_hash = sha256(convert_to(v_id, 'UTF8'))
  ) or exists (
    -- The erasure has begun, and is not at this message yet.
    select from public.messages as message
    join public.conversations as conversation on conversation.id = message.conversation_id
    where message.instance_id = new.instance_id and provider_message_id = v_id and address like 'erased:%'
  ) then
    perform set_config('recado.erased_event_id', private.current_event()::text, true);
    return null;
  end if;
  return new;
end $$;
comment on function private.reports_of_erased_messages is 'What providers still tell of an erased message is not kept.';
create trigger reports_of_erased_messages before insert on public.message_status_events
  for each row execute function private.reports_of_erased_messages('provider_message_id');
create trigger changes_of_erased_messages before insert on public.message_changes
  for each row execute function private.reports_of_erased_messages('target');

create function private.items_forget_erased_messages()
returns trigger language plpgsql volatile security invoker set search_path = '' as $$
begin
  if current_setting('recado.erased_event_id', true) = new.id::text then
    new.raw := null;
    new.body_dropped_at := now();
    new.dedupe_key := private.erased_key(new.dedupe_key);
  end if;
  return new;
end $$;
comment on function private.items_forget_erased_messages is 'Of an item about an erased message only that it came is kept.';
create trigger items_forget_erased_messages before update of state on public.inbound_events for each row
  when (old.state = 'received' and new.state = 'processed')
  execute function private.items_forget_erased_messages();

create function private.items_of_erased_people()
returns trigger language plpgsql volatile security invoker set search_path = '' as $$
begin
  return case when not exists (
    select from public.inbound_events
    where endpoint_id = new.endpoint_id and dedupe_key = private.erased_key(new.dedupe_key)
  ) then new end;
end $$;
comment on function private.items_of_erased_people is 'An item that was erased and is delivered again is a duplicate, though only the hash of its key is known.';
create trigger items_of_erased_people before insert on public.inbound_events
  for each row execute function private.items_of_erased_people();
grant execute on function
  private.reports_of_erased_messages, private.items_forget_erased_messages, private.items_of_erased_people
to service_role;
