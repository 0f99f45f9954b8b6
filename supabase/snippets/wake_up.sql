-- Wakes the queue from inside the database, where the host's own cron is too rare (Vercel's free plan: daily).
-- For hosted Supabase, with its extensions pg_cron, pg_net and Vault. No migration: run it in the SQL editor, as
-- often as you like.
--
-- 1. Once, with your own values. Vault keeps them encrypted, and they can be changed under Vault in the dashboard.
--
--      select vault.create_secret('https://recado.example.com', 'recado_url');
--      select vault.create_secret('the value of CRON_SECRET', 'recado_cron_secret');
--
-- 2. This file.
-- 3. A minute later, what came of it:
--
--      select status_code, content, error_msg from net._http_response order by created desc limit 5;
--      select status, return_message, start_time from cron.job_run_details order by start_time desc limit 5;
--
-- To take it away:
--
--      select cron.unschedule(jobname) from cron.job where jobname like 'recado_%';

create extension if not exists pg_cron;
create extension if not exists pg_net;

do $$
begin
  if (select count(*) from vault.decrypted_secrets where name in ('recado_url', 'recado_cron_secret')) <> 2 then
    raise exception 'Vault has no recado_url or no recado_cron_secret: see step 1.';
  end if;
end $$;

-- Every minute: schedules, retries, leases of workers that died, housekeeping. A schedule of this name is replaced.
-- pg_net does not wait for the end of the tick, and a tick goes on when nobody waits for it.
select cron.schedule('recado_tick', '* * * * *', $$
  select net.http_post(
    url := (select decrypted_secret from vault.decrypted_secrets where name = 'recado_url') || '/api/queue/process',
    headers := jsonb_build_object('authorization', 'Bearer ' || (
      select decrypted_secret from vault.decrypted_secrets where name = 'recado_cron_secret'
    )),
    timeout_milliseconds := 5000
  )
$$);

-- pg_cron keeps a row per run for ever.
select cron.schedule('recado_tick_history', '17 3 * * *', $$
  delete from cron.job_run_details where end_time < now() - interval '3 days'
$$);

-- Optional, for jobs that are due between two minutes: every ten seconds, but only while one could start and no
-- tick works. Take the dashes away and run it.
--
-- select cron.schedule('recado_wake', '10 seconds', $$
--   select net.http_post(
--     url := (select decrypted_secret from vault.decrypted_secrets where name = 'recado_url') || '/api/queue/process',
--     headers := jsonb_build_object('authorization', 'Bearer ' || (
--       select decrypted_secret from vault.decrypted_secrets where name = 'recado_cron_secret'
--     )),
--     timeout_milliseconds := 5000
--   )
--   where exists (select from private.queues_with_turns(null))
--     and not exists (select from private.tick_slots where held_until > now())
-- $$);
