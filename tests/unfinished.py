"""What a failed test left in the queues: the jobs and messages that somebody may still wait for."""

import asyncio
from typing import Any

import asyncpg

_JOBS = """
select
  job.id, job.type, job.queue, job.status, job.attempts || '/' || job.max_attempts as attempts,
  round(extract(epoch from job.run_at - now())) as due_in,
  round(extract(epoch from job.lease_until - now())) as leased_for,
  case when job.parked then 'parked' when lane.turn_at <= now() then 'open'
    when lane.turn_at = 'infinity' then 'asleep' else 'later' end as lane,
  job.order_key is not null as in_order,
  queue.paused or queue.blocked_until > now() as stopped, job.error
from public.queue_jobs as job
join public.queues as queue on queue.name = job.queue
left join private.queue_lanes as lane on lane.id = job.lane_id
where job.status = 'pending'
  or (job.status = 'failed' and job.completed_at > now() - interval '2 minutes')
order by job.id desc limit 25
"""
_MESSAGES = """
select
  message.id, message.type, message.status, message.needs_decision as undecided, message.error_code,
  (select string_agg(coalesce(outcome, 'open'), ' ' order by attempt) from public.send_attempts
   where message_id = message.id) as attempts
from public.messages as message
where direction = 'out' and message.created_at > now() - interval '2 minutes'
order by message.created_at desc limit 15
"""


def report(database_url: str) -> str:
    """Ids, states and codes as text: no phone, no body. Never raises."""
    loop = asyncio.new_event_loop()  # that of the tests stands still while they are reported
    try:
        return loop.run_until_complete(asyncio.wait_for(_read(database_url), 5.0))
    except Exception as error:
        return f"not known: {type(error).__name__}"
    finally:
        loop.close()


async def _read(database_url: str) -> str:
    connection = await asyncpg.connect(database_url)
    try:
        jobs = await connection.fetch(_JOBS)
        messages = await connection.fetch(_MESSAGES)
    finally:
        await connection.close()
    return "\n".join(["Jobs, newest first:", *_lines(jobs), "Messages sent:", *_lines(messages)])


def _lines(rows: list[Any]) -> list[str]:
    shown = [{name: value for name, value in row.items() if value is not None} for row in rows]
    return ["  " + ", ".join(f"{name} {value}" for name, value in row.items()) for row in shown]
