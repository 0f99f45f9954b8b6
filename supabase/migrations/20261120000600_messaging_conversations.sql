-- Messaging, conversations: one per number and person (or group), and the inbox that lists them.
--
-- The inbox of a company is the scope inbox:<company>: `rev` is the inbox version of a
-- conversation's last change here. A conversation's own messages are the scope
-- conversation:<id> (see messaging_messages). Whoever changes this table locks the inbox first.

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
  unread integer not null default 0,
  last_message_at timestamptz not null default now(),
  last_message_preview text,
  last_message_direction text,
  -- WhatsApp takes free text only within 24 hours of this.
  last_inbound_at timestamptz,
  -- Version of the conversation when this row last changed.
  version bigint not null default 0,
  rev bigint not null default 0,
  created_at timestamptz not null default now(),
  foreign key (company_id, instance_id) references public.instances (company_id, id) on delete cascade,
  foreign key (company_id, contact_id) references public.contacts (company_id, id) on delete cascade,
  constraint a_conversation_kind_is_known check (kind in ('direct', 'group', 'broadcast', 'newsletter')),
  constraint only_direct_conversations_have_a_contact check ((kind = 'direct') = (contact_id is not null)),
  constraint a_conversation_status_is_known check (status in ('open', 'closed')),
  constraint unread_is_not_negative check (unread >= 0)
) with (fillfactor = 80);
comment on table public.conversations is 'One thread per number and person or group. open <-> closed; a new message opens it.';
create unique index conversations_by_company on public.conversations (company_id, id);
-- One thread per number and person.
create unique index conversations_by_contact on public.conversations (instance_id, contact_id) where kind = 'direct';
-- One thread per number and group.
create unique index conversations_by_group on public.conversations (instance_id, address) where kind <> 'direct';
create index conversations_in_inbox_order on public.conversations (company_id, last_message_at desc, id desc);
create index conversations_in_rev_order on public.conversations (company_id, rev);
create index conversations_of_contact on public.conversations (company_id, contact_id);
create index conversations_of_instance on public.conversations (company_id, instance_id);

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

create function private.resolve_conversation(
  p_instance public.instances, p_kind text, p_address text, p_contact_id uuid, p_title text
)
returns uuid language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_id uuid;
  v_address text;
begin
  select id, address into v_id, v_address from public.conversations
  where instance_id = p_instance.id
    and case when p_kind = 'direct' then kind = 'direct' and contact_id = p_contact_id
        else kind <> 'direct' and address = p_address end;
  if v_id is null then
    insert into public.conversations (company_id, instance_id, contact_id, kind, address, title)
    values (p_instance.company_id, p_instance.id, p_contact_id, p_kind, p_address, p_title)
    returning id into v_id;
    perform private.lock_version('conversation:' || v_id, p_instance.company_id);
  elsif p_kind = 'direct' and v_address like '%@lid' and p_address not like '%@lid' then
    -- Not every server can send to a LID: once the phone is known, replies go there.
    update public.conversations set address = p_address where id = v_id;
  end if;
  return v_id;
end $$;
comment on function private.resolve_conversation is
  'The thread of a number with a contact or group, opened when there is none. The caller holds the lock of the inbox.';
grant execute on function private.resolve_conversation to service_role;


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
  private.row_as_json, private.page_result, private.page_cursor, private.cursor_part, private.cursor_time
to authenticated, service_role;

create function public.list_conversations(
  p_company_id uuid default null, p_limit integer default 50, p_cursor text default null,
  p_fields text[] default null, p_status text default null, p_if_none_match text default null
)
returns json language plpgsql stable security invoker set search_path = '' as $$
declare
  v_company_id uuid := private.acting_company(p_company_id);
  v_after timestamptz := coalesce(private.cursor_time(p_cursor), 'infinity');
  v_after_id uuid := coalesce(private.cursor_part(p_cursor, 2), 'ffffffff-ffff-ffff-ffff-ffffffffffff');
  v_limit integer := least(greatest(p_limit, 1), 200);
begin
  if private.answer_with_etag('inbox:' || v_company_id, p_if_none_match) then
    return null;
  end if;
  return private.page_result((
    select jsonb_agg(to_jsonb(page) order by last_message_at desc, id desc) from (
      select * from public.conversations
      where company_id = v_company_id and (last_message_at, id) < (v_after, v_after_id)
        and (p_status is null or status = p_status)
      order by last_message_at desc, id desc
      limit v_limit + 1
    ) as page
  ), v_limit, p_fields, 'last_message_at', 'id');
end $$;
comment on function public.list_conversations is
  'A page of the inbox, newest first. Null when p_if_none_match is the current ETag, which the response carries.';
grant execute on function public.list_conversations to authenticated, service_role;

create function public.sync_inbox(p_id uuid, p_after bigint, p_epoch uuid, p_limit integer default 200)
returns json language sql stable security invoker set search_path = '' as $$
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
