"""Fresh tenants for tests: a company of its own for each, with people and numbers.

One migrated database serves the whole run, so every test also proves that companies are apart.
"""

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from functions.messaging.credentials import Vault, place_of_address, place_of_number

PASSWORD = "correct horse battery"
# Of the API under test, and of whatever puts numbers into its database.
CREDENTIALS_KEY = "dGVzdHMgc2VhbCB3aXRoIGEga2V5IG9mIHRoZWlycyE="
# Of a deployment that has lost the first one.
OTHER_CREDENTIALS_KEY = "YW5vdGhlciBrZXkgb2YgMzIgYnl0ZXMgaW4gYmFzZTY="
VAULT = Vault(CREDENTIALS_KEY)
ROLES = ("owner", "admin", "agent", "viewer")


@dataclass(frozen=True, slots=True)
class Person:
    id: str
    email: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Number:
    """A WhatsApp number of the tenant. `path` is where its provider posts."""

    provider: str
    instance_id: str
    external_id: str
    waba_id: str | None
    phone: str
    key: str
    path: str
    secret: str

    def headers(self, raw: bytes) -> dict[str, str]:
        """What makes `raw` the provider's."""
        if self.provider == "evolution":
            return {"authorization": f"Bearer {self.secret}"}
        signature = hmac.new(self.secret.encode(), raw, hashlib.sha256).hexdigest()
        return {"x-hub-signature-256": f"sha256={signature}"}

    def registration(self, api_url: str) -> dict[str, Any]:
        """The number as the fake WhatsApp is told of it, its webhooks to the API."""
        return {
            "provider": self.provider,
            "id": self.external_id,
            "key": self.key,
            "phone": self.phone,
            "waba": self.waba_id or "",
            "webhook": self.webhook(api_url),
        }

    def webhook(self, api_url: str) -> dict[str, Any]:
        """The fake WhatsApp's side of the same endpoint."""
        url = api_url + self.path
        if self.provider == "evolution":
            return {"url": url, "headers": {"authorization": f"Bearer {self.secret}"}}
        return {"url": url, "app_secret": self.secret, "verify_token": self.secret}


@dataclass(slots=True)
class Tenant:
    company_id: str
    people: dict[str, Person]
    evolution: Number
    meta: Number

    @property
    def numbers(self) -> tuple[Number, Number]:
        return self.evolution, self.meta


class Project:
    """The Supabase project under test, as its operator sees it: everything over HTTP."""

    def __init__(self, http: httpx.AsyncClient, url: str, secret_key: str, publishable_key: str):
        self.http = http
        self.url = url
        self.secret_key = secret_key
        self.publishable_key = publishable_key

    def headers(self, token: str | None = None) -> dict[str, str]:
        """As the user with this token, or beyond row level security."""
        key = self.publishable_key if token else self.secret_key
        return {"apikey": key, "authorization": f"Bearer {token or key}"}

    async def rpc(self, function: str, params: dict[str, Any], token: str | None = None) -> Any:
        """The answer of an SQL function; raises AssertionError with PostgREST's words."""
        answer = await self.http.post(
            f"{self.url}/rest/v1/rpc/{function}", json=params, headers=self.headers(token)
        )
        assert answer.status_code < 300, f"{function}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def rows(self, table: str, token: str | None = None, **filters: str) -> list[Any]:
        """Rows of a table, e.g. rows("messages", company_id="eq.…", order="seq")."""
        answer = await self.http.get(
            f"{self.url}/rest/v1/{table}", params=filters, headers=self.headers(token)
        )
        assert answer.status_code < 300, f"{table}: {answer.status_code} {answer.text}"
        rows: list[Any] = answer.json()
        return rows

    async def insert(self, table: str, row: dict[str, Any]) -> None:
        answer = await self.http.post(
            f"{self.url}/rest/v1/{table}", json=row, headers=self.headers()
        )
        assert answer.status_code == 201, f"{table}: {answer.status_code} {answer.text}"

    async def update(self, table: str, values: dict[str, Any], **filters: str) -> None:
        answer = await self.http.patch(
            f"{self.url}/rest/v1/{table}", json=values, params=filters, headers=self.headers()
        )
        assert answer.status_code < 300, f"{table}: {answer.status_code} {answer.text}"

    async def new_tenant(self, whatsapp_url: str) -> Tenant:
        """A company with a person of each role and a number at each provider."""
        company_id = str(uuid4())
        await self.insert("companies", {"id": company_id, "name": f"Empresa {company_id[:8]}"})
        people = {role: await self._new_person(company_id, role) for role in ROLES}
        return Tenant(
            company_id,
            people,
            evolution=await self._new_number("evolution", company_id, whatsapp_url),
            meta=await self._new_number("meta", company_id, whatsapp_url),
        )

    async def _new_person(self, company_id: str, role: str) -> Person:
        email = f"{role}-{uuid4().hex[:12]}@recado.test"
        made = await self.http.post(
            f"{self.url}/auth/v1/admin/users",
            json={"email": email, "password": PASSWORD, "email_confirm": True},
            headers=self.headers(),
        )
        assert made.status_code == 200, made.text
        signed_in = await self.http.post(
            f"{self.url}/auth/v1/token?grant_type=password",
            json={"email": email, "password": PASSWORD},
            headers={"apikey": self.publishable_key},
        )
        assert signed_in.status_code == 200, signed_in.text
        user_id = made.json()["id"]
        await self.insert(
            "company_members", {"company_id": company_id, "user_id": user_id, "role": role}
        )
        return Person(user_id, email, signed_in.json()["access_token"])

    async def _new_number(self, provider: str, company_id: str, whatsapp_url: str) -> Number:
        token, secret, key = uuid4().hex, uuid4().hex, uuid4().hex
        digits = str(uuid4().int)
        is_evolution = provider == "evolution"
        number = Number(
            provider,
            instance_id="",
            external_id=f"loja-{token[:8]}" if is_evolution else digits[:15],
            waba_id=None if is_evolution else digits[15:30],
            phone="55119" + digits[-8:],
            key=key,
            path=f"/in/{provider}/{token}",
            secret=secret,
        )
        instance_id = await self._register(number, company_id, token, whatsapp_url)
        values = {name: getattr(number, name) for name in number.__dataclass_fields__}
        return Number(**values | {"instance_id": instance_id})

    async def _register(
        self, number: Number, company_id: str, token: str, whatsapp_url: str
    ) -> str:
        """An endpoint and the number at it; the id of the number."""
        is_evolution = number.provider == "evolution"
        names = ["tokens"] if is_evolution else ["app_secrets", "verify_tokens"]
        token_hash = hashlib.sha256(token.encode()).hexdigest()
        secrets = {name: [number.secret] for name in names}
        endpoint_id = await self.rpc(
            "create_inbound_endpoint",
            {
                "p_provider": number.provider,
                "p_token_hash": token_hash,
                "p_secrets": VAULT.seal(secrets, place_of_address(token_hash)),
            },
        )
        id = str(uuid4())
        credentials = {"api_key" if is_evolution else "access_token": number.key}
        instance_id: str = await self.rpc(
            "create_instance",
            {
                "p_company_id": company_id,
                "p_provider": number.provider,
                "p_name": number.provider.title(),
                "p_base_url": whatsapp_url if is_evolution else f"{whatsapp_url}/v24.0",
                "p_external_id": number.external_id,
                "p_endpoint_id": endpoint_id,
                "p_id": id,
                "p_credentials": VAULT.seal(credentials, place_of_number(id)),
                "p_waba_id": number.waba_id,
                "p_number": f"+{number.phone}",
            },
        )
        return instance_id


def body(content: Any) -> bytes:
    """JSON as the providers' JavaScript writes it."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
