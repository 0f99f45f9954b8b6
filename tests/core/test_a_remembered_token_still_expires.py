"""A verified token is remembered for a moment, and never beyond its own end."""

import time

import jwt
import pytest

from functions.core.auth import CLOCK_LEEWAY_SECONDS
from local.keys import Keys
from local.stack import Stack
from tests.fixtures import Api, until
from tests.tenants import Tenant


async def test_a_token_that_was_taken_is_refused_once_it_has_expired(
    api: Api, tenant: Tenant, stack: Stack
) -> None:
    if not isinstance(stack.keys, Keys):
        pytest.skip("the signing keys of this project are not ours")
    claims = jwt.decode(tenant.people["viewer"].token, options={"verify_signature": False})
    ends = time.time() - CLOCK_LEEWAY_SECONDS + 2
    headers = {"authorization": f"Bearer {stack.keys.sign_user_token(claims | {'exp': ends})}"}

    async def refused() -> bool:
        answer = await api.http.get("/api/conversations", headers=headers)
        return answer.status_code == 401 and answer.json()["code"] == "token_expired"

    assert not await refused()
    await until(refused, what="the end of the token")
