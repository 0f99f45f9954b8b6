-- Messaging, search: what was said and who said it, found by words, in Portuguese and English.
--
-- A message is indexed by the stems of its words in both languages and by how they are written
-- without accents, so that promocao finds promoção and boxes finds box. No extension is needed.
--
-- Every entry also holds its company and its time as words. A search looks at the newest hour
-- first, further back in growing steps, and stops when its page is full: what a frequent word
-- costs does not grow with the history, nor with the other companies.
--
-- A text search operator may leak what it sees, so row level security keeps it from an index.
-- The two functions that search run as their definer and ask themselves who calls.

set lock_timeout = '5s';

-- The functions of the index are plpgsql, whose calls cost a tenth of SQL's, and parallel safe, so that
-- all cores build it. Without its accents a letter is one that they can be taken from (nfd).
create function private.fold(p_text text)
returns text language plpgsql immutable parallel safe security invoker set search_path = '' as $$
begin
  return regexp_replace(normalize(lower(p_text), nfd), '[\u0300-\u036f]+', '', 'g');
end $$;
comment on function private.fold is 'A text as it is compared: small letters without accents.';

create function private.hour_of(p_at timestamptz)
returns integer language plpgsql immutable parallel safe security invoker set search_path = '' as $$
begin
  return floor(extract(epoch from greatest(least(p_at, '2200-01-01 00:00:00+00'), '1970-01-01 00:00:00+00')) / 3600);
end $$;
comment on function private.hour_of is 'The hour of a time, in hours since 1970, UTC.';

create function private.hours_word(p_company_id uuid, p_hours integer, p_hour integer)
returns text language plpgsql immutable parallel safe security invoker set search_path = '' as $$
begin
  return p_company_id || ':' || p_hours || ':' || p_hour / p_hours;
end $$;
comment on function private.hours_word is
  'The word that all messages of a company share in the index whose hour is in the same 1, 27 or 729 (p_hours) hours.';

create function private.asked_hours(p_company_id uuid, p_first integer, p_last integer)
returns tsquery language sql immutable security invoker set search_path = '' as $$
  select coalesce(string_agg(quote_literal(private.hours_word(p_company_id, hours, place * hours)), '|'), quote_literal(p_company_id))::tsquery
  from (select case when p_last - p_first < 27 then 1 when p_last - p_first < 729 then 27 else 729 end) as unit (hours),
    generate_series(p_first / hours, p_last / hours) as place
$$;
comment on function private.asked_hours is 'The messages of a company from one hour to another, and a few around them; all, where p_first is null.';

create function private.message_words(p_company_id uuid, p_at timestamptz, p_body text)
returns tsvector language plpgsql immutable parallel safe security invoker set search_path = '' cost 2000 as $$
declare
  v_body text := case when p_body is normalized then p_body else normalize(p_body) end;
  v_portuguese tsvector := to_tsvector('pg_catalog.portuguese', v_body);
  -- Far from each other, or the last word would stand before the first.
  v_gap constant tsvector := '_:50';
  v_words tsvector := v_portuguese || v_gap || to_tsvector('pg_catalog.english', v_body);
  v_hour integer := private.hour_of(p_at);
begin
  -- Folding is half of the work, and most texts of one kind are ASCII.
  if octet_length(v_body) > length(v_body) then
    v_words := private.fold(v_words::text)::tsvector;
    v_portuguese := to_tsvector('pg_catalog.portuguese', private.fold(v_body));
  end if;
  return ts_delete(v_words || v_gap || v_portuguese, '_')
    || array_to_tsvector(array[
      p_company_id::text, private.hours_word(p_company_id, 1, v_hour), private.hours_word(p_company_id, 27, v_hour),
      private.hours_word(p_company_id, 729, v_hour)
    ]);
end $$;
comment on function private.message_words is 'What a message is found by: its words, its company, its time.';

create function private.asked_words(p_text text)
returns tsquery language sql immutable security invoker set search_path = '' as $$
  select private.fold(websearch_to_tsquery('pg_catalog.portuguese', normalize(p_text))::text)::tsquery
    || private.fold(websearch_to_tsquery('pg_catalog.english', normalize(p_text))::text)::tsquery
    || websearch_to_tsquery('pg_catalog.portuguese', private.fold(p_text))
$$;
comment on function private.asked_words is
  'What somebody types, as a query: all words, "these in this order", this or that, -not this.';

create function private.contact_words(p_company_id uuid, p_name text, p_phone text)
returns tsvector language sql immutable parallel safe security invoker set search_path = '' cost 500 as $$
  select coalesce(string_agg(format('''%s%s''%s', left(p_company_id::text, 8), part, ':' || place), ' '), '')::tsvector
  from (
    select unnest(array[':' || word, '^' || left(word, 1), '^' || left(word, 2)]), null
    from regexp_split_to_table(private.fold(left(coalesce(p_name, ''), 200)), '[^[:alnum:]]+') as word where word <> ''
    union all
    select '#' || substr(p_phone, place + 1, 4), place from generate_series(1, length(p_phone) - 4) as place
  ) as found (part, place)
$$;
comment on function private.contact_words is
  'What a contact is found by: the words of the name and how they begin, each four digits of the phone in their places; all for its company.';

create function private.asked_contact(p_company_id uuid, p_text text)
returns tsquery language sql immutable security invoker set search_path = '' as $$
  select string_agg(format(case when length(word) < 3 then '''%1$s^%2$s''' else '(''%1$s:%2$s'':*%3$s)' end, mark, word, ' | ' || digits), ' & ')::tsquery
  from (select left(p_company_id::text, 8)) as company (mark),
    regexp_split_to_table(regexp_replace(private.fold(p_text), '([0-9])[-\s().]+(?=[0-9])', '\1', 'g'), '[^[:alnum:]]+') as word
  cross join lateral (
    select '(' || string_agg(format('''%s#%s''', mark, substr(word, place, 4)), ' <-> ' order by place) || ')'
    from generate_series(1, length(word) - 3) as place where word ~ '^[0-9]+$'
  ) as phone (digits)
  where word <> ''
$$;
comment on function private.asked_contact is
  'The beginnings of all these words, or four and more digits of a phone; null without a word. A phone may be written with blanks, hyphens and brackets.';
grant execute on function
  private.fold, private.hour_of, private.hours_word, private.asked_hours, private.message_words, private.asked_words,
  private.contact_words, private.asked_contact
to authenticated, service_role;

-- Before the first release both tables are empty here, and a file is one transaction.
-- What waits to be sorted in is read by every search: 256 kB of it cost a millisecond.
-- squawk-ignore require-concurrent-index-creation
create index messages_by_words on public.messages
  using gin (private.message_words(company_id, occurred_at, body)) with (gin_pending_list_limit = 256)
  where body <> '' and deleted_at is null;
-- squawk-ignore require-concurrent-index-creation
create index contacts_by_words on public.contacts
  using gin (private.contact_words(company_id, name, phone)) with (gin_pending_list_limit = 256);


-- Finding -----------------------------------------------------------------------------------

create function private.may_search(p_company_id uuid)
returns boolean language sql stable security invoker set search_path = '' as $$
  select coalesce((select auth.role()), 'service_role') = 'service_role'
    or p_company_id in (select private.my_company_ids())
$$;
comment on function private.may_search is 'Whether the caller is a member of the company, or the service.';
grant execute on function private.may_search to authenticated, service_role;

-- definer because row level security keeps text search from its index; it checks membership itself.
create function private.find_messages(
  p_company_id uuid, p_query tsquery, p_newest timestamptz, p_before timestamptz, p_before_id uuid, p_limit integer
)
returns table (id uuid, occurred_at timestamptz, rank real)
language plpgsql stable security definer rows 100 set search_path = ''
set plan_cache_mode = force_custom_plan set enable_seqscan = off set enable_indexscan = off
as $$
declare
  -- What the index answers by itself: without what must not be said, and in any order.
  v_tree text := regexp_replace(querytree(p_query), '<(-|[0-9]+)>', '&', 'g');
  v_is_exact boolean := v_tree = p_query::text;
  v_last integer := private.hour_of(least(p_before, p_newest));
  v_hours integer;
  v_when tsquery;
  v_found integer := 0;
  v_budget integer := 500;
  v_said record;
begin
  -- The tenth step is all that is older.
  foreach v_hours in array array[1, 3, 9, 27, 81, 243, 729, 2187, 6561, null] loop
    -- Without a word that counts, such as "a", every message would be meant.
    exit when v_found >= p_limit or v_budget = 0 or numnode(p_query) = 0 or not private.may_search(p_company_id);
    v_when := private.asked_hours(p_company_id, v_last - v_hours + 1, v_last);
    for v_said in
      select said.id, said.occurred_at, read.words
      from (
        select * from public.messages as message
        where private.message_words(company_id, message.occurred_at, body) @@ (
            case when v_tree in ('', 'T') then v_when else v_tree::tsquery && v_when end
          )
          and body <> '' and deleted_at is null
          -- Said so that no other index has a part in it.
          and (company_id = p_company_id) is true
          and (message.occurred_at, message.id) < (p_before, p_before_id)
          and private.hour_of(message.occurred_at) between coalesce(v_last - v_hours + 1, 0) and v_last
        order by message.occurred_at desc, message.id desc limit case when v_is_exact then p_limit - v_found else v_budget end
      ) as said
      cross join lateral (select private.message_words(company_id, said.occurred_at, body) as words offset 0) as read
    loop
      v_budget := v_budget - 1;
      id := v_said.id;
      occurred_at := v_said.occurred_at;
      if v_is_exact or v_said.words @@ p_query then
        v_found := v_found + 1;
        rank := ts_rank(v_said.words, p_query, 1);
        return next;
        exit when v_found >= p_limit;
      end if;
    end loop;
    v_last := v_last - v_hours;
  end loop;
  if v_budget = 0 and v_found < p_limit then
    rank := null;
    return next;
  end if;
end $$;
comment on function private.find_messages is
  'The newest p_limit messages of a company that a query means, older than (p_before, p_before_id), each with its rank; the company has none after p_newest. It reads 500 messages at most, and then says with the last one, without a rank, how far it came.';

-- definer because row level security keeps text search from its index; it checks membership itself.
create function private.find_contacts(p_company_id uuid, p_query tsquery, p_after_id uuid, p_limit integer)
returns table (id uuid) language plpgsql stable security definer rows 20 set search_path = ''
set plan_cache_mode = force_custom_plan set enable_seqscan = off set enable_indexscan = off
as $$
declare
  v_after text;
begin
  if not private.may_search(p_company_id) then
    return;
  end if;
  select coalesce(private.fold(name), '') into v_after from public.contacts
  where contacts.id = p_after_id and company_id = p_company_id;
  return query
  -- Of more than 500, the others are not in sight.
  select found.id from (
    select contact.id, coalesce(private.fold(name), '') as sorted from public.contacts as contact
    where private.contact_words(company_id, name, phone) @@ p_query and (company_id = p_company_id) is true
    limit 500
  ) as found
  where p_after_id is null or (sorted, found.id) > (v_after, p_after_id)
  order by sorted, found.id limit p_limit;
end $$;
comment on function private.find_contacts is
  'The first p_limit contacts of a company that a query means, by name, behind p_after_id; of at most 500.';
grant execute on function private.find_messages, private.find_contacts to authenticated, service_role;


-- Search ------------------------------------------------------------------------------------

create function private.check_search(p_query text, p_cursor text, p_pattern text)
returns void language plpgsql immutable security invoker set search_path = '' as $$
begin
  if length(trim(coalesce(p_query, ''))) not between 1 and 200 then
    raise exception using errcode = 'PT422', message = 'invalid_query',
      detail = 'A search has 1 to 200 characters.';
  end if;
  if p_cursor !~ p_pattern then
    raise exception using errcode = 'PT422', message = 'invalid_cursor',
      detail = 'The cursor is not one that this search has given.', hint = 'Start again without cursor.';
  end if;
end $$;
comment on function private.check_search is 'Raises invalid_query, invalid_cursor.';
grant execute on function private.check_search to authenticated, service_role;

create function private.found_message(p_message public.messages, p_rank real)
returns json language sql stable security invoker set search_path = '' as $$
  select json_build_object(
    'id', (p_message).id, 'conversation_id', conversation.id, 'seq', (p_message).seq, 'type', (p_message).type,
    'direction', (p_message).direction, 'occurred_at', (p_message).occurred_at, 'body', left((p_message).body, 500),
    'title', coalesce(contact.name, conversation.title, contact.phone, conversation.address), 'rank', p_rank
  )
  from public.conversations as conversation
  left join public.contacts as contact on contact.company_id = conversation.company_id and contact.id = conversation.contact_id
  where conversation.id = (p_message).conversation_id
$$;
comment on function private.found_message is 'A message as a search shows it: at most 500 characters of it, and whose conversation it is in.';
grant execute on function private.found_message to authenticated, service_role;

create function public.search_messages(
  p_query text, p_company_id uuid default null, p_sort text default 'relevance', p_limit integer default 20, p_cursor text default null
)
returns json language plpgsql stable security invoker set search_path = '' as $$
declare
  v_company_id uuid := private.acting_company(p_company_id);
  v_limit integer := least(greatest(p_limit, 1), 100);
  v_is_ranked boolean := p_sort = 'relevance';
  v_before timestamptz := now();
  v_before_id uuid := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
  v_skip integer := 0;
  v_window integer;
  v_newest timestamptz := (
    select last_message_at from public.conversations where company_id = v_company_id order by last_message_at desc limit 1
  );
begin
  perform private.check_search(p_query, p_cursor, '^[0-9]{1,17}_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}_[0-9]{1,3}$');
  if p_cursor is not null then
    v_before := timestamptz 'epoch' + split_part(p_cursor, '_', 1)::bigint * interval '1 microsecond';
    v_before_id := split_part(p_cursor, '_', 2);
    v_skip := split_part(p_cursor, '_', 3);
  end if;
  v_window := case when v_is_ranked then 200 else v_limit + 1 end;
  return (
    with seen as materialized (
      select * from private.find_messages(v_company_id, private.asked_words(p_query), v_newest, v_before, v_before_id, v_window)
    ), found as materialized (
      select *, row_number() over (order by occurred_at desc, id desc) as age,
        row_number() over (order by case when v_is_ranked then rank end desc, occurred_at desc, id desc) as place
      from seen where rank is not null
    ), next as (
      -- The rest of these, or what is older than they are, or than what was read for them.
      select v_before as at, v_before_id as id, v_skip + v_limit as skip
      from found where v_is_ranked and place = v_skip + v_limit + 1
      union all
      select occurred_at, id, 0 from found where v_is_ranked and age = v_window and v_skip + v_limit >= v_window
      union all
      select occurred_at, id, 0 from found where not v_is_ranked and age = v_limit and exists (select from found where age > v_limit)
      union all
      select occurred_at, id, 0 from seen where rank is null and not exists (select from found where place > v_skip + v_limit)
    )
    select json_build_object(
      'data', coalesce(json_agg(private.found_message(message, found.rank) order by place), '[]'),
      'next_cursor', (select private.page_cursor(at, id::text) || '_' || skip from next)
    )
    from found join public.messages as message using (id)
    where place > v_skip and place <= v_skip + v_limit
  );
end $$;
comment on function public.search_messages is
  'Messages with these words ("in this order", or, -not), Portuguese or English, with or without accents. p_sort relevance ranks the newest 200 that match, then the 200 before them; newest is by time. A search in order or with -not reads 500 messages at most and may be short, even empty: it ends where next_cursor is null. Answers {data, next_cursor}. Raises company_required, company_not_found, invalid_query, invalid_cursor.';

create function public.search_contacts(
  p_query text, p_company_id uuid default null, p_limit integer default 20, p_cursor text default null
)
returns json language plpgsql stable security invoker set search_path = '' as $$
declare
  v_company_id uuid := private.acting_company(p_company_id);
  v_limit integer := least(greatest(p_limit, 1), 100);
begin
  perform private.check_search(p_query, p_cursor, '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$');
  return (
    with found as materialized (
      select contact.id, contact.name, contact.phone, ordinality as place
      from private.find_contacts(v_company_id, private.asked_contact(v_company_id, p_query), p_cursor::uuid, v_limit + 1)
        with ordinality
      join public.contacts as contact using (id)
    )
    select json_build_object(
      'data', coalesce(json_agg(json_build_object(
        'id', id, 'name', name, 'phone', phone, 'conversation_ids', (
          select coalesce(json_agg(conversation.id order by last_message_at desc), '[]') from public.conversations as conversation
          where company_id = v_company_id and contact_id = found.id
        )
      ) order by place) filter (where place <= v_limit), '[]'),
      'next_cursor', case when count(*) > v_limit then (select id from found where place = v_limit) end
    ) from found
  );
end $$;
comment on function public.search_contacts is
  'Contacts by name, whose words begin with these, or by four and more digits of the phone in a row; of at most 500. Answers {data, next_cursor}. Raises company_required, company_not_found, invalid_query, invalid_cursor.';
grant execute on function public.search_messages, public.search_contacts to authenticated, service_role;
