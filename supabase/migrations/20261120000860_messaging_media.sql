-- Messaging, media: the files of messages, fetched at once, since providers keep them for days only.
--
--   pending -> stored      its bytes are in the bucket, and media.object names them
--           -> too_large   over the limit of this deployment
--           -> gone        the provider has it no more
--           -> failed      it was tried often enough, or its type is not kept; media.error says why
--
-- The state stands in messages.media, so every step is a version of the conversation. An object is
-- called <company>/<sha256 of its bytes>: the same file is kept once per company, and a company's
-- files lie in one folder. What people upload to send lies in <company>/uploads/.

set lock_timeout = '5s';

insert into storage.buckets (id, name, public) values ('media', 'media', false) on conflict (id) do nothing;

create policy "members read the media of their company" on storage.objects for select to authenticated
  using (
    bucket_id = 'media'
    and (storage.foldername(name))[1] in (select company_id::text from private.my_company_ids() as company_id)
  );
create policy "agents upload what they send" on storage.objects for insert to authenticated
  with check (
    bucket_id = 'media'
    and (storage.foldername(name))[1] in (select company_id::text from private.my_company_ids('agent') as company_id)
    and (storage.foldername(name))[2] = 'uploads'
  );

insert into public.queues (name) values ('media');
-- About two hours of tries.
insert into public.job_types (type, queue, priority, max_attempts) values ('messages.fetch_media', 'media', 5, 12);

create function private.media_of_provider(p_media jsonb)
returns jsonb language sql immutable security invoker set search_path = '' as $$
  select p_media - array['state', 'object', 'size', 'error']
$$;
comment on function private.media_of_provider is 'What the provider said of a file, without what became of it here.';
grant execute on function private.media_of_provider to authenticated, service_role;

create function private.messages_await_media()
returns trigger language plpgsql volatile security invoker set search_path = '' as $$
begin
  if tg_op = 'UPDATE' and private.media_of_provider(old.media) = private.media_of_provider(new.media) then
    -- The same file, told once more: what became of it stays.
    new.media := old.media || new.media;
  elsif not new.media ? 'state' then
    new.media := new.media || '{"state": "pending"}';
  end if;
  return new;
end $$;
comment on function private.messages_await_media is 'A file that came is one to fetch; the same one, told again, stays as it is.';
create trigger messages_await_media before insert or update of media on public.messages for each row
  when (new.media is not null and new.origin in ('contact', 'phone_echo', 'api_echo'))
  execute function private.messages_await_media();

-- definer because whoever stores a message may not write jobs.
create function private.messages_fetch_media()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
begin
  perform public.enqueue_jobs(jsonb_agg(jsonb_build_object(
    'type', 'messages.fetch_media', 'company_id', company_id,
    'data', jsonb_build_object('message_id', id), 'unique_key', 'media:' || id
  ) order by seq))
  from added where media ->> 'state' = 'pending'
  having count(*) > 0;
  return null;
end $$;
comment on function private.messages_fetch_media is 'A message with a file and the job that fetches it are one transaction.';
create trigger messages_fetch_media after insert on public.messages
  referencing new table as added for each statement execute function private.messages_fetch_media();

-- definer because whoever changes a message may not write jobs.
create function private.messages_fetch_other_media()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
begin
  perform public.enqueue_jobs(jsonb_build_array(jsonb_build_object(
    'type', 'messages.fetch_media', 'company_id', new.company_id,
    'data', jsonb_build_object('message_id', new.id), 'unique_key', 'media:' || new.id, 'if_exists', 'replace'
  )));
  return null;
end $$;
comment on function private.messages_fetch_other_media is 'A message that came to have another file: readable at last, or edited.';
create trigger messages_fetch_other_media after update of media on public.messages for each row
  when (
    new.media ->> 'state' = 'pending'
    and (old.media is null or old.media - 'state' is distinct from new.media - 'state')
  )
  execute function private.messages_fetch_other_media();


-- Fetch -------------------------------------------------------------------------------------

create table private.media_uploads (
  message_id uuid not null references public.messages (id) on delete cascade,
  object text not null,
  company_id uuid not null references public.companies (id) on delete cascade,
  primary key (message_id, object)
);
comment on table private.media_uploads is 'Objects that are being put into the bucket for a message, or were by a worker that died.';
create index media_uploads_by_object on private.media_uploads (company_id, object);
alter table private.media_uploads enable row level security;
grant select, insert, update, delete on private.media_uploads to service_role;

create table private.media_removals (
  object text primary key,
  company_id uuid not null references public.companies (id) on delete cascade
);
comment on table private.media_removals is 'Objects that are being removed from the bucket, since no message has them any more.';
create index media_removals_by_company on private.media_removals (company_id);
alter table private.media_removals enable row level security;
grant select, insert, update, delete on private.media_removals to service_role;

create function public.begin_media(p_message_id uuid)
returns json language sql stable security invoker set search_path = '' as $$
  select json_build_object(
    'company_id', message.company_id, 'media', message.media, 'chat', conversation.address,
    'provider_message_id', message.provider_message_id, 'from_us', message.direction = 'out',
    'instance', json_build_object(
      'id', instance.id, 'provider', instance.provider, 'base_url', instance.base_url,
      'external_id', instance.external_id, 'account_id', coalesce(instance.waba_id, ''),
      'credentials', secret.credentials
    ),
    -- Only where the bytes came with the item.
    'stored', case when message.media @> '{"inline": true}' then (
      select raw from public.inbound_events
      where endpoint_id = instance.endpoint_id
        and dedupe_key = instance.external_id || '|messages.upsert|' || message.provider_message_id
    ) end
  )
  from public.messages as message
  join public.conversations as conversation on conversation.id = message.conversation_id
  join public.instances as instance on instance.id = message.instance_id
  join private.instance_secrets as secret on secret.instance_id = instance.id
  where message.id = p_message_id and message.media ->> 'state' = 'pending'
$$;
comment on function public.begin_media is
  'All that it takes to fetch the file of a message; null when there is nothing to fetch: done, or the number was removed.';
grant execute on function public.begin_media to service_role;

create function public.claim_media(p_message_id uuid, p_media jsonb, p_object text)
returns text language plpgsql volatile security invoker set search_path = '' as $$
begin
  -- Under this lock what is to be removed is chosen.
  perform private.lock_inbox(company_id) from public.messages where id = p_message_id;
  if exists (select from private.media_removals where object = p_object) then
    return 'wait';
  end if;
  insert into private.media_uploads (message_id, object, company_id)
  select id, p_object, company_id from public.messages
  where id = p_message_id and media ->> 'state' = 'pending'
    and private.media_of_provider(media) = private.media_of_provider(p_media)
  on conflict (message_id, object) do update set object = excluded.object;
  return case when found then 'go' else 'settled' end;
end $$;
comment on function public.claim_media is
  'Before an object is put into the bucket for the file that begin_media told of: go; wait, while an equal one is being removed; settled, when the message wants it no more.';
grant execute on function public.claim_media to service_role;

create function public.record_media(p_message_id uuid, p_media jsonb, p_result jsonb)
returns boolean language plpgsql volatile security invoker set search_path = '' as $$
begin
  perform private.lock_conversation(conversation_id, company_id) from public.messages where id = p_message_id;
  -- Another file may have come in its place meanwhile: that one has its own job.
  update public.messages set
    media = media || p_result,
    original = case when private.media_of_provider(original -> 'media') = private.media_of_provider(p_media)
      then jsonb_set(original, '{media}', original -> 'media' || p_result) else original end
  where id = p_message_id and media ->> 'state' = 'pending'
    and private.media_of_provider(media) = private.media_of_provider(p_media);
  if found then
    delete from private.media_uploads where message_id = p_message_id and object = p_result ->> 'object';
    return true;
  end if;
  return false;
end $$;
comment on function public.record_media is
  'What became of the file that begin_media told of: {state, object?, size?, error?}. False when it is settled already, or another one.';
grant execute on function public.record_media to service_role;

-- definer because the queue's functions run as whoever calls them.
create function private.jobs_give_up_media()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
begin
  perform public.record_media(id, media, jsonb_build_object('state', 'failed', 'error', left(new.error, 200)))
  from public.messages where id = (new.data ->> 'message_id')::uuid and media ->> 'state' = 'pending';
  return null;
end $$;
comment on function private.jobs_give_up_media is 'A file whose job gave up has failed.';
-- A job whose data names no message ends like any other: raising here would stop every claim after it.
create trigger jobs_give_up_media after update on public.queue_jobs for each row
  when (
    new.type = 'messages.fetch_media' and new.status in ('failed', 'cancelled') and old.status = 'pending'
    and pg_input_is_valid(new.data ->> 'message_id', 'uuid')
  )
  execute function private.jobs_give_up_media();

-- definer because the queue's functions run as whoever calls them.
create function private.jobs_replay_media()
returns trigger language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.lock_conversation(conversation_id, company_id)
  from public.messages where id = (new.data ->> 'message_id')::uuid;
  update public.messages set media = media || '{"state": "pending"}'
  where id = (new.data ->> 'message_id')::uuid and media ->> 'state' = 'failed';
  return null;
end $$;
comment on function private.jobs_replay_media is 'A file whose job is replayed is fetched again.';
create trigger jobs_replay_media after update of replays on public.queue_jobs for each row
  when (new.type = 'messages.fetch_media' and pg_input_is_valid(new.data ->> 'message_id', 'uuid'))
  execute function private.jobs_replay_media();


-- Read --------------------------------------------------------------------------------------

create function public.find_media(p_message_id uuid, p_company_id uuid default null)
returns json language plpgsql stable security invoker set search_path = '' as $$
declare
  v_message public.messages;
begin
  select * into v_message from public.messages
  where id = p_message_id and (p_company_id is null or company_id = p_company_id);
  if v_message.id is null then
    raise exception using errcode = 'PT404', message = 'message_not_found',
      detail = 'There is no such message, or none that you may see.';
  end if;
  if v_message.media is null then
    raise exception using errcode = 'PT404', message = 'no_media', detail = 'This message has no file.';
  end if;
  return json_build_object('company_id', v_message.company_id, 'media', v_message.media);
end $$;
comment on function public.find_media is 'The file of a message that the caller may see: {company_id, media}. Raises message_not_found, no_media.';
grant execute on function public.find_media to authenticated, service_role;
