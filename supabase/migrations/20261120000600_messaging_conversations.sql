-- Messaging, conversations: one per number and person (or group).
--
-- The inbox of a company is the scope inbox:<company>: `rev` is the inbox version of a
-- conversation's last change here. A conversation's own messages are the scope
-- conversation:<id> (see messaging_messages). Whoever changes this table locks the inbox first.
--
-- What people do with a conversation (assign, close, read, pause its bot) is messaging_handling, how
-- they are listed messaging_inbox.

set lock_timeout = '5s';

create table public.conversations (
  id uuid primary key default gen_random_uuid(),
  company_id uuid not null,
  instance_id uuid not null,
  contact_id uuid,
  kind text not null default 'direct',
  -- Where a reply goes, in the provider's own form.
  address text not null,
  title text,
  status text not null default 'open',
  assignee_id uuid,
  unread integer not null default 0,
  last_message_at timestamptz not null default now(),
  last_message_preview text,
  last_message_direction text,
  last_inbound_at timestamptz,
  -- Until then Meta's API takes free text, later only templates. Evolution has no such limit.
  window_closes_at timestamptz,
  -- Since when the person has been without an answer.
  waiting_since timestamptz,
  -- A person has taken over: nothing automatic is written until then.
  bot_paused_until timestamptz,
  -- Version of the conversation when this row last changed.
  version bigint not null default 0,
  rev bigint not null default 0,
  -- Its messages went to another one of the same person; to those who listen it is a tombstone.
  merged_into uuid,
  deleted_at timestamptz,
  created_at timestamptz not null default now(),
  foreign key (company_id, instance_id) references public.instances (company_id, id) on delete cascade,
  foreign key (company_id, contact_id) references public.contacts (company_id, id) on delete cascade,
  -- At the end, because a company goes with its members and conversations in any order.
  foreign key (company_id, assignee_id) references public.company_members (company_id, user_id)
    deferrable initially deferred,
  constraint a_conversation_kind_is_known check (kind in ('direct', 'group', 'broadcast', 'newsletter')),
  constraint only_direct_conversations_have_a_contact check ((kind = 'direct') = (contact_id is not null)),
  constraint a_conversation_status_is_known check (status in ('open', 'pending', 'closed')),
  constraint what_was_merged_is_an_empty_tombstone check (
    (merged_into is null) = (deleted_at is null) and merged_into <> id
    and (merged_into is null or (status = 'closed' and unread = 0 and assignee_id is null))
  ),
  constraint a_pause_of_the_bot_ends check (isfinite(bot_paused_until)),
  constraint unread_is_not_negative check (unread >= 0)
) with (fillfactor = 80);
comment on table public.conversations is
  'One thread per number and person or group. open <-> pending (we have answered) <-> closed; a message from outside opens it.';
create unique index conversations_by_company on public.conversations (company_id, id);
-- One thread per number and person.
create unique index conversations_by_contact on public.conversations (instance_id, contact_id) where kind = 'direct';
-- One thread per number and group.
create unique index conversations_by_group on public.conversations (instance_id, address) where kind <> 'direct';
create index conversations_in_inbox_order on public.conversations (company_id, last_message_at desc, id desc);
-- The inbox narrowed: each list reads one of these in its order.
create index conversations_by_status on public.conversations (company_id, status, last_message_at desc, id desc);
create index conversations_by_assignee
  on public.conversations (company_id, assignee_id, status, last_message_at desc, id desc) where assignee_id is not null;
-- Of its own: the planner does not see that those of nobody lie in the order of the index above.
create index conversations_of_nobody
  on public.conversations (company_id, status, last_message_at desc, id desc) where assignee_id is null;
create index conversations_of_instance on public.conversations (company_id, instance_id, last_message_at desc, id desc);
create index conversations_unread on public.conversations (company_id, last_message_at desc, id desc) where unread > 0;
create index conversations_by_kind on public.conversations (company_id, kind, last_message_at desc, id desc) where kind <> 'direct';
create index conversations_waiting on public.conversations (company_id, waiting_since, id) where waiting_since is not null;
create index conversations_in_rev_order on public.conversations (company_id, rev);
create index conversations_of_contact on public.conversations (company_id, contact_id);
alter table public.conversations add foreign key (company_id, merged_into) references public.conversations (company_id, id);
create index conversations_by_merged_into on public.conversations (company_id, merged_into) where merged_into is not null;

alter table public.conversations enable row level security;
create policy "members read the conversations" on public.conversations for select to authenticated
  using (company_id in (select private.my_company_ids()));
grant select on public.conversations to authenticated;
grant select, insert, update, delete on public.conversations to service_role;


-- The inbox ---------------------------------------------------------------------------------

create function private.lock_inbox(p_company_id uuid)
returns void language sql volatile security invoker set search_path = '' as $$
  select private.lock_version('inbox:' || p_company_id, p_company_id)
$$;
comment on function private.lock_inbox is 'First lock of everybody who writes conversations or inserts messages of a company.';
grant execute on function private.lock_inbox to service_role;

-- definer because a member may read versions and write none.
create function private.companies_open_an_inbox()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.lock_inbox(new.id);
  return null;
end $$;
comment on function private.companies_open_an_inbox is 'A company has an inbox from the start, so that clients can listen before the first message.';
create trigger companies_open_an_inbox after insert on public.companies
  for each row execute function private.companies_open_an_inbox();

-- definer because a member may read versions and write none.
create function private.conversations_take_a_version()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
begin
  new.rev := private.next_version('inbox:' || new.company_id, new.company_id);
  return new;
end $$;
comment on function private.conversations_take_a_version is 'Every change of a conversation is one step of the inbox.';
create trigger conversations_take_a_version before insert or update on public.conversations
  for each row execute function private.conversations_take_a_version();

create function private.conversations_derive_times()
returns trigger language plpgsql volatile security invoker set search_path = '' as $$
begin
  new.window_closes_at := new.last_inbound_at + interval '24 hours';
  new.waiting_since := case when new.last_message_direction = 'in' and new.status <> 'closed'
    then coalesce(new.waiting_since, new.last_message_at) end;
  return new;
end $$;
comment on function private.conversations_derive_times is
  'A person waits from their first message without an answer, until we write or somebody closes the conversation.';
create trigger conversations_derive_times before insert or update on public.conversations
  for each row execute function private.conversations_derive_times();

-- definer because only the database may write to realtime.messages.
create function private.conversations_broadcast()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.broadcast_change(
    'inbox:' || company_id, company_id, min(rev) - 1, max(rev), jsonb_agg(to_jsonb(changed) order by rev)
  )
  from changed group by company_id;
  return null;
end $$;
comment on function private.conversations_broadcast is 'One broadcast per statement and inbox.';
create trigger conversations_broadcast_inserts after insert on public.conversations
  referencing new table as changed for each statement execute function private.conversations_broadcast();
create trigger conversations_broadcast_updates after update on public.conversations
  referencing new table as changed for each statement execute function private.conversations_broadcast();

-- definer because whoever learns a name writes no conversations. Who writes contacts holds the
-- lock of the inbox.
create function private.contacts_tell_the_inbox()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
begin
  update public.conversations set contact_id = new.id where company_id = new.company_id and contact_id = new.id;
  return null;
end $$;
comment on function private.contacts_tell_the_inbox is
  'A conversation is shown with the name and phone of its contact: when they change, it has changed.';
create trigger contacts_tell_the_inbox after update of name, phone on public.contacts
  for each row when (old.name is distinct from new.name or old.phone is distinct from new.phone)
  execute function private.contacts_tell_the_inbox();

-- definer because whoever removes a member writes no conversations.
create function private.members_leave_conversations()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
begin
  if exists (select from public.companies where id = old.company_id) then
    perform private.lock_inbox(old.company_id);
    update public.conversations set assignee_id = null
    where company_id = old.company_id and assignee_id = old.user_id;
  end if;
  return old;
end $$;
comment on function private.members_leave_conversations is 'Who leaves a company leaves its conversations to nobody.';
create trigger members_leave_conversations before delete on public.company_members
  for each row execute function private.members_leave_conversations();

create function private.resolve_conversation(
  p_instance public.instances, p_kind text, p_address text, p_contact_id uuid, p_title text, p_written_at timestamptz default null
)
returns uuid language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_id uuid;
  v_address text;
  v_inbound_at timestamptz;
begin
  select id, address, last_inbound_at into v_id, v_address, v_inbound_at from public.conversations
  where instance_id = p_instance.id
    and case when p_kind = 'direct' then kind = 'direct' and contact_id = p_contact_id
        else kind <> 'direct' and address = p_address end;
  if v_id is null then
    insert into public.conversations (company_id, instance_id, contact_id, kind, address, title, last_inbound_at)
    values (p_instance.company_id, p_instance.id, p_contact_id, p_kind, p_address, p_title, p_written_at)
    returning id into v_id;
    perform private.lock_version('conversation:' || v_id, p_instance.company_id);
  elsif p_kind = 'direct' and p_address <> v_address and p_address not like '%@lid'
     and (v_address like '%@lid' or p_written_at >= greatest(v_inbound_at, (
       select phone_at from public.contacts where id = p_contact_id
     ))) then
    -- Replies go to where the person last wrote from; not every server can send to a LID.
    update public.conversations set address = p_address, last_inbound_at = greatest(last_inbound_at, p_written_at)
    where id = v_id;
  end if;
  return v_id;
end $$;
comment on function private.resolve_conversation is
  'The thread of a number with a contact or group, opened when there is none; p_written_at is when they wrote from p_address. The caller holds the lock of the inbox.';
grant execute on function private.resolve_conversation to service_role;


create function private.surviving_conversation(p_id uuid)
returns uuid language sql stable security invoker set search_path = '' as $$
  select coalesce((select merged_into from public.conversations where id = p_id), p_id)
$$;
comment on function private.surviving_conversation is 'The conversation itself, or the one that it was merged into.';
grant execute on function private.surviving_conversation to authenticated, service_role;
