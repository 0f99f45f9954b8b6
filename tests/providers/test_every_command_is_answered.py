"""What is asked of a provider beside sending, and what the fake servers really did."""

import base64
from io import BytesIO

import httpx
import pytest

from functions.providers import commands as asked
from functions.providers.base import Instance
from functions.providers.events import Identity, Json, MessageReceived
from tests.providers.answers import BOTH, CONTACT, perform, write, written
from tests.providers.fake import FakeWhatsApp, eventually
from tests.providers.receiver import Receiver, connect
from tests.providers.samples import PROVIDERS, read

ALL = sorted({each for provider in PROVIDERS.values() for each in provider.commands}, key=repr)
PDF = b"%PDF-1.4 a file"


async def inbox(whatsapp: FakeWhatsApp, instance: Instance, identity: str) -> Json:
    answer = await whatsapp.http.get("/_fake/inbox", params={"number": instance.external_id})
    [row] = [one for one in answer.json() if one["provider_id"] == identity]
    return dict(row)


@BOTH
async def test_a_contact_sees_that_we_have_read_and_type(
    whatsapp: FakeWhatsApp, http: httpx.AsyncClient, provider: str
) -> None:
    instance = await whatsapp.connect(provider)
    identity = await written(whatsapp, instance, body="oi")
    assert not (await inbox(whatsapp, instance, identity))["read"]
    read = await perform(http, instance, asked.MarkRead(CONTACT, [identity]))
    typing = await perform(http, instance, asked.ShowTyping(CONTACT, identity))
    assert (read.failure, typing.failure) == (None, None)
    shown = await inbox(whatsapp, instance, identity)
    assert (shown["read"], shown["typing"]) == (True, 1)


@BOTH
async def test_a_file_is_fetched_with_what_its_message_said_of_it(
    whatsapp: FakeWhatsApp, receiver: Receiver, http: httpx.AsyncClient, provider: str
) -> None:
    instance = await connect(whatsapp, receiver, provider)
    content = base64.b64encode(PDF).decode()
    order = {"type": "document", "mime_type": "application/pdf", "content": content}
    identity = await written(whatsapp, instance, **order)

    async def came() -> bool:
        return bool(receiver.messages(instance))

    await eventually(came)
    [message] = receiver.messages(instance)
    assert message.media is not None
    file = BytesIO()
    command = asked.FetchMedia(message.chat_address, identity, message.media, file)
    answer = await perform(http, instance, command)
    assert answer.file is not None
    assert (file.getvalue(), answer.file.mime_type) == (PDF, "application/pdf")


async def test_a_file_in_its_own_item_needs_no_request(http: httpx.AsyncClient) -> None:
    name = "evolution/messages_upsert_image_inbound_base64.json"
    [item] = PROVIDERS["evolution"].split(read(name), "loja")
    [message] = PROVIDERS["evolution"].parse(item.kind, item.raw)
    assert isinstance(message, MessageReceived)
    assert message.media is not None
    nowhere = Instance("1", "evolution", "http://127.0.0.1:9", "x", {})
    file = BytesIO()
    command = asked.FetchMedia("x", "A", message.media, file, stored=item.raw)
    answer = await perform(http, nowhere, command)
    assert answer.file is not None
    assert base64.b64encode(file.getvalue()).decode() == item.raw["data"]["message"]["base64"]


@pytest.mark.parametrize(
    ("url", "is_asked_for"),
    [
        ("https://files.example/a.jpg", True),
        ("http://files.example/a.jpg", False),
        ("https://169.254.169.254/latest", False),
        ("https://[::1]/a", False),
        ("https://localhost/a", False),
        ("https://metadata.internal/a", False),
    ],
)
async def test_a_file_is_asked_for_on_the_open_web_only(url: str, is_asked_for: bool) -> None:
    """The address stands in a webhook: it must not lead into our own network."""
    hosts: list[str] = []

    def answered(request: httpx.Request) -> httpx.Response:
        hosts.append(request.url.host)
        assert request.url.host == "evolution.example" or "apikey" not in request.headers
        return httpx.Response(200, json={"base64": "eA=="})

    instance = Instance("1", "evolution", "https://evolution.example", "x", {"api_key": "k"})
    command = asked.FetchMedia(CONTACT, "A", {"url": url}, BytesIO())
    async with httpx.AsyncClient(transport=httpx.MockTransport(answered)) as client:
        answer = await perform(client, instance, command)
    assert answer.file is not None
    assert hosts == ["files.example" if is_asked_for else "evolution.example"]


@BOTH
async def test_a_file_that_is_gone_is_a_failure(
    whatsapp: FakeWhatsApp, http: httpx.AsyncClient, provider: str
) -> None:
    instance = await whatsapp.connect(provider)
    answer = await perform(
        http, instance, asked.FetchMedia(CONTACT, "NONE", {"id": "7"}, BytesIO())
    )
    assert answer.file is None
    assert answer.failure is not None
    assert answer.failure.outcome == "permanent"


@BOTH
@pytest.mark.parametrize("kind", ["document", "audio"])
async def test_a_file_is_sent_from_its_bytes(
    whatsapp: FakeWhatsApp, http: httpx.AsyncClient, provider: str, kind: str
) -> None:
    instance = await whatsapp.connect(provider)
    media = {"base64": base64.b64encode(PDF).decode(), "mime_type": "application/pdf"}
    _, result = await write(http, instance, type=kind, media=media)
    assert result.outcome == "accepted"
    assert [row["type"] for row in await whatsapp.ledger(instance)] == [kind]


async def test_an_uploaded_file_is_sent_by_its_id(
    whatsapp: FakeWhatsApp, http: httpx.AsyncClient
) -> None:
    instance = await whatsapp.connect("meta")
    uploaded = await perform(http, instance, asked.UploadMedia(PDF, "application/pdf", "a.pdf"))
    assert uploaded.media_id is not None
    _, sent = await write(http, instance, type="document", media={"id": uploaded.media_id})
    _, refused = await write(http, instance, type="document", media={"id": "1"})
    assert (sent.outcome, refused.outcome) == ("accepted", "permanent")


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/file",
        "https://evilfbsbx.com/file",
        "http://lookaside.fbsbx.com/file",
        "https://user@evil.example/.fbsbx.com",
    ],
)
async def test_a_token_of_meta_goes_to_no_other_host(url: str) -> None:
    """Whatever an answer says where the file is."""

    def located(request: httpx.Request) -> httpx.Response:
        assert request.url.host == "graph.example", "the token left for another host"
        return httpx.Response(200, json={"url": url, "mime_type": "x/y"})

    instance = Instance("1", "meta", "https://graph.example", "x", {"access_token": "t"})
    command = asked.FetchMedia(CONTACT, "A", {"id": "7"}, BytesIO())
    async with httpx.AsyncClient(transport=httpx.MockTransport(located)) as client:
        answer = await perform(client, instance, command)
    assert answer.failure is not None
    assert answer.failure.code == "strange_address"


async def test_numbers_are_checked(whatsapp: FakeWhatsApp, http: httpx.AsyncClient) -> None:
    absent = "5531966665555"
    await whatsapp.http.post("/_fake/contacts", json={"number": absent, "exists": False})
    instance = await whatsapp.connect("evolution")
    answer = await perform(http, instance, asked.CheckNumbers(["+5531999990001", absent]))
    there, missing = answer.numbers
    assert (there.number, there.exists) == ("5531999990001", True)
    assert there.identities == [
        Identity("phone", "+5531999990001"),
        Identity("wa_id", "553199990001"),
    ]
    assert (missing.exists, missing.identities) == (False, [])


@pytest.mark.parametrize("version", ["2.3.7", "2.4.0"])
async def test_a_lost_answer_is_looked_up(
    whatsapp: FakeWhatsApp, http: httpx.AsyncClient, version: str
) -> None:
    instance = await whatsapp.connect("evolution", version=version)
    await whatsapp.faults(instance, lose_times=1)
    message, lost = await write(http, instance, body="oi")
    assert lost.outcome == "unknown"
    answer = await perform(http, instance, asked.Reconcile(message, since=0))
    [row] = await whatsapp.ledger(instance)
    assert answer.sent is not None
    assert (answer.sent.outcome, answer.sent.provider_message_id) == (
        "accepted",
        row["provider_id"],
    )
    other, _ = await write(http, instance, body="outra coisa", to="5531977770000")
    unsent = asked.Reconcile(other, since=4_000_000_000)
    if version == "2.3.7":  # later it tells by the id that we have chosen
        assert (await perform(http, instance, unsent)).sent is None


async def test_of_two_messages_alike_neither_is_taken_for_the_lost_one(
    whatsapp: FakeWhatsApp, http: httpx.AsyncClient
) -> None:
    instance = await whatsapp.connect("evolution")
    _, first = await write(http, instance, body="oi")
    await whatsapp.faults(instance, lose_times=1)
    message, _ = await write(http, instance, body="oi")
    assert (await perform(http, instance, asked.Reconcile(message, since=0))).sent is None
    known = asked.Reconcile(message, since=0, others=[str(first.provider_message_id)])
    found = (await perform(http, instance, known)).sent
    assert found is not None
    assert found.provider_message_id != first.provider_message_id


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize("kind", ALL)
async def test_what_a_provider_does_not_have_it_says(
    http: httpx.AsyncClient, name: str, kind: type
) -> None:
    provider = PROVIDERS[name]
    instance = Instance("1", name, "http://127.0.0.1:9", "x", {})
    if kind in provider.commands:
        return
    answer = await provider.perform(http, instance, object.__new__(kind))
    assert answer.failure is not None
    assert (answer.failure.outcome, answer.failure.code) == ("permanent", "unsupported")


@BOTH
async def test_a_server_that_is_gone_is_a_failure_of_every_command(
    http: httpx.AsyncClient, provider: str
) -> None:
    instance = Instance("1", provider, "http://127.0.0.1:9", "x", {}, "waba")
    for command in (
        asked.ReadState(),
        asked.MarkRead(CONTACT, ["A"]),
        asked.Probe("+5511900000001"),
    ):
        answer = await perform(http, instance, command)
        assert answer.failure is not None
        assert answer.failure.outcome == "retryable"


@BOTH
async def test_a_command_without_its_content_is_refused_here(
    http: httpx.AsyncClient, provider: str
) -> None:
    instance = Instance("1", provider, "http://127.0.0.1:9", "x", {})
    answer = await perform(http, instance, asked.MarkRead(CONTACT, []))
    assert answer.failure is not None
    assert answer.failure.code == "incomplete"
