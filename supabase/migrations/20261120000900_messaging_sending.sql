-- Messaging, sending: "send this" becomes a message and its job, once per id.
--
-- A message row with status queued is the wish to send; a trigger adds its job in the same
-- transaction. What the job does: *_messaging_attempts.sql and *_messaging_outcomes.sql.

set lock_timeout = '5s';

-- Not replayable: its message has ended with it, and nobody sends the same message twice.
insert into public.job_types (type, queue, priority, max_attempts, replayable)
values ('messages.send', 'outbound', 5, 5, false);

-- definer because a sender may not write jobs.
create function private.messages_enqueue_send()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
begin
  perform public.enqueue_jobs(jsonb_agg(jsonb_build_object(
    'type', 'messages.send', 'company_id', company_id,
    'data', jsonb_build_object('message_id', id),
    'unique_key', 'send:' || id, 'order_key', conversation_id, 'limit_key', 'number:' || instance_id
  ) order by seq))
  from added where direction = 'out' and status = 'queued'
  having count(*) > 0;
  return null;
end $$;
comment on function private.messages_enqueue_send is 'A queued message and its job are one transaction. A conversation sends in the order of birth, a number at its pace.';
create trigger messages_enqueue_send after insert on public.messages
  referencing new table as added for each statement execute function private.messages_enqueue_send();


-- Send --------------------------------------------------------------------------------------

-- definer because an agent may open a conversation but not write contacts; it checks membership itself.
create function private.open_conversation(p_instance_id uuid, p_to text, p_company_id uuid)
returns uuid language plpgsql volatile security definer set search_path = '' as $$
declare
  v_instance public.instances;
begin
  if coalesce((select auth.role()), 'service_role') <> 'service_role'
     and p_company_id not in (select private.my_company_ids('agent')) then
    raise exception using errcode = 'PT403', message = 'role_required', detail = 'This needs the role agent.';
  end if;
  select * into v_instance from public.instances where id = p_instance_id and company_id = p_company_id;
  if v_instance.id is null then
    raise exception using errcode = 'PT404', message = 'instance_not_found',
      detail = 'There is no such number in this company.';
  end if;
  if p_to !~ '^\+[1-9][0-9]{5,17}$' then
    raise exception using errcode = 'PT422', message = 'invalid_phone',
      detail = 'to must be a phone number in E.164 form.', hint = 'For example +5511987654321.';
  end if;
  perform private.lock_inbox(p_company_id);
  return private.resolve_conversation(v_instance, 'direct', ltrim(p_to, '+'), private.resolve_contact(
    p_company_id, jsonb_build_array(jsonb_build_object('kind', 'phone', 'value', coalesce(private.canonical_phone(p_to), p_to))), null
  ), null);
end $$;
comment on function private.open_conversation is
  'The conversation of a number with a phone, made when there is none. Raises role_required, instance_not_found, invalid_phone.';
grant execute on function private.open_conversation to authenticated, service_role;

create function public.send_message(
  p_id uuid, p_type text default 'text', p_body text default null, p_conversation_id uuid default null,
  p_instance_id uuid default null, p_to text default null, p_company_id uuid default null,
  p_media jsonb default null, p_payload jsonb default null, p_reply_to text default null, p_target text default null,
  p_purpose text default 'service'
)
returns json language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_company_id uuid := private.acting_company(p_company_id, 'agent');
  v_message public.messages;
begin
  if p_conversation_id is null then
    p_conversation_id := private.open_conversation(p_instance_id, p_to, v_company_id);
  elsif not exists (select from public.conversations where id = p_conversation_id and company_id = v_company_id) then
    raise exception using errcode = 'PT404', message = 'conversation_not_found',
      detail = 'There is no such conversation in this company.';
  end if;
  p_conversation_id := private.surviving_conversation(p_conversation_id);
  if private.window_is_closed(p_conversation_id, p_type)
     and not exists (select from public.messages where id = p_id and company_id = v_company_id) then
    raise exception using errcode = 'PT422', message = 'window_closed',
      detail = 'Over 24 hours since the contact last wrote: WhatsApp takes only an approved template.',
      hint = 'Send type template, or wait until the contact writes.';
  end if;
  begin
    insert into public.messages (id, company_id, conversation_id, purpose, type, body, media, payload, reply_to, target)
    values (p_id, v_company_id, p_conversation_id, p_purpose, p_type, p_body, p_media, p_payload, p_reply_to, p_target);
  exception when unique_violation then
    null;  -- sent before under this id: the answer is the message as it is now
  end;
  select * into v_message from public.messages where id = p_id and company_id = v_company_id;
  if v_message.id is null or (
    v_message.conversation_id, v_message.type,
    -- Edited since, it is still the message that was sent.
    case when v_message.original is null then v_message.body else v_message.original ->> 'body' end,
    v_message.media, v_message.payload, v_message.reply_to, v_message.target, v_message.purpose
  ) is distinct from (p_conversation_id, p_type, p_body, p_media, p_payload, p_reply_to, p_target, p_purpose) then
    raise exception using errcode = 'PT409', message = 'message_id_reused',
      detail = 'Another message has this id already.', hint = 'Use a new uuid for a new message; repeat an id only to repeat the same call.';
  end if;
  return to_json(v_message);
end $$;
comment on function public.send_message is
  'Queues a message to a conversation, or to a phone through a number, under an id that the caller chose; the same call twice sends once. Raises company_required, conversation_not_found, instance_not_found, invalid_phone, window_closed, message_id_reused.';
grant execute on function public.send_message to authenticated, service_role;
