"""The admin's view of the numbers of a company, at the fake WhatsApp."""

from typing import Any
from uuid import uuid4

import httpx

from local.stack import Stack
from tests.fixtures import Api
from tests.tenants import Person, Tenant

Json = dict[str, Any]
# The key of the fake Evolution server itself.
SERVER_KEY = "fake-global-key"


class Desk:
    """The admin's view of the company's numbers."""

    def __init__(self, api: Api, tenant: Tenant, stack: Stack) -> None:
        self.api, self.tenant, self.stack = api, tenant, stack

    async def call(
        self, method: str, path: str, person: Person | None = None, **more: Any
    ) -> httpx.Response:
        who = person or self.tenant.people["admin"]
        headers = {"authorization": f"Bearer {who.token}"}
        return await self.api.http.request(method, f"/api/numbers{path}", headers=headers, **more)

    async def evolution(self, **changes: Any) -> httpx.Response:
        wanted = {"provider": "evolution", "name": "Balcão", "external_id": f"b-{uuid4().hex[:8]}"}
        wanted |= {"server": self.stack.whatsapp_url, "api_key": SERVER_KEY} | changes
        return await self.call("POST", "", json=wanted)

    async def meta(self, id: str, account: str, **changes: Any) -> httpx.Response:
        wanted = {"provider": "meta", "name": "Entregas", "external_id": id, "account_id": account}
        wanted |= {"server": f"{self.stack.whatsapp_url}/v24.0"}
        wanted |= {"access_token": "EAAB", "app_secret": "s3cret"} | changes
        return await self.call("POST", "", json=wanted)


async def made(answer: httpx.Response) -> Json:
    assert answer.status_code == 201, answer.text
    row: Json = answer.json()
    return row


async def meta_number(whatsapp: httpx.AsyncClient, waba: str, secret: str = "s3cret") -> str:
    """A number that Meta has, with an app behind it."""
    id = str(uuid4().int)[:15]
    number = {"provider": "meta", "id": id, "key": "EAAB", "phone": "5511933330009", "waba": waba}
    number["webhook"] = {"url": "http://127.0.0.1:9/", "app_secret": secret}  # type: ignore[assignment]
    answer = await whatsapp.post("/_fake/numbers", json=number)
    assert answer.status_code == 201
    return id
