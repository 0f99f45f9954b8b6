-- Messaging, batches: stored items are applied together, and fail each alone.
--
-- New messages that follow each other are one statement: its triggers run once for all, and a list
-- is told of them once. All items of a batch are tried in one savepoint; where that fails, each by
-- itself, so that one bad item does not take the others with it.

set lock_timeout = '5s';

create function private.is_own_message(p_event jsonb)
returns boolean language sql immutable security invoker set search_path = '' as $$
  select p_event ->> 'event' = 'message'
    and (p_event ->> 'target' is null or p_event ->> 'type' not in ('reaction', 'edit', 'revoke', 'vote'))
$$;
comment on function private.is_own_message is 'Whether an event tells of a message of its own, not of a change of another.';

create function private.mark_processed(p_ids bigint[], p_items jsonb)
returns void language sql volatile security invoker set search_path = '' as $$
  update public.inbound_events as stored set
    state = 'processed', processed_at = now(), outcome = read.outcome, error = read.reasons
  from (
    select
      (item ->> 'id')::bigint as id,
      string_agg(distinct case when event ->> 'type' = 'unsupported' then 'unsupported' else event ->> 'event' end, ' ')
        as outcome,
      string_agg(event ->> 'reason', '; ' order by place) filter (where event ->> 'event' = 'unknown') as reasons
    from jsonb_array_elements(p_items) as item
    left join lateral jsonb_array_elements(item -> 'events') with ordinality as told (event, place) on true
    group by item ->> 'id'
  ) as read
  where stored.id = any (p_ids) and stored.id = read.id
$$;
comment on function private.mark_processed is
  'Notes what items turned out to be: their kinds of events, "unsupported" for messages that are not understood, and why.';

create function private.ingest_items(p_items jsonb)
returns void language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_item jsonb;
  v_stored record;
  v_instance public.instances;
  v_event jsonb;
  v_message public.messages;
  v_new public.messages[] := '{}';
  v_told jsonb := '[]';
  v_ids bigint[] := '{}';
begin
  for v_item in select item from jsonb_array_elements(p_items) as item loop
    select id, received_at, instance_id into v_stored from public.inbound_events
    where id = (v_item ->> 'id')::bigint and state = 'received' for update;
    continue when not found;
    v_ids := v_ids || v_stored.id;
    select * into v_instance from public.instances where id = v_stored.instance_id;
    continue when not found;
    perform set_config('recado.event_id', v_stored.id::text, true);
    for v_event in
      select event || jsonb_build_object('item', v_stored.id, 'place', place, 'received_at', v_stored.received_at)
      from jsonb_array_elements(v_item -> 'events') with ordinality as given (event, place) order by place
    loop
      -- New messages wait for each other, but nothing that may be about them overtakes them. The
      -- rows of 16 conversations are what a broadcast can carry.
      if cardinality(v_new) = 16 or cardinality(v_new) > 0 and (
        not private.is_own_message(v_event)
        or v_told @> jsonb_build_array(jsonb_build_object('provider_message_id', v_event -> 'provider_message_id'))
      ) then
        perform private.store_messages(v_new, v_told);
        v_new := '{}';
        v_told := '[]';
      end if;
      if private.is_own_message(v_event) then
        v_message := private.read_message(v_instance, v_event);
        if v_message.id is not null then
          v_new := v_new || v_message;
          v_told := v_told || v_event;
        end if;
      else
        perform private.ingest_event(v_instance, v_event);
      end if;
    end loop;
  end loop;
  if cardinality(v_new) > 0 then
    perform private.store_messages(v_new, v_told);
  end if;
  perform private.mark_processed(v_ids, p_items);
end $$;
comment on function private.ingest_items is
  'Applies the events of stored items [{id, events}] in order and marks them processed. The caller holds the locks of the inboxes.';

create function private.try_items(p_items jsonb)
returns text language plpgsql volatile security invoker set search_path = '' as $$
begin
  perform private.ingest_items(p_items);
  return null;
exception when others then
  return sqlstate || ': ' || sqlerrm;
end $$;
comment on function private.try_items is 'Applies all of these items and answers null, or none of them and why.';

create function private.settle_failed_item(p_id bigint, p_error text)
returns boolean language plpgsql volatile security invoker set search_path = '' as $$
begin
  -- Two that made the same thing at once (23505): the second one finds it next time. Any other
  -- value that a column or an index does not take would only keep the chat waiting.
  if left(p_error, 2) in ('22', '23', '54') and left(p_error, 5) <> '23505' then
    update public.inbound_events set state = 'failed', error = p_error, processed_at = now()
    where id = p_id;
    return false;
  end if;
  return true;
end $$;
comment on function private.settle_failed_item is
  'What becomes of an item that could not be applied; true when its job should try again.';
grant execute on function
  private.is_own_message, private.mark_processed, private.ingest_items, private.try_items, private.settle_failed_item
to service_role;

create function public.ingest_inbound(p_items jsonb)
returns json language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_item jsonb;
  v_error text;
  v_failed jsonb := '{}';
begin
  -- The inboxes of the whole batch first, in one order: see the lock order in *_realtime.sql.
  perform private.lock_inbox(company_id) from (
    select distinct company_id from public.inbound_events
    where id = any (array(select (item ->> 'id')::bigint from jsonb_array_elements(p_items) as item))
      and company_id is not null
    order by company_id
  ) as companies;
  if private.try_items(p_items) is null then
    return v_failed;
  end if;
  -- One bad item must not take the others with it: each by itself.
  for v_item in select item from jsonb_array_elements(p_items) as item loop
    v_error := private.try_items(jsonb_build_array(v_item));
    if v_error is not null and private.settle_failed_item((v_item ->> 'id')::bigint, v_error) then
      v_failed := v_failed || jsonb_build_object(v_item ->> 'id', v_error);
    end if;
  end loop;
  return v_failed;
end $$;
comment on function public.ingest_inbound is
  'Applies the events of stored items [{id, events}] in order and marks them processed, or failed when they will never work. Answers {id: error} of those to try again; the others are committed.';
grant execute on function public.ingest_inbound to service_role;
