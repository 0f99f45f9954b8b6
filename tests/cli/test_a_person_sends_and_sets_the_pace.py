"""recado messages send, list; pace; rules."""

import json
from uuid import uuid4

from functions.core.settings import Settings
from tests.cli.conftest import Recado
from tests.tenants import Tenant

PHONE = "+55 (11) 98765-4321"


async def test_a_message_is_queued_once_and_listed(recado: Recado, tenant: Tenant) -> None:
    id, number = str(uuid4()), tenant.evolution.instance_id
    company = ("--company", tenant.company_id)
    words = (
        "messages",
        "send",
        "Bom dia!",
        "--number",
        number,
        "--to",
        PHONE,
        "--id",
        id,
        *company,
    )
    sent = [await recado(*words) for _ in range(2)]
    assert [(one.code, one.out) for one in sent] == [(0, f"Message {id} is queued.\n")] * 2
    other = await recado(*words[:2], "Boa tarde!", *words[3:])
    assert (other.code, other.err.partition(":")[0]) == (1, "message_id_reused")

    row = (await recado(*words, "--json")).json
    thread = row["conversation_id"]
    place = json.dumps({"type": "location", "content": {"latitude": -23.5, "longitude": -46.6}})
    reply = ("--conversation", thread, "--message", place)
    assert (await recado("messages", "send", *company, *reply)).code == 0
    listed = await recado("messages", "list", thread)
    assert "Bom dia!" in listed.out
    assert "[location]" in listed.out
    page = (await recado("messages", "list", thread, "--limit", "1", "--json")).json
    assert [one["type"] for one in page["data"]] == ["location"]
    rest = ("messages", "list", thread, "--cursor", page["next_cursor"], "--json")
    assert [one["id"] for one in (await recado(*rest)).json["data"]] == [id]


async def test_what_is_no_message_is_said(recado: Recado, tenant: Tenant) -> None:
    number = tenant.meta.instance_id
    for words, code, said in (
        (("--conversation", uuid4()), 2, "a text needs a body"),
        (("oi", "--number", number), 2, "give conversation_id, or instance_id and to"),
        (("oi", "--number", number, "--to", "12"), 1, "invalid_phone"),
        (("oi", "--number", uuid4(), "--to", PHONE), 1, "instance_not_found"),
        (("oi", "--message", "[]"), 2, "JSON object"),
    ):
        ended = await recado("messages", "send", "--company", tenant.company_id, *map(str, words))
        assert (ended.code, ended.out, said in ended.err) == (code, "", True), ended.err
        assert "Traceback" not in ended.err


async def test_the_pace_of_a_number_is_set(recado: Recado, tenant: Tenant) -> None:
    number = tenant.evolution.instance_id
    company = ("--company", tenant.company_id)
    pace = ("pace", "set", number, *company)
    wanted = ("--rate-per-minute", "20", "--daily-cap", "50", "--warmup-started-on", "2026-11-01")
    row = (await recado(*pace, *wanted, "--json")).json
    assert (row["rate_per_minute"], row["daily_cap"]) == (20, 50)
    assert row["warmup_started_on"] == "2026-11-01"
    row = (await recado(*pace, "--daily-cap", "none", "--json")).json
    assert (row["rate_per_minute"], row["daily_cap"]) == (20, None)
    assert (await recado("pace", "resume", number, *company)).out == "Its pauses have ended.\n"
    for words, code, said in (
        (pace, 2, "nothing to change"),
        ((*pace, "--daily-cap", "many"), 2, "neither a value nor none"),
        ((*pace, "--daily-cap", "-1"), 1, "invalid"),
        (("pace", "resume", str(uuid4()), *company), 1, "instance_not_found"),
    ):
        ended = await recado(*words)
        assert (ended.code, said in ended.err) == (code, True), ended.err


async def test_quiet_hours_are_set(recado: Recado, tenant: Tenant, settings: Settings) -> None:
    company = ("--company", tenant.company_id)
    hours = ("--quiet-from", "21:30", "--quiet-until", "07:00", "--quiet-days", "6,7")
    row = (await recado("rules", "set", *company, *hours, "--json")).json
    assert (row["quiet_from"], row["quiet_until"]) == ("21:30:00", "07:00:00")
    assert row["quiet_days"] == [6, 7]
    assert "21:30" in (await recado("rules", "show", *company)).out
    row = (await recado("rules", "set", *company, "--quiet-days", "none", "--json")).json
    assert row["quiet_days"] == []
    assert (await recado("rules", "set", *company)).code == 2
    assert (await recado("rules", "set", *company, "--quiet-from", "25:00")).code == 2
