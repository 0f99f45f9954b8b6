-- The least that a queue in Postgres can do: lease by due time, settle, nothing else. One table; the
-- lease stands in no index, so a claim is a HOT update; rows are claimed by ctid and settled by an
-- array of ids; mutable columns stand before the payload. No queues, limits, keys, retries, fences.

create schema raw;

create table raw.jobs (
  id bigint primary key generated always as identity,
  run_at timestamptz not null default now(),
  lease_until timestamptz,
  finished_at timestamptz,
  attempts integer not null default 0,
  payload jsonb not null
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
create index jobs_ready on raw.jobs (run_at, id) where finished_at is null;

create function raw.claim(p_size integer, p_seconds integer)
returns table (id bigint, attempts integer, payload jsonb) language plpgsql
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off as $$
begin
  return query
  with picked as materialized (
    select job.ctid from raw.jobs as job
    where finished_at is null and run_at <= now() and (lease_until is null or lease_until <= now())
    order by run_at, job.id limit p_size for update skip locked
  )
  update raw.jobs as job set
    lease_until = now() + make_interval(secs => p_seconds), attempts = job.attempts + 1
  where job.ctid = any (array(select ctid from picked))
  returning job.id, job.attempts, job.payload;
end $$;

create function raw.exchange(p_done bigint[], p_size integer, p_seconds integer)
returns table (id bigint, attempts integer, payload jsonb) language plpgsql
set enable_seqscan = off as $$
begin
  update raw.jobs as job set finished_at = now(), lease_until = null where job.id = any (p_done);
  return query select * from raw.claim(p_size, p_seconds);
end $$;

create function raw.exchange_deleting(p_done bigint[], p_size integer, p_seconds integer)
returns table (id bigint, attempts integer, payload jsonb) language plpgsql
set enable_seqscan = off as $$
begin
  delete from raw.jobs as job where job.id = any (p_done);
  return query select * from raw.claim(p_size, p_seconds);
end $$;
