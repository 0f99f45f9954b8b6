-- Messaging, changes: what reactions, edits, revokes and votes do to the message that they mean.
--
-- Providers tell of changes in any order, more than once, and before the message that they are
-- about. Each is kept as a row that points at its target by the provider's id, and what a message
-- shows is worked out anew from all of them:
--
--   edit      the latest counts; one without a time is a copy of another and ranks below those with one
--   revoke    counts over edits; an ambiguous one only while no edit and no vote of the message is known
--   reaction  the latest of each actor counts; a removed one leaves none
--   vote      the latest of each actor counts; one without a time is a copy, and says what could not be read
--
-- So the same changes end the same in any order. A change whose message is not known waits here.
-- Our own changes are messages too, which are sent; they count once the provider has them.

set lock_timeout = '5s';

create table public.message_changes (
  instance_id uuid not null,
  target text not null,
  -- The provider's id of the change, which its copies share; sent:<our id> of our own.
  change_id text not null,
  company_id uuid not null,
  type text not null,
  -- us, contact, or a member of the group; '' where it is not told.
  actor text not null default '',
  body text,
  media jsonb,
  payload jsonb not null default '{}',
  sent_at timestamptz,
  received_at timestamptz not null default now(),
  primary key (instance_id, target, change_id),
  foreign key (company_id, instance_id) references public.instances (company_id, id) on delete cascade,
  constraint a_change_type_is_known check (type in ('reaction', 'edit', 'revoke', 'vote'))
);
comment on table public.message_changes is
  'Reactions, edits, revokes and votes, each once, also of messages that never came. `target` is the provider''s id of the message.';
comment on column public.message_changes.sent_at is 'By the provider''s clock; null where it tells none.';
create index message_changes_by_company on public.message_changes (company_id, instance_id);

alter table public.message_changes enable row level security;
create policy "members read the changes" on public.message_changes for select to authenticated
  using (company_id in (select private.my_company_ids()));
grant select on public.message_changes to authenticated;
grant select, insert, update, delete on public.message_changes to service_role;


-- What a message shows ----------------------------------------------------------------------

create function private.latest_edit(p_message public.messages)
returns public.message_changes language sql stable security invoker set search_path = '' as $$
  select change from public.message_changes as change
  where instance_id = (p_message).instance_id and target = (p_message).provider_message_id and type = 'edit'
    -- Some are encrypted, and tell only that there was an edit.
    and body is not null and coalesce(payload ->> 'type', 'unsupported') <> 'unsupported'
  order by sent_at desc nulls last, received_at desc, change_id desc limit 1
$$;
comment on function private.latest_edit is 'The edit that a message shows, or null.';

create function private.edited_at(p_message public.messages)
returns timestamptz language sql stable security invoker set search_path = '' as $$
  select coalesce(sent_at, received_at) from public.message_changes
  where instance_id = (p_message).instance_id and target = (p_message).provider_message_id and type = 'edit'
  order by sent_at desc nulls last, received_at desc limit 1
$$;
comment on function private.edited_at is 'When a message was last edited, or null.';

create function private.revoked_at(p_message public.messages)
returns timestamptz language sql stable security invoker set search_path = '' as $$
  select coalesce(min(sent_at), min(received_at)) from public.message_changes
  where instance_id = (p_message).instance_id and target = (p_message).provider_message_id and type = 'revoke'
    and (
      not payload @> '{"ambiguous": true}'
      or private.edited_at(p_message) is null and not exists (
        select from public.message_changes as vote
        where vote.instance_id = (p_message).instance_id and vote.target = (p_message).provider_message_id
          and vote.type = 'vote'
      )
    )
$$;
comment on function private.revoked_at is 'When a message was deleted for everyone, or null.';

create function private.reactions(p_message public.messages)
returns jsonb language sql stable security invoker set search_path = '' as $$
  select jsonb_agg(jsonb_build_object('actor', actor, 'emoji', body, 'at', at) order by actor)
  from (
    select distinct on (actor) actor, body, payload, coalesce(sent_at, received_at) as at from public.message_changes
    where instance_id = (p_message).instance_id and target = (p_message).provider_message_id and type = 'reaction'
    -- Providers count in seconds: who takes one back within a second has none.
    order by actor, coalesce(sent_at, received_at) desc, payload @> '{"removed": true}' desc, change_id desc
  ) as latest
  where body is not null and not payload @> '{"removed": true}'
$$;
comment on function private.reactions is 'The reactions that a message shows, or null.';

create function private.votes(p_message public.messages)
returns jsonb language sql stable security invoker set search_path = '' as $$
  with vote as (
    select distinct on (actor, sent_at is null)
      actor, payload -> 'options' as options, sent_at is null as is_copy,
      coalesce(max(sent_at) over (partition by actor), received_at) as at
    from public.message_changes
    where instance_id = (p_message).instance_id and target = (p_message).provider_message_id and type = 'vote'
    order by actor, sent_at is null, sent_at desc, payload ->> 'emitted' desc, received_at desc, change_id desc
  )
  select jsonb_agg(jsonb_build_object('voter', actor, 'options', options, 'at', at) order by actor)
  from (
    -- What can be read, and of two such the vote itself.
    select distinct on (actor) * from vote order by actor, options is null, is_copy
  ) as latest
$$;
comment on function private.votes is 'The votes that a poll shows, or null.';
grant execute on function private.latest_edit, private.edited_at, private.revoked_at, private.reactions, private.votes to service_role;

create function private.refresh_preview(p_before public.messages, p_rev bigint, p_preview text)
returns void language sql volatile security invoker set search_path = '' as $$
  update public.conversations set last_message_preview = p_preview, version = p_rev
  where id = (p_before).conversation_id and last_message_at = (p_before).occurred_at
    and last_message_preview = private.message_preview((p_before).type, (p_before).body, (p_before).revoked_at)
    and last_message_preview is distinct from p_preview
$$;
comment on function private.refresh_preview is 'The inbox shows the newest message as it is after a change.';

create function private.apply_changes(p_message_id uuid)
returns void language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_message public.messages;
  v_edit public.message_changes;
  v_base jsonb;
  v_rev bigint;
  v_preview text;
begin
  select * into v_message from public.messages where id = p_message_id;
  v_edit := private.latest_edit(v_message);
  v_base := coalesce(v_message.original, jsonb_build_object('type', v_message.type, 'body', v_message.body));
  update public.messages as message set
    type = shown.type, body = shown.body, original = shown.original, edited_at = shown.edited_at,
    revoked_at = shown.revoked_at, reactions = shown.reactions, votes = shown.votes
  from (
    select
      -- An edit changes a text or caption, never kind or file; of what could not be read it tells the kind.
      case when v_base ->> 'type' = 'unsupported' and v_edit.type is not null then v_edit.payload ->> 'type'
        else v_base ->> 'type' end as type,
      coalesce(left(v_edit.body, 16000), v_base ->> 'body') as body,
      case when v_edit.type is not null then v_base end as original,
      private.edited_at(v_message) as edited_at, private.revoked_at(v_message) as revoked_at,
      private.reactions(v_message) as reactions, private.votes(v_message) as votes
  ) as shown
  where id = p_message_id and (
    message.type, message.body, message.original, message.edited_at, message.revoked_at, message.reactions, message.votes
  ) is distinct from (
    shown.type, shown.body, shown.original, shown.edited_at, shown.revoked_at, shown.reactions, shown.votes
  )
  returning rev, private.message_preview(message.type, message.body, message.revoked_at) into v_rev, v_preview;
  if found then
    perform private.refresh_preview(v_message, v_rev, v_preview);
  end if;
end $$;
comment on function private.apply_changes is
  'Shows on a message what its changes make of it, by all that is known; again, it changes nothing. The caller holds the locks of the inbox and the conversation.';

create function private.apply_changes_to(p_instance_id uuid, p_target text)
returns void language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_message public.messages;
begin
  select * into v_message from public.messages where instance_id = p_instance_id and provider_message_id = p_target;
  if v_message.id is not null then
    perform private.lock_conversation(v_message.conversation_id, v_message.company_id);
    perform private.apply_changes(v_message.id);
  end if;
end $$;
comment on function private.apply_changes_to is 'Applies the changes of a message that is known by now; otherwise they wait. The caller holds the lock of the inbox.';

create function private.keep_change(p_change public.message_changes)
returns void language sql volatile security invoker set search_path = '' as $$
  insert into public.message_changes as known
    (instance_id, target, change_id, company_id, type, actor, body, media, payload, sent_at, received_at)
  values (
    (p_change).instance_id, (p_change).target, (p_change).change_id, (p_change).company_id, (p_change).type,
    coalesce((p_change).actor, ''), (p_change).body, (p_change).media, coalesce((p_change).payload, '{}'),
    (p_change).sent_at, (p_change).received_at
  )
  -- Copies of one change may tell more or less of it: whichever comes first, the same one stays.
  on conflict (instance_id, target, change_id) do update set
    actor = excluded.actor, body = excluded.body, media = excluded.media, payload = excluded.payload,
    sent_at = excluded.sent_at
  where (coalesce(excluded.sent_at, '-infinity'), coalesce(excluded.body, ''), excluded.actor, excluded.payload::text)
    > (coalesce(known.sent_at, '-infinity'), coalesce(known.body, ''), known.actor, known.payload::text)
$$;
comment on function private.keep_change is 'Stores a change once; of its copies the one that tells most.';
grant execute on function
  private.refresh_preview, private.apply_changes, private.apply_changes_to, private.keep_change
to service_role;


-- Our own ----------------------------------------------------------------------------------

create function private.keep_own_change(p_message_id uuid)
returns void language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_message public.messages;
  v_change public.message_changes;
begin
  select * into v_message from public.messages where id = p_message_id;
  if private.status_rank(v_message.status) < private.status_rank('accepted') then
    return;
  end if;
  if v_message.status = 'failed' then
    delete from public.message_changes
    where instance_id = v_message.instance_id and target = v_message.target and change_id = 'sent:' || v_message.id;
  else
    v_change.instance_id := v_message.instance_id;
    v_change.target := v_message.target;
    v_change.change_id := 'sent:' || v_message.id;
    v_change.company_id := v_message.company_id;
    v_change.type := v_message.type;
    v_change.actor := 'us';
    v_change.body := nullif(v_message.body, '');
    v_change.payload := case
      when v_message.type = 'edit' then '{"type": "text"}'
      when v_message.type = 'reaction' and coalesce(v_message.body, '') = '' then '{"removed": true}'
      else '{}' end;
    v_change.sent_at := coalesce(v_message.accepted_at, v_message.created_at);
    v_change.received_at := now();
    perform private.keep_change(v_change);
  end if;
  perform private.apply_changes_to(v_message.instance_id, v_message.target);
end $$;
comment on function private.keep_own_change is
  'A reaction, edit or revoke that we sent takes effect when the provider has it, and none when it failed. The caller holds the lock of the inbox.';
grant execute on function private.keep_own_change to service_role;


-- What waits for a message ------------------------------------------------------------------

create function private.meet_what_waits(p_message_id uuid)
returns void language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_message public.messages;
begin
  select * into v_message from public.messages where id = p_message_id;
  update public.messages set reply_to_id = v_message.id
  where conversation_id = v_message.conversation_id and reply_to = v_message.provider_message_id
    and reply_to_id is distinct from v_message.id;
  if num_nonnulls(
    v_message.original, v_message.edited_at, v_message.revoked_at, v_message.reactions, v_message.votes
  ) > 0 or exists (
    select from public.message_changes
    where instance_id = v_message.instance_id and target = v_message.provider_message_id
  ) then
    perform private.apply_changes(v_message.id);
  end if;
end $$;
comment on function private.meet_what_waits is
  'Answers and changes that came before a message find it; one that lost its provider id shows none of them.';
grant execute on function private.meet_what_waits to service_role;

-- definer because a sender may read messages and change none. Its name puts it after the triggers
-- that tell of the new message: what changes it comes after it.
create function private.messages_wake_what_waits()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.meet_what_waits(id) from added where provider_message_id is not null order by seq;
  return null;
end $$;
comment on function private.messages_wake_what_waits is 'A message that comes after its changes shows them at once.';
create trigger messages_wake_what_waits after insert on public.messages
  referencing new table as added for each statement execute function private.messages_wake_what_waits();

-- definer because whoever moves a message on need not be allowed to change others.
create function private.messages_wake_what_waits_later()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.meet_what_waits(message.id)
  from changed as message join before on before.id = message.id
  where message.provider_message_id is distinct from before.provider_message_id;
  perform private.keep_own_change(message.id)
  from changed as message join before on before.id = message.id
  where message.type in ('reaction', 'edit', 'revoke') and message.direction = 'out' and message.target is not null
    and message.status <> before.status;
  return null;
end $$;
comment on function private.messages_wake_what_waits_later is
  'A message that gets its provider id meets what waits for it; a change of ours counts once the provider has it.';
create trigger messages_wake_what_waits_later after update on public.messages
  referencing old table as before new table as changed for each statement
  execute function private.messages_wake_what_waits_later();


-- Looking at what waits ---------------------------------------------------------------------

create function public.list_waiting_changes(
  p_instance_id uuid, p_company_id uuid default null, p_limit integer default 50, p_cursor text default null
)
returns json language plpgsql stable security invoker set search_path = '' as $$
declare
  v_limit integer := least(greatest(p_limit, 1), 200);
  v_window integer := 2000;
  v_target text := coalesce(substr(p_cursor, position(' ' in p_cursor) + 1), '');
  v_change_id text := '';
begin
  if not exists (
    select from public.instances where id = p_instance_id and (p_company_id is null or company_id = p_company_id)
  ) then
    raise exception using errcode = 'PT404', message = 'instance_not_found',
      detail = 'There is no such number, or you may not see it.';
  end if;
  if p_cursor !~ '^[0-9]{1,3} .' then
    raise exception using errcode = 'PT422', message = 'invalid_cursor',
      detail = 'The cursor is not one that this list has given.', hint = 'Start again without cursor.';
  end if;
  -- A cursor is how long the target is, the target, and the change.
  if p_cursor is not null then
    v_change_id := substr(v_target, split_part(p_cursor, ' ', 1)::integer + 1);
    v_target := left(v_target, split_part(p_cursor, ' ', 1)::integer);
  end if;
  return (
    with seen as materialized (
      select * from public.message_changes
      where instance_id = p_instance_id and (target, change_id) > (v_target, v_change_id)
      order by target, change_id limit v_window
    ), waiting as materialized (
      select change, row_number() over (order by target, change_id) as place from seen as change
      where not exists (
        select from public.messages
        where messages.instance_id = p_instance_id and provider_message_id = change.target
      )
    ), last as (
      (select (change).target, (change).change_id from waiting
       where place = v_limit and exists (select from waiting where place > v_limit))
      union all
      (select target, change_id from seen where (select count(*) from seen) = v_window order by target desc, change_id desc limit 1)
      limit 1
    )
    select json_build_object(
      'data', coalesce((select json_agg(change order by place) from waiting where place <= v_limit), '[]'),
      'next_cursor', (select length(target) || ' ' || target || change_id from last)
    )
  );
end $$;
comment on function public.list_waiting_changes is
  'Reactions, edits, revokes and votes of a number whose message is not known (yet), by the id of the message: {data, next_cursor}. A page looks at 2000 changes and may be short, even empty; the list ends where next_cursor is null. Raises instance_not_found, invalid_cursor.';
grant execute on function public.list_waiting_changes to authenticated, service_role;
