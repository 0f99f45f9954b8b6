"""contacts and suppressions: what the API does, by hand."""

import pytest

from tests.cli.conftest import Recado
from tests.fixtures import Api
from tests.messaging import bodies
from tests.messaging.conftest import Company
from tests.tenants import Project, Tenant


@pytest.fixture
async def shop(tenant: Tenant, api: Api, project: Project) -> Company:
    """A company to which Ana and Bia have written."""
    company = Company(tenant, api, project)
    number = tenant.evolution
    await company.post(
        number,
        bodies.text(number, "5511987650001", "oi", name="Ana"),
        bodies.text(number, "5511987650002", "oi", name="Bia"),
    )
    await company.settled()
    return company


async def id_of(shop: Company, name: str) -> str:
    (contact,) = await shop.rows("contacts", name=f"eq.{name}")
    return str(contact["id"])


async def test_contacts_are_found_and_explained(shop: Company, recado: Recado) -> None:
    ana = await id_of(shop, "Ana")
    listed = await recado("contacts", "list", "--company", shop.id, "--phone", "551187650001")
    assert (listed.code, ana in listed.out, "Bia" in listed.out) == (0, True, False)
    explained = await recado("contacts", "explain", ana)
    assert "+5511987650001" in explained.out
    assert '"evidence": "message"' in explained.out
    missing = await recado("contacts", "explain", shop.id)
    assert (missing.code, missing.err.split(":")[0]) == (1, "contact_not_found")


async def test_a_merge_and_an_erasure_ask_first(shop: Company, recado: Recado) -> None:
    ana, bia = await id_of(shop, "Ana"), await id_of(shop, "Bia")
    for words in (("merge", ana, bia), ("erase", ana)):
        refused = await recado("contacts", *words)
        assert (refused.code, "--yes" in refused.err) == (2, True)
    assert (await recado("contacts", "merge", ana, bia, "--yes")).code == 0
    export = await recado("contacts", "export", ana)
    assert len(export.json["messages"]) == 2
    assert len(export.json["contact"]["identities"]) == 4
    erased = await recado("contacts", "erase", ana, "--yes", "--json")
    assert erased.json["erased_at"] is not None
    assert await shop.rows("contact_identities") == []
    done = await shop.rows("contact_operations", order="id")
    assert [row["operation"] for row in done] == ["merge", "export", "erase"]


async def test_suppressions_are_added_listed_and_lifted(shop: Company, recado: Recado) -> None:
    company = ("--company", shop.id)
    half = await recado("suppressions", "add", *company)
    assert (half.code, half.err.split(":")[0]) == (2, "usage")
    added = await recado(
        "suppressions", "add", *company, "--phone", "+55 11 98765-0001", "--note", "carta", "--json"
    )
    assert added.json["evidence"] == {"note": "carta"}
    assert added.json["contact_id"] == await id_of(shop, "Ana")
    id = added.json["id"]
    assert id in (await recado("suppressions", "list", *company)).out
    assert (await recado("suppressions", "lift", id)).code == 0
    assert id not in (await recado("suppressions", "list", *company)).out
    assert id in (await recado("suppressions", "list", *company, "--all")).out


async def test_a_company_sets_its_own_words(shop: Company, recado: Recado) -> None:
    company = ("--company", shop.id)
    set_word = ("suppressions", "set-word")
    assert (await recado(*set_word, "Chega!", "stop", *company)).out.endswith("means stop now.\n")
    assert "chega" in (await recado("suppressions", "words", *company)).out
    listed = await recado("suppressions", "words", *company, "--json")
    assert listed.json == [{"word": "chega", "effect": "stop"}]
    assert (await recado(*set_word, "chega", "forget", *company)).code == 0
    assert (await recado("suppressions", "words", *company, "--json")).json == []


async def test_pairs_that_may_be_one_person_are_listed(shop: Company, recado: Recado) -> None:
    one, other = sorted([await id_of(shop, "Ana"), await id_of(shop, "Bia")])
    pair = {"company_id": shop.id, "contact_id": one, "other_id": other}
    said = {"kind": "lid", "value": "778899", "evidence": "message"}
    await shop.project.insert("contact_conflicts", pair | said)
    listed = await recado("contacts", "conflicts", "--company", shop.id)
    assert (one in listed.out, other in listed.out, "778899" in listed.out) == (True,) * 3
