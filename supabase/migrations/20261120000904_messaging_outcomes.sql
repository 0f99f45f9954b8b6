-- Messaging, outcomes: what an attempt came to, and what that makes of its message.
--
--   accepted                      the message has its provider id; reports that waited for it count
--   unknown                       so is the message, until somebody knows (*_messaging_reconcile.sql)
--   permanent, or no try is left  the message has failed, with the provider's code and words
--   retryable, paused             the message stays `sending`, and its job comes again
--
-- What follows beside it: *_messaging_reactions.sql.

set lock_timeout = '5s';

create function private.retire_echo(p_message public.messages, p_provider_message_id text)
returns void language sql volatile security invoker set search_path = '' as $$
  -- The echo can be faster than the answer. What it left is a stranger's row for our message:
  -- it becomes a tombstone and gives the provider id back. A message of ours with the same text
  -- that was taken for it is as unknown again as it was.
  update public.messages set
    provider_message_id = null,
    deleted_at = case when origin in ('api_echo', 'phone_echo') then now() else deleted_at end,
    status = case when origin in ('api_echo', 'phone_echo') then status else 'unknown' end,
    error_code = case when origin in ('api_echo', 'phone_echo') then error_code else 'answer_lost' end
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
