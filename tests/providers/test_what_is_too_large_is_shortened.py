"""A payload always fits where it is stored, whatever people fill in or share."""

import json
from typing import Any

import orjson
import pytest

from functions.providers.events import Json
from functions.providers.fields import bounded
from tests.providers import baileys, cloud

FORM = {f"pergunta_{n}": "é" * 4000 for n in range(60)}
CARDS = [{"displayName": f"{n:0500}", "vcard": "TEL:1\n" * 50} for n in range(400)]
LARGE: dict[str, Json] = {
    "a form": {"kind": "nfm_reply", "response": FORM},
    "a list of lists": {"rows": [[list(range(300))] * 50] * 50},
    "many names": {"response": {f"n{n}": n for n in range(20_000)}},
    "many plain fields": {f"n{n}": "x" * 50 for n in range(20_000)},
    "a long text": {"kind": "a" * 200_000, "id": "b"},
}


@pytest.mark.parametrize("name", LARGE)
def test_a_large_payload_is_shortened_and_says_so(name: str) -> None:
    found = bounded(LARGE[name])
    assert found["shortened"] is True
    assert len(orjson.dumps(found)) <= 48_000


def test_what_fits_stays_as_it_is() -> None:
    payload = {"kind": "nfm_reply", "response": {"a": "é" * 9000, "b": [1, 2, None]}}
    assert bounded(payload) == payload


def test_what_tells_kinds_apart_survives() -> None:
    found = bounded({"kind": "nfm_reply", "id": "t", "response": {f"n{n}": n for n in range(9000)}})
    assert (found["kind"], found["id"]) == ("nfm_reply", "t")


def test_a_long_form_is_a_message_of_both_providers() -> None:
    body = {"name": "flow", "body": "Sent", "response_json": json.dumps(FORM)}
    meta = cloud.received(
        {"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": body}}
    )
    flow: Any = {"name": "flow", "paramsJson": json.dumps(FORM)}
    evolution = baileys.received(
        {
            "interactiveResponseMessage": {
                "body": {"text": "Sent"},
                "nativeFlowResponseMessage": flow,
            }
        }
    )
    for found in (meta, evolution):
        assert (found.type, found.body, found.payload["kind"]) == (
            "interactive",
            "Sent",
            "nfm_reply",
        )
        assert found.payload["response"]["pergunta_59"].startswith("é")
        assert found.payload["shortened"] is True


def test_hundreds_of_shared_contacts_are_one_message() -> None:
    found = baileys.received({"contactsArrayMessage": {"contacts": CARDS}})
    assert found.type == "contacts"
    assert len(orjson.dumps(found.payload)) <= 48_000
