-- Messaging, seen: the contact is shown that what was unread has been read.

set lock_timeout = '5s';

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
