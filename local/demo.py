"""The demo company: two people, two numbers at the fake WhatsApp, one API key.

Made over HTTP with the official client, as an application would; running it again changes nothing
but the addresses, which may be others after a restart. Keys are derived from the stack's own
secret, so that they are the same at every start and different on every machine.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
from supabase import AsyncClient, acreate_client
from supabase_auth.errors import AuthApiError

from functions.messaging.credentials import Vault, place_of_address, place_of_number

COMPANY_ID = "5eed0000-0000-4000-8000-000000000001"
PASSWORD = "recado-demo-1"
OWNER = "ana@recado.test"
VIEWER = "vera@recado.test"


@dataclass(frozen=True, slots=True)
class DemoNumber:
    """A number of the company, with what its provider needs to reach us and we to reach it."""

    provider: str
    name: str
    external_id: str
    phone: str
    inbound_url: str
    fake: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Demo:
    company_id: str
    numbers: list[DemoNumber]
    api_key: str = field(repr=False)


def derive(secret: str, purpose: str) -> str:
    """A key for one purpose: stable, and useless for any other."""
    return hmac.new(secret.encode(), purpose.encode(), hashlib.sha256).hexdigest()[:40]


def credentials_key(secret: str) -> str:
    """CREDENTIALS_KEY of the demo's API."""
    return base64.b64encode(hmac.digest(secret.encode(), b"credentials", "sha256")).decode()


async def load(
    *, url: str, secret_key: str, stack_secret: str, api_url: str, whatsapp_url: str
) -> Demo:
    """Makes or completes the demo company and connects its numbers to the fake WhatsApp."""
    client = await acreate_client(url, secret_key)
    await _add_people(client)
    numbers = _numbers(stack_secret, api_url)
    for number in numbers:
        await _connect(client, number, whatsapp_url, Vault(credentials_key(stack_secret)))
    api_key = "rk_" + derive(stack_secret, "api key")
    await (
        client.table("api_keys")
        .upsert(
            {
                "company_id": COMPANY_ID,
                "name": "make dev",
                "key_hash": hashlib.sha256(api_key.encode()).hexdigest(),
                "key_hint": api_key[-4:],
            },
            on_conflict="key_hash",
            ignore_duplicates=True,
        )
        .execute()
    )
    return Demo(COMPANY_ID, numbers, api_key)


async def _add_people(client: AsyncClient) -> None:
    for email, role in ((OWNER, "owner"), (VIEWER, "viewer")):
        try:
            await client.auth.admin.create_user(
                {"email": email, "password": PASSWORD, "email_confirm": True}
            )
        except AuthApiError as error:
            if error.code != "email_exists":
                raise
        users = await client.auth.admin.list_users()
        user_id = next(user.id for user in users if user.email == email)
        await (
            client.table("company_members")
            .upsert({"company_id": COMPANY_ID, "user_id": user_id, "role": role})
            .execute()
        )


def _numbers(secret: str, api_url: str) -> list[DemoNumber]:
    evolution_token, meta_token = derive(secret, "evolution url"), derive(secret, "meta url")
    evolution_url, meta_url = (
        f"{api_url}/in/evolution/{evolution_token}",
        f"{api_url}/in/meta/{meta_token}",
    )
    return [
        DemoNumber(
            "evolution",
            "Balcão (Evolution)",
            "balcao",
            "5511933330001",
            evolution_url,
            {
                "key": derive(secret, "evolution key"),
                "webhook": {
                    "url": evolution_url,
                    "headers": {"authorization": "Bearer " + derive(secret, "evolution webhook")},
                },
            },
        ),
        DemoNumber(
            "meta",
            "Entregas (Cloud API)",
            "106540352242922",
            "5511933330002",
            meta_url,
            {
                "key": derive(secret, "meta access token"),
                "waba": "102290129340398",
                "webhook": {
                    "url": meta_url,
                    "app_secret": derive(secret, "meta app secret"),
                    "verify_token": derive(secret, "meta verify token"),
                },
            },
        ),
    ]


async def _connect(
    client: AsyncClient, number: DemoNumber, whatsapp_url: str, vault: Vault
) -> None:
    """One number: known to the fake, registered here."""
    await _announce(number, whatsapp_url)
    base_url = whatsapp_url if number.provider == "evolution" else f"{whatsapp_url}/v24.0"
    token = number.inbound_url.rpartition("/")[2]
    address = {
        "p_provider": number.provider,
        "p_token_hash": hashlib.sha256(token.encode()).hexdigest(),
    }
    found: Any = (await client.rpc("find_inbound_endpoint", address).execute()).data
    if found:
        moved = client.table("instances").update({"base_url": base_url})
        await moved.eq("endpoint_id", found["id"]).execute()
    else:
        await _register(client, number, base_url, address, vault)


async def _announce(number: DemoNumber, whatsapp_url: str) -> None:
    """The fake forgets its numbers when it ends."""
    known = {"provider": number.provider, "id": number.external_id, "phone": number.phone}
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"{whatsapp_url}/_fake/numbers", json=known | number.fake)
        answer.raise_for_status()


async def _register(
    client: AsyncClient,
    number: DemoNumber,
    base_url: str,
    address: dict[str, str],
    vault: Vault,
) -> None:
    sealed = vault.seal(_secrets(number), place_of_address(address["p_token_hash"]))
    endpoint = await client.rpc(
        "create_inbound_endpoint", address | {"p_secrets": sealed}
    ).execute()
    key_name = "api_key" if number.provider == "evolution" else "access_token"
    id = str(uuid4())
    await client.rpc(
        "create_instance",
        {
            "p_company_id": COMPANY_ID,
            "p_provider": number.provider,
            "p_name": number.name,
            "p_base_url": base_url,
            "p_external_id": number.external_id,
            "p_endpoint_id": endpoint.data,
            "p_id": id,
            "p_credentials": vault.seal({key_name: number.fake["key"]}, place_of_number(id)),
            "p_waba_id": number.fake.get("waba"),
            "p_number": f"+{number.phone}",
        },
    ).execute()


def _secrets(number: DemoNumber) -> dict[str, list[str]]:
    webhook = number.fake["webhook"]
    if number.provider == "evolution":
        return {"tokens": [webhook["headers"]["authorization"].removeprefix("Bearer ")]}
    return {"app_secrets": [webhook["app_secret"]], "verify_tokens": [webhook["verify_token"]]}
