-- Messaging, messages: what was said, in both directions, and how far each went.
--
-- Status of an outgoing message; it only moves up, whatever order the reports come in:
--
--   queued < sending < unknown < accepted < sent < failed < delivered < read < played
--
-- unknown: the request left and no answer came. A later report lifts it; it is never sent again
-- blindly. failed is above sent and below delivered: a message that arrived did not fail.
-- An incoming message is always `received`.
--
-- What others do to a message later (*_messaging_changes.sql) is shown on it: reactions, edited_at
-- with `original` as it was before, revoked_at, votes. An answer names what it quotes.
--
-- The messages of a conversation are the scope conversation:<id>: `seq` is the order of birth,
-- `rev` the version of the last change. A message that vanished stays as a tombstone (deleted_at).

set lock_timeout = '5s';

create table public.messages (
  id uuid primary key default gen_random_uuid(),
  company_id uuid not null,
  conversation_id uuid not null,
  -- The conversation's, copied here for the unique provider id; no foreign key of its own.
  instance_id uuid not null,
  seq bigint not null default 0,
  rev bigint not null default 0,
  direction text not null default 'out',
  origin text not null default 'agent',
  -- What it is for: somebody who wants no marketing still gets answers.
  purpose text not null default 'service',
  type text not null default 'text',
  status text not null default 'queued',
  -- When it was said, as the provider tells; the order in which people read.
  occurred_at timestamptz not null default now(),
  body text,
  media jsonb,
  payload jsonb,
  author jsonb,
  reply_to text,
  -- Of the message in this conversation that reply_to names, once it is here. No foreign key: the
  -- trigger sets it.
  reply_to_id uuid,
  quoted jsonb,
  target text,
  provider_message_id text,
  -- Unknown, and nobody could find out: a person says whether it was sent (*_messaging_reconcile.sql).
  needs_decision boolean not null default false,
  original jsonb,
  reactions jsonb,
  votes jsonb,
  error_code text,
  error_detail text,
  accepted_at timestamptz,
  sent_at timestamptz,
  delivered_at timestamptz,
  read_at timestamptz,
  failed_at timestamptz,
  edited_at timestamptz,
  revoked_at timestamptz,
  deleted_at timestamptz,
  created_by uuid references auth.users (id) on delete set null,
  created_at timestamptz not null default now(),
  foreign key (company_id, conversation_id) references public.conversations (company_id, id) on delete cascade,
  constraint a_direction_is_in_or_out check (direction in ('in', 'out')),
  constraint an_origin_is_known
    check (origin in ('contact', 'agent', 'api', 'campaign', 'followup', 'ai', 'phone_echo', 'api_echo')),
  constraint a_purpose_is_known check (purpose in ('service', 'marketing')),
  constraint a_message_status_is_known check (status in (
    'received', 'queued', 'sending', 'unknown', 'accepted', 'sent', 'failed', 'delivered', 'read', 'played'
  )),
  constraint a_message_type_is_known check (type in (
    'text', 'image', 'audio', 'video', 'document', 'sticker', 'location', 'contacts', 'interactive', 'button',
    'reaction', 'order', 'edit', 'revoke', 'poll', 'system', 'template', 'unsupported'
  )),
  constraint a_text_that_we_send_has_a_body check (
    origin in ('contact', 'phone_echo', 'api_echo') or type <> 'text' or coalesce(length(body), 0) > 0
    -- A tombstone says nothing.
    or deleted_at is not null
  ),
  constraint only_incoming_messages_are_received check ((direction = 'in') = (status = 'received')),
  constraint a_body_is_at_most_64_kilobytes check (octet_length(body) <= 65536),
  constraint a_payload_is_at_most_64_kilobytes check (pg_column_size(payload) <= 65536),
  constraint media_is_an_object check (jsonb_typeof(media) = 'object')
) with (fillfactor = 80);
comment on table public.messages is
  'Messages of both directions. queued < sending < unknown < accepted < sent < failed < delivered < read < played.';
comment on column public.messages.id is 'Chosen by the sender: sending the same id twice sends once.';
comment on column public.messages.target is 'Provider id of the message that a reaction, edit or revoke of ours is about.';
comment on column public.messages.reply_to is 'Provider id of the message that this one answers.';
comment on column public.messages.quoted is 'What it answers, {author, type, body}, as the sender''s phone remembers it.';
comment on column public.messages.original is 'Of an edited message: {type, body} before the first edit.';
comment on column public.messages.reactions is '[{actor, emoji, at}], the latest of each actor: us, contact, or a member of the group.';
comment on column public.messages.votes is
  'Of a poll: [{voter, options, at}], the latest of each voter, as of reactions; options is null where it cannot be read.';
comment on column public.messages.revoked_at is 'Deleted for everyone; the text stays for the company.';
-- A provider message is stored once per number.
create unique index messages_by_provider_id on public.messages (instance_id, provider_message_id)
  where provider_message_id is not null;
create index messages_in_reading_order on public.messages (company_id, conversation_id, occurred_at desc, seq desc);
create index messages_in_rev_order on public.messages (conversation_id, rev);
-- Answers that wait for what they quote, and our own changes.
create index messages_by_reply_to on public.messages (conversation_id, reply_to) where reply_to is not null;
create index messages_by_target on public.messages (instance_id, target) where target is not null;
create index messages_by_author on public.messages (created_by) where created_by is not null;
-- What is being sent, or nobody knows: an echo may be one of them.
create index messages_in_flight on public.messages (conversation_id) where status in ('sending', 'unknown');
-- What waits for a person's word.
create index messages_undecided on public.messages (company_id, occurred_at desc, id desc) where needs_decision;
-- What a provider has taken and not passed on.
create index messages_accepted on public.messages (instance_id, accepted_at) where status = 'accepted' and direction = 'out';

alter table public.messages enable row level security;
create policy "members read the messages" on public.messages for select to authenticated
  using (company_id in (select private.my_company_ids()));
-- Writing a row here is sending: the job is made by a trigger in the same transaction.
create policy "agents send messages" on public.messages for insert to authenticated
  with check (company_id in (select private.my_company_ids('agent')) and direction = 'out' and status = 'queued');
grant select on public.messages to authenticated;
grant insert (id, company_id, conversation_id, purpose, type, body, media, payload, reply_to, target) on public.messages to authenticated;
grant select, insert, update, delete on public.messages to service_role;


create function private.object_or_null(p_value jsonb)
returns jsonb language sql immutable security invoker set search_path = '' as $$
  select case when jsonb_typeof(p_value) = 'object' and p_value <> '{}' then p_value end
$$;
comment on function private.object_or_null is 'A JSON object with something in it, or null.';
grant execute on function private.object_or_null to service_role;


-- Versions and broadcasts -------------------------------------------------------------------

create function private.lock_conversation(p_conversation_id uuid, p_company_id uuid)
returns void language sql volatile security invoker set search_path = '' as $$
  select private.lock_version('conversation:' || p_conversation_id, p_company_id)
$$;
comment on function private.lock_conversation is 'Taken before changing messages: after the inbox, before any row of the conversation.';
grant execute on function private.lock_conversation to service_role;

-- definer because a sender may neither write versions nor choose the number.
create function private.messages_are_born()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
begin
  -- The inbox first: every new message changes it too, and locks have one order.
  perform private.lock_inbox(new.company_id);
  -- Whoever writes to a merged conversation means the person.
  new.conversation_id := private.surviving_conversation(new.conversation_id);
  new.rev := private.next_version('conversation:' || new.conversation_id, new.company_id);
  new.seq := new.rev;
  new.instance_id := (select instance_id from public.conversations where id = new.conversation_id);
  if new.reply_to is not null then
    new.reply_to_id := (
      select id from public.messages
      where instance_id = new.instance_id and provider_message_id = new.reply_to and conversation_id = new.conversation_id
    );
  end if;
  new.created_by := coalesce(new.created_by, (select auth.uid()));
  new.origin := case when new.origin = 'agent' and new.created_by is null then 'api' else new.origin end;
  return new;
end $$;
comment on function private.messages_are_born is 'Gives a new message its place in the conversation, its number, its author and what it answers.';
create trigger messages_are_born before insert on public.messages
  for each row execute function private.messages_are_born();

-- definer because a member may read versions and write none.
create function private.messages_take_a_version()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
begin
  new.rev := private.next_version('conversation:' || new.conversation_id, new.company_id);
  return new;
end $$;
comment on function private.messages_take_a_version is 'Every change of a message is one step of its conversation.';
create trigger messages_take_a_version before update on public.messages
  for each row when (old.* is distinct from new.*) execute function private.messages_take_a_version();

-- definer because only the database may write to realtime.messages.
create function private.messages_broadcast()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.broadcast_change(
    'conversation:' || conversation_id, (min(company_id::text))::uuid, min(rev) - 1, max(rev),
    jsonb_agg(to_jsonb(changed) order by rev)
  )
  from changed group by conversation_id order by conversation_id;
  return null;
end $$;
comment on function private.messages_broadcast is 'One broadcast per statement and conversation.';
create trigger messages_broadcast_inserts after insert on public.messages
  referencing new table as changed for each statement execute function private.messages_broadcast();

-- definer because only the database may write to realtime.messages.
create function private.messages_broadcast_updates()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.broadcast_change(
    'conversation:' || message.conversation_id, (min(message.company_id::text))::uuid,
    min(message.rev) - 1, max(message.rev), jsonb_agg(to_jsonb(message) order by message.rev)
  )
  from changed as message join before on before.id = message.id
  -- A row that stays as it was has an old rev: with it the event would seem to join on to that.
  where (message.conversation_id, message.rev) <> (before.conversation_id, before.rev)
  group by message.conversation_id order by message.conversation_id;
  return null;
end $$;
comment on function private.messages_broadcast_updates is 'One broadcast per statement and conversation, of the rows that changed.';
create trigger messages_broadcast_updates after update on public.messages
  referencing old table as before new table as changed for each statement
  execute function private.messages_broadcast_updates();

create function private.message_preview(p_type text, p_body text, p_revoked_at timestamptz default null)
returns text language sql immutable security invoker set search_path = '' as $$
  select case when p_revoked_at is not null then '[revoke]' when coalesce(p_body, '') = '' then '[' || p_type || ']'
    else left(p_body, 140) end
$$;
comment on function private.message_preview is 'The line that the inbox shows for a message.';
grant execute on function private.message_preview to service_role;

create function private.unanswered_since(p_conversation public.conversations)
returns timestamptz language sql stable security invoker set search_path = '' as $$
  select min(occurred_at) from public.messages
  where company_id = (p_conversation).company_id and conversation_id = (p_conversation).id and direction = 'in'
    and deleted_at is null and occurred_at > coalesce((
      select max(occurred_at) from public.messages
      where company_id = (p_conversation).company_id and conversation_id = (p_conversation).id and direction = 'out'
        and deleted_at is null
    ), '-infinity')
$$;
comment on function private.unanswered_since is 'When the first message after our last one was written; null when ours is the last.';
grant execute on function private.unanswered_since to service_role;

-- definer because a sender may read conversations and write none.
create function private.messages_update_conversations()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
begin
  update public.conversations as conversation set
    version = summary.version,
    status = case when summary.incoming > 0 then 'open' else conversation.status end,
    last_message_at = case when summary.is_newest then summary.at else conversation.last_message_at end,
    last_message_preview = case when summary.is_newest then summary.preview else last_message_preview end,
    last_message_direction = case when summary.is_newest then summary.direction else last_message_direction end,
    last_inbound_at = greatest(conversation.last_inbound_at, summary.inbound_at),
    unread = conversation.unread + summary.incoming,
    -- A late one may be the first without an answer, or the answer; so may one of several.
    waiting_since = case when (summary.is_late or summary.is_several) and conversation.status <> 'closed'
      then private.unanswered_since(conversation) else waiting_since end
  from (
    select
      conversation_id, max(added.rev) as version, max(occurred_at) as at, count(*) filter (where added.direction = 'in') as incoming,
      max(occurred_at) filter (where added.direction = 'in') as inbound_at,
      (array_agg(private.message_preview(type, body) order by occurred_at desc, seq desc))[1] as preview,
      (array_agg(added.direction order by occurred_at desc, seq desc))[1] as direction,
      -- A conversation without a preview shows no message yet.
      bool_or(last_message_preview is null or occurred_at >= last_message_at) as is_newest,
      bool_or(last_message_preview is not null and occurred_at < last_message_at) as is_late, count(*) > 1 as is_several
    from added join public.conversations on conversations.id = added.conversation_id
    group by conversation_id
  ) as summary
  where conversation.id = summary.conversation_id;
  return null;
end $$;
comment on function private.messages_update_conversations is
  'The inbox shows the newest message, what is unread and when the person last wrote. A late old message is not newest.';
create trigger messages_update_conversations after insert on public.messages
  referencing new table as added for each statement execute function private.messages_update_conversations();


-- The status lattice ------------------------------------------------------------------------

create function private.status_rank(p_status text)
returns integer language sql immutable security invoker set search_path = '' as $$
  select array_position(
    array['queued', 'sending', 'unknown', 'accepted', 'sent', 'failed', 'delivered', 'read', 'played'], p_status
  )
$$;
comment on function private.status_rank is 'Orders the statuses of an outgoing message: a report of a lower or equal one changes nothing.';

create table public.message_status_events (
  instance_id uuid not null references public.instances (id) on delete cascade,
  provider_message_id text not null,
  status text not null,
  company_id uuid not null references public.companies (id) on delete cascade,
  occurred_at timestamptz not null default now(),
  client_ref uuid,
  error jsonb,
  created_at timestamptz not null default now(),
  primary key (instance_id, provider_message_id, status)
);
comment on table public.message_status_events is
  'Every status report once. It waits here when it comes before its message; failure reasons are sent only once and stay.';
create index message_status_events_by_company on public.message_status_events (company_id);
create index message_status_events_by_client_ref on public.message_status_events (client_ref) where client_ref is not null;

alter table public.message_status_events enable row level security;
create policy "members read the status reports" on public.message_status_events for select to authenticated
  using (company_id in (select private.my_company_ids()));
grant select on public.message_status_events to authenticated;
grant select, insert, update, delete on public.message_status_events to service_role;

create function private.apply_status(
  p_message_id uuid, p_status text, p_at timestamptz, p_error jsonb default null, p_provider_message_id text default null
)
returns void language sql volatile security invoker set search_path = '' as $$
  with report as (
    select
      messages.*, private.status_rank(p_status) > private.status_rank(status) as is_higher,
      -- Of two reports of the same failure the earlier one says why.
      p_status = 'failed' and status = 'failed' and (p_at, coalesce(p_error ->> 'code', '')) < (failed_at, coalesce(error_code, ''))
        as is_earlier
    from public.messages where id = p_message_id and direction = 'out'
  ), moved as (
    select
      case when is_higher then p_status else status end as status,
      coalesce(provider_message_id, p_provider_message_id) as provider_message_id,
      -- The earliest report of each step counts, whichever comes first.
      case when p_status = 'accepted' then least(accepted_at, p_at) else accepted_at end as accepted_at,
      case when p_status = 'sent' then least(sent_at, p_at) else sent_at end as sent_at,
      -- Meta skips "delivered" when "read" implies it.
      case when p_status in ('delivered', 'read', 'played') then least(delivered_at, p_at) else delivered_at end
        as delivered_at,
      case when p_status in ('read', 'played') then least(read_at, p_at) else read_at end as read_at,
      -- Why it stands where it stands: a message that moved on has no failure any more.
      case when is_higher or is_earlier then case when p_status = 'failed' then p_at end else failed_at end as failed_at,
      case when not (is_higher or is_earlier) then error_code
        when p_status in ('failed', 'unknown') then coalesce(p_error ->> 'code', error_code) end as error_code,
      case when not (is_higher or is_earlier) then error_detail
        when p_status in ('failed', 'unknown') then coalesce(p_error ->> 'details', p_error ->> 'title', error_detail) end
        as error_detail
    from report
  )
  update public.messages as message set
    status = moved.status, provider_message_id = moved.provider_message_id, accepted_at = moved.accepted_at,
    sent_at = moved.sent_at, delivered_at = moved.delivered_at, read_at = moved.read_at, failed_at = moved.failed_at,
    error_code = moved.error_code, error_detail = moved.error_detail
  from moved
  where message.id = p_message_id and (
    message.status, message.provider_message_id, message.accepted_at, message.sent_at, message.delivered_at,
    message.read_at, message.failed_at, message.error_code, message.error_detail
  ) is distinct from (
    moved.status, moved.provider_message_id, moved.accepted_at, moved.sent_at, moved.delivered_at,
    moved.read_at, moved.failed_at, moved.error_code, moved.error_detail
  )
$$;
comment on function private.apply_status is 'Takes over a report: the message moves up the lattice, never down, and learns when each step was and its provider id. The same reports in any order end the same. The caller holds the lock of the conversation.';
grant execute on function private.status_rank, private.apply_status to service_role;

create function private.apply_waiting_statuses(p_message_id uuid)
returns void language sql volatile security invoker set search_path = '' as $$
  select private.apply_status(message.id, report.status, report.occurred_at, report.error)
  from public.messages as message
  join public.message_status_events as report
    on report.instance_id = message.instance_id and report.provider_message_id = message.provider_message_id
  where message.id = p_message_id
  order by private.status_rank(report.status)
$$;
comment on function private.apply_waiting_statuses is 'Applies the reports that came before their message had its provider id.';
grant execute on function private.apply_waiting_statuses to service_role;


-- Reading -----------------------------------------------------------------------------------

create function public.list_messages(
  p_conversation_id uuid, p_company_id uuid default null, p_limit integer default 50, p_cursor text default null,
  p_fields text[] default null, p_if_none_match text default null
)
returns json language plpgsql stable security invoker set search_path = ''
-- Before the first analyse a long conversation looks short enough to be read whole and sorted.
set enable_seqscan = off set enable_bitmapscan = off
as $$
declare
  v_company_id uuid;
  v_after timestamptz := coalesce(private.cursor_time(p_cursor), 'infinity');
  v_after_seq bigint := coalesce(private.cursor_part(p_cursor, 2)::bigint, 9223372036854775807);
  v_limit integer := least(greatest(p_limit, 1), 200);
begin
  select company_id into v_company_id from public.conversations
  where id = p_conversation_id and (p_company_id is null or company_id = p_company_id);
  if v_company_id is null then
    raise exception using errcode = 'PT404', message = 'conversation_not_found',
      detail = 'There is no such conversation, or you may not see it.';
  end if;
  if private.answer_with_etag('conversation:' || p_conversation_id, p_if_none_match) then
    return null;
  end if;
  return private.page_result((
    select jsonb_agg(to_jsonb(page) order by occurred_at desc, seq desc) from (
      select * from public.messages
      where company_id = v_company_id and conversation_id = p_conversation_id
        and deleted_at is null and (occurred_at, seq) < (v_after, v_after_seq)
      order by occurred_at desc, seq desc
      limit v_limit + 1
    ) as page
  ), v_limit, p_fields, 'occurred_at', 'seq');
end $$;
comment on function public.list_messages is
  'A page of a conversation, newest first. Null when p_if_none_match is the current ETag, which the response carries. Raises conversation_not_found.';
grant execute on function public.list_messages to authenticated, service_role;

create function public.sync_conversation(p_id uuid, p_after bigint, p_epoch uuid, p_limit integer default 200)
returns json language sql stable security invoker set search_path = ''
set enable_seqscan = off set enable_bitmapscan = off
as $$
  select private.sync_result(epoch, head, reset, row_limit, (
    select jsonb_agg(row order by rev) from (
      (select to_jsonb(m) as row, rev from public.messages as m
       where not reset and conversation_id = p_id and rev > start.after order by rev limit row_limit)
      union all
      (select to_jsonb(m), rev from public.messages as m
       where reset and conversation_id = p_id and deleted_at is null
         and company_id = (select company_id from public.conversations where id = p_id)
       order by occurred_at desc, seq desc limit row_limit)
    ) as changed
  ))
  from private.sync_start('conversation:' || p_id, p_after, p_epoch, p_limit) as start
$$;
comment on function public.sync_conversation is
  'Messages of conversation p_id that changed after version p_after, or on reset its newest 100. Null when not visible.';
grant execute on function public.sync_conversation to authenticated, service_role;
