-- Messaging, erasure: giving a person's data to the person, and removing it for good.
--
-- Erasing makes the contact anonymous at once: no name, no phone, no ids, no address to send to.
-- A job then does the rest in parts, as long as it takes:
--
--   messages   in the contact's conversations: tombstones that keep direction, type and times
--   items      bodies of providers in which one of the contact's ids stands
--   groups     what the person said or was quoted with there
--   files      of these messages, where no other message has the same one
--
-- What stays: the hashes of suppressions, so that nobody writes to the person again; hashes of the
-- ids in private.erasures, so that a restored backup can be erased anew; and who erased when.
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
  event_id bigint not null default 0,
  conversation_id uuid not null default '00000000-0000-0000-0000-000000000000',
  started_at timestamptz not null default now(),
  done_at timestamptz,
  constraint what_is_done_knows_no_ids check ((done_at is null) = (needles is not null))
);
comment on table private.erasures is 'Who was erased, by hashes of their ids, and how far an erasure has come.';
create index erasures_by_company on private.erasures (company_id);
alter table private.erasures enable row level security;
grant select, insert, update, delete on private.erasures to service_role;

-- Before the first release the table is empty here, and a file is one transaction.
-- squawk-ignore require-concurrent-index-creation
create index messages_by_object on public.messages (company_id, (media ->> 'object')) where media ->> 'object' is not null;

insert into public.job_types (type, queue, priority, max_attempts) values ('contacts.erase', 'default', 7, 20);


-- Export ------------------------------------------------------------------------------------

create function private.exported_messages(
  p_company_id uuid, p_contact_id uuid, p_before timestamptz, p_before_id uuid, p_limit integer
)
returns setof public.messages language sql stable security invoker set search_path = '' as $$
  select message.* from public.conversations as conversation
  cross join lateral (
    select * from public.messages
    where company_id = p_company_id and conversation_id = conversation.id
      and occurred_at <= p_before and (occurred_at, id) < (p_before, p_before_id)
    order by occurred_at desc, id desc limit p_limit
  ) as message
  where conversation.company_id = p_company_id and conversation.contact_id = p_contact_id
  order by message.occurred_at desc, message.id desc limit p_limit
$$;
comment on function private.exported_messages is 'The newest messages with a contact before (p_before, p_before_id), through any number.';
grant execute on function private.exported_messages to authenticated, service_role;

-- definer because members may not write the audit; it asks itself whether this one may.
create function private.record_export(p_company_id uuid, p_contact_id uuid)
returns void language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.require_role(p_company_id, 'admin');
  perform private.record_contact_operation(p_company_id, 'export', p_contact_id);
end $$;
comment on function private.record_export is 'Writes down that somebody took the data of a contact. Raises role_required.';
grant execute on function private.record_export to authenticated, service_role;

create function public.export_contact(
  p_id uuid, p_company_id uuid default null, p_limit integer default 200, p_cursor text default null
)
returns json language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_contact public.contacts := private.visible_contact(p_id, p_company_id);
  v_company_id uuid := private.acting_company(v_contact.company_id, 'admin');
  v_limit integer := least(greatest(p_limit, 1), 500);
  v_before timestamptz := coalesce(private.cursor_time(p_cursor), 'infinity');
  v_before_id uuid := coalesce(private.cursor_part(p_cursor, 2), 'ffffffff-ffff-ffff-ffff-ffffffffffff');
  v_page jsonb;
begin
  v_page := (
    select private.page_result(jsonb_agg(to_jsonb(said) order by occurred_at desc, id desc), v_limit, null, 'occurred_at', 'id')
    from private.exported_messages(v_company_id, p_id, v_before, v_before_id, v_limit + 1) as said
  );
  if p_cursor is null then
    perform private.record_export(v_company_id, p_id);
  end if;
  return jsonb_build_object('messages', v_page -> 'data', 'next_cursor', v_page -> 'next_cursor')
    || case when p_cursor is null
      then jsonb_build_object('contact', public.explain_contact(p_id, v_company_id)) else '{}' end;
end $$;
comment on function public.export_contact is
  'All that is kept about a contact, a page at a time: {contact, messages, next_cursor}, newest messages first; only the first page has contact. Raises contact_not_found, role_required, invalid_cursor.';
grant execute on function public.export_contact to authenticated, service_role;


-- Erase -------------------------------------------------------------------------------------

create function private.needles_of(p_identities jsonb)
returns text[] language sql immutable security invoker set search_path = '' as $$
  select coalesce(array_agg(distinct needle), '{}') from jsonb_to_recordset(p_identities) as given (kind text, value text)
  cross join lateral unnest(case
    -- With and without what WhatsApp adds to or drops from the numbers of some countries.
    when kind in ('phone', 'wa_id') then array[
      ltrim(value, '+'), ltrim(private.canonical_phone(value), '+'),
      regexp_replace(private.canonical_phone(value), '^\+(55[0-9]{2}9|549|52)([0-9]{8}|[0-9]{10})$', '\2')
    ]
    -- A name like any other word: only where it is a value of its own.
    when kind = 'username' then array[to_json(value)::text]
    else array[value]
  end) as needle
  where length(needle) >= 6
$$;
comment on function private.needles_of is 'What tells in a body that it is about somebody with these ids.';

create function private.mentions(p_document jsonb, p_needles text[])
returns boolean language sql immutable security invoker set search_path = '' as $$
  select exists (select from unnest(p_needles) as needle where position(needle in p_document::text) > 0)
$$;
comment on function private.mentions is 'Whether one of these stands anywhere in a document.';
grant execute on function private.needles_of, private.mentions to service_role;

create function private.start_erasure(p_contact public.contacts)
returns void language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_company_id uuid := p_contact.company_id;
  v_identities jsonb := private.identities_of(v_company_id, p_contact.id);
  v_all uuid[] := array(
    select id from public.contacts where company_id = v_company_id and p_contact.id in (id, merged_into)
  );
begin
  insert into private.erasures (contact_id, company_id, hashes, needles) values (
    p_contact.id, v_company_id, private.suppression_hashes(v_company_id, v_identities), private.needles_of(v_identities)
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


-- The rest, in parts ------------------------------------------------------------------------

create function private.erase_messages(p_contact_id uuid, p_ids uuid[])
returns void language plpgsql volatile security invoker set search_path = '' as $$
begin
  update private.erasures set objects = array(
    select distinct name from (
      select unnest(objects) as name
      union all
      select unnest(array[media ->> 'object', original -> 'media' ->> 'object']) from public.messages where id = any (p_ids)
    ) as named
    where name is not null
  )
  where contact_id = p_contact_id;
  delete from public.message_status_events as report using public.messages as message
  where message.id = any (p_ids) and report.instance_id = message.instance_id
    and report.provider_message_id = message.provider_message_id;
  delete from public.message_changes as change using public.messages as message
  where message.id = any (p_ids) and change.instance_id = message.instance_id
    and change.target = message.provider_message_id;
  update public.send_attempts set error = null where message_id = any (p_ids) and error is not null;
  update public.messages set
    deleted_at = coalesce(deleted_at, now()), body = null, media = null, payload = null, author = null, quoted = null,
    original = null, reactions = null, votes = null, reply_to = null, target = null, provider_message_id = null, error_detail = null,
    -- What waits to be sent has nothing to say any more.
    status = case when status = 'queued' then 'failed' else status end
  where id = any (p_ids);
end $$;
comment on function private.erase_messages is
  'Leaves tombstones of messages, notes their files for removal, and leaves nothing that providers told about them. The ids that providers gave go too: they contain the phone.';

create function private.erase_said(p_erasure private.erasures, p_limit integer)
returns boolean language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_conversations uuid[] := array(
    select conversation.id from public.contacts as contact
    join public.conversations as conversation
      on conversation.company_id = contact.company_id and conversation.contact_id = contact.id
    where contact.company_id = p_erasure.company_id and p_erasure.contact_id in (contact.id, contact.merged_into)
    order by conversation.id
  );
  v_ids uuid[];
begin
  perform private.lock_inbox(p_erasure.company_id);
  perform private.lock_conversation(id, p_erasure.company_id) from unnest(v_conversations) as id;
  v_ids := array(
    select id from public.messages
    where conversation_id = any (v_conversations) and num_nonnulls(
      body, media, payload, author, quoted, original, reactions, votes, reply_to, target, provider_message_id, error_detail
    ) > 0
    limit p_limit
  );
  perform private.erase_messages(p_erasure.contact_id, v_ids);
  return cardinality(v_ids) < p_limit;
end $$;
comment on function private.erase_said is 'Erases up to p_limit messages in the conversations of a contact; true when there are no more.';

create function private.erase_items(p_erasure private.erasures, p_limit integer)
returns bigint language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_last bigint;
begin
  with seen as materialized (
    select id, raw, error from public.inbound_events
    where company_id = p_erasure.company_id and id > p_erasure.event_id order by id limit p_limit
  ), erased as (
    update public.inbound_events as item set
      raw = null, body_dropped_at = now(), error = null,
      -- Not read yet: it never will be.
      state = case when item.state = 'received' then 'ignored' else item.state end
    from seen
    where item.id = seen.id and (
      private.mentions(seen.raw, p_erasure.needles) or private.mentions(to_jsonb(seen.error), p_erasure.needles)
    )
  ), told as (
    delete from public.provider_events as event using seen
    where event.inbound_event_id = seen.id and event.company_id = p_erasure.company_id
      and private.mentions(event.data, p_erasure.needles)
  )
  select max(id) into v_last from seen having count(*) = p_limit;
  return v_last;
end $$;
comment on function private.erase_items is
  'Drops the bodies that mention the erased person, of the next p_limit items of the company; the last one looked at, or null when all were.';

create function private.erase_in_groups(p_erasure private.erasures, p_limit integer)
returns uuid language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_conversation public.conversations;
  v_last uuid;
  v_ids uuid[];
begin
  perform private.lock_inbox(p_erasure.company_id);
  for v_conversation in
    select * from public.conversations
    where company_id = p_erasure.company_id and kind <> 'direct' and id > p_erasure.conversation_id
    order by id limit p_limit
  loop
    v_last := v_conversation.id;
    perform private.lock_conversation(v_conversation.id, v_conversation.company_id);
    v_ids := array(
      select id from public.messages
      where conversation_id = v_conversation.id and private.mentions(author, p_erasure.needles)
    );
    perform private.erase_messages(p_erasure.contact_id, v_ids);
    update public.messages set
      quoted = case when private.mentions(quoted, p_erasure.needles) then null else quoted end,
      payload = case when private.mentions(payload, p_erasure.needles) then null else payload end,
      reactions = case when private.mentions(reactions, p_erasure.needles) then null else reactions end,
      votes = case when private.mentions(votes, p_erasure.needles) then null else votes end
    where conversation_id = v_conversation.id
      and private.mentions(jsonb_build_array(quoted, payload, reactions, votes), p_erasure.needles);
    update public.conversations set last_message_preview = (
      select private.message_preview(type, body, revoked_at) from public.messages
      where company_id = v_conversation.company_id and conversation_id = v_conversation.id and deleted_at is null
      order by occurred_at desc, seq desc limit 1
    )
    where id = v_conversation.id and cardinality(v_ids) > 0;
    delete from public.message_changes as change using public.messages as message
    where message.conversation_id = v_conversation.id and change.instance_id = message.instance_id
      and change.target = message.provider_message_id and private.mentions(to_jsonb(change.actor), p_erasure.needles);
  end loop;
  return v_last;
end $$;
comment on function private.erase_in_groups is
  'Erases what the person said in the next p_limit groups, and where they are named there; the last group looked at, or null when all were.';
grant execute on function private.erase_messages, private.erase_said, private.erase_items, private.erase_in_groups to service_role;

create function private.erase_next(p_erasure private.erasures)
returns boolean language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_event_id bigint;
  v_conversation_id uuid;
begin
  if not private.erase_said(p_erasure, 500) then
    return false;
  end if;
  v_event_id := private.erase_items(p_erasure, 1000);
  if v_event_id is not null then
    update private.erasures set event_id = v_event_id where contact_id = p_erasure.contact_id;
    return false;
  end if;
  v_conversation_id := private.erase_in_groups(p_erasure, 10);
  update private.erasures set conversation_id = v_conversation_id
  where contact_id = p_erasure.contact_id and v_conversation_id is not null;
  return v_conversation_id is null;
end $$;
comment on function private.erase_next is 'Does the next part of an erasure in the database; true when nothing is left there.';
grant execute on function private.erase_next to service_role;

create function public.continue_erasure(p_contact_id uuid, p_removed text[] default '{}')
returns json language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_erasure private.erasures;
  v_is_last boolean;
begin
  update private.erasures set objects = array(
    select name from unnest(objects) as name
    -- What another message has too is that one's.
    where name <> all (p_removed) and not exists (
      select from public.messages where company_id = erasures.company_id and media ->> 'object' = name
    )
  )
  where contact_id = p_contact_id and cardinality(objects) > 0;
  select * into v_erasure from private.erasures where contact_id = p_contact_id;
  if v_erasure.contact_id is null or v_erasure.done_at is not null then
    return json_build_object('done', true, 'objects', '[]'::json);
  end if;
  if cardinality(v_erasure.objects) > 0 then
    return json_build_object('done', false, 'objects', to_json(v_erasure.objects[1:500]));
  end if;
  v_is_last := private.erase_next(v_erasure);
  update private.erasures set needles = null, done_at = now()
  where contact_id = p_contact_id and v_is_last and cardinality(objects) = 0
  returning * into v_erasure;
  return json_build_object('done', v_erasure.done_at is not null, 'objects', '[]'::json);
end $$;
comment on function public.continue_erasure is
  'Does the next part of an erasure, small enough for one call: {done, objects}. The caller removes the objects from Storage and says so in p_removed of the next call. Repeating it does no harm.';
grant execute on function public.continue_erasure to service_role;
