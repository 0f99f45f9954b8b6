"""`inbound`: items of the project, reading them again, and captured bodies offline."""

from pathlib import Path
from typing import Any

import orjson

from tests.cli.conftest import Recado
from tests.messaging import bodies
from tests.messaging.conftest import Company, company
from tests.providers import samples

Json = dict[str, Any]
__all__ = ["company"]

SENDER = "5511987654321"
NO_PROJECT = {"SUPABASE_URL": "", "SUPABASE_SECRET_KEY": ""}


async def test_items_are_listed_shown_and_read_again(recado: Recado, company: Company) -> None:
    number = company.tenant.meta
    await company.post(number, bodies.text(number, SENDER, "segredo"))
    await company.post(number, bodies.status(number, SENDER, "X", "read"))
    await company.settled()
    of_company = ("--company", company.id)
    page = (await recado("inbound", "list", *of_company, "--json")).json
    assert [item["kind"] for item in page["data"]] == ["statuses", "messages"]
    table = await recado("inbound", "list", *of_company, "--outcome", "message")
    assert table.code == 0, table.err
    assert ("statuses" in table.out, "segredo" in table.out) == (False, False)
    message = page["data"][1]["id"]
    assert "segredo" in (await recado("inbound", "show", message)).out
    again = await recado("inbound", "reprocess", *of_company, "--state", "processed", "--json")
    assert again.json == {"reprocessed": 2}
    await company.api.tick()
    await company.settled()
    assert len(await company.rows("messages")) == 1
    none = await recado("inbound", "reprocess", *of_company)
    assert none.out == "0 items are read again.\n"


async def test_the_days_that_bodies_are_kept_are_set(recado: Recado, company: Company) -> None:
    of_company = ("--company", company.id)
    answer = await recado("inbound", "retention", 7, *of_company, "--json")
    assert answer.json == {"company_id": company.id, "days": 7}
    assert "30 days" in (await recado("inbound", "retention", *of_company)).out
    assert (await recado("inbound", "retention")).code == 2
    assert (await recado("inbound", "retention", 9999)).code == 1


async def test_a_captured_body_is_read_without_a_project(recado: Recado, tmp_path: Path) -> None:
    name = next(name for name in samples.webhook_names() if name.startswith("meta"))
    capture = tmp_path / "capture.json"
    capture.write_bytes(samples.read(name))
    words = ("inbound", "replay", capture, "--provider", "meta")
    items = (await recado(*words, "--json", env=NO_PROJECT)).json
    provider, route = samples.provider_of(name)
    expected = provider.split(samples.read(name), route)
    assert [item["dedupe_key"] for item in items] == [item.dedupe_key for item in expected]
    assert [event["event"] for event in items[0]["events"]] == [
        event.event for event in provider.parse(expected[0].kind, expected[0].raw)
    ]
    text = await recado(*words, env=NO_PROJECT)
    assert text.code == 0, text.err
    assert expected[0].kind in text.out


async def test_many_bodies_and_stored_items_are_read(recado: Recado, company: Company) -> None:
    number = company.tenant.evolution
    contents = [bodies.text(number, SENDER, "um"), bodies.text(number, SENDER, "dois")]
    lines = b"\n".join(orjson.dumps(content) for content in contents)
    words = ("inbound", "replay", "-", "--provider", "evolution", "--json")
    for captured in (lines, orjson.dumps(contents)):
        items = (await recado(*words, stdin=captured, env=NO_PROJECT)).json
        assert [item["events"][0]["body"] for item in items] == ["um", "dois"]
    await company.post(number, contents[0])
    await company.settled()
    (stored,) = await company.rows("inbound_events")
    shown = await recado("inbound", "show", stored["id"], "--json")
    (item,) = (await recado(*words, stdin=shown.out.encode(), env=NO_PROJECT)).json
    assert item["events"][0]["body"] == "um"


async def test_a_folder_is_read_and_what_is_no_capture_in_it_is_named(
    recado: Recado, tmp_path: Path
) -> None:
    names = [name for name in samples.webhook_names() if name.startswith("meta")]
    for name in names[:2]:
        (tmp_path / Path(name).name).write_bytes(samples.read(name))
    words = ("inbound", "replay", tmp_path, "--provider", "meta")
    good = await recado(*words, env=NO_PROJECT)
    assert good.code == 0, good.err
    assert Path(names[0]).name in good.out
    (tmp_path / "broken.json").write_text('{"entry": []}\n{"entry": ')
    bad = await recado(*words, "--json", env=NO_PROJECT)
    assert bad.code == 1
    read = orjson.loads(bad.out)
    assert {Path(item["file"]).name for item in read} == {Path(name).name for name in names[:2]}
    assert "broken.json: It is no JSON behind the first 1 bodies." in bad.err


async def test_a_body_with_half_an_emoji_is_read_as_the_webhook_would(recado: Recado) -> None:
    name = "meta/message_text.json"
    broken = samples.read(name).replace(b"Body Text", b"oi \\ud83d")
    words = ("inbound", "replay", "-", "--provider", "meta", "--json")
    (item,) = (await recado(*words, stdin=broken, env=NO_PROJECT)).json
    assert item["events"][0]["body"] == "oi �"


async def test_what_is_no_capture_is_one_line_and_a_code(recado: Recado, tmp_path: Path) -> None:
    nonsense = tmp_path / "x.json"
    nonsense.write_text("{")
    for words, code, said in (
        (("replay", nonsense, "--provider", "meta"), 1, "invalid_capture"),
        (("replay", tmp_path / "missing", "--provider", "meta"), 2, "usage"),
        (("replay", nonsense, "--provider", "telegram"), 2, "usage"),
        (("show", 2**62), 1, "inbound_event_not_found"),
        (("list", "--cursor", "x"), 1, "invalid_cursor"),
    ):
        ended = await recado("inbound", *words)
        assert (ended.code, ended.err.split(":")[0]) == (code, said), ended
        assert len(ended.err.splitlines()) == 1
