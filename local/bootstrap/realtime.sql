-- Schema realtime as a hosted project has it, for the local gateway: stored broadcasts and the
-- functions that write them. Runs once, after roles.sql, as supabase_admin.
--
-- Two things differ from hosted, both unseen by a client. One wide partition replaces the daily
-- ones the server makes there. And the gateway reads committed rows from realtime.gateway_log, at
-- the end of this file; hosted reads the write-ahead log instead.

create schema if not exists realtime;
grant usage on schema realtime to postgres with grant option;
grant usage on schema realtime to anon, authenticated, service_role;
grant all on schema realtime to supabase_realtime_admin with grant option;

-- `create policy ... on realtime.messages` needs the owner's rights. Hosted gives them to postgres
-- by an extension that is not in the embedded Postgres; membership is the nearest thing. That a
-- migration does nothing else in this schema is held by the lint of the migrations.
grant supabase_realtime_admin to postgres;
grant anon, authenticated, service_role to supabase_realtime_admin with inherit false;

create table realtime.messages (
  topic          text not null,
  extension      text not null,
  payload        jsonb,
  event          text,
  private        boolean default false,
  updated_at     timestamp without time zone not null default now(),
  inserted_at    timestamp without time zone not null default now(),
  id             uuid not null default gen_random_uuid(),
  binary_payload bytea,
  primary key (id, inserted_at),
  constraint messages_payload_exclusive check (payload is null or binary_payload is null)
) partition by range (inserted_at);
comment on table realtime.messages is
  'Broadcasts sent from the database, kept 72 hours; policies on it decide who may join a topic.';

create table realtime.messages_all partition of realtime.messages
  for values from (minvalue) to (maxvalue);

create index messages_inserted_at_topic_index on realtime.messages (inserted_at desc, topic)
  where extension = 'broadcast' and private;

alter table realtime.messages owner to supabase_realtime_admin;
alter table realtime.messages_all owner to supabase_realtime_admin;
alter table realtime.messages enable row level security;
alter table realtime.messages_all enable row level security;
grant select, insert, update on realtime.messages to anon, authenticated, service_role;
grant all on realtime.messages to postgres;

-- The topic a policy is asked about. Empty after the transaction that set it, hence the nullif.
create function realtime.topic() returns text
language sql stable
as $$ select nullif(current_setting('realtime.topic', true), '') $$;

-- Store one broadcast; it leaves at commit. Never raises: whatever goes wrong is a WARNING and
-- the message is lost. A payload that is no object is such an error, because it has no place for
-- the id.
create function realtime.send(payload jsonb, event text, topic text, private boolean default true)
returns void
language plpgsql
as $$
declare
  v_id uuid := gen_random_uuid();
begin
  if not payload ? 'id' then
    payload := jsonb_set(payload, '{id}', to_jsonb(v_id));
  end if;
  perform set_config('realtime.topic', topic, true);
  insert into realtime.messages (id, topic, extension, event, private, payload)
  values (v_id, topic, 'broadcast', event, private, payload);
exception when others then
  raise warning 'WarnSendingBroadcastMessage: %', sqlerrm;
end
$$;

create function realtime.send_binary(
  payload bytea, event text, topic text, private boolean default true
)
returns void
language plpgsql
as $$
begin
  perform set_config('realtime.topic', topic, true);
  insert into realtime.messages (topic, extension, event, private, binary_payload)
  values (topic, 'broadcast', event, private, payload);
exception when others then
  raise warning 'WarnSendingBroadcastMessage: %', sqlerrm;
end
$$;

-- For row triggers: the whole row, before and after. Unlike send it raises, and so aborts the
-- writing statement, when called with anything but a row change.
create function realtime.broadcast_changes(
  topic_name text, event_name text, operation text, table_name text, table_schema text,
  new record, old record, level text default 'ROW'
)
returns void
language plpgsql
as $$
begin
  if level = 'STATEMENT' then
    raise exception 'function can only be triggered for each row, not for each statement';
  end if;
  if operation not in ('INSERT', 'UPDATE', 'DELETE') then
    raise exception 'Unexpected operation type: %', operation;
  end if;
  perform realtime.send(
    jsonb_build_object(
      'old_record', old, 'record', new, 'operation', operation,
      'table', table_name, 'schema', table_schema
    ),
    event_name,
    topic_name
  );
exception when others then
  raise exception 'Failed to process the row: %', sqlerrm;
end
$$;

-- The committed broadcasts in the order of their commits. The trigger runs at commit, one
-- transaction at a time: the lock is released only after the commit can be seen, so whoever sees a
-- position also sees every lower one. A reader that remembers the last position it read misses
-- nothing and reads nothing twice, whatever happens to its connection.
create table realtime.gateway_log (
  position    bigint generated always as identity primary key,
  message_id  uuid not null,
  inserted_at timestamp without time zone not null
);
comment on table realtime.gateway_log is
  'Of the local gateway only: which messages were committed, in the order of their commits.';
create index gateway_log_message_id_index on realtime.gateway_log (message_id);
alter table realtime.gateway_log owner to supabase_realtime_admin;

-- Security definer: whoever may send need not know the log. The notification only wakes the reader.
create function realtime.log_commit() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock('realtime.gateway_log'::regclass::bigint);
  insert into realtime.gateway_log (message_id, inserted_at) values (new.id, new.inserted_at);
  notify realtime_messages;
  return null;
end
$$;

create constraint trigger log_commit
  after insert on realtime.messages_all
  deferrable initially deferred
  for each row when (new.extension = 'broadcast')
  execute function realtime.log_commit();

alter function realtime.topic() owner to supabase_realtime_admin;
alter function realtime.send(jsonb, text, text, boolean) owner to supabase_realtime_admin;
alter function realtime.send_binary(bytea, text, text, boolean) owner to supabase_realtime_admin;
alter function realtime.broadcast_changes(text, text, text, text, text, record, record, text)
  owner to supabase_realtime_admin;
alter function realtime.log_commit() owner to supabase_realtime_admin;

grant execute on function realtime.topic() to postgres, anon, authenticated, service_role;
grant execute on function realtime.send(jsonb, text, text, boolean)
  to postgres, anon, authenticated, service_role;
grant execute on function realtime.send_binary(bytea, text, text, boolean)
  to postgres, anon, authenticated, service_role;
grant execute on function
  realtime.broadcast_changes(text, text, text, text, text, record, record, text)
  to postgres, anon, authenticated, service_role;

-- Present on hosted, where the server reads the first one; nothing reads either of them here.
create publication supabase_realtime_messages_publication for table realtime.messages;
