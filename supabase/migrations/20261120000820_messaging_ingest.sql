-- Messaging, ingest: stored items become contacts, conversations, messages, statuses and changes.
--
-- An item is applied once or any number of times, in any order, with the same result: applying it
-- again changes nothing but what was not understood before. What an item says comes as events, as
-- functions/providers/events.py has them.

set lock_timeout = '5s';


create function private.adopt_echo(p_conversation_id uuid, p_event jsonb)
returns uuid language sql volatile security invoker set search_path = '' as $$
  -- A send of ours whose answer is still out, or got lost, comes back as an echo of the same
  -- text. One conversation sends one message at a time: the one being sent is meant, or else the
  -- oldest whose answer got lost.
  update public.messages set provider_message_id = p_event ->> 'provider_message_id'
  where id = (
    select id from public.messages
    where conversation_id = p_conversation_id and direction = 'out' and provider_message_id is null
      and status in ('sending', 'unknown')
      and type = p_event ->> 'type' and body is not distinct from p_event ->> 'body'
    order by status = 'unknown', seq limit 1
  )
  returning id
$$;
comment on function private.adopt_echo is 'Recognises an echo as a message of ours whose send has no answer yet; null when it is none.';

create function private.reveal_message(p_known public.messages, p_event jsonb)
returns void language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_rev bigint;
begin
  if coalesce(p_known.original ->> 'type', p_known.type) <> 'unsupported' or p_event ->> 'type' = 'unsupported' then
    return;
  end if;
  if p_known.direction = 'in' and jsonb_array_length(coalesce(nullif(p_event -> 'identities', 'null'), '[]')) > 0 then
    perform private.resolve_contact(
      p_known.company_id, p_event -> 'identities', p_event ->> 'name', (p_event ->> 'sent_at')::timestamptz
    );
  end if;
  perform private.lock_conversation(p_known.conversation_id, p_known.company_id);
  update public.messages set
    type = p_event ->> 'type', body = left(p_event ->> 'body', 16000), media = private.object_or_null(p_event -> 'media'),
    original = null, payload = private.object_or_null(p_event -> 'payload'),
    quoted = private.object_or_null(p_event -> 'quoted'), target = p_event ->> 'target', reply_to = p_event ->> 'reply_to',
    reply_to_id = (
      select id from public.messages as answered
      where instance_id = p_known.instance_id and provider_message_id = p_event ->> 'reply_to'
        and conversation_id = p_known.conversation_id
    )
  where id = p_known.id returning rev into v_rev;
  perform private.refresh_preview(p_known, v_rev, private.message_preview(p_event ->> 'type', p_event ->> 'body'));
  perform private.apply_changes(p_known.id);
end $$;
comment on function private.reveal_message is
  'Fills in a message that was not understood when it came: it could not be decrypted and comes again, or it is read anew. Changes no other.';

create function private.apply_echo(p_message public.messages, p_event jsonb)
returns void language plpgsql volatile security invoker set search_path = '' as $$
begin
  if p_message.direction = 'out' then
    perform private.lock_conversation(p_message.conversation_id, p_message.company_id);
    perform private.apply_status(
      p_message.id, coalesce(p_event ->> 'status', 'accepted'),
      coalesce((p_event ->> 'sent_at')::timestamptz, (p_event ->> 'received_at')::timestamptz)
    );
  end if;
end $$;
comment on function private.apply_echo is
  'An echo tells that the provider has the message, and sometimes more: its status, by the time that it carries.';

create function private.ingest_message(p_instance public.instances, p_event jsonb)
returns void language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_direct boolean := p_event ->> 'chat_kind' = 'direct';
  v_nobody boolean := v_direct and coalesce(p_event -> 'identities', '[]') = '[]';
  v_incoming boolean := p_event ->> 'direction' = 'in';
  v_origin text := p_event ->> 'origin';
  v_known public.messages;
  v_conversation_id uuid;
  v_message_id uuid;
begin
  select * into v_known from public.messages
  where instance_id = p_instance.id and provider_message_id = p_event ->> 'provider_message_id';
  if v_known.id is not null then
    perform private.reveal_message(v_known, p_event);
    perform private.apply_echo(v_known, p_event);
    return;
  end if;
  v_conversation_id := private.resolve_conversation(
    p_instance, p_event ->> 'chat_kind', p_event ->> 'chat_address',
    case when v_direct then private.resolve_contact(
      p_instance.company_id,
      case when v_nobody then jsonb_build_array(
        jsonb_build_object('kind', 'wa_id', 'value', p_event ->> 'chat_address')
      ) else p_event -> 'identities' end,
      case when v_incoming then p_event ->> 'name' end, (p_event ->> 'sent_at')::timestamptz
    ) end,
    case when not v_direct then p_event ->> 'name' end
  );
  perform private.lock_conversation(v_conversation_id, p_instance.company_id);
  if v_origin = 'api_echo' then
    v_message_id := private.adopt_echo(v_conversation_id, p_event);
  end if;
  if v_message_id is null then
    insert into public.messages (
      company_id, conversation_id, direction, origin, type, status, occurred_at, body, media, payload, author,
      reply_to, quoted, target, provider_message_id
    ) values (
      p_instance.company_id, v_conversation_id, case when v_incoming then 'in' else 'out' end, v_origin,
      p_event ->> 'type', case when v_incoming then 'received' else 'accepted' end,
      coalesce((p_event ->> 'sent_at')::timestamptz, (p_event ->> 'received_at')::timestamptz), left(p_event ->> 'body', 16000),
      private.object_or_null(p_event -> 'media'), private.object_or_null(p_event -> 'payload'),
      private.object_or_null(p_event -> 'author'),
      p_event ->> 'reply_to', private.object_or_null(p_event -> 'quoted'), p_event ->> 'target',
      p_event ->> 'provider_message_id'
    ) returning id into v_message_id;
  end if;
  select * into v_known from public.messages where id = v_message_id;
  perform private.apply_echo(v_known, p_event);
  perform private.apply_waiting_statuses(v_message_id);
end $$;
comment on function private.ingest_message is
  'Stores a message that a provider told of, with its contact and conversation; a second time changes nothing but a message that was not understood before. An echo of our own send completes that message.';

create function private.settle_own_change(p_instance public.instances, p_event jsonb)
returns void language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_message public.messages;
begin
  select * into v_message from public.messages
  where instance_id = p_instance.id and direction = 'out' and (
    provider_message_id = p_event ->> 'provider_message_id'
    or p_event ->> 'origin' = 'api_echo' and provider_message_id is null and status in ('sending', 'unknown')
      and target = p_event ->> 'target' and type = p_event ->> 'type'
      and coalesce(body, '') = coalesce(p_event ->> 'body', '')
  )
  order by provider_message_id nulls last, status = 'unknown', seq limit 1;
  if v_message.id is not null then
    perform private.apply_echo(v_message, p_event);
  end if;
  if v_message.type = 'reaction' then
    -- Only a reaction is a message under the id of its echo; reports come under it.
    perform private.apply_status(
      v_message.id, 'accepted', (p_event ->> 'received_at')::timestamptz, null, p_event ->> 'provider_message_id'
    );
  end if;
end $$;
comment on function private.settle_own_change is
  'A change that we sent comes back as an echo: the provider has it. It is known by its id or, while the answer is out, by what it does.';

create function private.ingest_change(p_instance public.instances, p_event jsonb)
returns void language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_arrived timestamptz := (p_event ->> 'received_at')::timestamptz;
  v_sent_at timestamptz := (p_event ->> 'sent_at')::timestamptz;
  v_change public.message_changes;
begin
  v_change.instance_id := p_instance.id;
  v_change.target := p_event ->> 'target';
  v_change.change_id := p_event ->> 'provider_message_id';
  v_change.company_id := p_instance.company_id;
  v_change.type := p_event ->> 'type';
  v_change.actor := p_event ->> 'actor';
  v_change.body := left(p_event ->> 'body', 16000);
  v_change.media := private.object_or_null(p_event -> 'media');
  v_change.payload := p_event -> 'payload';
  -- A reaction without a time happened when it came.
  v_change.sent_at := case when v_change.type = 'reaction' then coalesce(v_sent_at, v_arrived) else v_sent_at end;
  v_change.received_at := v_arrived;
  perform private.settle_own_change(p_instance, p_event);
  perform private.keep_change(v_change);
  perform private.apply_changes_to(p_instance.id, v_change.target);
end $$;
comment on function private.ingest_change is
  'Keeps a reaction, edit or revoke, and shows it on its message, if that is known; otherwise it waits. It opens no conversation and tells of no contact.';

create function private.ingest_status(p_instance public.instances, p_event jsonb)
returns void language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_at timestamptz := coalesce((p_event ->> 'at')::timestamptz, (p_event ->> 'received_at')::timestamptz);
  v_client_ref uuid := case when p_event ->> 'client_ref' ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
    then (p_event ->> 'client_ref')::uuid end;
  v_message public.messages;
begin
  insert into public.message_status_events
    (instance_id, provider_message_id, status, company_id, occurred_at, client_ref, error)
  values (
    p_instance.id, p_event ->> 'provider_message_id', p_event ->> 'status', p_instance.company_id, v_at,
    v_client_ref, private.object_or_null(p_event -> 'error')
  ) on conflict (instance_id, provider_message_id, status) do update set
    occurred_at = least(message_status_events.occurred_at, excluded.occurred_at),
    -- Of two reasons that of the earlier report, beside what was noted on it here.
    error = case when excluded.occurred_at < message_status_events.occurred_at or message_status_events.error is null
      then coalesce(message_status_events.error || excluded.error, excluded.error, message_status_events.error)
      else message_status_events.error end;

  select * into v_message from public.messages
  where instance_id = p_instance.id and provider_message_id = p_event ->> 'provider_message_id';
  if v_message.id is null and v_client_ref is not null then
    -- The answer to the send was lost or is still under way: our own id in the report tells.
    select * into v_message from public.messages
    where id = v_client_ref and instance_id = p_instance.id and provider_message_id is null;
  end if;
  if v_message.id is not null then
    perform private.lock_conversation(v_message.conversation_id, v_message.company_id);
    perform private.apply_status(
      v_message.id, p_event ->> 'status', v_at, private.object_or_null(p_event -> 'error'),
      p_event ->> 'provider_message_id'
    );
  end if;
end $$;
comment on function private.ingest_status is
  'Keeps a status report and moves its message, if that is known; otherwise the report waits for it.';

create function private.ingest_instance(p_instance public.instances, p_event jsonb)
returns void language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_at timestamptz := (p_event ->> 'at')::timestamptz;
begin
  update public.instances set
    state = coalesce(p_event ->> 'state', state),
    state_reason = case when p_event ->> 'state' is null then state_reason else p_event ->> 'reason' end,
    state_at = coalesce(v_at, state_at),
    number = coalesce(p_event ->> 'number', number)
  where (
    id = p_instance.id
    -- A ban or a deletion of a business account is one of all its numbers.
    or waba_id = p_instance.waba_id and endpoint_id = p_instance.endpoint_id and company_id = p_instance.company_id
  ) and (v_at is null or state_at is null or v_at >= state_at);
  update private.instance_secrets set
    qr_code = p_event ->> 'qr', pairing_code = p_event ->> 'pairing_code', qr_at = now()
  where instance_id = p_instance.id and coalesce(p_event ->> 'qr', p_event ->> 'pairing_code') is not null;
end $$;
comment on function private.ingest_instance is 'Takes over what a provider says of the connection of a number.';

create function private.ingest_event(p_instance public.instances, p_event jsonb)
returns void language plpgsql volatile security invoker set search_path = '' as $$
begin
  case p_event ->> 'event'
    when 'message' then
      if p_event ->> 'type' in ('reaction', 'edit', 'revoke') and p_event ->> 'target' is not null then
        perform private.ingest_change(p_instance, p_event);
      else
        perform private.ingest_message(p_instance, p_event);
      end if;
    when 'status' then perform private.ingest_status(p_instance, p_event);
    when 'instance' then perform private.ingest_instance(p_instance, p_event);
    when 'contact' then
      if jsonb_array_length(p_event -> 'identities') > 0 then
        perform private.resolve_contact(
          p_instance.company_id, p_event -> 'identities', p_event ->> 'name', null, p_event ->> 'evidence'
        );
      end if;
      if p_event ->> 'evidence' is not null then
        perform private.keep_provider_event(p_instance, p_event);
      end if;
    when 'preference', 'template', 'limit', 'group', 'call' then perform private.keep_provider_event(p_instance, p_event);
    else null;  -- notices and unknown items stay readable in inbound_events
  end case;
end $$;
comment on function private.ingest_event is 'One event of a provider, applied once or any number of times with the same result.';
grant execute on function
  private.adopt_echo, private.reveal_message, private.apply_echo, private.ingest_message, private.settle_own_change,
  private.ingest_change, private.ingest_status, private.ingest_instance, private.ingest_event
to service_role;

create function private.settle_failed_item(p_item public.inbound_events, p_sqlstate text, p_error text)
returns boolean language plpgsql volatile security invoker set search_path = '' as $$
begin
  -- Two that made the same thing at once (23505): the second one finds it next time. Any other
  -- value that a column or an index does not take would only keep the chat waiting.
  if left(p_sqlstate, 2) in ('22', '23', '54') and p_sqlstate <> '23505' then
    update public.inbound_events set state = 'failed', error = p_error, processed_at = now()
    where id = p_item.id;
    return false;
  end if;
  return true;
end $$;
comment on function private.settle_failed_item is
  'What becomes of an item that could not be applied; true when its job should try again.';
create function private.outcome_of(p_events jsonb)
returns text language sql immutable security invoker set search_path = '' as $$
  select string_agg(distinct case when event ->> 'type' = 'unsupported' then 'unsupported' else event ->> 'event' end, ' ')
  from jsonb_array_elements(p_events) as event
$$;
comment on function private.outcome_of is 'What an item turned out to be: its kinds of events, "unsupported" for messages that are not understood.';
grant execute on function private.settle_failed_item, private.outcome_of to service_role;

create function public.ingest_inbound(p_items jsonb)
returns json language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_item jsonb;
  v_stored public.inbound_events;
  v_failed jsonb := '{}';
begin
  -- The inboxes of the whole batch first, in one order: see the lock order in *_realtime.sql.
  perform private.lock_inbox(company_id) from (
    select distinct company_id from public.inbound_events
    where id in (select (item ->> 'id')::bigint from jsonb_array_elements(p_items) as item)
      and company_id is not null
    order by company_id
  ) as companies;
  for v_item in select item from jsonb_array_elements(p_items) as item loop
    select * into v_stored from public.inbound_events where id = (v_item ->> 'id')::bigint for update;
    continue when v_stored.id is null or v_stored.state <> 'received';
    perform set_config('recado.event_id', v_stored.id::text, true);
    begin
      perform private.ingest_event(instance, event || jsonb_build_object(
        'item', v_stored.id, 'place', place, 'received_at', v_stored.received_at
      ))
      from public.instances as instance, jsonb_array_elements(v_item -> 'events') with ordinality as given (event, place)
      where instance.id = v_stored.instance_id;
      update public.inbound_events set
        state = 'processed', processed_at = now(), outcome = private.outcome_of(v_item -> 'events'),
        error = (select string_agg(event ->> 'reason', '; ') from jsonb_array_elements(v_item -> 'events') as event
          where event ->> 'event' = 'unknown')
      where id = v_stored.id;
    exception when others then
      -- One bad item must not take the others with it.
      if private.settle_failed_item(v_stored, sqlstate, sqlstate || ': ' || sqlerrm) then
        v_failed := v_failed || jsonb_build_object(v_stored.id::text, sqlstate || ': ' || sqlerrm);
      end if;
    end;
  end loop;
  return v_failed;
end $$;
comment on function public.ingest_inbound is
  'Applies the events of stored items [{id, events}] in order and marks them processed, or failed when they will never work. Answers {id: error} of those to try again; the others are committed.';
grant execute on function public.ingest_inbound to service_role;
