"""GET /api/search: words in Portuguese and English, names and phones; of one's own company."""

from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from local.stack import Stack
from tests.fixtures import Api
from tests.messaging import bodies
from tests.messaging.conftest import Company
from tests.tenants import Project

Json = dict[str, Any]
SAID = {
    "promoção": "A promoção de Natal acaba amanhã!",
    "informações": "Preciso de informações sobre a entrega em São Paulo.",
    "pagar": "Já paguei o boleto, obrigada.",
    "boxes": "Are the boxes ready for shipping?",
    "running": "We are running late, sorry.",
    "nfd": "O cafe\u0301 esta\u0301 pronto",
    "para": "Para onde vai?",
}
PEOPLE = {
    "5511987651111": "João da Conceição",
    "5521987652222": "Joana d'Ávila",
    "5511912343333": "Mary-Ann O'Neil",
}


@pytest.fixture(scope="module")
async def talk(project: Project, stack: Stack, api: Api) -> Company:
    """Some texts of three people, and a rival who says the same."""
    assert stack.whatsapp_url
    mine, rival = [
        Company(await project.new_tenant(stack.whatsapp_url), api, project) for _ in range(2)
    ]
    for company in (mine, rival):
        number = company.tenant.meta
        for n, (phone, name) in enumerate(PEOPLE.items()):
            for m, text in enumerate(list(SAID.values())[n::3]):
                at = bodies.NOON + 100 * n + m
                await company.post(number, bodies.text(number, phone, text, name=name, at=at))
        await company.settled()
    return mine


async def search(company: Company, q: str, **params: Any) -> Json:
    asked = {"q": q} | {name: str(value) for name, value in params.items()}
    answer = await company.api.get("/api/search", company.tenant.people["viewer"], **asked)
    assert answer.status_code == 200, answer.text
    page: Json = answer.json()
    return page


async def said(company: Company, q: str) -> set[str]:
    """Which texts are found, by their keys."""
    by_text = {text: key for key, text in SAID.items()}
    return {by_text[row["body"]] for row in (await search(company, q))["data"]}


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("promoção", {"promoção"}),
        ("PROMOCAO", {"promoção"}),
        ("informação", {"informações"}),
        ("informacoes", {"informações"}),
        ("obrigado", {"pagar"}),
        ("boletos", {"pagar"}),
        ("box", {"boxes"}),
        ("shipped box", {"boxes"}),
        ("run", {"running"}),
        ("cafe", {"nfd"}),
        ("café", {"nfd"}),
        ("para", {"para"}),
        ("sao paulo", {"informações"}),
        ("boleto or box", {"pagar", "boxes"}),
        ('"natal acaba"', {"promoção"}),
        ('"acaba natal"', set()),
        # The end of a text is not before its beginning.
        ('"obrigada paguei"', set()),
        ("promoção boleto", set()),
        ("entrega -paulo", set()),
        ("entrega -rio", {"informações"}),
        ("xyz", set()),
        ("'; drop table messages; --", set()),
        ("!!! & | ( : * \\", set()),
        ("a" * 200, set()),
    ],
)
async def test_words_find_their_messages(talk: Company, q: str, found: set[str]) -> None:
    assert await said(talk, q) == found


async def test_what_is_found_says_whose_it_is(talk: Company) -> None:
    (row,) = (await search(talk, "natal"))["data"]
    (message,) = await talk.rows("messages", id=f"eq.{row['id']}")
    assert message["body"] == row["body"] == SAID["promoção"]
    assert row["conversation_id"] == message["conversation_id"]
    assert (row["title"], row["seq"]) == ("João da Conceição", message["seq"])


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("jo", ["Joana d'Ávila", "João da Conceição"]),
        ("joao conc", ["João da Conceição"]),
        ("CONCEIÇÃO", ["João da Conceição"]),
        ("avila", ["Joana d'Ávila"]),
        ("mary ann", ["Mary-Ann O'Neil"]),
        ("neil", ["Mary-Ann O'Neil"]),
        ("oao", []),
        ("2222", ["Joana d'Ávila"]),
        ("(21) 98765-2222", ["Joana d'Ávila"]),
        ("+55 11", ["Mary-Ann O'Neil", "João da Conceição"]),
        ("98765", ["Joana d'Ávila", "João da Conceição"]),
        ("--", []),
        ("' | 'av':*", ["Joana d'Ávila"]),
    ],
)
async def test_names_and_phones_find_their_contacts(
    talk: Company, q: str, found: list[str]
) -> None:
    names = [row["name"] for row in (await search(talk, q, kind="contacts"))["data"]]
    assert sorted(names) == sorted(found)
    # By name: folded, ã before n.
    assert names == sorted(names, key=lambda n: n.replace("ã", "a").lower())


async def test_a_contact_leads_to_its_conversations(talk: Company) -> None:
    (row,) = (await search(talk, "avila", kind="contacts"))["data"]
    conversations = await talk.rows("conversations", contact_id=f"eq.{row['id']}")
    assert row["conversation_ids"] == [one["id"] for one in conversations]


@pytest.mark.parametrize("sort", ["relevance", "newest"])
@pytest.mark.parametrize("count", [450])
async def test_pages_hold_every_message_once(
    company: Company, database: asyncpg.Connection, sort: str, count: int
) -> None:
    id = await company.conversation(company.tenant.meta, "5511987654321")
    await database.execute(
        """insert into messages (
             company_id, conversation_id, direction, origin, status, body, occurred_at
           )
           select $1, $2, 'in', 'contact', 'received', repeat('boleto ', 1 + n % 3) || n,
             timestamptz '2026-01-01' + n * n * interval '1 minute'
           from generate_series(1, $3) as n""",
        company.id,
        id,
        count,
    )
    page = await search(company, "boleto", sort=sort, limit=100)
    rows: list[Json] = page["data"]
    while page["next_cursor"]:
        page = await search(company, "boleto", sort=sort, limit=70, cursor=page["next_cursor"])
        rows += page["data"]
    assert len({row["id"] for row in rows}) == len(rows) == count
    if sort == "newest":
        times = [row["occurred_at"] for row in rows]
        assert times == sorted(times, reverse=True)
    else:
        ranks = [row["rank"] for row in rows[:200]]
        assert ranks == sorted(ranks, reverse=True)
        assert len(set(ranks)) > 1
        assert min(row["occurred_at"] for row in rows[:200]) > rows[-1]["occurred_at"]


@pytest.mark.parametrize("sort", ["relevance", "newest"])
@pytest.mark.parametrize("q", ['"verde azul"', "azul -claro"])
async def test_few_among_many_that_are_nearly_meant_are_found(
    company: Company, database: asyncpg.Connection, q: str, sort: str
) -> None:
    """A search in order, or without a word, reads 500 messages at a time."""
    id = await company.conversation(company.tenant.meta, "5511987654321")
    await database.execute(
        """insert into messages (
             company_id, conversation_id, direction, origin, status, body, occurred_at
           )
           select $1, $2, 'in', 'contact', 'received',
             case when n % 900 = 0 then 'verde azul ' || n else 'azul claro e verde' end,
             timestamptz '2026-01-01' + n * interval '1 second'
           from generate_series(1, 4500) as n""",
        company.id,
        id,
    )
    page = await search(company, q, sort=sort, limit=10)
    bodies_found, pages = [row["body"] for row in page["data"]], 1
    while page["next_cursor"]:
        page = await search(company, q, sort=sort, limit=10, cursor=page["next_cursor"])
        bodies_found += [row["body"] for row in page["data"]]
        pages += 1
    assert sorted(bodies_found) == [f"verde azul {n}" for n in (1800, 2700, 3600, 4500, 900)]
    assert pages >= 9


async def test_pages_hold_every_contact_once(
    company: Company, database: asyncpg.Connection
) -> None:
    await database.execute(
        """insert into contacts (company_id, name)
           select $1, 'Ana ' || n % 7 from generate_series(1, 40) as n""",
        company.id,
    )
    page = await search(company, "ana", kind="contacts", limit=6)
    rows: list[Json] = page["data"]
    while page["next_cursor"]:
        page = await search(company, "ana", kind="contacts", limit=6, cursor=page["next_cursor"])
        rows += page["data"]
    assert len({row["id"] for row in rows}) == len(rows) == 40
    assert [row["name"] for row in rows] == sorted(row["name"] for row in rows)


async def test_a_message_that_vanished_is_not_found(
    company: Company, database: asyncpg.Connection
) -> None:
    number = company.tenant.meta
    await company.post(number, bodies.text(number, "5511987654321", "segredo"))
    await company.settled()
    assert len((await search(company, "segredo"))["data"]) == 1
    await database.execute(
        "update messages set deleted_at = now() where company_id = $1", company.id
    )
    assert (await search(company, "segredo"))["data"] == []


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, "invalid_request"),
        ({"q": ""}, "invalid_request"),
        ({"q": "   "}, "invalid_query"),
        ({"q": "a" * 201}, "invalid_request"),
        ({"q": "a", "kind": "jobs"}, "invalid_request"),
        ({"q": "a", "sort": "oldest"}, "invalid_request"),
        ({"q": "a", "limit": "101"}, "invalid_request"),
        ({"q": "a", "cursor": "x"}, "invalid_cursor"),
        ({"q": "a", "kind": "contacts", "cursor": "1_1"}, "invalid_cursor"),
    ],
    ids=str,
)
async def test_a_senseless_search_is_refused(talk: Company, params: Json, code: str) -> None:
    answer = await talk.api.get("/api/search", talk.tenant.people["viewer"], **params)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_nobody_searches_another_company(talk: Company, company: Company) -> None:
    stranger = company.tenant.people["owner"]
    answer = await talk.api.get("/api/search", stranger, q="natal", company_id=talk.id)
    assert (answer.status_code, answer.json()["code"]) == (404, "company_not_found")
    assert (await search(company, "natal"))["data"] == []
    unknown = await talk.api.get("/api/search", stranger, q="natal", company_id=str(uuid4()))
    assert unknown.status_code == 404
