-- Messaging, inbox: the conversations of a company as people see them, page by page, and what has
-- changed in them since a version.
--
-- Each list reads one index in its order, however large the inbox, also before the first analyse. A
-- filter beyond that index picks from a bounded number of conversations: a page may then be short.

set lock_timeout = '5s';

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
