"""Any bytes, any JSON and any damage to a real body: an item or InvalidBody, never an exception."""

import json
import random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.core.errors import InvalidBody
from functions.providers.base import Provider
from functions.providers.evolution import EVOLUTION
from functions.providers.evolution.events import _READERS as EVOLUTION_KINDS
from functions.providers.meta import META
from functions.providers.meta.events import _READERS as META_KINDS
from tests.providers.samples import PROVIDERS, provider_of, read, webhook_names

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=20,
)
FIELD_NAMES = [
    "event", "data", "key", "id", "keyId", "remoteJid", "remoteJidAlt", "participant", "fromMe",
    "message", "conversation", "imageMessage", "protocolMessage", "editedMessage", "contextInfo",
    "status", "update", "messageTimestamp", "pushName", "entry", "changes", "field", "value",
    "messages", "statuses", "contacts", "metadata", "phone_number_id", "from", "type", "text",
    "errors", "system", "interactive", "timestamp", "low", "high", "0", "state", "qrcode", "errors",
    "history", "threads", "profile", "wa_id", "user_id", "contact", "vcard", "options", "vote",
]  # fmt: skip
# Values under the names that are read: they get further than values under any name.
KNOWN_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=9)
    | st.sampled_from(["A", "5531999990001@s.whatsapp.net", "1@lid", "1@g.us", "READ", "14"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(FIELD_NAMES), inner, max_size=7),
    max_leaves=40,
)  # fmt: skip
KINDS = [("evolution", kind) for kind in [*EVOLUTION_KINDS, "call", "x", ""]]
KINDS += [("meta", kind) for kind in [*META_KINDS, "calls", "x", ""]]


def storable(value: Any) -> bool:
    """Whether it can be written and Postgres would take it."""
    return b"\\u0000" not in orjson.dumps(value)


def take(provider: Provider, raw: bytes) -> None:
    try:
        items = provider.split(raw, "loja")
    except InvalidBody:
        return
    assert items
    for item in items:
        assert 0 < len(item.dedupe_key) <= 300
        assert item.dedupe_key.isprintable()
        assert storable(item)
        events = provider.parse(item.kind, item.raw)
        assert events
        assert storable(events)


@pytest.mark.parametrize("name", PROVIDERS)
@given(raw=st.binary(max_size=200))
def test_any_bytes(name: str, raw: bytes) -> None:
    take(PROVIDERS[name], raw)


@pytest.mark.parametrize("name", PROVIDERS)
@given(body=ANY_JSON | KNOWN_JSON)
def test_any_json(name: str, body: Any) -> None:
    take(PROVIDERS[name], json.dumps(body).encode())


@pytest.mark.parametrize(("name", "kind"), KINDS)
@settings(max_examples=40)
@given(value=KNOWN_JSON)
def test_any_stored_item(name: str, kind: str, value: Any) -> None:
    for raw in (value, {"data": value}, {"value": value, "contacts": value, "metadata": value}):
        assert PROVIDERS[name].parse(kind, raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"null", b"[]", b'"x"', b"1", b"{", b"\xff\xfe", b'{"a": NaN}', b"[" * 5000,
        b'{"a":' * 5000, b"\x00", b'{"a": 1}{"b": 2}',
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", PROVIDERS)
def test_what_is_no_json_object_is_refused(name: str, raw: bytes) -> None:
    with pytest.raises(InvalidBody):
        PROVIDERS[name].split(raw, "loja")


ODD_TEXTS = {
    "a NUL": (b"oi\\u0000!", "oi\ufffd!"),
    "half of an emoji": (b"oi\\ud83d", "oi\ufffd"),
    "the other half": (b"\\ude00oi", "\ufffdoi"),
    "a whole emoji": (b"\\ud83d\\ude00", "😀"),
}


@pytest.mark.parametrize("odd", ODD_TEXTS)
def test_characters_that_cannot_be_stored_do_not_lose_the_message(odd: str) -> None:
    written, expected = ODD_TEXTS[odd]
    evolution = read("evolution/messages_upsert_text_inbound_owner.json")
    [item] = EVOLUTION.split(evolution.replace(b"hola - text", written), "loja")
    assert item.raw["data"]["message"]["conversation"] == expected
    assert storable(item)
    [item] = META.split(read("meta/message_text.json").replace(b"Body Text", written), None)
    assert item.raw["value"]["text"]["body"] == expected
    assert storable(item)


def test_nesting_beyond_what_can_be_written_is_cut_off() -> None:
    deep: Any = "x"
    for _ in range(600):
        deep = {"message": deep}
    body = {"event": "messages.upsert", "data": {"key": {"id": "A"}, "message": deep}}
    take(EVOLUTION, json.dumps(body).encode())
    [item] = EVOLUTION.split(json.dumps(body).encode(), "loja")
    assert item.dedupe_key.startswith("loja|messages.upsert|A")


def test_numbers_beyond_64_bits_are_kept_as_approximations() -> None:
    raw = b'{"event": "call", "data": {"id": 123456789012345678901234567890, "at": 1e999}}'
    take(EVOLUTION, raw)


ODD_VALUES: list[Any] = [None, "", 0, -1, 1.5, True, [], {}, [None], {"0": 1}, "🦜", "x" * 10_000]


def damaged(value: Any, chance: random.Random) -> Any:
    """The same with one value somewhere in it replaced or left out."""
    if isinstance(value, dict) and value and chance.random() < 0.9:
        name = chance.choice(sorted(value))
        if chance.random() < 0.2:
            return {key: kept for key, kept in value.items() if key != name}
        return {**value, name: damaged(value[name], chance)}
    if isinstance(value, list) and value and chance.random() < 0.9:
        at = chance.randrange(len(value))
        return [*value[:at], damaged(value[at], chance), *value[at + 1 :]]
    return chance.choice(ODD_VALUES)


@pytest.mark.parametrize("name", webhook_names())
def test_a_damaged_sample_is_an_item_all_the_same(name: str) -> None:
    provider, _ = provider_of(name)
    body = orjson.loads(read(name))
    for seed in range(150):
        take(provider, orjson.dumps(damaged(body, random.Random(seed))))


def ids_of(name: str) -> list[str]:
    """Where this sample's message id stands, as the text that replaces it in the body."""
    body = orjson.loads(read(name))
    if name.startswith("evolution/"):
        data = body["data"]
        return [data["keyId"] if "keyId" in data else data["key"]["id"]]
    value = body["entry"][0]["changes"][0]["value"]
    lists = [value.get(key, []) for key in ("messages", "statuses", "message_echoes")]
    return [element["id"] for elements in lists for element in elements]


MESSAGES = [
    name
    for name in webhook_names()
    if name.split("/")[1].startswith(("message", "real", "send", "smb", "status"))
]


@pytest.mark.parametrize("name", MESSAGES)
def test_damage_elsewhere_never_loses_the_id_of_the_message(name: str) -> None:
    provider, route = provider_of(name)
    body = orjson.loads(read(name))
    [identity] = ids_of(name)
    checked = 0
    for seed in range(150):
        worse = damaged(body, random.Random(seed))
        raw = orjson.dumps(worse)
        if identity.encode() not in raw or not isinstance(worse, dict):
            continue  # the damage hit the id itself
        items = provider.split(raw, route)
        assert any(identity in item.dedupe_key or identity in repr(item.raw) for item in items)
        checked += 1
    assert checked > 20
