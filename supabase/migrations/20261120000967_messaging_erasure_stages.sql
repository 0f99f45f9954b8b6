-- Messaging, stages of an erasure: what is left of a person goes, in parts small enough for a call.
--
--   items      bodies of providers in which one of the contact's ids stands, and what only they told
--   said       messages in the contact's conversations: tombstones with direction, type and times
--   groups     what the person said or was quoted with there
--   reports    statuses and changes of messages that never came, by the phone in Meta's message ids
--   jobs       whose data, result or error tells of the person
--   heard      broadcasts that Realtime keeps for those who were away
--   files      of these messages, where no other message has the same one
--
-- A stage does its next part and answers how far it has come; null when nothing is left to it.

set lock_timeout = '5s';

create function private.conversations_of_erasure(p_erasure private.erasures)
returns uuid[] language sql stable security invoker set search_path = '' as $$
  select array(
    select conversation.id from public.contacts as contact
    join public.conversations as conversation
      on conversation.company_id = contact.company_id and conversation.contact_id = contact.id
    where contact.company_id = p_erasure.company_id and p_erasure.contact_id in (contact.id, contact.merged_into)
    order by conversation.id
  )
$$;
comment on function private.conversations_of_erasure is 'The conversations of an erased contact, through any number.';

create function private.erase_items(p_erasure private.erasures, p_limit integer)
returns text language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_after bigint := coalesce(nullif(p_erasure.place, ''), '0');
  v_last bigint;
  v_ids bigint[];
begin
  select max(id), array_agg(id) filter (where is_meant) into v_last, v_ids from private.items_about(
    p_erasure.company_id, p_erasure.contact_id, p_erasure.needles, v_after, p_erasure.last_event_id, p_limit
  );
  delete from public.message_status_events as report using private.names_in(v_ids) as named
  where report.instance_id = named.instance_id and report.provider_message_id = named.name;
  delete from public.message_changes as change using private.names_in(v_ids) as named
  where change.instance_id = named.instance_id and change.target = named.name;
  delete from public.provider_events
  where company_id = p_erasure.company_id and inbound_event_id > v_after and inbound_event_id <= v_last
    and private.mentions(data, p_erasure.needles);
  update public.inbound_events set
    raw = null, body_dropped_at = coalesce(body_dropped_at, now()), error = null, dedupe_key = private.erased_key(dedupe_key),
    -- Not read yet: it never will be.
    state = case when state = 'received' then 'ignored' else state end
  where id = any (v_ids);
  return v_last::text;
end $$;
comment on function private.erase_items is
  'Drops the bodies that tell of the erased person, of the next p_limit items of the company, and the reports and changes that only they explain.';

create function private.erase_messages(p_contact_id uuid, p_ids uuid[])
returns void language plpgsql volatile security invoker set search_path = '' as $$
begin
  update private.erasures set objects = array(
    select distinct name from (
      select unnest(objects) as name
      union all
      select unnest(array[media ->> 'object', original -> 'media' ->> 'object']) from public.messages where id = any (p_ids)
      union all
      select object from private.media_uploads where message_id = any (p_ids)
    ) as named
    where name is not null
  )
  where contact_id = p_contact_id;
  insert into private.erased_messages (instance_id, id_hash)
  select instance_id, sha256(convert_to(provider_message_id, 'UTF8')) from public.messages
  where id = any (p_ids) and provider_message_id is not null
  on conflict do nothing;
  delete from public.message_status_events as report using public.messages as message
  where message.id = any (p_ids) and report.instance_id = message.instance_id
    and report.provider_message_id = message.provider_message_id;
  delete from public.message_changes as change using public.messages as message
  where message.id = any (p_ids) and change.instance_id = message.instance_id
    and change.target = message.provider_message_id;
  delete from private.media_uploads where message_id = any (p_ids);
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
returns text language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_conversations uuid[] := private.conversations_of_erasure(p_erasure);
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
  return case when cardinality(v_ids) = p_limit then '' end;
end $$;
comment on function private.erase_said is 'Erases the next p_limit messages in the conversations of a contact.';

create function private.without(p_text text, p_needles text[])
returns text language plpgsql immutable security invoker set search_path = '' as $$
declare
  v_needle text;
begin
  foreach v_needle in array p_needles loop
    p_text := replace(p_text, v_needle, '[erased]');
  end loop;
  return p_text;
end $$;
comment on function private.without is 'What others wrote, without the ids of the person that they wrote about.';

create function private.erase_in_group(p_erasure private.erasures, p_conversation public.conversations)
returns void language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_ids uuid[];
begin
  perform private.lock_conversation(p_conversation.id, p_conversation.company_id);
  v_ids := array(
    select id from public.messages
    where conversation_id = p_conversation.id and private.mentions(author, p_erasure.needles)
  );
  perform private.erase_messages(p_erasure.contact_id, v_ids);
  update public.messages as message set
    body = private.without(body, p_erasure.needles),
    quoted = case when private.mentions(quoted, p_erasure.needles) then null else quoted end,
    payload = case when private.mentions(payload, p_erasure.needles) then null else payload end,
    original = case when private.mentions(original, p_erasure.needles) then null else original end,
    reactions = case when private.mentions(reactions, p_erasure.needles) then null else reactions end,
    votes = case when private.mentions(votes, p_erasure.needles) then null else votes end
  where conversation_id = p_conversation.id and private.names_a_person(message, p_erasure.needles);
  if found or cardinality(v_ids) > 0 then
    update private.erasures set groups = groups || p_conversation.id where contact_id = p_erasure.contact_id;
    update public.conversations set last_message_preview = (
      select private.message_preview(type, body, revoked_at) from public.messages
      where company_id = p_conversation.company_id and conversation_id = p_conversation.id and deleted_at is null
      order by occurred_at desc, seq desc limit 1
    )
    where id = p_conversation.id;
  end if;
end $$;
comment on function private.erase_in_group is 'Erases what the person said in a group, and where they are named there. The caller holds the lock of the inbox.';

create function private.erase_in_groups(p_erasure private.erasures, p_limit integer)
returns text language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_conversation public.conversations;
  v_last text;
begin
  perform private.lock_inbox(p_erasure.company_id);
  for v_conversation in
    select * from public.conversations
    where company_id = p_erasure.company_id and kind <> 'direct'
      and (p_erasure.place = '' or id > nullif(p_erasure.place, '')::uuid)
    order by id limit p_limit
  loop
    perform private.erase_in_group(p_erasure, v_conversation);
    v_last := v_conversation.id;
  end loop;
  return v_last;
end $$;
comment on function private.erase_in_groups is 'Erases what the person said in the next p_limit groups, and where they are named there.';

create function private.erase_reports(p_erasure private.erasures, p_limit integer)
returns text language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_instance_id uuid := nullif(split_part(p_erasure.place, ' ', 1), '')::uuid;
  v_ids text[] := private.reported_ids(v_instance_id, substr(p_erasure.place, 38), p_limit);
begin
  delete from public.message_status_events as report
  where instance_id = v_instance_id and provider_message_id = any (v_ids) and private.mentions(to_jsonb(report), p_erasure.needles);
  delete from public.message_changes as change
  where instance_id = v_instance_id and target = any (v_ids) and private.mentions(to_jsonb(change), p_erasure.needles);
  return private.place_of_reports(p_erasure.company_id, v_instance_id, v_ids);
end $$;
comment on function private.erase_reports is
  'Removes the statuses and changes that name the person, of the next p_limit provider ids of a number.';

create function private.erase_jobs(p_erasure private.erasures, p_limit integer)
returns text language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_last bigint;
  v_ids bigint[];
begin
  select max(id), array_agg(id) filter (where is_meant) into v_last, v_ids from private.jobs_about(
    p_erasure.company_id, p_erasure.needles, coalesce(nullif(p_erasure.place, ''), '0')::bigint, p_limit
  );
  -- Queues before jobs, as everybody does.
  perform private.lock_queues(array(select distinct queue from public.queue_jobs where id = any (v_ids)));
  perform private.end_as_cancelled(array(
    select id from public.queue_jobs where id = any (v_ids) and completed_at is null for update
  ));
  delete from public.queue_jobs where id = any (v_ids);
  return v_last::text;
end $$;
comment on function private.erase_jobs is 'Removes the jobs that tell of the person, of the next p_limit of the company; those not done yet are cancelled.';

-- definer because only the database itself may write to realtime.messages.
create function private.erase_heard(p_erasure private.erasures, p_limit integer)
returns text language plpgsql volatile security definer set search_path = '' as $$
declare
  v_after timestamp := coalesce(nullif(p_erasure.place, ''), '-infinity');
  v_conversations uuid[] := private.conversations_of_erasure(p_erasure) || p_erasure.groups;
  v_last timestamp;
begin
  -- Those of one transaction have one time.
  select max(inserted_at) into v_last from (
    select inserted_at from realtime.messages
    where extension = 'broadcast' and private and inserted_at > v_after order by inserted_at limit p_limit
  ) as heard;
  delete from realtime.messages as heard
  where extension = 'broadcast' and private and inserted_at > v_after and inserted_at <= v_last
    and exists (select from public.versions where scope = heard.topic and company_id = p_erasure.company_id)
    and (
      topic = any (array(select 'conversation:' || id from unnest(v_conversations) as id))
      or private.mentions(heard.payload, p_erasure.needles || v_conversations::text[])
    );
  return v_last::text;
end $$;
comment on function private.erase_heard is
  'Removes the broadcasts that tell of the person, or of the conversations they spoke in, of the next p_limit that Realtime keeps. Whoever missed them reads the truth: see *_realtime.sql.';
grant execute on function
  private.conversations_of_erasure, private.erase_items, private.erase_messages, private.erase_said,
  private.without, private.erase_in_group, private.erase_in_groups, private.erase_reports, private.erase_jobs, private.erase_heard
to service_role;

create function private.choose_files(p_erasure private.erasures)
returns text[] language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_objects text[] := array(
    select name from unnest(p_erasure.objects) as name
    -- What another message has too, or is about to have, is that one's.
    where not exists (
      select from public.messages where company_id = p_erasure.company_id and media ->> 'object' = name
    ) and not exists (
      select from private.media_uploads where company_id = p_erasure.company_id and object = name
    )
  );
begin
  update private.erasures set objects = v_objects where contact_id = p_erasure.contact_id;
  insert into private.media_removals (object, company_id) select unnest(v_objects[1:500]), p_erasure.company_id
  on conflict do nothing;
  return v_objects[1:500];
end $$;
comment on function private.choose_files is
  'The next files of erased messages that nothing else names, from now on being removed. The caller holds the lock of the inbox, under which files are claimed.';

create function private.files_are_on_the_way(p_erasure private.erasures)
returns boolean language sql stable security invoker set search_path = '' as $$
  select exists (
    select from public.queue_jobs as job
    join public.messages as message on message.id::text = job.data ->> 'message_id' and message.media is null
    where job.lane_id in (
      select id from private.queue_lanes where queue = 'media' and company_id = p_erasure.company_id
    ) and job.completed_at is null and job.type = 'messages.fetch_media' and job.lease_until > now()
  )
$$;
comment on function private.files_are_on_the_way is
  'Whether a worker may still be putting a file of an erased message into Storage: then it is removed after that.';

create function private.erase_next(p_erasure private.erasures)
returns boolean language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_stages text[] := '{items,said,groups,reports,jobs,heard,files}';
  v_place text;
begin
  case p_erasure.stage
    when 'items' then v_place := private.erase_items(p_erasure, 1000);
    when 'said' then v_place := private.erase_said(p_erasure, 500);
    when 'groups' then v_place := private.erase_in_groups(p_erasure, 10);
    when 'reports' then v_place := private.erase_reports(p_erasure, 2000);
    when 'jobs' then v_place := private.erase_jobs(p_erasure, 2000);
    when 'heard' then v_place := private.erase_heard(p_erasure, 2000);
    else null;
  end case;
  update private.erasures set
    place = coalesce(v_place, ''),
    stage = case when v_place is null then coalesce(v_stages[array_position(v_stages, stage) + 1], stage) else stage end
  where contact_id = p_erasure.contact_id;
  return p_erasure.stage = 'files';
end $$;
comment on function private.erase_next is 'Does the next part of an erasure in the database; true when only files are left.';
grant execute on function private.choose_files, private.files_are_on_the_way, private.erase_next to service_role;

create function public.continue_erasure(p_contact_id uuid, p_removed text[] default '{}')
returns json language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_erasure private.erasures;
  v_objects text[] := '{}';
begin
  perform private.lock_inbox(company_id) from private.erasures where contact_id = p_contact_id and stage = 'files';
  update private.erasures set objects = array(select unnest(objects) except select unnest(p_removed))
  where contact_id = p_contact_id and objects && p_removed;
  delete from private.media_removals where object = any (p_removed);
  select * into v_erasure from private.erasures where contact_id = p_contact_id;
  if v_erasure.contact_id is null or v_erasure.done_at is not null then
    return json_build_object('done', true, 'objects', '[]'::json);
  end if;
  if not private.erase_next(v_erasure) then
    return json_build_object('done', false, 'objects', '[]'::json);
  end if;
  if private.files_are_on_the_way(v_erasure) then
    return json_build_object('done', false, 'objects', '[]'::json, 'wait', true);
  end if;
  v_objects := private.choose_files(v_erasure);
  update private.erasures set needles = null, groups = '{}', done_at = now()
  where contact_id = p_contact_id and cardinality(objects) = 0;
  return json_build_object('done', cardinality(v_objects) = 0, 'objects', to_json(v_objects));
end $$;
comment on function public.continue_erasure is
  'Does the next part of an erasure, small enough for one call: {done, objects, wait?}. The caller removes the objects from Storage and says so in p_removed of the next call; with wait it asks again in some seconds. Repeating it does no harm.';
grant execute on function public.continue_erasure to service_role;
