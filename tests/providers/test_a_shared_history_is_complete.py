"""`history`: what was written before a number was connected, its media in webhooks of their own."""

from typing import Any

import orjson

from functions.providers.events import Identity, Json, MessageReceived
from functions.providers.meta import META
from tests.providers.cloud import METADATA, PHONE, posted

OWN, PERSON = METADATA["display_phone_number"], "16505551234"
PLACEHOLDER: Json = {"id": "wamid.A", "timestamp": "1739230955", "type": "media_placeholder"}
IMAGE: Json = {**PLACEHOLDER, "type": "image", "image": {"id": "9", "mime_type": "image/jpeg"}}


def thread(*messages: Json) -> Json:
    chunk = {"metadata": {"phase": 0}, "threads": [{"id": PERSON, "messages": list(messages)}]}
    return {"metadata": METADATA, "history": [chunk]}


def past(value: Json) -> MessageReceived:
    [found] = posted("history", value)
    assert isinstance(found, MessageReceived)
    return found


def key(value: Any) -> str:
    body = {"entry": [{"id": "102", "changes": [{"field": "history", "value": value}]}]}
    [item] = META.split(orjson.dumps(body), None)
    return item.dedupe_key


def test_a_placeholder_waits_for_its_media() -> None:
    found = past(thread({**PLACEHOLDER, "from": PERSON}))
    assert (found.type, found.payload) == ("unsupported", {"pending": True, "history": True})
    assert (found.direction, found.identities) == ("in", PHONE)


def test_the_media_of_the_contact_follows_alone() -> None:
    value = {"metadata": METADATA, "messages": [{**IMAGE, "from": PERSON}]}
    found = past(value)
    assert (found.type, found.direction, found.identities) == ("image", "in", PHONE)
    assert found.media == {"id": "9", "mime_type": "image/jpeg", "inline": False}
    assert key(value) != key(thread({**PLACEHOLDER, "from": PERSON}))


def test_the_media_of_ours_follows_as_an_echo() -> None:
    for business in (OWN, "15559999999"):  # a number written otherwise is still ours
        echo = {**IMAGE, "from": business, "to": PERSON, "to_user_id": "US.1"}
        found = past({"metadata": METADATA, "message_echoes": [echo]})
        assert (found.type, found.direction, found.origin) == ("image", "out", "phone_echo")
        assert found.identities == [*PHONE, Identity("bsuid", "US.1")]
        assert found.chat_address == PERSON
