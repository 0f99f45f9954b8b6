-- Messaging, ingest: stored items become contacts, conversations, messages, statuses and changes.
--
-- An item is applied once or any number of times, in any order, with the same result: applying it
-- again changes nothing but what was not understood before. What an item says comes as events, as
-- functions/providers/events.py has them. Items come in batches: *_messaging_batches.sql.

set lock_timeout = '5s';


create function private.told_message(p_event jsonb)
returns public.messages language plpgsql stable security invoker set search_path = '' as $$
declare
  v_message public.messages;
begin
  v_message.provider_message_id := p_event ->> 'provider_message_id';
  v_message.occurred_at := coalesce((p_event ->> 'sent_at')::timestamptz, (p_event ->> 'received_at')::timestamptz);
  v_message.type := p_event ->> 'type';
  v_message.body := left(p_event ->> 'body', 16000);
  v_message.media := private.object_or_null(p_event -> 'media');
  v_message.payload := private.object_or_null(p_event -> 'payload');
  v_message.author := private.object_or_null(p_event -> 'author');
  v_message.reply_to := p_event ->> 'reply_to';
  v_message.quoted := private.object_or_null(p_event -> 'quoted');
  v_message.target := p_event ->> 'target';
  return v_message;
end $$;
comment on function private.told_message is 'What an event says of a message, as the table has it.';

create function private.adopt_echo(p_conversation_id uuid, p_event jsonb)
returns public.messages language sql volatile security invoker set search_path = '' as $$
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
  returning *
$$;
comment on function private.adopt_echo is 'Recognises an echo as a message of ours whose send has no answer yet; null when it is none.';

create function private.reveal_message(p_known public.messages, p_event jsonb)
returns void language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_told public.messages := private.told_message(p_event);
  v_rev bigint;
begin
  if coalesce(p_known.original ->> 'type', p_known.type) <> 'unsupported' or v_told.type = 'unsupported' then
    return;
  end if;
  if p_known.direction = 'in' and jsonb_array_length(coalesce(nullif(p_event -> 'identities', 'null'), '[]')) > 0 then
    perform private.resolve_contact(
      p_known.company_id, p_event -> 'identities', p_event ->> 'name', (p_event ->> 'sent_at')::timestamptz
    );
  end if;
  perform private.lock_conversation(p_known.conversation_id, p_known.company_id);
  update public.messages set
    type = v_told.type, body = v_told.body, media = v_told.media, original = null, payload = v_told.payload,
    quoted = v_told.quoted, target = v_told.target, reply_to = v_told.reply_to,
    reply_to_id = (
      select id from public.messages as answered
      where instance_id = p_known.instance_id and provider_message_id = v_told.reply_to
        and conversation_id = p_known.conversation_id
    )
  where id = p_known.id returning rev into v_rev;
  perform private.refresh_preview(p_known, v_rev, private.message_preview(v_told.type, v_told.body));
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

create function private.read_message(p_instance public.instances, p_event jsonb)
returns public.messages language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_direct boolean := p_event ->> 'chat_kind' = 'direct';
  v_nobody boolean := v_direct and coalesce(p_event -> 'identities', '[]') = '[]';
  v_incoming boolean := p_event ->> 'direction' = 'in';
  v_message public.messages;
  v_conversation_id uuid;
begin
  select * into v_message from public.messages
  where instance_id = p_instance.id and provider_message_id = p_event ->> 'provider_message_id';
  if v_message.id is not null then
    perform private.reveal_message(v_message, p_event);
    perform private.apply_echo(v_message, p_event);
    -- Some servers tell of what their API sent as if it had been typed on the phone, too.
    update public.messages set origin = 'api_echo'
    where id = v_message.id and origin = 'phone_echo' and p_event ->> 'origin' = 'api_echo';
    return null;
  end if;
  v_conversation_id := private.resolve_conversation(
    p_instance, p_event ->> 'chat_kind', p_event ->> 'chat_address',
    case when v_direct then private.resolve_contact(
      p_instance.company_id,
      case when v_nobody then jsonb_build_array(
        jsonb_build_object('kind', 'wa_id', 'value', p_event ->> 'chat_address')
      ) else p_event -> 'identities' end,
      case when v_incoming then p_event ->> 'name' end, case when v_incoming then (p_event ->> 'sent_at')::timestamptz end
    ) end,
    case when not v_direct then private.group_title(p_instance.id, p_event ->> 'chat_address') end,
    case when v_incoming then (p_event ->> 'sent_at')::timestamptz end
  );
  perform private.lock_conversation(v_conversation_id, p_instance.company_id);
  if p_event ->> 'origin' = 'api_echo' then
    v_message := private.adopt_echo(v_conversation_id, p_event);
    if v_message.id is not null then
      perform private.apply_echo(v_message, p_event);
      perform private.apply_waiting_statuses(v_message.id);
      return null;
    end if;
  end if;
  v_message := private.told_message(p_event);
  v_message.id := gen_random_uuid();
  v_message.company_id := p_instance.company_id;
  v_message.conversation_id := v_conversation_id;
  v_message.direction := case when v_incoming then 'in' else 'out' end;
  v_message.origin := p_event ->> 'origin';
  v_message.status := case when v_incoming then 'received' else 'accepted' end;
  return v_message;
end $$;
comment on function private.read_message is
  'A new message, with its contact and conversation, for store_messages. Null of one that is known: that learns only what was not understood before. An echo of our own send completes that message.';

create function private.store_messages(p_messages public.messages[], p_events jsonb)
returns void language plpgsql volatile security invoker set search_path = '' as $$
begin
  perform set_config('recado.events_of_messages', (
    select jsonb_object_agg(p_messages[place].id, event -> 'item')
    from jsonb_array_elements(p_events) with ordinality as given (event, place)
  )::text, true);
  insert into public.messages (
    id, company_id, conversation_id, direction, origin, type, status, occurred_at, body, media, payload, author,
    reply_to, quoted, target, provider_message_id
  )
  select
    id, company_id, conversation_id, direction, origin, type, status, occurred_at, body, media, payload, author,
    reply_to, quoted, target, provider_message_id
  from unnest(p_messages) with ordinality order by ordinality;
  perform set_config('recado.events_of_messages', '', true);
  for v_place in 1 .. cardinality(p_messages) loop
    if p_messages[v_place].direction = 'out' then
      perform private.apply_echo(p_messages[v_place], p_events -> (v_place - 1));
      perform private.apply_waiting_statuses(p_messages[v_place].id);
    end if;
  end loop;
end $$;
comment on function private.store_messages is
  'Stores messages that read_message found new, with the events that told of them, in one statement: triggers run once for all, and each list is told of them once.';

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
  'Keeps a reaction, edit, revoke or vote, and shows it on its message, if that is known; otherwise it waits. It opens no conversation and tells of no contact.';

create function private.ingest_status(p_instance public.instances, p_event jsonb)
returns void language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_at timestamptz := coalesce((p_event ->> 'at')::timestamptz, (p_event ->> 'received_at')::timestamptz);
  v_client_ref uuid := case when p_event ->> 'client_ref' ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
    then (p_event ->> 'client_ref')::uuid end;
  v_message public.messages;
begin
  if jsonb_array_length(p_event -> 'identities') > 0 then
    perform private.resolve_contact(p_instance.company_id, p_event -> 'identities', null, null, 'status');
  end if;
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
    state_at = case when p_event ->> 'state' is null then state_at else coalesce(v_at, state_at) end,
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
    when 'message' then perform private.ingest_change(p_instance, p_event);
    when 'status' then perform private.ingest_status(p_instance, p_event);
    when 'instance' then perform private.ingest_instance(p_instance, p_event);
    when 'contact' then
      if jsonb_array_length(p_event -> 'identities') > 0 then
        perform private.resolve_contact(
          -- Over a message of the same second, which may be the one that tells of it.
          p_instance.company_id, p_event -> 'identities', p_event ->> 'name',
          (p_event ->> 'at')::timestamptz + interval '1 millisecond', p_event ->> 'evidence'
        );
      end if;
      if p_event ->> 'evidence' is not null then
        perform private.keep_provider_event(p_instance, p_event);
      end if;
    when 'preference', 'template', 'limit', 'call' then perform private.keep_provider_event(p_instance, p_event);
    when 'group' then
      perform private.keep_provider_event(p_instance, p_event);
      update public.conversations set title = private.group_title(p_instance.id, address)
      where instance_id = p_instance.id and address = p_event ->> 'group' and kind <> 'direct'
        and title is distinct from private.group_title(p_instance.id, address);
    else null;  -- notices and unknown items stay readable in inbound_events
  end case;
end $$;
comment on function private.ingest_event is
  'Any event but a message of its own, applied once or any number of times with the same result.';
grant execute on function
  private.told_message, private.adopt_echo, private.reveal_message, private.apply_echo, private.read_message,
  private.store_messages, private.settle_own_change, private.ingest_change, private.ingest_status,
  private.ingest_instance, private.ingest_event
to service_role;
