-- Jobs, minutes: what the queues did, counted as it happens, so that nobody has to count jobs.
--
-- One row per queue and minute. Claims and settlements add to it once per batch, while they hold
-- the queue's lock.
--
-- Called by *_jobs_claims.sql, *_jobs_settlements.sql and *_jobs_stats.sql.

set lock_timeout = '5s';

create table private.queue_minutes (
  queue text not null references public.queues (name),
  minute timestamptz not null,
  started integer not null default 0,
  completed integer not null default 0,
  retried integer not null default 0,
  failed integer not null default 0,
  cancelled integer not null default 0,
  -- From due to started: how many up to each bound of private.wait_bounds(), and one more.
  waits integer[] not null default '{}',
  wait_seconds double precision not null default 0,
  longest_wait_seconds double precision not null default 0,
  run_seconds double precision not null default 0,
  -- Jobs that were due, and due later, when a tick looked.
  waiting integer,
  scheduled integer,
  primary key (queue, minute)
) with (fillfactor = 50);
comment on table private.queue_minutes is 'What each queue did in each minute; kept for seven days.';
alter table private.queue_minutes enable row level security;
grant select, insert, update, delete on private.queue_minutes to service_role;

create function private.wait_bounds()
returns double precision[] language sql immutable security invoker set search_path = '' as $$
  select '{0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600}'::double precision[]
$$;
comment on function private.wait_bounds is 'Upper bounds in seconds of the classes that waits are counted in.';

create function private.sum_of_counts(p_one integer[], p_other integer[])
returns integer[] language sql immutable security invoker set search_path = '' as $$
  select array_agg(coalesce(one, 0) + coalesce(other, 0) order by place)
  from rows from (unnest(p_one), unnest(p_other)) with ordinality as pair (one, other, place)
$$;
comment on function private.sum_of_counts is 'Adds two lists of counts, place by place.';
grant execute on function private.wait_bounds, private.sum_of_counts to authenticated, service_role;

create function private.count_starts(p_queue text, p_waits double precision[], p_failed integer)
returns void language sql volatile security invoker set search_path = '' as $$
  insert into private.queue_minutes as minute (queue, minute, started, failed, wait_seconds, longest_wait_seconds, waits)
  select
    p_queue, date_trunc('minute', now()), cardinality(p_waits) - p_failed, p_failed, sum(wait), max(wait),
    array(
      select count(counted.class)::integer
      from generate_series(0, cardinality(private.wait_bounds())) as class
      left join (select width_bucket(given, private.wait_bounds()) as class from unnest(p_waits) as given) as counted using (class)
      group by class order by class
    )
  from unnest(p_waits) as wait
  where cardinality(p_waits) > 0
  having count(*) > 0
  on conflict (queue, minute) do update set
    started = minute.started + excluded.started,
    failed = minute.failed + excluded.failed,
    wait_seconds = minute.wait_seconds + excluded.wait_seconds,
    longest_wait_seconds = greatest(minute.longest_wait_seconds, excluded.longest_wait_seconds),
    waits = private.sum_of_counts(minute.waits, excluded.waits)
$$;
comment on function private.count_starts is 'Counts a claim: how long each of its jobs was due, and how many it ended instead of starting.';

create function private.count_ends(p_counts jsonb)
returns void language sql volatile security invoker set search_path = '' as $$
  insert into private.queue_minutes as minute (queue, minute, completed, retried, failed, cancelled, run_seconds)
  select
    queue, date_trunc('minute', now()), coalesce(completed, 0), coalesce(retried, 0), coalesce(failed, 0),
    coalesce(cancelled, 0), coalesce(run_seconds, 0)
  from jsonb_to_recordset(p_counts) as counted (
    queue text, completed integer, retried integer, failed integer, cancelled integer, run_seconds double precision
  )
  order by queue
  on conflict (queue, minute) do update set
    completed = minute.completed + excluded.completed,
    retried = minute.retried + excluded.retried,
    failed = minute.failed + excluded.failed,
    cancelled = minute.cancelled + excluded.cancelled,
    run_seconds = minute.run_seconds + excluded.run_seconds
$$;
comment on function private.count_ends is 'Counts settlements: [{queue, completed, retried, failed, cancelled, run_seconds}].';
grant execute on function private.count_starts, private.count_ends to service_role;
