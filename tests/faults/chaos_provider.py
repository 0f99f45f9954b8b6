"""The provider of the chaos: no idempotency, bad moods, and a place to stand still at."""

import asyncio
import random
from dataclasses import dataclass, field
from typing import Literal

from fastapi import FastAPI, Request, Response
from starlette.requests import ClientDisconnect

Mood = Literal["well", "failing", "slow", "limiting", "hanging"]
Place = Literal["before the effect", "after the effect"]
# Longer than its callers wait.
HANGS_SECONDS = 1.5
ILL_RATE = 0.5


@dataclass(slots=True)
class Hold:
    """The next call of a worker stands still at a place until it is lifted."""

    worker: str
    place: Place
    met: bool = False
    lifted: asyncio.Event = field(default_factory=asyncio.Event)

    async def has(self) -> bool:
        return self.met

    def lift(self) -> None:
        self.worker = ""
        self.lifted.set()


@dataclass(slots=True)
class Provider:
    """`effects` are the jobs whose calls it took, in order; each call is one more."""

    chance: random.Random
    effects: list[int] = field(default_factory=list)
    mood: Mood = "well"
    hold: Hold | None = None
    answers: dict[int, int] = field(default_factory=dict)

    def app(self) -> FastAPI:
        app = FastAPI()
        app.post("/effects")(self.take)
        return app

    async def take(self, request: Request) -> Response:
        try:
            job, worker = (await request.json())["job"], request.headers["x-worker"]
        except ClientDisconnect:
            return Response(status_code=400)  # killed in the middle of the call
        status = await self._answer(job, self._stop_of(worker))
        self.answers[status] = self.answers.get(status, 0) + 1
        return Response(status_code=status)

    async def _answer(self, job: int, hold: Hold | None) -> int:
        mood = self.mood if self.chance.random() < ILL_RATE else "well"
        if mood in ("failing", "limiting"):
            return 500 if mood == "failing" else 429
        await _stand(hold, "before the effect")
        self.effects.append(job)
        await _stand(hold, "after the effect")
        await asyncio.sleep({"slow": 0.3, "hanging": HANGS_SECONDS}.get(mood, 0.0))
        return 200

    def _stop_of(self, worker: str) -> Hold | None:
        hold = self.hold
        return hold if hold is not None and hold.worker == worker else None


async def _stand(hold: Hold | None, place: Place) -> None:
    if hold is not None and hold.place == place and not hold.lifted.is_set():
        hold.met = True
        await hold.lifted.wait()


BOOK = """
create table if not exists private.chaos_effects (job_id bigint primary key, claim integer not null, outcome text);
create table if not exists private.chaos_counts (
  job_id bigint primary key, place bigint generated always as identity
);
create or replace function public.begin_effect(p_job_id bigint, p_claim integer, p_worker text)
returns json language plpgsql security definer set search_path = '' as $$
begin
  if not exists (
    select from public.queue_jobs where id = p_job_id and claims = p_claim and status = 'pending'
  ) then
    return '"stale"';
  end if;
  insert into private.chaos_effects as known (job_id, claim) values (p_job_id, p_claim)
  on conflict (job_id) do update set claim = excluded.claim, outcome = null
  where known.outcome = 'not_done' or (known.claim = excluded.claim and known.outcome is null);
  return case when found then '"go"' else (
    select to_json(coalesce(outcome, 'unknown')) from private.chaos_effects where job_id = p_job_id
  ) end;
end $$;
create or replace function public.record_effect(p_job_id bigint, p_claim integer, p_worker text, p_outcome text)
returns json language sql security definer set search_path = '' as $$
  update private.chaos_effects set outcome = p_outcome
  where job_id = p_job_id and claim = p_claim and outcome is null;
  select 'true'::json
$$;
create or replace function public.add_counts(p_ids bigint[], p_worker text)
returns json language sql security definer set search_path = '' as $$
  insert into private.chaos_counts (job_id) select unnest(p_ids) on conflict do nothing;
  select 'true'::json
$$;
grant execute on function public.begin_effect, public.record_effect, public.add_counts to service_role;
"""  # noqa: E501
"""What a room would have: an attempt is written before the call, its outcome after it."""
