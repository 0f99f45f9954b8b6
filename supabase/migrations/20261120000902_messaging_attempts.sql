-- Messaging, attempts: a call to a provider is written before it is made.
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
-- code: the message fails with that, nobody is called, and nothing is counted.

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


-- Begin -------------------------------------------------------------------------------------

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

create function private.make_attempt(
  p_message public.messages, p_job_id bigint, p_claim integer, out attempt integer, out held json
)
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_detail text;
begin
  held := private.hold_back(p_message);
  if held is not null then
    return;
  end if;
  insert into public.send_attempts as made (message_id, attempt, company_id, job_id, claim)
  select (p_message).id, count(*) + 1, (p_message).company_id, p_job_id, p_claim
  from public.send_attempts where message_id = (p_message).id
  returning made.attempt into attempt;
  perform private.apply_status((p_message).id, 'sending', now());
exception when sqlstate 'PT409' then
  get stacked diagnostics v_detail = pg_exception_detail;
  perform private.apply_status(
    (p_message).id, 'failed', now(), jsonb_build_object('code', sqlerrm, 'details', v_detail)
  );
  attempt := null;
  held := json_build_object('action', 'done', 'status', 'failed');
end $$;
comment on function private.make_attempt is
  'Writes the attempt that comes before a call; or answers what holds the message back, see hold_back, also where a later room forbids it: then the message has failed.';
grant execute on function private.make_attempt to service_role;

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
    perform private.apply_status(p_message_id, 'unknown', now(), jsonb_build_object(
      'code', 'worker_died', 'details', 'Whoever called the provider died during the call.'
    ));
    return json_build_object('action', 'done', 'status', 'unknown');
  end if;
  select attempt into v_attempt from public.send_attempts where message_id = p_message_id and outcome is null;
  if v_attempt is null then
    select made.attempt, made.held into v_attempt, v_held
    from private.make_attempt(v_message, p_job_id, p_claim) as made;
    if v_held is not null then
      return v_held;
    end if;
  end if;
  return private.send_order(v_message, v_attempt);
end $$;
comment on function public.begin_send is
  'Writes the attempt and answers what to call: {action: send, attempt, instance, message}. Or {action: wait, seconds, reason} while it has to wait, or {action: done} when there is nothing left to do: sent, failed, or possibly sent by a worker that died. The same claim gets the same answer twice.';
grant execute on function public.begin_send to service_role;
