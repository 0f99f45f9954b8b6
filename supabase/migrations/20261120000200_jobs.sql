-- Jobs: a queue for workers that have HTTP and nothing else.
--
-- A job is pending until it ends:
--
--   pending -> completed   the handler succeeded
--   pending -> failed      attempts used up, given up, or the worker died on the last attempt
--   pending -> cancelled   somebody did not want it any more
--
-- "Running" is no state: a pending job with a live lease is running. When the lease runs out
-- the job is simply due again, so nothing has to notice that a worker died.
--
-- This file holds the tables. How jobs get in: *_jobs_enqueue.sql; who gets one: *_jobs_lanes.sql
-- and *_jobs_claims.sql; how it ends: *_jobs_settlements.sql.
--
-- Lists go in and out as one JSON value, because PostgREST cuts row sets at max_rows.

set lock_timeout = '5s';


-- Queues ------------------------------------------------------------------------------------

create table public.queues (
  name text primary key,
  paused boolean not null default false,
  -- Token bucket: at most `burst` at once, refilled at `rate_per_second`. Null: no limit.
  rate_per_second double precision,
  burst integer not null default 1,
  tokens double precision not null default 0,
  refilled_at timestamptz not null default now(),
  -- At most this many running at once. Null: no limit.
  concurrency integer,
  running integer not null default 0,
  -- A provider said "not before": nothing of this queue starts until then.
  blocked_until timestamptz,
  -- How long ended jobs stay: completed and cancelled ones, failed ones.
  keep_completed interval not null default '7 days',
  keep_failed interval not null default '30 days',
  constraint a_queue_name_is_a_word check (name ~ '^[a-z][a-z0-9_-]{0,62}$'),
  constraint a_rate_is_positive check (rate_per_second > 0),
  constraint a_burst_is_positive check (burst > 0),
  constraint a_concurrency_is_positive check (concurrency > 0),
  constraint ended_jobs_stay_for_a_time check (keep_completed >= interval '0' and keep_failed >= interval '0')
) with (fillfactor = 10);
comment on table public.queues is 'One row per queue: its pause, its rate and its limits, changed while it runs.';

insert into public.queues (name)
values ('inbound'), ('outbound'), ('campaigns'), ('webhooks'), ('backups'), ('embeddings'), ('default');

create table public.job_types (
  type text primary key,
  queue text not null references public.queues (name),
  priority smallint not null default 5,
  max_attempts integer not null default 5,
  -- A type that is another name for this one, and the key that its jobs must have in data.
  alias_of text references public.job_types (type),
  needs text,
  -- False where a second run could do nothing: replaying such a job is refused.
  replayable boolean not null default true,
  constraint a_default_priority_is_a_digit check (priority between 0 and 9),
  constraint a_default_max_attempts_is_positive check (max_attempts > 0)
);
comment on table public.job_types is
  'Defaults per type of job. A room adds its own types; a type without a row goes to the queue default.';
create index job_types_by_queue on public.job_types (queue);
create index job_types_by_alias on public.job_types (alias_of);


-- Limits of keys ----------------------------------------------------------------------------

create table private.job_limits (
  limit_key text primary key,
  rate_per_second double precision,
  burst integer not null default 1,
  tokens double precision not null default 0,
  refilled_at timestamptz not null default now(),
  blocked_until timestamptz,
  constraint a_key_rate_is_positive check (rate_per_second > 0),
  constraint a_key_burst_is_positive check (burst > 0)
) with (fillfactor = 50);
comment on table private.job_limits is
  'One row per limit key that has a limit: a phone number, an API account. Its jobs share a token bucket, whatever their queue.';
comment on column private.job_limits.blocked_until is 'A provider said "not before": no job of the key starts until then.';


-- Lanes -------------------------------------------------------------------------------------

create table private.queue_lanes (
  id bigint generated always as identity primary key,
  queue text not null references public.queues (name),
  company_id uuid references public.companies (id) on delete cascade,
  limit_key text,
  -- Company and key as one value that is never null, for look-ups by index.
  name text not null generated always as (coalesce(company_id::text, '') || '/' || coalesce(limit_key, '')) stored,
  -- Lanes are served in this order, from -infinity to now; see *_jobs_lanes.sql.
  turn_at timestamptz not null default '-infinity',
  blocked_until timestamptz,
  -- Per priority: no job that is free to start is due before.
  floors timestamptz[],
  floored_at timestamptz,
  constraint one_lane_per_company_and_key unique (queue, name)
) with (fillfactor = 50);
comment on table private.queue_lanes is
  'The jobs of a queue, a company and a limit key wait in one lane. Lanes take turns: a company''s hundred thousand jobs do not delay the ten of another, and a limit stops a lane, not a worker.';
create index queue_lanes_by_turn on private.queue_lanes (queue, turn_at);
create index queue_lanes_by_company on private.queue_lanes (company_id);
create index queue_lanes_by_limit_key on private.queue_lanes (limit_key) where limit_key is not null;


-- Jobs --------------------------------------------------------------------------------------

create table public.queue_jobs (
  id bigint generated by default as identity primary key,
  run_at timestamptz not null default now(),
  lease_until timestamptz,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  completed_at timestamptz,
  last_error_at timestamptz,
  lane_id bigint not null,
  company_id uuid references public.companies (id) on delete cascade,
  claims integer not null default 0,
  attempts integer not null default 0,
  max_attempts integer not null default 5,
  replays integer not null default 0,
  priority smallint not null default 5,
  parked boolean not null default false,
  status text not null default 'pending',
  queue text not null default 'default',
  type text not null,
  unique_key text,
  order_key text,
  limit_key text,
  worker text,
  error text,
  progress jsonb,
  history jsonb,
  result jsonb,
  -- Last, because a claim then rewrites only what stands before it.
  data jsonb not null default '{}',
  constraint a_status_is_known check (status in ('pending', 'completed', 'failed', 'cancelled')),
  constraint a_job_has_ended_when_it_is_not_pending check ((status = 'pending') = (completed_at is null)),
  constraint an_ended_job_has_no_lease check (completed_at is null or lease_until is null),
  constraint an_ended_job_is_not_parked check (completed_at is null or not parked),
  constraint a_priority_is_a_digit check (priority between 0 and 9),
  constraint max_attempts_is_positive check (max_attempts > 0),
  constraint data_is_an_object check (jsonb_typeof(data) = 'object'),
  constraint data_is_at_most_256_kilobytes check (pg_column_size(data) <= 262144)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
comment on table public.queue_jobs is
  'All jobs, waiting and ended. pending -> completed | failed | cancelled; running = pending with a live lease. Rows come from enqueue_jobs alone.';
comment on column public.queue_jobs.priority is '0-9, higher first.';
comment on column public.queue_jobs.claims is 'Leases so far; the number fences late settlements.';
comment on column public.queue_jobs.replays is 'How often an operator started it anew after its end.';
comment on column public.queue_jobs.order_key is 'Jobs of one queue and key run one at a time, in id order.';
comment on column public.queue_jobs.limit_key is 'Jobs of one limit key share the rate and the pauses of its row in job_limits.';
comment on column public.queue_jobs.parked is 'Known to wait behind another job of its order key, and put out of the way of claims.';
comment on column public.queue_jobs.worker is 'Who held the last lease.';
comment on column public.queue_jobs.history is 'The last ten leases that did not end in success, newest first.';

-- Free and due jobs in the order of a claim.
create index queue_jobs_ready on public.queue_jobs (lane_id, priority, run_at, id)
  where completed_at is null and not parked;
-- "Is there an earlier unfinished job of this key?"
create index queue_jobs_by_order_key on public.queue_jobs (queue, order_key, id)
  where order_key is not null and completed_at is null;
create index queue_jobs_parked on public.queue_jobs (queue, order_key, id) where parked;
-- No two unfinished jobs of a queue have the same unique key.
create unique index queue_jobs_by_unique_key on public.queue_jobs (queue, unique_key)
  where unique_key is not null and completed_at is null;
-- Retention and failures, by time.
create index queue_jobs_ended on public.queue_jobs (queue, status, completed_at) where completed_at is not null;
create index queue_jobs_by_company on public.queue_jobs (company_id, id) where company_id is not null;


-- Row level security ------------------------------------------------------------------------

alter table public.queues enable row level security;
create policy "admins read the queues" on public.queues for select to authenticated
  using (exists (select from private.my_company_ids('admin')));
grant select on public.queues to authenticated;
grant select, insert, update, delete on public.queues to service_role;

alter table public.job_types enable row level security;
create policy "admins read the job types" on public.job_types for select to authenticated
  using (exists (select from private.my_company_ids('admin')));
grant select on public.job_types to authenticated;
grant select, insert, update, delete on public.job_types to service_role;

alter table private.job_limits enable row level security;
grant select, insert, update, delete on private.job_limits to service_role;

alter table private.queue_lanes enable row level security;
grant select, insert, update on private.queue_lanes to service_role;

alter table public.queue_jobs enable row level security;
create policy "admins read the jobs of their company" on public.queue_jobs for select to authenticated
  using (company_id in (select private.my_company_ids('admin')));
grant select on public.queue_jobs to authenticated;
grant select, insert, update, delete on public.queue_jobs to service_role;
grant usage on sequence public.queue_jobs_id_seq to service_role;
