-- Messaging, sending: from "send this" to the provider's answer, without ever sending twice.
--
-- A message row with status queued is the wish to send; a trigger adds its job in the same
-- transaction. An attempt is written before the provider is called:
--
--   (open) -> accepted     the provider has it
--   (open) -> retryable    it was not sent; the job tries again
--   (open) -> paused       it was not sent; what its reaction names rests (*_messaging_reactions.sql)
--   (open) -> permanent    it was not sent and never will be
--   (open) -> unknown      it may have been sent; also an attempt that somebody left open
--
-- After `unknown` nothing is sent again. A status report, an echo, a look at the provider or a
-- person resolves it (*_messaging_reconcile.sql).
--
-- A later room forbids a send by a trigger before insert on send_attempts that raises PT409 with its
-- code: the message fails with that, and nobody is called.

set lock_timeout = '5s';

create table public.send_attempts (
  message_id uuid not null references public.messages (id) on delete cascade,
  attempt integer not null,
  company_id uuid not null references public.companies (id) on delete cascade,
  -- The claim that made it: only the same claim may still call the provider for it.
  job_id bigint not null,
  claim integer not null,
  started_at timestamptz not null default now(),
  finished_at timestamptz,
  outcome text,
  http_status integer,
  code text,
  error text,
  error_class text,
  primary key (message_id, attempt),
  constraint an_outcome_is_known check (outcome in ('accepted', 'retryable', 'paused', 'permanent', 'unknown')),
  constraint a_finished_attempt_has_an_outcome check ((outcome is null) = (finished_at is null))
);
comment on table public.send_attempts is 'Calls to a provider, written before they are made. open -> accepted | retryable | paused | permanent | unknown.';
create index send_attempts_by_company on public.send_attempts (company_id);

alter table public.send_attempts enable row level security;
create policy "members read the attempts" on public.send_attempts for select to authenticated
  using (company_id in (select private.my_company_ids()));
grant select on public.send_attempts to authenticated;
grant select, insert, update, delete on public.send_attempts to service_role;

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
    v_message.conversation_id, v_message.type, v_message.body, v_message.media, v_message.payload,
    v_message.reply_to, v_message.target, v_message.purpose
  ) is distinct from (p_conversation_id, p_type, p_body, p_media, p_payload, p_reply_to, p_target, p_purpose) then
    raise exception using errcode = 'PT409', message = 'message_id_reused',
      detail = 'Another message has this id already.', hint = 'Use a new uuid for a new message; repeat an id only to repeat the same call.';
  end if;
  return to_json(v_message);
end $$;
comment on function public.send_message is
  'Queues a message to a conversation, or to a phone through a number, under an id that the caller chose; the same call twice sends once. Raises company_required, conversation_not_found, instance_not_found, invalid_phone, window_closed, message_id_reused.';
grant execute on function public.send_message to authenticated, service_role;

create function private.send_order(p_message public.messages, p_attempt integer)
returns json language sql stable security invoker set search_path = '' as $$
  select json_build_object(
    'action', 'send', 'attempt', p_attempt,
    'instance', json_build_object(
      'id', instance.id, 'provider', instance.provider, 'base_url', instance.base_url,
      'external_id', instance.external_id, 'credentials', secret.credentials
    ),
    'message', json_build_object(
      'id', (p_message).id, 'to', conversation.address, 'type', (p_message).type, 'body', (p_message).body,
      'media', (p_message).media,
      'template', (p_message).payload -> 'template',
      'content', case when (p_message).type in ('location', 'contacts', 'interactive', 'poll') then (p_message).payload end,
      'reply_to', (p_message).reply_to,
      -- A reaction has to say whose message it is on.
      'target', (p_message).target, 'target_ours', coalesce(target.direction = 'out', false),
      'target_author', target.author ->> 'id'
    )
  )
  from public.conversations as conversation
  left join public.messages as target
    on target.instance_id = conversation.instance_id and target.provider_message_id = (p_message).target
  join public.instances as instance on instance.id = conversation.instance_id
  join private.instance_secrets as secret on secret.instance_id = instance.id
  where conversation.id = (p_message).conversation_id
$$;
comment on function private.send_order is 'All that a handler needs to call the provider.';
grant execute on function private.send_order to service_role;

create function private.lock_message(p_message_id uuid)
returns public.messages language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_message public.messages;
begin
  perform private.lock_conversation(conversation_id, company_id) from public.messages where id = p_message_id;
  select * into v_message from public.messages where id = p_message_id for update;
  return v_message;
end $$;
comment on function private.lock_message is 'A message under lock, its conversation locked before it.';
grant execute on function private.lock_message to service_role;

create function private.abandon_attempt(p_message_id uuid, p_job_id bigint, p_claim integer)
returns boolean language plpgsql volatile security invoker set search_path = '' as $$
begin
  update public.send_attempts set outcome = 'unknown', finished_at = now(), error = 'the worker died during the call'
  where message_id = p_message_id and outcome is null and (job_id, claim) is distinct from (p_job_id, p_claim);
  return found;
end $$;
comment on function private.abandon_attempt is
  'Ends an attempt that another claim left open. It may have reached the provider, so it is unknown; true when there was one.';
grant execute on function private.abandon_attempt to service_role;

create function private.make_attempt(p_message public.messages, p_job_id bigint, p_claim integer)
returns integer language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_attempt integer;
  v_detail text;
begin
  insert into public.send_attempts (message_id, attempt, company_id, job_id, claim)
  select (p_message).id, count(*) + 1, (p_message).company_id, p_job_id, p_claim
  from public.send_attempts where message_id = (p_message).id
  returning attempt into v_attempt;
  perform private.apply_status((p_message).id, 'sending', now());
  return v_attempt;
exception when sqlstate 'PT409' then
  get stacked diagnostics v_detail = pg_exception_detail;
  perform private.apply_status(
    (p_message).id, 'failed', now(), jsonb_build_object('code', sqlerrm, 'details', v_detail)
  );
  return null;
end $$;
comment on function private.make_attempt is
  'Writes the attempt that comes before a call; null where a later room forbids it: then the message has failed.';
grant execute on function private.make_attempt to service_role;

create function private.hold_back(p_message public.messages)
returns json language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_until timestamptz;
  v_reason text;
begin
  select cooldown_until, cooldown_reason into v_until, v_reason from public.instances
  where id = p_message.instance_id and cooldown_until > now();
  if v_until is null and private.window_is_closed(p_message.conversation_id, p_message.type) then
    perform private.apply_status(p_message.id, 'failed', now(), jsonb_build_object(
      'code', 'window_closed',
      'details', 'Over 24 hours since the contact last wrote: only an approved template may be sent.'
    ));
    return json_build_object('action', 'done', 'status', 'failed');
  end if;
  if v_until is null then
    select turn.until, turn.reason into v_until, v_reason from private.take_turn(p_message) as turn;
  end if;
  -- A pause of the whole number keeps its jobs from being claimed, and ends when somebody ends it:
  -- who came in between looks again after minutes.
  return case when v_until is not null then json_build_object(
    'action', 'wait', 'reason', v_reason,
    'seconds', extract(epoch from least(
      v_until, now() + case when v_reason in ('gap', 'quiet_hours', 'daily_cap') then interval '1 day' else interval '5 minutes' end
    ) - now())
  ) end;
end $$;
comment on function private.hold_back is
  'What keeps a message from being sent now: {action: wait, seconds, reason}, or {action: done} where it has failed; null: nothing.';
grant execute on function private.hold_back to service_role;

create function public.begin_send(p_message_id uuid, p_job_id bigint, p_claim integer)
returns json language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_message public.messages := private.lock_message(p_message_id);
  v_abandoned boolean := private.abandon_attempt(p_message_id, p_job_id, p_claim);
  v_attempt integer;
  v_held json;
begin
  if v_message.id is null or v_message.status not in ('queued', 'sending') then
    return json_build_object('action', 'done', 'status', v_message.status);
  end if;
  if v_abandoned then
    perform private.apply_status(p_message_id, 'unknown', now());
    return json_build_object('action', 'done', 'status', 'unknown');
  end if;
  select attempt into v_attempt from public.send_attempts where message_id = p_message_id and outcome is null;
  if v_attempt is null then
    v_held := private.hold_back(v_message);
    if v_held is not null then
      return v_held;
    end if;
    v_attempt := private.make_attempt(v_message, p_job_id, p_claim);
    if v_attempt is null then
      return json_build_object('action', 'done', 'status', 'failed');
    end if;
  end if;
  return private.send_order(v_message, v_attempt);
end $$;
comment on function public.begin_send is
  'Writes the attempt and answers what to call: {action: send, attempt, instance, message}. Or {action: wait, seconds, reason} while it has to wait, or {action: done} when there is nothing left to do: sent, failed, or possibly sent by a worker that died. The same claim gets the same answer twice.';
grant execute on function public.begin_send to service_role;

create function private.retire_echo(p_message public.messages, p_provider_message_id text)
returns void language sql volatile security invoker set search_path = '' as $$
  -- The echo can be faster than the answer. What it left is a stranger's row for our message:
  -- it becomes a tombstone and gives the provider id back. A message of ours with the same text
  -- that was taken for it is as unknown again as it was.
  update public.messages set
    provider_message_id = null,
    deleted_at = case when origin in ('api_echo', 'phone_echo') then now() else deleted_at end,
    status = case when origin in ('api_echo', 'phone_echo') then status else 'unknown' end
  where instance_id = (p_message).instance_id and provider_message_id = p_provider_message_id
    and id <> (p_message).id and direction = 'out'
$$;
comment on function private.retire_echo is 'Takes back what an echo did before the answer told which message is meant.';
grant execute on function private.retire_echo to service_role;

create function private.learn_recipient(p_message public.messages, p_identities jsonb)
returns void language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_wa_id text := (
    select given ->> 'value' from jsonb_array_elements(coalesce(p_identities, '[]')) as given
    where given ->> 'kind' = 'wa_id' limit 1
  );
begin
  -- An id that leads to somebody else already stays there.
  insert into public.contact_identities (company_id, kind, value, contact_id)
  select conversation.company_id, given ->> 'kind', given ->> 'value', conversation.contact_id
  from public.conversations as conversation, jsonb_array_elements(coalesce(p_identities, '[]')) as given
  where conversation.id = (p_message).conversation_id and conversation.contact_id is not null
    and length(given ->> 'value') between 1 and 200
  on conflict do nothing;
  -- The next message goes to the form of the phone under which this one arrived.
  update public.conversations set address = v_wa_id
  where id = (p_message).conversation_id and kind = 'direct' and address ~ '^[0-9]+$' and address <> v_wa_id;
end $$;
comment on function private.learn_recipient is
  'The provider told by which ids it knows whom we wrote to. The caller holds the lock of the inbox.';

create function private.settle_attempt(
  p_message public.messages, p_outcome text, p_is_last boolean, p_provider_message_id text, p_failure jsonb
)
returns void language plpgsql volatile security invoker set search_path = '' as $$
begin
  if p_outcome = 'accepted' then
    perform private.retire_echo(p_message, p_provider_message_id);
    perform private.apply_status(p_message.id, 'accepted', now(), null, p_provider_message_id);
    perform private.apply_waiting_statuses(p_message.id);
    perform private.forgive(p_message, '{pair_rate}');
  elsif p_outcome = 'unknown' then
    perform private.apply_status(p_message.id, 'unknown', now(), p_failure);
  elsif p_outcome = 'permanent' or (p_outcome = 'retryable' and p_is_last) or p_message.status = 'unknown' then
    -- Of an unknown message this is the late word of a worker that was taken for dead: nothing was
    -- sent, and nobody will try again.
    perform private.apply_status(p_message.id, 'failed', now(), p_failure);
  end if;
end $$;
comment on function private.settle_attempt is 'Moves a message as the outcome of its attempt says.';
grant execute on function private.learn_recipient, private.settle_attempt to service_role;

create function public.record_send_result(
  p_message_id uuid, p_attempt integer, p_outcome text, p_last boolean default false,
  p_provider_message_id text default null, p_http_status integer default null,
  p_code text default null, p_error text default null, p_retry_after_seconds double precision default null,
  p_error_class text default null, p_reaction jsonb default null, p_identities jsonb default null
)
returns json language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_message public.messages;
  v_until timestamptz;
  v_tries integer;
begin
  if p_outcome = 'accepted' then
    -- Echoes and reports are ingested under this lock: one that does not find the provider id yet
    -- is found here, and one that comes later finds it. First, as everywhere.
    perform private.lock_inbox(company_id) from public.messages where id = p_message_id;
  end if;
  v_message := private.lock_message(p_message_id);
  update public.send_attempts set
    outcome = p_outcome, finished_at = now(), http_status = p_http_status, code = p_code, error = left(p_error, 2000),
    error_class = p_error_class
  where message_id = p_message_id and attempt = p_attempt and (outcome is null or outcome = 'unknown');
  if found then
    select count(*) into v_tries from public.send_attempts where message_id = p_message_id and outcome = 'retryable';
    perform private.settle_attempt(
      v_message, p_outcome, p_last or v_tries >= (p_reaction ->> 'tries')::integer, p_provider_message_id,
      jsonb_build_object('code', p_code, 'details', p_error)
    );
    if p_outcome = 'accepted' then
      perform private.learn_recipient(v_message, p_identities);
    end if;
    v_until := private.react(v_message, p_error_class, p_reaction, p_code, p_retry_after_seconds);
  end if;
  return json_build_object(
    'status', (select status from public.messages where id = p_message_id),
    -- While the number rests its jobs are not claimed, so the message is ready when that ends.
    'wait_seconds', case
      when p_reaction ->> 'action' in ('pause_contact', 'pause_campaigns')
        then extract(epoch from coalesce(v_until, now() + interval '1 minute') - now())
      else 1
    end
  );
end $$;
comment on function public.record_send_result is
  'Ends an attempt, moves its message accordingly and does what the reaction to a failure says; a repeat changes nothing. p_last: the job has no attempt left, so retryable is failed. Answers {status, wait_seconds}: how long this message rests.';
grant execute on function public.record_send_result to service_role;

-- definer because the queue's functions run as whoever calls them.
create function private.jobs_give_up_sending()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
declare
  v_message public.messages := private.lock_message((new.data ->> 'message_id')::uuid);
  v_abandoned boolean := private.abandon_attempt(v_message.id, null, null);
begin
  if v_message.status in ('queued', 'sending') then
    perform private.apply_status(
      v_message.id, case when v_abandoned then 'unknown' else 'failed' end, now(),
      jsonb_build_object('code', 'job_' || new.status, 'details', new.error)
    );
  end if;
  return null;
end $$;
comment on function private.jobs_give_up_sending is
  'No message waits for a job that is gone: it failed, or is unknown when an attempt was left open.';
-- A job whose data names no message ends like any other: raising here would stop every claim after it.
create trigger jobs_give_up_sending after update on public.queue_jobs for each row
  when (
    new.type = 'messages.send' and new.status in ('failed', 'cancelled') and old.status = 'pending'
    and pg_input_is_valid(new.data ->> 'message_id', 'uuid')
  )
  execute function private.jobs_give_up_sending();


-- definer because whoever hears may not write jobs.
create function private.conversations_release_what_waits()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
begin
  -- What was begun before waits for a reason of its own.
  update public.queue_jobs set run_at = now() where ctid = any (array(
    select job.ctid from public.queue_jobs as job
    where queue = 'outbound' and order_key = new.id::text and completed_at is null and type = 'messages.send'
      and lease_until is null and run_at > now() and pg_input_is_valid(data ->> 'message_id', 'uuid')
      and not exists (select from public.send_attempts where message_id = (data ->> 'message_id')::uuid)
    for update skip locked
  ));
  return null;
end $$;
comment on function private.conversations_release_what_waits is
  'Whoever writes gets at once, as a reply, what quiet hours, a cap or a cold lock held back.';
create trigger conversations_release_what_waits after update of last_inbound_at on public.conversations for each row
  when (new.last_inbound_at > now() - interval '24 hours' and old.last_inbound_at is distinct from new.last_inbound_at)
  execute function private.conversations_release_what_waits();


-- Seen --------------------------------------------------------------------------------------

insert into public.job_types (type, queue, priority, max_attempts) values ('messages.mark_read', 'outbound', 6, 3);

-- definer because whoever reads may not write jobs.
create function private.conversations_show_that_they_were_read()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
begin
  perform public.enqueue_jobs(jsonb_build_array(jsonb_build_object(
    'type', 'messages.mark_read', 'company_id', new.company_id, 'unique_key', 'mark_read:' || new.id,
    'data', jsonb_build_object('conversation_id', new.id, 'count', old.unread)
  )));
  return null;
end $$;
comment on function private.conversations_show_that_they_were_read is 'The contact sees that what was unread has been read.';
create trigger conversations_show_that_they_were_read after update of unread on public.conversations for each row
  when (old.unread > 0 and new.unread = 0)
  execute function private.conversations_show_that_they_were_read();

create function public.get_read_messages(p_conversation_id uuid, p_count integer)
returns json language sql stable security invoker set search_path = '' as $$
  select json_build_object(
    'instance', json_build_object(
      'id', instance.id, 'provider', instance.provider, 'base_url', instance.base_url,
      'external_id', instance.external_id, 'credentials', secret.credentials
    ),
    'chat', conversation.address,
    'message_ids', (
      select coalesce(json_agg(provider_message_id order by occurred_at, seq), '[]') from (
        select provider_message_id, occurred_at, seq from public.messages
        where company_id = conversation.company_id and conversation_id = conversation.id
          and direction = 'in' and provider_message_id is not null
        order by occurred_at desc, seq desc limit least(p_count, 100)
      ) as newest
    )
  )
  from public.conversations as conversation
  join public.instances as instance on instance.id = conversation.instance_id
  join private.instance_secrets as secret on secret.instance_id = instance.id
  where conversation.id = p_conversation_id
$$;
comment on function public.get_read_messages is
  'The newest messages of a contact, up to 100, for {instance, chat, message_ids} of a mark as read; null for no conversation.';
grant execute on function public.get_read_messages to service_role;
