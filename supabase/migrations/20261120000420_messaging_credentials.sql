-- Messaging, credentials: sealing them anew when the key rotates.
--
-- v1.<id of the key>.<ciphertext>: what is sealed says with which key. Both tables bind the text to
-- its row, so the place to open it for stands beside it.

set lock_timeout = '5s';

create function public.list_sealed(p_key_id text, p_limit integer default 100)
returns json language sql stable security invoker set search_path = '' as $$
  select coalesce(json_agg(found), '[]') from (
    select 'instance:' || instance_id as place, credentials as sealed from private.instance_secrets
    where split_part(credentials, '.', 2) <> p_key_id
    union all
    select 'endpoint:' || token_hash, secrets from private.inbound_endpoints
    where split_part(secrets, '.', 2) <> p_key_id
    limit p_limit
  ) as found
$$;
comment on function public.list_sealed is 'What is sealed with any key but this one: [{place, sealed}].';
grant execute on function public.list_sealed to service_role;

create function public.reseal(p_place text, p_old text, p_new text)
returns boolean language plpgsql volatile security invoker set search_path = '' as $$
begin
  update private.instance_secrets set credentials = p_new
  where 'instance:' || instance_id = p_place and credentials = p_old;
  if found then
    return true;
  end if;
  update private.inbound_endpoints set secrets = p_new
  where 'endpoint:' || token_hash = p_place and secrets = p_old;
  return found;
end $$;
comment on function public.reseal is
  'Puts the same secret, sealed with another key, in place of what was read; false where it has changed since.';
grant execute on function public.reseal to service_role;
