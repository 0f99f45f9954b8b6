"""How fast and when numbers send, over HTTP, for admins."""

from datetime import date, time
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from functions.core.callers import Admin, AnyCaller
from functions.core.problems import answers
from functions.jobs.background import DRAIN_AFTERWARDS
from functions.messaging import rpc

Day = Annotated[int, Field(ge=1, le=7)]
CompanyId = Annotated[UUID | None, Field(description="Needed by users of several companies.")]


class SendingRules(BaseModel):
    """When a company writes to nobody who did not write first, by its own clock."""

    company_id: UUID
    quiet_from: time = Field(description="Equal to quiet_until: no hour is quiet.")
    quiet_until: time
    quiet_days: list[int] = Field(description="Quiet all day; 1 is Monday, 7 Sunday.")


class SendingRulesChange(BaseModel):
    """What is not given stays."""

    model_config = ConfigDict(extra="forbid")

    company_id: CompanyId = None
    quiet_from: time = time(20)
    quiet_until: time = time(8)
    quiet_days: list[Day] = Field(default_factory=list, max_length=6)


class PaceChange(BaseModel):
    """What is not given stays; null takes a limit away."""

    model_config = ConfigDict(extra="forbid")

    company_id: CompanyId = None
    rate_per_minute: float | None = Field(default=None, gt=0, le=60_000)
    gap_seconds: float = Field(default=0, ge=0, le=3600, description="Between any two messages.")
    jitter_seconds: float = Field(default=0, ge=0, le=3600, description="Up to so much more.")
    daily_cap: int | None = Field(
        default=None, ge=0, lt=2**31, description="How many people it writes to first in a day."
    )
    warmup_started_on: date | None = Field(
        default=None, description="The cap of a fresh number grows from 20 to 200 in two weeks."
    )
    portfolio_id: str | None = Field(
        default=None, max_length=100, description="Meta: numbers of one portfolio share its limit."
    )
    portfolio_limit: int | None = Field(default=None, ge=0, lt=2**31)


class Pace(BaseModel):
    """The pace of a number, and what it waits for; `infinity`: until a person has acted."""

    id: UUID
    rate_per_minute: float | None
    gap_seconds: float
    jitter_seconds: float
    daily_cap: int | None
    warmup_started_on: date | None
    portfolio_id: str | None
    portfolio_limit: int | None
    cooldown_until: str | None = Field(description="Nothing is sent before.")
    cooldown_reason: str | None
    cold_blocked_until: str | None = Field(description="No first message is sent before.")
    campaigns_paused_until: str | None


class Resumption(BaseModel):
    """Ends the pauses of a number."""

    model_config = ConfigDict(extra="forbid")

    company_id: CompanyId = None


class Resumed(BaseModel):
    """The number whose pauses have ended."""

    id: UUID


routes = APIRouter(prefix="/api", tags=["messaging"])


@routes.get(
    "/sending-rules",
    response_model=SendingRules,
    responses=answers(401, 403, 404, 422, 503),
    operation_id="get_sending_rules",
)
async def get_sending_rules(caller: AnyCaller, company_id: UUID | None = None) -> Response:
    """The quiet hours and days of a company."""
    answer = await rpc.get_sending_rules(caller.rpc, caller.company(company_id))
    return Response(answer.body, media_type="application/json")


@routes.patch(
    "/sending-rules",
    response_model=SendingRules,
    responses=answers(400, 401, 403, 404, 422, 503),
    operation_id="set_sending_rules",
)
async def set_sending_rules(admin: Admin, change: SendingRulesChange) -> Response:
    """Changes the quiet hours and days: what nobody asked for waits for their end."""
    rules = change.model_dump(mode="json", exclude_unset=True, exclude={"company_id"})
    answer = await rpc.set_sending_rules(admin.rpc, rules, admin.company(change.company_id))
    return Response(answer.body, media_type="application/json")


@routes.patch(
    "/numbers/{instance_id}/pace",
    response_model=Pace,
    responses=answers(400, 401, 403, 404, 422, 503),
    operation_id="set_number_pace",
)
async def set_number_pace(admin: Admin, instance_id: UUID, change: PaceChange) -> Response:
    """Changes how fast a number sends, and to how many people it writes first."""
    pace = change.model_dump(mode="json", exclude_unset=True, exclude={"company_id"})
    company_id = admin.company(change.company_id)
    answer = await rpc.set_number_pace(admin.rpc, instance_id, pace, company_id)
    return Response(answer.body, media_type="application/json")


@routes.post(
    "/numbers/{instance_id}/resumption",
    response_model=Resumed,
    responses=answers(400, 401, 403, 404, 422, 503),
    operation_id="resume_sending",
    dependencies=[DRAIN_AFTERWARDS],
)
async def resume_sending(admin: Admin, instance_id: UUID, resumption: Resumption) -> Any:
    """The pauses of a number end, as after its payment or token was mended."""
    company_id = admin.company(resumption.company_id)
    return await rpc.resume_sending(admin.rpc, instance_id, company_id)
