"""Raw HTTP to /storage/v1, as anybody."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from local.keys import Keys
from local.stack import Stack

Headers = dict[str, str]


@dataclass(frozen=True, slots=True)
class Door:
    """`http` sends no key and no token by itself."""

    url: str
    http: httpx.AsyncClient = field(repr=False)
    keys: Keys = field(repr=False)

    @property
    def service(self) -> Headers:
        return {"authorization": f"Bearer {self.keys.service_role_key}"}

    @property
    def anonymous(self) -> Headers:
        return {"authorization": f"Bearer {self.keys.anon_key}"}

    def user(self, user_id: str) -> Headers:
        claims = {"sub": user_id, "role": "authenticated", "exp": 2**33}
        return {"authorization": f"Bearer {self.keys.sign_user_token(claims)}"}

    async def bucket(self, **options: Any) -> str:
        """A new bucket's name."""
        name = f"bucket-{uuid4()}"
        answer = await self.http.post(
            "/bucket", json={"name": name, **options}, headers=self.service
        )
        assert (answer.status_code, answer.json()) == (200, {"name": name})
        return name

    async def upload(
        self, path: str, content: Any = b"hello", who: Headers | None = None, **headers: str
    ) -> httpx.Response:
        sent = {"content-type": "text/plain", **(who or self.service)}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.post(f"/object/{path}", content=content, headers=sent)

    async def download(self, path: str, **headers: str) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.get(f"/object/{path}", headers={**self.service, **sent})

    async def post(self, path: str, body: Any, who: Headers | None = None) -> httpx.Response:
        return await self.http.post(path, json=body, headers=who or self.service)

    async def delete(self, path: str, body: Any = None, who: Headers | None = None) -> Any:
        return await self.http.request("DELETE", path, json=body, headers=who or self.service)

    async def names(self, bucket: str, **query: Any) -> list[str]:
        """What list-v2 shows as objects."""
        answer = await self.post(f"/object/list-v2/{bucket}", query)
        assert answer.status_code == 200, answer.text
        return [found["name"] for found in answer.json()["objects"]]


@asynccontextmanager
async def door_of(stack: Stack) -> AsyncIterator[Door]:
    async with httpx.AsyncClient(base_url=f"{stack.url}/storage/v1", timeout=30) as http:
        yield Door(stack.url, http, stack.keys)


def refusal(answer: httpx.Response) -> tuple[int, str, str, str, str]:
    """HTTP status, then the four fields of every error body, which has no other."""
    body = answer.json()
    assert set(body) == {"statusCode", "error", "message", "code"}
    return (
        answer.status_code,
        body["statusCode"],
        body["error"],
        body["message"],
        body["code"],
    )
