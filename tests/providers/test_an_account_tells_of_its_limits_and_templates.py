"""Account-level webhooks of Meta, groups and calls of both: events that a rule can act on."""

from typing import Any

import pytest

from functions.providers.events import (
    CallChanged,
    ContactSeen,
    Event,
    GroupChanged,
    Identity,
    InstanceChanged,
    Json,
    LimitChanged,
    MessageReceived,
    Notice,
    TemplateChanged,
)
from tests.providers import baileys
from tests.providers.cloud import BSUID, METADATA, PHONE, posted

AT = "2025-06-30T01:39:08+00:00"
TEMPLATE = {
    "message_template_id": 77,
    "message_template_name": "pedido",
    "message_template_language": "pt_BR",
}
GROUP = "120363000000000002@g.us"


@pytest.mark.parametrize(
    ("field", "value", "changes"),
    [
        ("message_template_status_update", {"event": "APPROVED", "reason": "NONE"},
         {"status": "approved"}),
        ("message_template_status_update", {"event": "REJECTED", "reason": "INVALID_FORMAT"},
         {"status": "rejected", "reason": "INVALID_FORMAT"}),
        ("message_template_status_update",
         {"event": "PAUSED", "other_info": {"title": "FIRST_PAUSE", "description": "Paused."}},
         {"status": "paused", "reason": "Paused."}),
        ("message_template_status_update", {"event": "DISABLED", "reason": None},
         {"status": "disabled"}),
        ("message_template_status_update",
         {"event": "FLAGGED", "message_template_category": "UTILITY"},
         {"status": "flagged", "category": "utility"}),
        ("message_template_status_update", {"event": "REINSTATED"}, {"status": "approved"}),
        ("message_template_status_update", {"event": "PENDING_DELETION"}, {"status": "deleted"}),
        ("message_template_quality_update",
         {"previous_quality_score": "GREEN", "new_quality_score": "RED"}, {"quality": "red"}),
        ("template_category_update",
         {"previous_category": "UTILITY", "new_category": "MARKETING"}, {"category": "marketing"}),
        ("message_template_components_update",
         {"message_template_title": "T", "message_template_element": "Olá {{1}}"},
         {"components": [{"type": "HEADER", "text": "T"}, {"type": "BODY", "text": "Olá {{1}}"}]}),
    ],
)  # fmt: skip
def test_a_template_has_changed(field: str, value: Json, changes: Json) -> None:
    expected = TemplateChanged("pedido", "pt_BR", "77", at=AT, **changes)
    assert posted(field, {**TEMPLATE, **value}) == [expected]


def test_a_category_that_will_change_is_only_noticed() -> None:
    value = {**TEMPLATE, "correct_category": "MARKETING", "category_update_timestamp": 1}
    assert posted("template_category_update", value) == [Notice("template_category_update", value)]


def limits(field: str, value: Json) -> list[Event]:
    *found, notice = posted(field, value)
    assert notice == Notice(field, value)
    return found


@pytest.mark.parametrize(
    ("value", "changes"),
    [
        ({"event": "FLAGGED", "current_limit": "TIER_10K"},
         {"quality": "red", "daily_limit": 10_000}),
        ({"event": "UNFLAGGED", "current_limit": "TIER_2K"},
         {"quality": "unknown", "daily_limit": 2_000}),
        ({"event": "UPGRADE", "old_limit": "TIER_2K",
          "max_daily_conversations_per_business": "TIER_100K"}, {"daily_limit": 100_000}),
        ({"event": "THROUGHPUT_UPGRADE", "current_limit": "TIER_UNLIMITED"},
         {"throughput": "high"}),
    ],
)  # fmt: skip
def test_the_quality_and_limit_of_a_number(value: Json, changes: Json) -> None:
    value = {"display_phone_number": "16505551111", **value}
    expected = LimitChanged("number", number="+16505551111", at=AT, **changes)
    assert limits("phone_number_quality_update", value) == [expected]


@pytest.mark.parametrize(
    ("value", "limit"),
    [
        ({"max_daily_conversations_per_business": 2000, "max_phone_numbers_per_waba": 25}, 2000),
        ({"max_daily_conversations_per_business": "TIER_UNLIMITED"}, -1),
        ({"max_daily_conversation_per_phone": 250, "max_phone_numbers_per_business": 2}, 250),
        ({"max_phone_numbers_per_business": 2}, None),
    ],
)  # fmt: skip
def test_the_limit_of_an_account(value: Json, limit: int | None) -> None:
    expected = [LimitChanged("account", daily_limit=limit, at=AT)] if limit else []
    assert limits("business_capability_update", value) == expected


def test_restrictions_of_an_account_end() -> None:
    info = [
        {"restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING", "expiration": 1751247548},
        {"restriction_type": "RESTRICTED_ADD_PHONE_NUMBER_ACTION"},
    ]
    value: Json = {"event": "ACCOUNT_RESTRICTION", "restriction_info": info}
    assert limits("account_update", value) == [
        LimitChanged("account", restriction="restricted_biz_initiated_messaging", until=AT, at=AT),
    ]
    back: Json = {"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "REINSTATE"}}
    assert limits("account_update", back) == [
        InstanceChanged("open", "REINSTATE", at=AT),
        LimitChanged("account", restriction="", at=AT),
    ]


def test_a_new_number_of_a_contact_is_the_same_person() -> None:
    system = {"body": "changed", "wa_id": "972912345678", "type": "user_changed_number"}
    message = {"from": "16505551234", "id": "wamid.A", "type": "system", "system": system}
    said, seen = posted("messages", {"metadata": METADATA, "messages": [message]})
    assert isinstance(said, MessageReceived)
    new = [Identity("phone", "+972912345678"), Identity("wa_id", "972912345678")]
    assert seen == ContactSeen([*new, *PHONE], evidence="user_changed_number")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"id": "W", "event": "connect", "direction": "USER_INITIATED", "from": "16505551234"},
         CallChanged("W", "ringing", "in", PHONE)),
        ({"id": "W", "event": "connect", "direction": "BUSINESS_INITIATED", "to": "16505551234"},
         CallChanged("W", "ringing", "out", PHONE)),
        ({"id": "W", "event": "terminate", "status": "COMPLETED", "from": "16505551234",
          "duration": 120, "timestamp": "1751247548"},
         CallChanged("W", "ended", "in", PHONE, seconds=120, at=AT)),
        ({"id": "W", "event": "terminate", "status": "FAILED", "from": "16505551234"},
         CallChanged("W", "missed", "in", PHONE)),
        ({"id": "W", "event": "hologram"}, Notice("calls", {"id": "W", "event": "hologram"})),
    ],
)  # fmt: skip
def test_a_call_of_the_cloud_api(value: Json, expected: Event) -> None:
    assert posted("calls", {"metadata": METADATA, "calls": [value]}) == [expected]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"type": "group_create", "subject": "Obra"},
         GroupChanged(GROUP, "created", subject="Obra")),
        ({"type": "group_participants_remove", "initiated_by": "business",
          "removed_participants": [{"input": BSUID}]},
         GroupChanged(GROUP, "remove", [{"id": BSUID}], by="business")),
        ({"type": "group_participants_add", "reason": "invite_link",
          "added_participants": [{"wa_id": "16505551234", "user_id": BSUID}]},
         GroupChanged(GROUP, "add", [{"id": "16505551234", "phone": "+16505551234"}],
                      by="invite_link")),
        ({"type": "group_join_request_created", "user_id": BSUID},
         GroupChanged(GROUP, "join_request", [{"id": BSUID}])),
    ],
)  # fmt: skip
def test_a_group_of_the_cloud_api(value: Json, expected: Event) -> None:
    group = {"group_id": GROUP, **value}
    found = posted("group_participants_update", {"metadata": METADATA, "groups": [group]})
    assert found == [expected]


ANA, LID = "553199990001@s.whatsapp.net", "10000000000001@lid"
PEOPLE = [{"id": LID, "phone": "+5531999990001"}]


@pytest.mark.parametrize(
    ("event", "data", "expected"),
    [
        ("groups.upsert", {"id": GROUP, "subject": "Obra", "participants": [{"id": ANA}]},
         GroupChanged(GROUP, "created", [{"id": ANA, "phone": "+5531999990001"}], subject="Obra")),
        ("groups.update", {"id": GROUP, "subject": "Nova"},
         GroupChanged(GROUP, "changed", subject="Nova")),
        ("group-participants.update",
         {"id": GROUP, "action": "add", "author": ANA, "participants": [LID],
          "participantsData": [{"jid": LID, "phoneNumber": ANA}]},
         GroupChanged(GROUP, "add", PEOPLE, by=ANA)),
        ("group-participants.update",
         {"id": GROUP, "action": "promote", "participants": [{"id": LID, "phoneNumber": ANA}]},
         GroupChanged(GROUP, "promote", PEOPLE)),
        ("call", {"id": "C", "from": LID, "callerPn": ANA, "status": "offer", "isVideo": True,
                  "date": "2025-06-30T01:39:08.000Z"},
         CallChanged("C", "ringing", identities=[
             Identity("phone", "+5531999990001"), Identity("wa_id", "553199990001"),
             Identity("lid", "10000000000001"),
         ], video=True, at=AT)),
        ("call", {"id": "C", "from": LID, "status": "timeout"},
         CallChanged("C", "missed", identities=[Identity("lid", "10000000000001")])),
        ("chats.set", {"remoteJid": ANA, "remoteLid": LID, "name": "Ana"},
         ContactSeen([Identity("phone", "+5531999990001"), Identity("wa_id", "553199990001"),
                      Identity("lid", "10000000000001")], "Ana", "chats.set")),
        ("chats.set", {"remoteJid": ANA, "name": "Ana"},
         Notice("chats.set", {"remoteJid": ANA, "name": "Ana"})),
        ("qrcode.updated", {"qrcode": {"pairingCode": "ABCD1234", "code": "2@A"}},
         InstanceChanged("qr", qr="2@A", pairing_code="ABCD1234")),
    ],
)  # fmt: skip
def test_news_of_baileys(event: str, data: Any, expected: Event) -> None:
    assert baileys.events(data, event.replace("-", ".")) == [expected]
