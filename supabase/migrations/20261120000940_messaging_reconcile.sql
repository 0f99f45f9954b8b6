-- Messaging, reconcile: what became of a message whose answer was lost.
--
--   unknown -> accepted ...    its report, its echo, or a look at the provider's own list found it
--   unknown -> needs_decision  an hour's looks found nothing: a person says what happened
--   needs_decision -> accepted | failed
--
-- It is never sent again by itself. A report that comes after a person's word still counts.

set lock_timeout = '5s';

insert into public.job_types (type, queue, priority, max_attempts) values ('messages.reconcile', 'outbound', 3, 5);

-- definer because the queue's functions run as whoever calls them.
create function private.unknown_messages_are_looked_for()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
begin
  -- Most are known by their report within seconds.
  perform public.enqueue_jobs(jsonb_build_array(jsonb_build_object(
    'type', 'messages.reconcile', 'company_id', new.company_id, 'delay_seconds', 30,
    'unique_key', 'reconcile:' || new.id, 'data', jsonb_build_object('message_id', new.id)
  )));
  return null;
end $$;
comment on function private.unknown_messages_are_looked_for is
  'An unknown message and the job that looks for it are one transaction, also where it is unknown again.';
create trigger unknown_messages_are_looked_for after update of status on public.messages for each row
  when (new.status = 'unknown' and old.status <> 'unknown')
  execute function private.unknown_messages_are_looked_for();

create function private.messages_need_no_decision()
returns trigger language plpgsql volatile security invoker set search_path = '' as $$
begin
  new.needs_decision := false;
  return new;
end $$;
comment on function private.messages_need_no_decision is 'A message of which something is known needs nobody''s word.';
create trigger messages_need_no_decision before update on public.messages for each row
  when (new.needs_decision and new.status <> 'unknown')
  execute function private.messages_need_no_decision();
grant execute on function private.messages_need_no_decision to authenticated, service_role;

create function public.begin_reconcile(p_message_id uuid)
returns json language sql stable security invoker set search_path = '' as $$
  select (coalesce(private.send_order(message, attempt.attempt)::jsonb, '{}') || jsonb_build_object(
    -- A minute for clocks that differ.
    'since', floor(extract(epoch from attempt.started_at))::bigint - 60,
    -- An echo that nobody recognised may be this message; everything else is known to be another.
    'others', (
      select coalesce(jsonb_agg(provider_message_id), '[]') from public.messages as other
      where other.company_id = message.company_id and other.conversation_id = message.conversation_id
        and other.occurred_at > attempt.started_at - interval '1 day'
        and provider_message_id is not null and id <> message.id and origin <> 'api_echo'
    )
  ))::json
  from public.messages as message
  join public.send_attempts as attempt on attempt.message_id = message.id
  where message.id = p_message_id and message.status = 'unknown'
  order by attempt.attempt desc limit 1
$$;
comment on function public.begin_reconcile is
  'What to look for of a message of unknown fate: {instance, message, since, others}, without a number that was removed only {since, others}; null when its fate is known.';
grant execute on function public.begin_reconcile to service_role;

create function public.record_reconciled(p_message_id uuid, p_provider_message_id text, p_identities jsonb default null)
returns boolean language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_message public.messages;
begin
  perform private.lock_inbox(company_id) from public.messages where id = p_message_id;
  v_message := private.lock_message(p_message_id);
  if v_message.status is distinct from 'unknown' then
    return true;
  end if;
  if exists (
    select from public.messages
    where instance_id = v_message.instance_id and provider_message_id = p_provider_message_id
      and id <> p_message_id and origin <> 'api_echo'
  ) then
    return false;
  end if;
  update public.send_attempts set outcome = 'accepted' where message_id = p_message_id and outcome = 'unknown';
  perform private.settle_attempt(v_message, 'accepted', false, p_provider_message_id, null);
  perform private.learn_recipient(v_message, p_identities);
  return true;
end $$;
comment on function public.record_reconciled is
  'The provider has an unknown message under this id; false when that id is another message''s. A repeat changes nothing.';
grant execute on function public.record_reconciled to service_role;

create function public.ask_for_decision(p_message_id uuid)
returns void language plpgsql volatile security invoker set search_path = '' as $$
begin
  perform private.lock_message(p_message_id);
  update public.messages set needs_decision = true
  where id = p_message_id and status = 'unknown' and not needs_decision;
end $$;
comment on function public.ask_for_decision is 'Nobody could find out whether it was sent: a person has to say.';
grant execute on function public.ask_for_decision to service_role;

-- definer because the queue's functions run as whoever calls them.
create function private.jobs_give_up_reconciling()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
begin
  perform public.ask_for_decision((new.data ->> 'message_id')::uuid);
  return null;
end $$;
comment on function private.jobs_give_up_reconciling is 'No unknown message is forgotten with its job.';
create trigger jobs_give_up_reconciling after update on public.queue_jobs for each row
  when (
    new.type = 'messages.reconcile' and new.status in ('failed', 'cancelled') and old.status = 'pending'
    and pg_input_is_valid(new.data ->> 'message_id', 'uuid')
  )
  execute function private.jobs_give_up_reconciling();


-- A person's word ---------------------------------------------------------------------------

create function public.list_undecided(
  p_company_id uuid default null, p_limit integer default 50, p_cursor text default null
)
returns json language plpgsql stable security invoker set search_path = '' as $$
declare
  v_company_id uuid := private.acting_company(p_company_id);
  v_after timestamptz := coalesce(private.cursor_time(p_cursor), 'infinity');
  v_after_id uuid := coalesce(private.cursor_part(p_cursor, 2), 'ffffffff-ffff-ffff-ffff-ffffffffffff');
  v_limit integer := least(greatest(p_limit, 1), 200);
begin
  return private.page_result((
    select jsonb_agg(to_jsonb(page) order by occurred_at desc, id desc) from (
      select * from public.messages
      where company_id = v_company_id and needs_decision and (occurred_at, id) < (v_after, v_after_id)
      order by occurred_at desc, id desc
      limit v_limit + 1
    ) as page
  ), v_limit, null, 'occurred_at', 'id');
end $$;
comment on function public.list_undecided is
  'A page of messages of which a person has to say whether they were sent, newest first. Raises company_required, company_not_found.';
grant execute on function public.list_undecided to authenticated, service_role;

-- definer because an agent may not change messages; public.resolve_message checks who asks.
create function private.decide_message(p_message_id uuid, p_company_id uuid, p_decision text)
returns public.messages language plpgsql volatile security definer set search_path = '' as $$
declare
  v_message public.messages;
begin
  perform private.lock_conversation(conversation_id, company_id) from public.messages
  where id = p_message_id and company_id = p_company_id;
  select * into v_message from public.messages where id = p_message_id and company_id = p_company_id for update;
  if v_message.needs_decision then
    perform private.apply_status(
      p_message_id, case p_decision when 'sent' then 'accepted' else 'failed' end, now(),
      jsonb_build_object('code', 'not_sent', 'details', 'A person found that it was not sent.')
    );
    select * into v_message from public.messages where id = p_message_id;
  end if;
  return v_message;
end $$;
comment on function private.decide_message is 'Takes a person''s word for a message that needs it; answers the message.';

create function public.resolve_message(p_message_id uuid, p_decision text, p_company_id uuid default null)
returns json language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_company_id uuid := coalesce(p_company_id, (select company_id from public.messages where id = p_message_id));
  v_message public.messages;
begin
  if p_decision is null or p_decision not in ('sent', 'not_sent') then
    raise exception using errcode = 'PT422', message = 'invalid_decision', detail = 'The decision is sent or not_sent.';
  end if;
  if v_company_id is not null then
    v_message := private.decide_message(p_message_id, private.acting_company(v_company_id, 'agent'), p_decision);
  end if;
  if v_message.id is null then
    raise exception using errcode = 'PT404', message = 'message_not_found',
      detail = 'There is no such message in this company.';
  end if;
  if v_message.direction = 'in' or v_message.status in ('queued', 'sending', 'unknown')
     or (p_decision = 'not_sent') is distinct from (v_message.status = 'failed' and v_message.error_code = 'not_sent') then
    raise exception using errcode = 'PT409', message = 'decision_not_needed',
      detail = format('This message is %s.', v_message.status),
      hint = 'A decision is needed only where needs_decision is true.';
  end if;
  return to_json(v_message);
end $$;
comment on function public.resolve_message is
  'A person says whether a message that needs a decision was sent. Nothing is sent by this; the same word twice is fine. Answers the message. Raises invalid_decision, message_not_found, decision_not_needed, role_required.';
grant execute on function private.decide_message, public.resolve_message to authenticated, service_role;
