"""Words, buttons and WhatsApp's own setting: what opts out, what takes it back, what is neither."""

import itertools
from typing import Any

import pytest

from tests.messaging import bodies
from tests.messaging.conftest import Company

Json = dict[str, Any]

STOPS = [
    "SAIR", "sair", " Sair. ", "PARAR!", "páre", "Pare!!!", "CANCELAR", "descadastrar", "Remover",
    "STOP", "stop.", "Unsubscribe", "Opt-out", "BAJA", "Darme de baja", "NÃO QUERO MAIS RECEBER",
    "não quero receber", "Parar promoções", "\U0001f6d1 parar \U0001f6d1", "\uff33TOP",
    "Cancelar\n",
]  # fmt: skip
NOT_STOPS = [
    "quero cancelar meu pedido", "parar o carro", "não pare", "sair às 10", "stop it now please",
    "remover o item 3", "alto", "end", "fim", "", "...", "\U0001f6d1", "sairr", "1", "SA IR",
    "СТОП", "cancelar cancelar",
]  # fmt: skip
STARTS = ["VOLTAR", "voltar.", "Start", "quero receber", "Opt in", "volver"]

numbers = itertools.count()


def sender() -> str:
    return f"55119877{next(numbers):05}"


async def says(shop: Company, who: str, text: str, at: int = bodies.NOON) -> None:
    number = shop.tenant.evolution
    await shop.post(number, bodies.text(number, who, text, at=at))
    await shop.settled()


async def state(shop: Company, who: str) -> list[tuple[str, str, bool]]:
    """Scope, reason and whether it holds, of each suppression."""
    (contact,) = await shop.rows("contacts", phone=f"eq.+{who}")
    rows = await shop.rows("suppressions", contact_id=f"eq.{contact['id']}", order="suppressed_at")
    return [(row["scope"], row["reason"], row["lifted_at"] is None) for row in rows]


@pytest.mark.parametrize("text", STOPS)
async def test_a_word_alone_opts_out(text: str, shop: Company) -> None:
    who = sender()
    await says(shop, who, text)
    assert await state(shop, who) == [("marketing", "word", True)]


@pytest.mark.parametrize("text", NOT_STOPS)
async def test_anything_more_or_else_does_not(text: str, shop: Company) -> None:
    who = sender()
    await says(shop, who, text or "\u200b")
    assert await state(shop, who) == []


@pytest.mark.parametrize("text", STARTS)
async def test_a_word_takes_it_back(text: str, shop: Company) -> None:
    who = sender()
    await says(shop, who, "sair")
    await says(shop, who, text, bodies.NOON + 60)
    assert await state(shop, who) == [("marketing", "word", False)]
    await says(shop, who, "sair", bodies.NOON + 120)
    assert [held for *_, held in await state(shop, who)] == [False, True]


async def test_the_evidence_is_the_message(shop: Company) -> None:
    who, number = sender(), shop.tenant.evolution
    id = bodies.new_id()
    await shop.post(number, bodies.text(number, who, "Sair", id=id))
    await shop.settled()
    (message,) = await shop.rows("messages", provider_message_id=f"eq.{id}")
    rows = await shop.rows("suppressions", order="created_at.desc", limit="1")
    assert rows[0]["evidence"]["message_id"] == message["id"]
    assert rows[0]["suppressed_at"] == message["occurred_at"]
    (event,) = await shop.project.rows("inbound_events", id=f"eq.{rows[0]['evidence']['event_id']}")
    assert event["company_id"] == shop.id


@pytest.mark.parametrize("order", list(itertools.permutations([0, 1, 2])))
async def test_the_latest_counts_in_any_order_of_arrival(
    order: tuple[int, ...], shop: Company
) -> None:
    for said, held in ((("sair", "voltar", "sair"), True), (("voltar", "sair", "voltar"), False)):
        who = sender()
        for place in order:
            await says(shop, who, said[place], bodies.NOON + 60 * place)
        assert any(active for *_, active in await state(shop, who)) is held, (said, order)


async def test_the_same_message_twice_is_one_opt_out(shop: Company) -> None:
    who, number = sender(), shop.tenant.evolution
    body = bodies.text(number, who, "sair")
    await shop.post(number, body, body)
    await shop.settled()
    await says(shop, who, "parar", bodies.NOON + 5)
    assert await state(shop, who) == [("marketing", "word", True)]


def button(shop: Company, who: str, payload: str, text: str) -> Json:
    said: Json = {"id": bodies.new_id(), "from": who, "timestamp": str(bodies.NOON)}
    said["type"] = "button"
    said |= {"button": {"payload": payload, "text": text}}
    contact = {"profile": {"name": "Ana"}, "wa_id": who}
    value = {"contacts": [contact], "messages": [said]}
    return bodies.meta(shop.tenant.meta, "messages", value)


@pytest.mark.parametrize(
    ("payload", "text", "expected"),
    [
        ("STOP_PROMOTIONS", "Chega", [("marketing", "button", True)]),
        ("Parar promoções", "Parar promoções", [("marketing", "button", True)]),
        ("opt-out", "Sair", [("marketing", "button", True)]),
        ("unsubscribe", "x", [("marketing", "button", True)]),
        ("Cancelar", "Cancelar", []),
        ("order_17_cancel", "Cancelar", []),
        ("sair", "Sair", []),
    ],
)
async def test_a_button_is_one_made_for_it(
    payload: str, text: str, expected: list[Any], shop: Company
) -> None:
    who = sender()
    await shop.post(shop.tenant.meta, button(shop, who, payload, text))
    await shop.settled()
    assert await state(shop, who) == expected


async def test_what_meta_is_told_counts_here_and_the_latest_wins(shop: Company) -> None:
    number, who = shop.tenant.meta, sender()
    await shop.post(number, bodies.text(number, who))

    def told(value: str, at: int) -> Json:
        said: Json = {"wa_id": who, "detail": "User requested", "category": "marketing_messages"}
        said |= {"value": value, "timestamp": at}
        return bodies.meta(number, "user_preferences", {"user_preferences": [said]})

    await shop.post(number, told("stop", bodies.NOON + 10))
    await shop.settled()
    assert await state(shop, who) == [("marketing", "preference", True)]
    await shop.post(number, told("resume", bodies.NOON + 5))
    await shop.settled()
    assert await state(shop, who) == [("marketing", "preference", True)]
    await shop.post(number, told("resume", bodies.NOON + 20))
    await shop.settled()
    assert await state(shop, who) == [("marketing", "preference", False)]


async def test_a_company_has_words_of_its_own(company: Company) -> None:
    admin = company.tenant.people["admin"].token
    for word, effect in (("Chega, né?", "stop"), ("cancelar", "none"), ("bora", "start")):
        params = {"p_word": word, "p_effect": effect}
        await company.project.rpc("set_consent_word", params, admin)
    who = sender()
    await says(company, who, "Cancelar")
    assert await state(company, who) == []
    await says(company, who, "CHEGA NE")
    assert await state(company, who) == [("marketing", "word", True)]
    await says(company, who, "Bora!", bodies.NOON + 9)
    assert await state(company, who) == [("marketing", "word", False)]


async def test_what_a_member_of_a_group_says_is_not_said_to_the_company(shop: Company) -> None:
    number = shop.tenant.evolution
    before = await shop.rows("suppressions")
    said = bodies.text(number, "x", "sair")
    said["data"]["key"] |= {"remoteJid": "120363000000000001@g.us"}
    said["data"]["key"] |= {"participant": "5511911110000@s.whatsapp.net"}
    await shop.post(number, said)
    await shop.settled()
    assert await shop.rows("suppressions") == before


async def test_scope_all_is_ended_by_people_alone(shop: Company) -> None:
    who = sender()
    await says(shop, who, "oi")
    params = {"p_company_id": shop.id, "p_phone": f"+{who}", "p_scope": "all"}
    held = await shop.project.rpc("add_suppression", params)
    await says(shop, who, "voltar", 2_000_000_000)
    assert await state(shop, who) == [("all", "person", True)]
    agent = shop.tenant.people["agent"].token
    for _ in range(2):
        why = {"p_id": held["id"], "p_note": "pediu por telefone"}
        lifted = await shop.project.rpc("lift_suppression", why, agent)
        assert lifted["lift_evidence"] == {
            "user_id": shop.tenant.people["agent"].id,
            "note": "pediu por telefone",
        }
    assert await state(shop, who) == [("all", "person", False)]
