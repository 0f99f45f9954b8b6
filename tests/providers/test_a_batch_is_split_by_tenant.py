"""One POST of Meta may carry several accounts and numbers; every item goes where it belongs."""

import orjson

from functions.providers.base import Item
from functions.providers.events import Json
from functions.providers.meta import META


def change(number: str, **lists: list[Json]) -> Json:
    metadata = {"display_phone_number": "1", "phone_number_id": number}
    return {"field": "messages", "value": {"metadata": metadata, **lists}}


def text(identity: str, sender: str) -> Json:
    return {"id": identity, "from": sender, "type": "text", "text": {"body": identity}}


ANA = {"profile": {"name": "Ana"}, "wa_id": "5511900000001"}
BIA = {"profile": {"name": "Bia"}, "wa_id": "5511900000002"}
BATCH = {
    "object": "whatsapp_business_account",
    "entry": [
        {
            "id": "waba-1",
            "changes": [
                change(
                    "number-1",
                    contacts=[ANA, BIA],
                    messages=[text("wamid.1", "5511900000001"), text("wamid.2", "5511900000002")],
                    statuses=[{"id": "wamid.0", "status": "read", "timestamp": "1"}],
                ),
                change("number-2", messages=[text("wamid.3", "5511900000001")]),
            ],
        },
        {
            "id": "waba-2",
            "time": 7,
            "changes": [
                change("number-3", messages=[text("wamid.4", "5511900000003")]),
                {"field": "account_update", "value": {"event": "VERIFIED_ACCOUNT"}},
            ],
        },
    ],
}


def items() -> list[Item]:
    return META.split(orjson.dumps(BATCH), None)


def test_every_item_is_routed_by_its_own_number_or_account() -> None:
    assert [(item.route_kind, item.route_value, item.kind) for item in items()] == [
        ("phone_number_id", "number-1", "messages"),
        ("phone_number_id", "number-1", "messages"),
        ("phone_number_id", "number-1", "statuses"),
        ("phone_number_id", "number-2", "messages"),
        ("phone_number_id", "number-3", "messages"),
        ("waba", "waba-2", "account_update"),
    ]


def test_an_item_holds_nothing_of_the_others() -> None:
    for item in items():
        stored = repr(item.raw)
        present = [identity for identity in ("1", "2", "3", "4") if f"wamid.{identity}" in stored]
        assert len(present) <= 1
    first, second = items()[:2]
    assert "Bia" not in repr(first.raw)
    assert "Ana" not in repr(second.raw)


def test_an_item_is_understood_alone() -> None:
    names = [
        getattr(event, "name", None)
        for item in items()
        for event in META.parse(item.kind, item.raw)
    ]
    assert names[:2] == ["Ana", "Bia"]


def test_the_same_contact_at_two_numbers_is_two_chats() -> None:
    order_keys = [item.order_key for item in items()]
    assert order_keys == [
        "number-1|5511900000001",
        "number-1|5511900000002",
        None,
        "number-2|5511900000001",
        "number-3|5511900000003",
        None,
    ]


def test_a_body_without_changes_is_kept() -> None:
    bodies: list[Json] = [{}, {"entry": []}, {"entry": [{"id": "waba-1"}]}, {"entry": "x"}]
    for body in bodies:
        [item] = META.split(orjson.dumps(body), None)
        assert item.kind == "unknown"
        assert META.parse(item.kind, item.raw)[0].event == "unknown"


def test_a_thousand_updates_are_a_thousand_items() -> None:
    statuses = [{"id": f"wamid.{n}", "status": "sent", "timestamp": "1"} for n in range(1000)]
    body = {"entry": [{"id": "w", "changes": [change("number-1", statuses=statuses)]}]}
    found = META.split(orjson.dumps(body), None)
    assert len({item.dedupe_key for item in found}) == 1000
