"""The words by which contacts opt out and in again, over HTTP."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter

from functions.core.callers import AnyCaller
from functions.core.problems import answers
from functions.messaging.consent import Suppressions
from functions.messaging.contacts_models import ConsentWords, KeptConsentWord, NewConsentWord

routes = APIRouter(prefix="/api/consent-words", tags=["contacts"])


@routes.get(
    "",
    response_model=ConsentWords,
    responses=answers(401, 403, 404, 422, 503),
    operation_id="list_consent_words",
    summary="List the company's words",
)
async def list_consent_words(caller: AnyCaller, company_id: UUID | None = None) -> Any:
    """Those that the company has set; the usual ones hold beside them."""
    return await Suppressions(caller.rpc).list_words(caller.company(company_id))


@routes.put(
    "",
    response_model=KeptConsentWord,
    responses=answers(400, 401, 403, 404, 422, 503),
    operation_id="set_consent_word",
    summary="Set or forget a word",
)
async def set_consent_word(caller: AnyCaller, new: NewConsentWord) -> Any:
    """For admins. It holds for messages that come from now on; twice is once."""
    return await Suppressions(caller.rpc).set_word(
        caller.company(new.company_id), new.word, new.effect
    )
