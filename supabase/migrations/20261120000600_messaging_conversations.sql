-- Messaging, conversations: one per number and person (or group), and the inbox that lists them.
--
-- The inbox of a company is the scope inbox:<company>: `rev` is the inbox version of a
-- conversation's last change here. A conversation's own messages are the scope
-- conversation:<id> (see messaging_messages). Whoever changes this table locks the inbox first.
--
-- What people do with a conversation (assign, close, read, pause its bot) is messaging_handling.

set lock_timeout = '5s';

create table public.conversations (
  id uuid primary key default gen_random_uuid(),
  company_id uuid not null,
  instance_id uuid not null,
  contact_id uuid,
  kind text not null default 'direct',
  -- Where a reply goes, in the provider's own form.
  address text not null,
  title text,
  status text not null default 'open',
  assignee_id uuid,
  unread integer not null default 0,
  last_message_at timestamptz not null default now(),
  last_message_preview text,
  last_message_direction text,
  last_inbound_at timestamptz,
  -- Until then Meta's API takes free text, later only templates. Evolution has no such limit.
  window_closes_at timestamptz,
  -- Since when the person has been without an answer.
  waiting_since timestamptz,
  -- A person has taken over: nothing automatic is written until then.
  bot_paused_until timestamptz,
  -- Version of the conversation when this row last changed.
  version bigint not null default 0,
  rev bigint not null default 0,
  -- Its messages went to another one of the same person; to those who listen it is a tombstone.
  merged_into uuid,
  deleted_at timestamptz,
  created_at timestamptz not null default now(),
  foreign key (company_id, instance_id) references public.instances (company_id, id) on delete cascade,
  foreign key (company_id, contact_id) references public.contacts (company_id, id) on delete cascade,
  -- At the end, because a company goes with its members and conversations in any order.
  foreign key (company_id, assignee_id) references public.company_members (company_id, user_id)
    deferrable initially deferred,
  constraint a_conversation_kind_is_known check (kind in ('direct', 'group', 'broadcast', 'newsletter')),
  constraint only_direct_conversations_have_a_contact check ((kind = 'direct') = (contact_id is not null)),
  constraint a_conversation_status_is_known check (status in ('open', 'pending', 'closed')),
  constraint what_was_merged_is_an_empty_tombstone check (
    (merged_into is null) = (deleted_at is null) and merged_into <> id
    and (merged_into is null or (status = 'closed' and unread = 0 and assignee_id is null))
  ),
  constraint a_pause_of_the_bot_ends check (isfinite(bot_paused_until)),
  constraint unread_is_not_negative check (unread >= 0)
) with (fillfactor = 80);
comment on table public.conversations is
  'One thread per number and person or group. open <-> pending (we have answered) <-> closed; a message from outside opens it.';
create unique index conversations_by_company on public.conversations (company_id, id);
-- One thread per number and person.
create unique index conversations_by_contact on public.conversations (instance_id, contact_id) where kind = 'direct';
-- One thread per number and group.
create unique index conversations_by_group on public.conversations (instance_id, address) where kind <> 'direct';
create index conversations_in_inbox_order on public.conversations (company_id, last_message_at desc, id desc);
-- The inbox narrowed: each list reads one of these in its order.
create index conversations_by_status on public.conversations (company_id, status, last_message_at desc, id desc);
create index conversations_by_assignee
  on public.conversations (company_id, assignee_id, status, last_message_at desc, id desc) where assignee_id is not null;
-- Of its own: the planner does not see that those of nobody lie in the order of the index above.
create index conversations_of_nobody
  on public.conversations (company_id, status, last_message_at desc, id desc) where assignee_id is null;
create index conversations_of_instance on public.conversations (company_id, instance_id, last_message_at desc, id desc);
create index conversations_unread on public.conversations (company_id, last_message_at desc, id desc) where unread > 0;
create index conversations_by_kind on public.conversations (company_id, kind, last_message_at desc, id desc) where kind <> 'direct';
create index conversations_waiting on public.conversations (company_id, waiting_since, id) where waiting_since is not null;
create index conversations_in_rev_order on public.conversations (company_id, rev);
create index conversations_of_contact on public.conversations (company_id, contact_id);
alter table public.conversations add foreign key (company_id, merged_into) references public.conversations (company_id, id);
create index conversations_by_merged_into on public.conversations (company_id, merged_into) where merged_into is not null;

alter table public.conversations enable row level security;
create policy "members read the conversations" on public.conversations for select to authenticated
  using (company_id in (select private.my_company_ids()));
grant select on public.conversations to authenticated;
grant select, insert, update, delete on public.conversations to service_role;


-- The inbox ---------------------------------------------------------------------------------

create function private.lock_inbox(p_company_id uuid)
returns void language sql volatile security invoker set search_path = '' as $$
  select private.lock_version('inbox:' || p_company_id, p_company_id)
$$;
comment on function private.lock_inbox is 'First lock of everybody who writes conversations or inserts messages of a company.';
grant execute on function private.lock_inbox to service_role;

-- definer because a member may read versions and write none.
create function private.companies_open_an_inbox()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.lock_inbox(new.id);
  return null;
end $$;
comment on function private.companies_open_an_inbox is 'A company has an inbox from the start, so that clients can listen before the first message.';
create trigger companies_open_an_inbox after insert on public.companies
  for each row execute function private.companies_open_an_inbox();

-- definer because a member may read versions and write none.
create function private.conversations_take_a_version()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
begin
  new.rev := private.next_version('inbox:' || new.company_id, new.company_id);
  return new;
end $$;
comment on function private.conversations_take_a_version is 'Every change of a conversation is one step of the inbox.';
create trigger conversations_take_a_version before insert or update on public.conversations
  for each row execute function private.conversations_take_a_version();

create function private.conversations_derive_times()
returns trigger language plpgsql volatile security invoker set search_path = '' as $$
begin
  new.window_closes_at := new.last_inbound_at + interval '24 hours';
  new.waiting_since := case when new.last_message_direction = 'in' and new.status <> 'closed'
    then coalesce(new.waiting_since, new.last_message_at) end;
  return new;
end $$;
comment on function private.conversations_derive_times is
  'A person waits from their first message without an answer, until we write or somebody closes the conversation.';
create trigger conversations_derive_times before insert or update on public.conversations
  for each row execute function private.conversations_derive_times();

-- definer because only the database may write to realtime.messages.
create function private.conversations_broadcast()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.broadcast_change(
    'inbox:' || company_id, company_id, min(rev) - 1, max(rev), jsonb_agg(to_jsonb(changed) order by rev)
  )
  from changed group by company_id;
  return null;
end $$;
comment on function private.conversations_broadcast is 'One broadcast per statement and inbox.';
create trigger conversations_broadcast_inserts after insert on public.conversations
  referencing new table as changed for each statement execute function private.conversations_broadcast();
create trigger conversations_broadcast_updates after update on public.conversations
  referencing new table as changed for each statement execute function private.conversations_broadcast();

-- definer because whoever learns a name writes no conversations. Who writes contacts holds the
-- lock of the inbox.
create function private.contacts_tell_the_inbox()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
begin
  update public.conversations set contact_id = new.id where company_id = new.company_id and contact_id = new.id;
  return null;
end $$;
comment on function private.contacts_tell_the_inbox is
  'A conversation is shown with the name and phone of its contact: when they change, it has changed.';
create trigger contacts_tell_the_inbox after update of name, phone on public.contacts
  for each row when (old.name is distinct from new.name or old.phone is distinct from new.phone)
  execute function private.contacts_tell_the_inbox();

-- definer because whoever removes a member writes no conversations.
create function private.members_leave_conversations()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
begin
  if exists (select from public.companies where id = old.company_id) then
    perform private.lock_inbox(old.company_id);
    update public.conversations set assignee_id = null
    where company_id = old.company_id and assignee_id = old.user_id;
  end if;
  return old;
end $$;
comment on function private.members_leave_conversations is 'Who leaves a company leaves its conversations to nobody.';
create trigger members_leave_conversations before delete on public.company_members
  for each row execute function private.members_leave_conversations();

create function private.resolve_conversation(
  p_instance public.instances, p_kind text, p_address text, p_contact_id uuid, p_title text, p_written_at timestamptz default null
)
returns uuid language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_id uuid;
  v_address text;
  v_inbound_at timestamptz;
begin
  select id, address, last_inbound_at into v_id, v_address, v_inbound_at from public.conversations
  where instance_id = p_instance.id
    and case when p_kind = 'direct' then kind = 'direct' and contact_id = p_contact_id
        else kind <> 'direct' and address = p_address end;
  if v_id is null then
    insert into public.conversations (company_id, instance_id, contact_id, kind, address, title, last_inbound_at)
    values (p_instance.company_id, p_instance.id, p_contact_id, p_kind, p_address, p_title, p_written_at)
    returning id into v_id;
    perform private.lock_version('conversation:' || v_id, p_instance.company_id);
  elsif p_kind = 'direct' and p_address <> v_address and p_address not like '%@lid'
     and (v_address like '%@lid' or p_written_at >= greatest(v_inbound_at, (
       select phone_at from public.contacts where id = p_contact_id
     ))) then
    -- Replies go to where the person last wrote from; not every server can send to a LID.
    update public.conversations set address = p_address, last_inbound_at = greatest(last_inbound_at, p_written_at)
    where id = v_id;
  end if;
  return v_id;
end $$;
comment on function private.resolve_conversation is
  'The thread of a number with a contact or group, opened when there is none; p_written_at is when they wrote from p_address. The caller holds the lock of the inbox.';
grant execute on function private.resolve_conversation to service_role;


create function private.surviving_conversation(p_id uuid)
returns uuid language sql stable security invoker set search_path = '' as $$
  select coalesce((select merged_into from public.conversations where id = p_id), p_id)
$$;
comment on function private.surviving_conversation is 'The conversation itself, or the one that it was merged into.';
grant execute on function private.surviving_conversation to authenticated, service_role;


-- Reading -----------------------------------------------------------------------------------

create function private.row_as_json(p_row jsonb, p_fields text[])
returns jsonb language plpgsql immutable security invoker set search_path = '' as $$
declare
  v_unknown text;
begin
  if p_fields is null then
    return p_row;
  end if;
  select field into v_unknown from unnest(p_fields) as field where not p_row ? field limit 1;
  if v_unknown is not null then
    raise exception using errcode = 'PT422', message = 'unknown_field',
      detail = format('There is no field %s.', v_unknown),
      hint = 'Fields: ' || (select string_agg(key, ', ' order by key) from jsonb_object_keys(p_row) as key);
  end if;
  return (select jsonb_object_agg(field, p_row -> field) from unnest(p_fields) as field);
end $$;
comment on function private.row_as_json is 'A row as the API shows it: whole, or only the asked fields. Raises unknown_field.';

create function private.page_cursor(p_at timestamptz, p_id text)
returns text language sql immutable security invoker set search_path = '' as $$
  select trunc(extract(epoch from p_at) * 1000000)::bigint || '_' || p_id
$$;
comment on function private.page_cursor is 'Where a page ends: microseconds and id of its last row.';

create function private.cursor_part(p_cursor text, p_part integer)
returns text language plpgsql immutable security invoker set search_path = '' as $$
begin
  if p_cursor !~ '^[0-9]{1,18}_([0-9]{1,18}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$' then
    raise exception using errcode = 'PT422', message = 'invalid_cursor',
      detail = 'The cursor is not one that this list has given.', hint = 'Start again without cursor.';
  end if;
  return split_part(p_cursor, '_', p_part);
end $$;
comment on function private.cursor_part is 'One half of a cursor, or null without one. Raises invalid_cursor.';

create function private.cursor_time(p_cursor text)
returns timestamptz language sql immutable security invoker set search_path = '' as $$
  select timestamptz 'epoch' + private.cursor_part(p_cursor, 1)::bigint * interval '1 microsecond'
$$;
comment on function private.cursor_time is 'The time in a cursor, or null without one.';
create function private.before_cursor(p_cursor text, out at timestamptz, out id uuid)
language sql immutable security invoker set search_path = '' as $$
  select coalesce(private.cursor_time(p_cursor), 'infinity'),
    coalesce(private.cursor_part(p_cursor, 2), 'ffffffff-ffff-ffff-ffff-ffffffffffff')::uuid
$$;
comment on function private.before_cursor is 'Before which time and id a list goes on that shows the newest first; without a cursor, before none.';
create function private.page_result(
  p_rows jsonb, p_limit integer, p_fields text[], p_time_field text, p_id_field text
)
returns json language sql stable security invoker set search_path = '' as $$
  select json_build_object(
    'data', coalesce((
      select json_agg(private.row_as_json(row, p_fields) order by place)
      from jsonb_array_elements(p_rows) with ordinality as listed (row, place) where place <= p_limit
    ), '[]'),
    'next_cursor', case when jsonb_array_length(p_rows) > p_limit then
      private.page_cursor((last_row ->> p_time_field)::timestamptz, last_row ->> p_id_field)
    end
  ) from (select p_rows -> (p_limit - 1) as last_row) as last
$$;
comment on function private.page_result is
  'A page as the API shows it, of rows in order, one more than the page holds when there is a next one.';

grant execute on function
  private.row_as_json, private.page_result, private.page_cursor, private.cursor_part, private.cursor_time,
  private.before_cursor
to authenticated, service_role;

create function private.check_inbox_filter(p_filter jsonb)
returns jsonb language plpgsql stable security invoker set search_path = '' as $$
declare
  v_assignee text := p_filter ->> 'assignee';
begin
  if v_assignee = 'me' and (select auth.uid()) is null then
    raise exception using errcode = 'PT422', message = 'invalid_filter',
      detail = 'An API key is nobody: there is no assignee me.', hint = 'Name the id of a member.';
  elsif v_assignee = 'me' then
    p_filter := jsonb_set(p_filter, '{assignee}', to_jsonb((select auth.uid())));
  elsif v_assignee <> 'none' and not pg_input_is_valid(v_assignee, 'uuid') then
    raise exception using errcode = 'PT422', message = 'invalid_filter',
      detail = 'The assignee is me, none or the id of a member.';
  end if;
  if p_filter ->> 'status' not in ('open', 'pending', 'closed') then
    raise exception using errcode = 'PT422', message = 'invalid_filter',
      detail = 'The status is open, pending or closed.';
  elsif p_filter ->> 'kind' not in ('direct', 'group', 'broadcast', 'newsletter') then
    raise exception using errcode = 'PT422', message = 'invalid_filter',
      detail = 'The kind is direct, group, broadcast or newsletter.';
  elsif p_filter ->> 'sort' not in ('newest', 'waiting') then
    raise exception using errcode = 'PT422', message = 'invalid_filter',
      detail = 'The sort is newest or waiting.';
  end if;
  return jsonb_strip_nulls(p_filter);
end $$;
comment on function private.check_inbox_filter is 'The filter without what was not asked for, and with me as an id. Raises invalid_filter.';

create function private.inbox_lead(p_filter jsonb)
returns text[] language sql immutable security invoker set search_path = '' as $$
  select case
    when p_filter ->> 'sort' = 'waiting' then '{}'
    when p_filter ->> 'unread' = 'true' then '{unread}'
    when p_filter ? 'assignee' then '{assignee,status}'
    when p_filter ->> 'kind' <> 'direct' then '{kind}'
    when p_filter ? 'instance_id' then '{instance_id}'
    when p_filter ? 'status' then '{status}'
    else '{}'
  end::text[]
$$;
comment on function private.inbox_lead is 'The filters that the index of a list answers; the others pick from what it finds.';

create function private.inbox_condition(p_name text, p_value text)
returns text language sql immutable security invoker set search_path = '' as $$
  select case
    when p_name = 'unread' then case when p_value = 'true' then 'unread > 0' else 'unread = 0' end
    when p_name = 'assignee' then case when p_value = 'none' then 'assignee_id is null' else format('assignee_id = %L', p_value) end
    -- As the partial index says it.
    when p_name = 'kind' and p_value <> 'direct' then format('kind = %L and kind <> ''direct''', p_value)
    else p_name || ' = ' || quote_literal(p_value)
  end
$$;
comment on function private.inbox_condition is 'One filter of the inbox as SQL; null of none.';

-- The text that is executed holds no value but checked ones, quoted: planned anew for each list,
-- it reads exactly one index, in its order, and no more of it than the page needs. A table that was
-- never analysed looks so small that all of it would be read and sorted.
create function private.conversations_in_sight(
  p_company_id uuid, p_filter jsonb, p_at timestamptz, p_id uuid, p_window integer, p_most integer
)
returns table (place bigint, id uuid, at timestamptz, is_meant boolean)
language plpgsql stable security invoker set search_path = ''
set enable_seqscan = off set enable_bitmapscan = off
as $$
declare
  v_is_waiting boolean := coalesce(p_filter ->> 'sort' = 'waiting', false);
  v_lead text[] := private.inbox_lead(p_filter);
  v_rest text := coalesce((
    select string_agg(private.inbox_condition(key, value), ' and ') from jsonb_each_text(p_filter - 'sort' - v_lead)
  ), 'true');
  v_order text := case when v_is_waiting then 'at, id' else 'at desc, id desc' end;
  v_page text := format(
    '(select id, %s as at, %s as is_meant from public.conversations where company_id = $1 and merged_into is null and %s and %%s order by %s limit $4)',
    case when v_is_waiting then 'waiting_since' else 'last_message_at' end,
    format('coalesce(%s, false)', v_rest),
    case when v_is_waiting then 'waiting_since is not null and (waiting_since, id) > ($2, $3)'
      else '(last_message_at, id) < ($2, $3)' end,
    v_order
  );
  v_pages text;
begin
  if 'assignee' = any (v_lead) then
    -- In the order of the index only within one status.
    select string_agg(format(v_page, format(
      '%s and status = %L', private.inbox_condition('assignee', p_filter ->> 'assignee'), status
    )), ' union all ') into v_pages
    from unnest(array['open', 'pending', 'closed']) as status where coalesce(p_filter ->> 'status' = status, true);
  else
    v_pages := format(v_page, coalesce(private.inbox_condition(v_lead[1], p_filter ->> v_lead[1]), 'true'));
  end if;
  return query execute format(
    'select * from (select row_number() over () as place, * from (select * from (%s) as listed order by %s limit $4) as ordered) as seen
     where is_meant or place = $4 limit $5', v_pages, v_order
  )
  using p_company_id,
    coalesce(p_at, case when v_is_waiting then '-infinity' else 'infinity' end::timestamptz),
    coalesce(p_id, case when v_is_waiting then '00000000-0000-0000-0000-000000000000'
      else 'ffffffff-ffff-ffff-ffff-ffffffffffff' end::uuid),
    p_window, p_most;
end $$;
comment on function private.conversations_in_sight is
  'Of the next p_window conversations of the leading filter, in the order of the list, the first p_most that all filters mean, and the last of all.';

grant execute on function
  private.check_inbox_filter, private.inbox_lead, private.inbox_condition, private.conversations_in_sight
to authenticated, service_role;

create function private.page_of_inbox(p_company_id uuid, p_filter jsonb, p_cursor text, p_skip integer, p_limit integer, p_window integer, p_fields text[])
returns json language sql stable security invoker set search_path = '' as $$
  with seen as materialized (
    select * from private.conversations_in_sight(
      p_company_id, p_filter, private.cursor_time(p_cursor), private.cursor_part(p_cursor, 2)::uuid, p_window,
      case when p_window < 10000 then p_limit + 1 end
    )
  ), found as materialized (
    select row_number() over (order by place) as nth, id, at from seen where is_meant
  ), last as (
    (select at, id from found
     where nth = p_skip + p_limit and exists (select from found where nth > p_skip + p_limit))
    union all
    (select at, id from seen where place = p_window)
    limit 1
  )
  select json_build_object(
    'data', coalesce(
      json_agg(private.row_as_json((
        select to_jsonb(conversation) from public.conversations as conversation where conversation.id = found.id
      ), p_fields) order by nth) filter (where nth > p_skip and nth <= p_skip + p_limit), '[]'
    ),
    'next_cursor', (select private.page_cursor(at, id::text) from last),
    'total', case when p_window = 10000 then count(*) end
  ) from found
$$;
comment on function private.page_of_inbox is
  'Conversations of a filter, behind p_cursor and p_skip more, out of the next p_window in sight; counted where that is 10000.';
grant execute on function private.page_of_inbox to authenticated, service_role;

create function public.list_conversations(
  p_company_id uuid default null, p_limit integer default 50, p_cursor text default null,
  p_fields text[] default null, p_status text default null, p_if_none_match text default null,
  p_assignee text default null, p_unread boolean default null, p_instance_id uuid default null,
  p_kind text default null, p_sort text default 'newest', p_page integer default null
)
returns json language plpgsql stable security invoker set search_path = '' as $$
declare
  v_company_id uuid := private.acting_company(p_company_id);
  v_filter jsonb := private.check_inbox_filter(jsonb_build_object(
    'status', p_status, 'assignee', p_assignee, 'unread', p_unread, 'instance_id', p_instance_id, 'kind', p_kind, 'sort', p_sort
  ));
  v_limit integer := least(greatest(p_limit, 1), 200);
  v_page integer := case when p_page is not null then least(greatest(p_page, 1), 10001) end;
begin
  if v_page * v_limit > 10000 or (v_page is not null and p_cursor is not null) then
    raise exception using errcode = 'PT422', message = 'invalid_page',
      detail = 'Pages by number reach 10000 conversations far, and take no cursor.', hint = 'Walk on with next_cursor.';
  end if;
  if private.answer_with_etag('inbox:' || v_company_id, p_if_none_match) then
    return null;
  end if;
  return private.page_of_inbox(v_company_id, v_filter, p_cursor, coalesce((v_page - 1) * v_limit, 0), v_limit, case
    when v_page is not null then 10000
    when v_filter - 'sort' - private.inbox_lead(v_filter) = '{}' then v_limit + 1
    else 2000
  end, p_fields);
end $$;
comment on function public.list_conversations is
  'A page of the inbox: newest first, or with p_sort waiting those whose person waits longest. Of a status, assignee (me, none, a member), unread, instance, kind. Where several filters meet, a page looks at 2000 conversations and may be short, even empty: the list ends where next_cursor is null. With p_page, pages by number and the total, both within the first 10000. Null when p_if_none_match is the current ETag, which the response carries. Raises invalid_filter, invalid_page.';
grant execute on function public.list_conversations to authenticated, service_role;

create function public.sync_inbox(p_id uuid, p_after bigint, p_epoch uuid, p_limit integer default 200)
returns json language sql stable security invoker set search_path = ''
set enable_seqscan = off set enable_bitmapscan = off
as $$
  select private.sync_result(epoch, head, reset, row_limit, (
    select jsonb_agg(row order by rev) from (
      (select to_jsonb(c) as row, rev from public.conversations as c
       where not reset and company_id = p_id and rev > start.after order by rev limit row_limit)
      union all
      (select to_jsonb(c), rev from public.conversations as c
       where reset and company_id = p_id
       order by last_message_at desc, id desc limit row_limit)
    ) as changed
  ))
  from private.sync_start('inbox:' || p_id, p_after, p_epoch, p_limit) as start
$$;
comment on function public.sync_inbox is
  'What changed in the inbox of company p_id after version p_after, or on reset its newest 100 conversations. Null when not visible.';
grant execute on function public.sync_inbox to authenticated, service_role;
