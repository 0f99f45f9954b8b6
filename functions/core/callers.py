"""Whom a route serves, as parameters of it: `caller: AnyCaller`, `admin: Admin`."""

from typing import Annotated

from fastapi import Depends, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from functions.core.auth import Authenticator, Caller
from functions.core.errors import Forbidden
from functions.core.parts import part

Authentication = Annotated[Authenticator, part(Authenticator)]
CallersBearer = Annotated[
    HTTPAuthorizationCredentials | None,
    Security(
        HTTPBearer(
            auto_error=False,
            scheme_name="caller",
            description="Access token of a user, or API key of a company (rk_...).",
        )
    ),
]
AdminsBearer = Annotated[
    HTTPAuthorizationCredentials | None,
    Security(
        HTTPBearer(
            auto_error=False,
            scheme_name="admin",
            description="Access token of a user who is admin of the company.",
        )
    ),
]


async def _caller(auth: Authentication, bearer: CallersBearer = None) -> Caller:
    return await auth.caller(bearer.credentials.strip() if bearer else None)


async def _admin(auth: Authentication, bearer: AdminsBearer = None) -> Caller:
    caller = await _caller(auth, bearer)
    if caller.company_id is not None:
        raise Forbidden(
            "An API key may not do what admins do.",
            code="role_required",
            hint="Use the access token of an admin.",
        )
    return caller


AnyCaller = Annotated[Caller, Depends(_caller)]
"""A user, or a machine with the API key of a company."""

Admin = Annotated[Caller, Depends(_admin)]
"""A user; whether they are admin of the company at hand, the database decides."""
