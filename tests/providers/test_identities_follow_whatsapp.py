"""Phones, wa_ids and JIDs: two writings of one contact meet, and nobody else is drawn in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.providers.events import Identity
from functions.providers.identity import (
    is_bsuid,
    jid_identities,
    parse_jid,
    phone_of,
    phone_variants,
    wa_id_identities,
)


@pytest.mark.parametrize(
    ("wa_id", "phone"),
    [
        ("553190000020", "+5531990000020"),  # a mobile without the ninth digit gets it
        ("5531990000020", "+5531990000020"),
        ("5511987654321", "+5511987654321"),
        ("551133334444", "+551133334444"),  # a landline has none
        ("555532221111", "+555532221111"),
        ("5511900000099", "+5511900000099"),
        ("5215512345678", "+525512345678"),
        ("525512345678", "+525512345678"),
        ("5491123456789", "+5491123456789"),
        ("541123456789", "+5491123456789"),
        ("16505550101", "+16505550101"),
        ("12345", None),
        ("1234567890123456", None),
        ("", None),
        ("abc", None),
        ("٥٥٣١٩٩٠٠٠٠٠٢٠", None),
    ],
)
def test_a_wa_id_has_one_phone(wa_id: str, phone: str | None) -> None:
    assert phone_of(wa_id) == phone


@pytest.mark.parametrize(
    ("number", "variants"),
    [
        ("+5531990000020", ["5531990000020", "553190000020"]),
        ("553190000020", ["553190000020", "5531990000020"]),
        ("553190000020:4@s.whatsapp.net", ["553190000020", "5531990000020"]),
        ("551133334444", ["551133334444"]),
        ("+52 1 55 1234-5678", ["5215512345678", "525512345678"]),
        ("525512345678", ["525512345678", "5215512345678"]),
        ("5491123456789", ["5491123456789", "541123456789"]),
        ("541123456789", ["541123456789", "5491123456789"]),
        ("16505550101", ["16505550101"]),
        ("", []),
    ],
)
def test_a_number_is_looked_up_in_all_its_forms(number: str, variants: list[str]) -> None:
    assert phone_variants(number) == variants


@given(st.from_regex(r"55[1-9][1-9]9[6-9][0-9]{7}", fullmatch=True))
def test_both_forms_of_a_brazilian_mobile_are_one_phone(with_ninth: str) -> None:
    without = with_ninth[:4] + with_ninth[5:]
    assert phone_of(with_ninth) == phone_of(without) == f"+{with_ninth}"
    assert set(phone_variants(with_ninth)) == set(phone_variants(without)) == {with_ninth, without}


@given(st.text())
def test_no_text_is_too_strange_for_a_jid(text: str) -> None:
    jid = parse_jid(text)
    assert jid is None or parse_jid(str(jid)) == jid


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("5511987654321@s.whatsapp.net", "5511987654321@s.whatsapp.net"),
        ("5511987654321:90@s.whatsapp.net", "5511987654321@s.whatsapp.net"),
        ("5511987654321@c.us", "5511987654321@s.whatsapp.net"),
        ("5511987654321", "5511987654321@s.whatsapp.net"),
        ("+5511987654321", "5511987654321@s.whatsapp.net"),
        ("100000000000001_1:4@lid", "100000000000001@lid"),
        ("100000000000001@hosted.lid", "100000000000001@lid"),
        ("120363000000000002@g.us", "120363000000000002@g.us"),
        ("5511987654321-1600000000@g.us", "5511987654321-1600000000@g.us"),
        ("status@broadcast", "status@broadcast"),
    ],
)
def test_an_address_is_read_without_device_and_agent(written: str, read: str) -> None:
    assert str(parse_jid(written)) == read


@pytest.mark.parametrize(
    "value", ["", "@", "a@", "@lid", "a b@lid", "a@b c", "Ana", None, 5, [], {}]
)
def test_what_is_no_address_is_none(value: object) -> None:
    assert parse_jid(value) is None


def test_the_phone_comes_first_and_a_second_one_is_left_out() -> None:
    lid, phone, other = (
        parse_jid("1000000@lid"),
        parse_jid("553190000020@s.whatsapp.net"),
        parse_jid("16505550101@s.whatsapp.net"),
    )
    assert jid_identities(lid, None, phone, other) == [
        Identity("phone", "+5531990000020"),
        Identity("wa_id", "553190000020"),
        Identity("lid", "1000000"),
    ]
    assert jid_identities(None) == []


def test_no_identity_comes_from_what_is_no_number() -> None:
    assert wa_id_identities(None) == []
    assert wa_id_identities("<REDACTED>") == []


@pytest.mark.parametrize("value", ["BR.1000000000000001", "US.ENT.9000000005", "IN.1a"])
def test_a_business_scoped_id_is_told_from_a_phone(value: str) -> None:
    assert is_bsuid(value)
    assert not is_bsuid(value.lower())
    assert not is_bsuid("5511987654321")
