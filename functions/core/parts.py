"""What an app is made of, as parameters of its routes.

The composition root makes each part once and keeps it by its type; a route declares what it needs:
`numbers: Annotated[Numbers, part(Numbers)]`.
"""

from collections.abc import Iterable
from typing import Any

from fastapi import Depends, FastAPI, Request


def install(app: FastAPI, parts: Iterable[object]) -> None:
    """Gives the app its parts, one of a type."""
    app.state.parts = {type(made): made for made in parts}


def part(kind: type) -> Any:
    """The part of this type. A KeyError is a fault of the composition root."""

    async def find(request: Request) -> Any:
        return request.app.state.parts[kind]

    return Depends(find)
