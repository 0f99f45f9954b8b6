-- Messaging, export: where a person stands in what is kept, and giving it to the person.
--
-- A row tells of a person when one of their ids stands in it: a phone in any of its forms, a LID,
-- a business-scoped id, also within the message ids of Meta, which contain the phone. What is taken
-- out here is what an erasure removes (*_messaging_erasure.sql): both look with these functions.

set lock_timeout = '5s';


-- Who is meant ------------------------------------------------------------------------------

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

create function private.with_readable_ids(p_text text)
returns text language sql immutable security invoker set search_path = '' as $$
  -- Whole groups of four are valid base64, whatever comes after wamid.
  select p_text || case when position('wamid.' in p_text) > 0 then coalesce((
    select string_agg(encode(decode(left(id, length(id) / 4 * 4), 'base64'), 'escape'), ' ')
    from regexp_matches(p_text, 'wamid\.([A-Za-z0-9+/_-]+)', 'g') as found (ids)
    cross join lateral (select translate(ids[1], '-_', '+/') as id) as plain
  ), '') else '' end
$$;
comment on function private.with_readable_ids is 'A text, and behind it what the message ids of Meta in it contain: they are base64, and name the phone.';

create function private.mentions(p_document jsonb, p_needles text[])
returns boolean language sql immutable security invoker set search_path = '' as $$
  select exists (select from unnest(p_needles) as needle where position(needle in told) > 0)
  from private.with_readable_ids(p_document::text) as told
$$;
comment on function private.mentions is 'Whether one of these stands anywhere in a document, also within the message ids of Meta.';
grant execute on function private.needles_of, private.with_readable_ids, private.mentions to authenticated, service_role;


create function private.items_about(
  p_company_id uuid, p_contact_id uuid, p_needles text[], p_after bigint, p_last bigint, p_limit integer
)
returns table (id bigint, is_meant boolean) language sql stable security invoker set search_path = '' as $$
  select item.id, private.mentions(jsonb_build_array(raw, error, dedupe_key), p_needles) or exists (
    -- One of the person's messages, told of under an id that nobody knew to be theirs.
    select from public.messages as message
    join public.conversations as conversation on conversation.id = message.conversation_id
    where message.instance_id = item.instance_id and provider_message_id = split_part(dedupe_key, '|', 3)
      and contact_id = p_contact_id
  )
  from (
    select * from public.inbound_events
    where company_id = p_company_id and id > p_after and id <= p_last order by id limit p_limit
  ) as item
  order by id
$$;
comment on function private.items_about is 'The next p_limit items of a company behind p_after, and which of them tell of a contact.';

create function private.names_in(p_items bigint[])
returns table (instance_id uuid, name text) language sql stable security invoker set search_path = '' as $$
  select distinct item.instance_id, value #>> '{}'
  from public.inbound_events as item
  cross join lateral jsonb_path_query(raw, '$.** ? (@.type() == "string")') as value
  where item.id = any (p_items) and length(value #>> '{}') <= 300 and not exists (
    select from public.messages as message
    where message.instance_id = item.instance_id and provider_message_id = value #>> '{}'
  )
$$;
comment on function private.names_in is
  'All short texts in the bodies of items that are no id of a known message: what was reported of messages that never came is found by them.';

create function private.names_a_person(p_message public.messages, p_needles text[])
returns boolean language sql immutable security invoker set search_path = '' as $$
  select private.mentions(
    jsonb_build_array((p_message).author, (p_message).body, (p_message).quoted, (p_message).payload, (p_message).original,
      (p_message).reactions, (p_message).votes), p_needles
  )
$$;
comment on function private.names_a_person is 'Whether a message of a group is by a person, or names them.';

create function private.reported_ids(p_instance_id uuid, p_after text, p_limit integer)
returns text[] language sql stable security invoker set search_path = '' as $$
  select array(
    select id from (
      (select provider_message_id as id from public.message_status_events
       where instance_id = p_instance_id and provider_message_id > p_after order by provider_message_id limit p_limit)
      union
      (select target from public.message_changes
       where instance_id = p_instance_id and target > p_after order by target limit p_limit)
    ) as reported
    order by id limit p_limit
  )
$$;
comment on function private.reported_ids is
  'The next p_limit provider ids of a number behind p_after of which a status or a change was told; fewer, when the ids have several.';

create function private.place_of_reports(p_company_id uuid, p_instance_id uuid, p_ids text[])
returns text language sql stable security invoker set search_path = '' as $$
  select case when cardinality(p_ids) > 0 then p_instance_id || ' ' || p_ids[cardinality(p_ids)] else (
    select id || ' ' from public.instances
    where company_id = p_company_id and (p_instance_id is null or id > p_instance_id) order by id limit 1
  ) end
$$;
comment on function private.place_of_reports is 'Where to look for reports after these: at the same number, or the next one; null behind the last.';

create function private.jobs_about(p_company_id uuid, p_needles text[], p_after bigint, p_limit integer)
returns table (id bigint, is_meant boolean) language sql stable security invoker set search_path = '' as $$
  select job.id, private.mentions(
    jsonb_build_array(data, result, error, history, progress, unique_key, order_key), p_needles
  )
  from (
    select * from public.queue_jobs where company_id = p_company_id and queue_jobs.id > p_after order by queue_jobs.id limit p_limit
  ) as job
  order by job.id
$$;
comment on function private.jobs_about is 'The next p_limit jobs of a company behind p_after, and which of them tell of a person.';
grant execute on function
  private.items_about, private.names_in, private.names_a_person, private.reported_ids, private.place_of_reports,
  private.jobs_about
to authenticated, service_role;


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

create function private.records_of_messages(p_messages jsonb)
returns jsonb language sql stable security invoker set search_path = '' as $$
  select coalesce(jsonb_agg(record), '[]')
  from jsonb_to_recordset(p_messages) as message (id uuid, instance_id uuid, provider_message_id text)
  cross join lateral (
    select jsonb_build_object('table', 'message_status_events', 'row', to_jsonb(report)) as record
    from public.message_status_events as report
    where report.instance_id = message.instance_id and report.provider_message_id = message.provider_message_id
    union all
    select jsonb_build_object('table', 'message_changes', 'row', to_jsonb(change))
    from public.message_changes as change
    where change.instance_id = message.instance_id and change.target = message.provider_message_id
    union all
    select jsonb_build_object('table', 'send_attempts', 'row', to_jsonb(tried))
    from public.send_attempts as tried where tried.message_id = message.id
  ) as told
$$;
comment on function private.records_of_messages is 'What was reported of messages, how they were changed, and how they were sent.';

create function private.records_of_items(p_items bigint[], p_needles text[])
returns jsonb language sql stable security invoker set search_path = '' as $$
  select coalesce(jsonb_agg(record), '[]') from (
    select jsonb_build_object('table', 'inbound_events', 'row', to_jsonb(item)) as record
    from public.inbound_events as item where item.id = any (p_items)
    union all
    select jsonb_build_object('table', 'message_status_events', 'row', to_jsonb(report))
    from private.names_in(p_items) as named
    join public.message_status_events as report
      on report.instance_id = named.instance_id and report.provider_message_id = named.name
    union all
    select jsonb_build_object('table', 'message_changes', 'row', to_jsonb(change))
    from private.names_in(p_items) as named
    join public.message_changes as change on change.instance_id = named.instance_id and change.target = named.name
  ) as told
$$;
comment on function private.records_of_items is 'Items, and what only they explain: statuses and changes of messages that never came.';
grant execute on function private.records_of_messages, private.records_of_items to authenticated, service_role;

create function private.export_items(p_contact public.contacts, p_needles text[], p_place text)
returns jsonb language plpgsql stable security invoker set search_path = '' as $$
declare
  v_after bigint := coalesce(nullif(p_place, ''), '0');
  v_last bigint;
  v_ids bigint[];
begin
  select max(id), array_agg(id) filter (where is_meant) into v_last, v_ids
  from private.items_about(p_contact.company_id, p_contact.id, p_needles, v_after, 9223372036854775807, 1000);
  return jsonb_build_object('place', v_last::text, 'records', private.records_of_items(v_ids, p_needles) || coalesce((
    select jsonb_agg(jsonb_build_object('table', 'provider_events', 'row', to_jsonb(told)))
    from public.provider_events as told
    where company_id = p_contact.company_id and inbound_event_id > v_after and inbound_event_id <= v_last
      and (contact_id = p_contact.id or private.mentions(data, p_needles))
  ), '[]'));
end $$;
comment on function private.export_items is 'Of the next 1000 items of the company those that tell of a contact, with what they tell.';

create function private.export_groups(p_contact public.contacts, p_needles text[], p_place text)
returns jsonb language plpgsql stable security invoker set search_path = '' as $$
declare
  v_groups uuid[] := array(
    select id from public.conversations
    where company_id = p_contact.company_id and kind <> 'direct' and (p_place = '' or id > nullif(p_place, '')::uuid)
    order by id limit 10
  );
  v_messages jsonb := (
    select coalesce(jsonb_agg(to_jsonb(message)), '[]') from public.messages as message
    where conversation_id = any (v_groups) and private.names_a_person(message, p_needles)
  );
begin
  return jsonb_build_object('place', v_groups[cardinality(v_groups)], 'records', private.records_of_messages(v_messages) || coalesce((
    select jsonb_agg(jsonb_build_object('table', 'messages', 'row', message)) from jsonb_array_elements(v_messages) as message
  ), '[]'));
end $$;
comment on function private.export_groups is 'What a contact said in the next 10 groups, and where they are named there.';

create function private.export_reports(p_contact public.contacts, p_needles text[], p_place text)
returns jsonb language plpgsql stable security invoker set search_path = '' as $$
declare
  v_instance_id uuid := nullif(split_part(p_place, ' ', 1), '')::uuid;
  v_ids text[] := private.reported_ids(v_instance_id, substr(p_place, 38), 2000);
begin
  return jsonb_build_object('place', private.place_of_reports(p_contact.company_id, v_instance_id, v_ids), 'records', (
    select coalesce(jsonb_agg(record), '[]') from (
      select jsonb_build_object('table', 'message_status_events', 'row', to_jsonb(report)) as record
      from public.message_status_events as report
      where instance_id = v_instance_id and provider_message_id = any (v_ids) and private.mentions(to_jsonb(report), p_needles)
      union all
      select jsonb_build_object('table', 'message_changes', 'row', to_jsonb(change))
      from public.message_changes as change
      where instance_id = v_instance_id and target = any (v_ids) and private.mentions(to_jsonb(change), p_needles)
    ) as told
  ));
end $$;
comment on function private.export_reports is 'Statuses and changes that name a contact, of the next 2000 provider ids of a number.';

create function private.export_jobs(p_contact public.contacts, p_needles text[], p_place text)
returns jsonb language sql stable security invoker set search_path = '' as $$
  select jsonb_build_object('place', max(seen.id)::text, 'records', coalesce(
    jsonb_agg(jsonb_build_object('table', 'queue_jobs', 'row', to_jsonb(job))) filter (where is_meant), '[]'
  ))
  from private.jobs_about(p_contact.company_id, p_needles, coalesce(nullif(p_place, ''), '0')::bigint, 2000) as seen
  join public.queue_jobs as job on job.id = seen.id
$$;
comment on function private.export_jobs is 'Of the next 2000 jobs of the company those that tell of a contact.';
grant execute on function private.export_items, private.export_groups, private.export_reports, private.export_jobs
to authenticated, service_role;

create function private.export_records(p_contact public.contacts, p_cursor text)
returns jsonb language plpgsql stable security invoker set search_path = '' as $$
declare
  v_needles text[] := private.needles_of(private.identities_of(p_contact.company_id, p_contact.id));
  v_stages text[] := '{items,groups,reports,jobs}';
  v_stage text := split_part(p_cursor, ':', 1);
  v_place text := split_part(p_cursor, ':', 2);
  v_part jsonb;
  v_records jsonb := '[]';
begin
  -- What looks at little is on one page.
  for v_step in 1 .. 8 loop
    v_part := case v_stage
      when 'items' then private.export_items(p_contact, v_needles, v_place)
      when 'groups' then private.export_groups(p_contact, v_needles, v_place)
      when 'reports' then private.export_reports(p_contact, v_needles, v_place)
      when 'jobs' then private.export_jobs(p_contact, v_needles, v_place)
    end;
    v_records := v_records || (v_part -> 'records');
    v_place := coalesce(v_part ->> 'place', '');
    v_stage := case when v_place = '' then v_stages[array_position(v_stages, v_stage) + 1] else v_stage end;
    exit when v_stage is null or jsonb_array_length(v_records) >= 200;
  end loop;
  return jsonb_build_object('messages', '[]'::jsonb, 'records', v_records, 'next_cursor', v_stage || ':' || v_place);
end $$;
comment on function private.export_records is 'The next page of what tells of a contact beside the messages with them.';
grant execute on function private.export_records to authenticated, service_role;

create function public.export_contact(
  p_id uuid, p_company_id uuid default null, p_limit integer default 200, p_cursor text default null
)
returns json language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_contact public.contacts := private.visible_contact(p_id, p_company_id);
  v_company_id uuid := private.acting_company(v_contact.company_id, 'admin');
  v_limit integer := least(greatest(p_limit, 1), 500);
  v_page jsonb;
  v_before record;
begin
  if p_cursor ~ '^((items|jobs):[0-9]{0,18}|groups:([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?|reports:([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12} .*)?)$' then
    return private.export_records(v_contact, p_cursor);
  end if;
  v_before := private.before_cursor(p_cursor);
  v_page := (
    select private.page_result(jsonb_agg(to_jsonb(said) order by occurred_at desc, id desc), v_limit, null, 'occurred_at', 'id')
    from private.exported_messages(
      v_company_id, p_id, v_before.at, v_before.id, v_limit + 1
    ) as said
  );
  v_page := jsonb_build_object(
    'messages', v_page -> 'data', 'records', private.records_of_messages(v_page -> 'data'),
    'next_cursor', coalesce(nullif(v_page -> 'next_cursor', 'null'), '"items:"')
  );
  if p_cursor is null then
    perform private.record_export(v_company_id, p_id);
    v_page := v_page || jsonb_build_object('contact', public.explain_contact(p_id, v_company_id));
  end if;
  return v_page;
end $$;
comment on function public.export_contact is
  'All that is kept about a contact, a page at a time: {contact, messages, records, next_cursor}. First the contact as explain_contact has it and the messages with them, newest first; then, as records {table, row}, whatever else tells of them. A page may be empty; the last one has no next_cursor. Raises contact_not_found, role_required, invalid_cursor.';
grant execute on function public.export_contact to authenticated, service_role;
