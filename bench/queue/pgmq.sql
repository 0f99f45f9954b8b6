-- pgmq's SQL (1.5), rewritten for one queue: table shapes, indexes and statements as documented at
-- https://pgmq.github.io/pgmq/. The original builds each statement with format() on every call;
-- these are planned once, which is in pgmq's favour.

create schema pgmq;

create table pgmq.q_bench (
  msg_id bigint primary key generated always as identity,
  read_ct integer not null default 0,
  enqueued_at timestamptz not null default now(),
  vt timestamptz not null,
  message jsonb,
  headers jsonb
);
create index q_bench_vt on pgmq.q_bench (vt);

create table pgmq.a_bench (
  msg_id bigint primary key,
  read_ct integer not null default 0,
  enqueued_at timestamptz not null default now(),
  archived_at timestamptz not null default now(),
  vt timestamptz not null,
  message jsonb,
  headers jsonb
);
create index a_bench_archived_at on pgmq.a_bench (archived_at);

create function pgmq.send_batch(p_messages jsonb[])
returns setof bigint language sql as $$
  insert into pgmq.q_bench (vt, message) select clock_timestamp(), unnest(p_messages) returning msg_id
$$;

create function pgmq.read(p_seconds integer, p_size integer)
returns setof pgmq.q_bench language plpgsql as $$
begin
  return query
  with due as (
    select msg_id from pgmq.q_bench where vt <= clock_timestamp() order by msg_id limit p_size
    for update skip locked
  )
  update pgmq.q_bench as message set vt = clock_timestamp() + make_interval(secs => p_seconds), read_ct = read_ct + 1
  from due where message.msg_id = due.msg_id
  returning message.*;
end $$;

create function pgmq.archive(p_ids bigint[])
returns setof bigint language plpgsql as $$
begin
  return query
  with gone as (delete from pgmq.q_bench where msg_id = any (p_ids) returning *)
  insert into pgmq.a_bench (msg_id, vt, read_ct, enqueued_at, message, headers)
  select gone.msg_id, gone.vt, gone.read_ct, gone.enqueued_at, gone.message, gone.headers from gone
  returning msg_id;
end $$;

create function pgmq.delete(p_ids bigint[])
returns setof bigint language plpgsql as $$
begin
  return query delete from pgmq.q_bench where msg_id = any (p_ids) returning msg_id;
end $$;
