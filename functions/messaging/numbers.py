"""Numbers from their connection to their removal: the provider is asked, the database keeps.

SQL: supabase/migrations/*_messaging_numbers.sql. All of it may be repeated; connecting a number
again gives it new credentials.
"""

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import uuid4

from functions.core.db import Database
from functions.core.errors import NotConfigured, NotFound
from functions.core.http import HttpClient
from functions.messaging.credentials import Vault, instance_of, place_of_address, place_of_number
from functions.messaging.numbers_answers import (
    refusal,
    says_missing,
    scannable,
    webhook_state,
)
from functions.messaging.numbers_models import NewNumber
from functions.messaging.server_address import check_server
from functions.providers import commands
from functions.providers.base import Instance, Provider, SendResult
from functions.providers.commands import Answer, Command
from functions.providers.events import InstanceChanged

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Address:
    """A webhook address: the token in its path, and by what its bodies are known."""

    token: str
    secrets: dict[str, list[str]]

    @property
    def token_hash(self) -> str:
        return sha256(self.token.encode()).hexdigest()


class Numbers:
    """What can be done with numbers, beyond row level security: whoever calls has been admitted."""

    def __init__(
        self,
        db: Database,
        vault: Vault,
        outside: HttpClient,
        providers: Mapping[str, Provider],
        *,
        private_servers: bool,
    ) -> None:
        self._db = db
        self._vault = vault
        self._outside = outside
        self._providers = providers
        self._private_servers = private_servers

    async def connect(self, company_id: str, wanted: NewNumber, public_url: str) -> Json:
        """A numbers_models.ConnectedNumber; its provider has been asked with these credentials.

        Raises: InvalidRequest invalid_server, credentials_refused, provider_refused; Conflict
        number_taken; Unavailable provider_unavailable; NotConfigured.
        """
        await check_server(wanted.base_url, private_allowed=self._private_servers)
        known = await self._place(company_id, wanted)
        instance = Instance(
            known["id"] or str(uuid4()),
            wanted.provider,
            wanted.base_url,
            wanted.external_id,
            wanted.credentials,
            wanted.account_id or "",
        )
        answer = await self._ask(instance, commands.ReadState())
        is_missing = answer.failure is not None and says_missing(answer.failure)
        if answer.failure is not None and not is_missing:
            raise refusal(answer.failure)
        address = self._address(known["address"], wanted)
        # Stored before the provider is told: Meta asks the address at once.
        await self._store(company_id, wanted, instance, address)
        path = f"/in/{wanted.provider}/{address.token}"
        webhook = commands.Webhook(public_url + path, _proof(address))
        if is_missing:
            told = await self._create(company_id, wanted, instance, address, webhook)
            if told.failure is not None:
                if known["id"] is None:
                    await self._db.as_service().call("remove_number", {"p_id": instance.id})
                raise refusal(told.failure)
        else:
            told = await self._ask(instance, commands.SetWebhook(webhook))
        row = await self._record(instance.id, [*answer.events, *told.events])
        return row | {"webhook": webhook_state(wanted, webhook, told)}

    async def _place(self, company_id: str, wanted: NewNumber) -> Json:
        """{id, address} where the number stands already. Raises Conflict number_taken."""
        known: Json = await self._db.as_service().call(
            "find_number_place",
            {
                "p_company_id": company_id,
                "p_provider": wanted.provider,
                "p_base_url": wanted.base_url,
                "p_external_id": wanted.external_id,
                "p_waba_id": wanted.account_id,
            },
        )
        return known

    async def link(self, number_id: str, phone: str | None = None, pin: str | None = None) -> Json:
        """A numbers_models.Qr: opens the connection. Raises as `refresh`.

        As the provider answered: what it reported before may only be coming in, and stands in the
        row until its next report.
        """
        access = await self._access(number_id)
        digits = phone.lstrip("+") if phone else None
        reads = access["instance"]["provider"] == "meta" and pin is None
        instance = instance_of(self._vault, access["instance"])
        answer = await self._ask(
            instance, commands.ReadState() if reads else commands.Connect(digits, pin)
        )
        if answer.failure is not None:
            raise refusal(answer.failure)
        row = await self._record(number_id, answer.events)
        told = [event for event in answer.events if isinstance(event, InstanceChanged)]
        code, pairing = (told[-1].qr, told[-1].pairing_code) if told else (None, None)
        return scannable(row["state"], code, pairing, datetime.now(UTC))

    async def qr(self, number_id: str) -> Json:
        """A numbers_models.Qr, as the provider last told it. Raises NotFound."""
        access = await self._access(number_id)
        made = datetime.fromisoformat(access["qr_at"]) if access["qr_at"] else None
        return scannable(access["state"], access["qr_code"], access["pairing_code"], made)

    async def refresh(self, number_id: str) -> Json:
        """The number, after asking its provider how it stands.

        Raises: NotFound; InvalidRequest credentials_refused, provider_refused; Unavailable.
        """
        return await self._do(await self._access(number_id), commands.ReadState())

    async def restart(self, number_id: str) -> Json:
        """The number; connected anew under the same login. Raises as `refresh`."""
        access = await self._access(number_id)
        again = commands.Restart
        if again not in self._providers[access["instance"]["provider"]].commands:
            return await self._do(access, commands.ReadState())
        return await self._do(access, again())

    async def log_out(self, number_id: str) -> Json:
        """The number; a person has to link it again. Raises as `refresh`."""
        return await self._do(await self._access(number_id), commands.LogOut())

    async def remove(self, number_id: str) -> Json:
        """A numbers_models.Removed: gone here in any case, at its provider if that answers."""
        try:
            access = await self._access(number_id)
        except NotFound:
            return {"id": number_id, "removed": False, "error": None}
        try:
            instance = instance_of(self._vault, access["instance"])
        except NotConfigured as error:
            said: str | None = error.detail
        else:
            said = await self._delete(instance)
        removed = await self._db.as_service().call("remove_number", {"p_id": number_id})
        return {"id": number_id, "removed": removed, "error": said}

    async def _delete(self, instance: Instance) -> str | None:
        """Ends the instance at its provider, where there is such a thing; why it could not."""
        failure: SendResult | None = None
        if commands.DeleteInstance in self._providers[instance.provider].commands:
            for command in (commands.LogOut(), commands.DeleteInstance()):
                failure = (await self._ask(instance, command)).failure
        return (failure.error or failure.code) if failure else None

    async def _access(self, number_id: str) -> Json:
        found: Json | None = await self._db.as_service().call(
            "find_number_access", {"p_id": number_id}
        )
        if found is None:
            raise NotFound("There is no such number.", code="number_not_found")
        return found

    async def _do(self, access: Json, command: Command) -> Json:
        instance = instance_of(self._vault, access["instance"])
        answer = await self._ask(instance, command)
        if answer.failure is not None:
            raise refusal(answer.failure)
        return await self._record(instance.id, answer.events)

    async def _ask(self, instance: Instance, command: Command) -> Answer:
        provider = self._providers[instance.provider]
        return await provider.perform(self._outside.get(), instance, command)

    async def _record(self, number_id: str, events: list[Any]) -> Json:
        row: Json = await self._db.as_service().call(
            "record_number_events",
            {"p_id": number_id, "p_events": [asdict(event) for event in events]},
        )
        return row

    def _address(self, known: Mapping[str, str] | None, wanted: NewNumber) -> Address:
        """The one that the number or its account has, or a new one."""
        opened: dict[str, list[str]] = {}
        if known is not None:
            place = place_of_address(known["token_hash"])
            try:
                opened = self._vault.open(known["secrets"], place)
            except NotConfigured as error:
                # Its key is lost: connecting again is how people come out of that.
                if error.code != "credentials_unreadable":
                    raise
        # An address that was made elsewhere keeps its token to itself: this one is another.
        (token,) = opened.get("url_token") or [secrets.token_urlsafe(32)]
        if wanted.provider == "evolution":
            made = {"tokens": opened.get("tokens") or [secrets.token_urlsafe(32)]}
        else:
            assert wanted.app_secret is not None
            given = wanted.app_secret.get_secret_value()
            others = [each for each in opened.get("app_secrets", []) if each != given]
            made = {
                # The one before is taken for what Meta still repeats.
                "app_secrets": [given, *others[:1]],
                "verify_tokens": opened.get("verify_tokens") or [secrets.token_urlsafe(32)],
            }
        return Address(token, {**made, "url_token": [token]})

    async def _store(
        self, company_id: str, wanted: NewNumber, instance: Instance, address: Address
    ) -> None:
        place = place_of_address(address.token_hash)
        await self._db.as_service().call(
            "connect_number",
            {
                "p_id": instance.id,
                "p_company_id": company_id,
                "p_provider": wanted.provider,
                "p_name": wanted.name,
                "p_base_url": wanted.base_url,
                "p_external_id": wanted.external_id,
                "p_credentials": self._vault.seal(
                    instance.credentials, place_of_number(instance.id)
                ),
                "p_token_hash": address.token_hash,
                "p_secrets": self._vault.seal(address.secrets, place),
                "p_waba_id": wanted.account_id,
            },
        )

    async def _create(
        self,
        company_id: str,
        wanted: NewNumber,
        instance: Instance,
        address: Address,
        webhook: commands.Webhook,
    ) -> Answer:
        """Makes the instance on its server, and keeps its own key in place of the server's."""
        made = await self._ask(instance, commands.CreateInstance(webhook))
        if made.credentials:
            own = replace(instance, credentials=made.credentials)
            await self._store(company_id, wanted, own, address)
        return made


def _proof(address: Address) -> str:
    """What the provider shows us: Evolution in a header, Meta once, when it is told."""
    return (address.secrets.get("tokens") or address.secrets["verify_tokens"])[0]
