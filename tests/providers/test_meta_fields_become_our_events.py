"""Every webhook field of the Cloud API."""

from typing import Any

import pytest

from functions.providers.attempt import ErrorClass, failure_of
from functions.providers.events import (
    CallChanged,
    ContactSeen,
    Identity,
    InstanceChanged,
    Json,
    MessageReceived,
    Notice,
    PreferenceChanged,
    StatusChanged,
    Unknown,
)
from tests.providers.cloud import BSUID, METADATA, PARENT, PHONE, posted, received


def test_a_message_in_a_group_has_an_author() -> None:
    contact = {"profile": {"name": "Sheena", "username": "@real"}, "user_id": BSUID}
    message = {"from": None, "from_user_id": BSUID, "group_id": "1203@g.us", "type": "text"}
    found = received({**message, "text": {"body": "oi"}}, [contact])
    assert (found.chat_kind, found.chat_address) == ("group", "1203@g.us")
    assert found.author == {"id": BSUID, "name": "Sheena"}
    assert found.identities == []


def test_a_contact_entry_of_somebody_else_is_not_taken() -> None:
    other = {"profile": {"name": "Rui"}, "wa_id": "222222222222", "user_id": BSUID}
    found = received({"type": "text", "text": {"body": "oi"}}, [other])
    assert (found.name, found.identities) == (None, PHONE)


def test_a_contact_entry_may_lack_or_have_the_ninth_digit() -> None:
    contact = {"profile": {"name": "Ana"}, "wa_id": "553199990001", "user_id": "BR.1"}
    found = received({"from": "5531999990001", "type": "text", "text": {"body": "oi"}}, [contact])
    assert found.name == "Ana"
    assert found.identities == [
        Identity("phone", "+5531999990001"),
        Identity("wa_id", "5531999990001"),
        Identity("bsuid", "BR.1"),
    ]


def test_a_system_message_without_a_sender_names_its_new_id() -> None:
    system = {"type": "user_changed_user_id", "user_id": BSUID, "body": "changed"}
    value = {
        "metadata": METADATA,
        "messages": [{"id": "wamid.A", "type": "system", "system": system}],
    }
    [found] = posted("messages", value)
    assert isinstance(found, MessageReceived)
    assert (found.type, found.identities) == ("system", [Identity("bsuid", BSUID)])


def test_an_echo_of_the_phone_is_ours() -> None:
    message = {"from": "15550783881", "to": "16505551234", "type": "revoke"}
    revoke = {"revoke": {"original_message_id": "wamid.B"}}
    found = received({**message, **revoke}, field="smb_message_echoes")
    assert (found.direction, found.origin) == ("out", "phone_echo")
    assert (found.chat_address, found.target) == ("16505551234", "wamid.B")


def test_history_keeps_direction_status_and_chat() -> None:
    def past(sender: str, identity: str) -> Json:
        message = {"from": sender, "id": identity, "timestamp": "1739230955", "type": "text"}
        return {**message, "text": {"body": "oi"}, "history_context": {"status": "READ"}}

    messages = [past("15550783881", "wamid.1"), past("16505551234", "wamid.2")]
    thread = {"id": "16505551234", "messages": messages}
    chunk = {"metadata": {"phase": 0, "chunk_order": 1, "progress": 55}, "threads": [thread]}
    ours, theirs = posted("history", {"metadata": METADATA, "history": [chunk]})
    assert isinstance(ours, MessageReceived)
    assert isinstance(theirs, MessageReceived)
    assert (ours.direction, ours.status, ours.identities) == ("out", "read", PHONE)
    assert (theirs.direction, theirs.status, theirs.identities) == ("in", None, PHONE)
    assert ours.payload == theirs.payload == {"history": True}


def test_history_that_is_not_shared_is_noticed() -> None:
    chunk = {"errors": [{"code": 2593109, "title": "History sync is turned off"}]}
    [found] = posted("history", {"metadata": METADATA, "history": [chunk]})
    assert isinstance(found, Notice)
    assert found.name == "history_chunk"


def test_the_address_book_of_the_phone_names_contacts() -> None:
    contact = {"full_name": "Pablo M.", "first_name": "Pablo", "phone_number": "16505551234"}
    add = {"type": "contact", "contact": contact, "action": "add"}
    remove = {**add, "action": "remove"}
    found = posted("smb_app_state_sync", {"metadata": METADATA, "state_sync": [add, remove]})
    assert found == [
        ContactSeen(PHONE, "Pablo M.", "address_book"),
        Notice("smb_app_state_sync", remove),
    ]


@pytest.mark.parametrize("status", ["sent", "delivered", "read", "played"])
def test_every_status_has_its_place(status: str) -> None:
    entry = {"id": "wamid.A", "status": status, "timestamp": "1750030073"}
    [found] = posted("messages", {"metadata": METADATA, "statuses": [entry]})
    assert found == StatusChanged("wamid.A", status, at="2025-06-15T23:27:53+00:00")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("recipient", "identities"),
    [
        ({"recipient_id": "16505551234"}, []),
        ({"recipient_user_id": BSUID}, []),
        (
            {
                "recipient_id": "16505551234",
                "recipient_user_id": BSUID,
                "parent_recipient_user_id": PARENT,
            },
            [*PHONE, Identity("bsuid", BSUID), Identity("parent_bsuid", PARENT)],
        ),
    ],
)
def test_a_status_names_its_recipient_where_it_ties_a_phone_and_an_id(
    recipient: Json, identities: list[Identity]
) -> None:
    entry = {"id": "wamid.A", "status": "delivered", **recipient}
    [found] = posted("messages", {"metadata": METADATA, "statuses": [entry]})
    assert isinstance(found, StatusChanged)
    assert found.identities == identities


@pytest.mark.parametrize("said", ["deleted", "pending", "warning"])
def test_a_remark_on_a_message_is_no_status(said: str) -> None:
    entry = {"id": "wamid.A", "status": said, "timestamp": "1749416383"}
    [found] = posted("messages", {"metadata": METADATA, "statuses": [entry]})
    assert isinstance(found, Notice)


def test_a_status_in_a_group_names_no_contact() -> None:
    entry = {
        "id": "wamid.A",
        "status": "read",
        "recipient_id": "1203@g.us",
        "recipient_type": "group",
        "recipient_participant_id": "16505551234",
    }
    [found] = posted("messages", {"metadata": METADATA, "statuses": [entry]})
    assert isinstance(found, StatusChanged)
    assert found.identities == []


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        (131047, "window_closed"), (131050, "opt_out"), (131049, "defer"), (130472, "defer"),
        (131026, "recipient"), (131056, "pair_rate"), (131031, "integrity"), (190, "configuration"),
        (250, "configuration"), (132001, "template_request"), (132015, "template"),
        (131053, "media"), (424242, "request"), ("131026", "recipient"), (None, "request"),
    ],
)  # fmt: skip
def test_the_reason_of_a_failure_is_kept_with_its_class(code: Any, meaning: ErrorClass) -> None:
    error = {"code": code, "title": "T", "error_data": {"details": "D"}}
    entry = {"id": "wamid.A", "status": "failed", "errors": [error]}
    [found] = posted("messages", {"metadata": METADATA, "statuses": [entry]})
    assert isinstance(found, StatusChanged)
    assert found.error == {
        "code": str(code) if code else "unnamed",
        "title": "T",
        "details": "D",
        **failure_of(meaning),
    }


def test_a_call_is_no_message() -> None:
    ringing = {"id": "wacid.A", "type": "call", "status": "RINGING"}
    expected = [CallChanged("wacid.A", "ringing", "out")]
    assert posted("calls", {"metadata": METADATA, "statuses": [ringing]}) == expected
    assert posted("messages", {"metadata": METADATA, "statuses": [ringing]}) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"ban_info": {"waba_ban_state": "DISABLE"}}, ("banned", "DISABLE")),
        ({"ban_info": {"waba_ban_state": "REINSTATE"}}, ("open", "REINSTATE")),
        ({"event": "ACCOUNT_DELETED"}, ("closed", "ACCOUNT_DELETED")),
        ({"event": "PARTNER_REMOVED", "waba_info": {}}, ("closed", "PARTNER_REMOVED")),
        ({"event": "ACCOUNT_RECONNECTED"}, ("open", "ACCOUNT_RECONNECTED")),
        ({"event": "ACCOUNT_RESTRICTION", "restriction_info": []}, None),
        ({"event": "VERIFIED_ACCOUNT", "phone_number": "16505551111"}, None),
    ],
)  # fmt: skip
def test_an_account_update_is_noticed_and_may_change_the_connection(
    value: Json, expected: tuple[str, str] | None
) -> None:
    found = posted("account_update", value)
    assert found[-1] == Notice("account_update", value)
    changes = [(one.state, one.reason) for one in found if isinstance(one, InstanceChanged)]
    assert changes == ([expected] if expected else [])


def test_a_stop_of_marketing_names_its_contact() -> None:
    stop = {"user_id": BSUID, "category": "marketing_messages", "value": "stop", "timestamp": 1}
    found = posted("user_preferences", {"metadata": METADATA, "user_preferences": [stop]})
    moment = "1970-01-01T00:00:01+00:00"
    assert found == [PreferenceChanged([Identity("bsuid", BSUID)], False, moment)]


@pytest.mark.parametrize("said", ["resume", "signup"])
def test_a_resumption_of_marketing_is_the_opposite(said: str) -> None:
    back = {"wa_id": "16505551234", "value": said, "detail": "D"}
    found = posted("user_preferences", {"metadata": METADATA, "user_preferences": [back]})
    assert found == [PreferenceChanged(PHONE, True, detail="D")]


def test_a_preference_that_is_not_known_is_noticed() -> None:
    odd = {"wa_id": "16505551234", "value": "maybe"}
    found = posted("user_preferences", {"metadata": METADATA, "user_preferences": [odd]})
    assert found == [Notice("user_preferences", odd)]


def test_a_new_user_id_is_linked_to_the_old_one() -> None:
    change = {
        "wa_id": "16505551234",
        "user_id": {"previous": "US.1", "current": BSUID},
        "parent_user_id": {"previous": "US.ENT.1", "current": PARENT},
    }
    [seen] = posted("user_id_update", {"metadata": METADATA, "user_id_update": [change]})
    assert isinstance(seen, ContactSeen)
    assert seen.evidence == "user_id_update"
    assert seen.identities == [
        *PHONE,
        Identity("bsuid", BSUID),
        Identity("parent_bsuid", PARENT),
        Identity("bsuid", "US.1"),
        Identity("parent_bsuid", "US.ENT.1"),
    ]


@pytest.mark.parametrize(
    "field",
    [
        "account_alerts", "account_review_update", "business_capability_update",
        "business_username_update", "flows", "message_template_components_update",
        "message_template_quality_update", "message_template_status_update",
        "phone_number_name_update", "security",
        "template_category_update",
    ],
)  # fmt: skip
def test_news_of_an_account_are_noticed(field: str) -> None:
    value = {"display_phone_number": "16505551111", "event": "FLAGGED"}
    assert posted(field, value) == [Notice(field, value)]


def test_groups_are_noticed_one_by_one() -> None:
    groups = [{"group_id": "1@g.us", "type": "t"}, {"group_id": "2@g.us", "type": "t"}]
    value = {"metadata": METADATA, "groups": groups}
    assert posted("group_participants_update", value) == [
        Notice("group_participants_update", group) for group in groups
    ]


def test_errors_beside_messages_are_noticed() -> None:
    value = {"metadata": METADATA, "errors": [{"code": 130429}]}
    assert posted("messages", value) == [Notice("errors", {"code": 130429})]


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("teleport", {"a": 1}, "field teleport"),
        ("messages", None, "messages carries no object"),
        ("messages", {"messages": ["x"]}, "messages carries no object"),
        ("messages", {"messages": [{"from": "1"}]}, "message without an id"),
        ("messages", {"messages": [{"id": "A"}]}, "message names no chat"),
        ("messages", {"statuses": [{"status": "read"}]}, "status without the id of a message"),
        ("messages", {"statuses": [{"id": "A"}]}, "status missing"),
        ("messages", {"statuses": [{"id": "A", "status": "odd"}]}, "status odd"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_kept_as_unknown(field: str, value: Any, reason: str) -> None:
    assert posted(field, value) == [Unknown(reason)]
