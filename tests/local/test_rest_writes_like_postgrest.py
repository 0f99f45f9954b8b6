"""Writing tables over /rest/v1: status, body, headers and what stays in the database."""

from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from supabase import AsyncClient

FULL = {"prefer": "return=representation"}


def fresh() -> str:
    return f"team {uuid4()}"


async def count(database: asyncpg.Pool, name: str) -> int:
    found: int = await database.fetchval("select count(*) from teams where name = $1", name)
    return found


async def test_an_insert_answers_what_was_asked_for(rest: httpx.AsyncClient) -> None:
    minimal = await rest.post("/teams", json={"name": fresh()})
    assert (minimal.status_code, minimal.content) == (201, b"")
    assert minimal.headers["content-range"] == "*/*"
    name = fresh()
    full = await rest.post("/teams?select=name,colours", json={"name": name}, headers=FULL)
    assert (full.status_code, full.json()) == (201, [{"name": name, "colours": []}])
    assert full.headers["preference-applied"] == "return=representation"
    single = {**FULL, "accept": "application/vnd.pgrst.object+json"}
    one = await rest.post("/teams?select=name", json={"name": (name := fresh())}, headers=single)
    assert one.json() == {"name": name}
    located = await rest.post(
        "/teams?select=id", json={"name": fresh()}, headers={"prefer": "return=headers-only"}
    )
    assert located.content == b""
    assert located.headers["location"].startswith("/teams?id=eq.")
    counted = await rest.post(
        "/teams", json=[{"name": fresh()}, {"name": fresh()}], headers={"prefer": "count=exact"}
    )
    assert counted.headers["content-range"] == "*/2"


async def test_a_bulk_insert_is_one_transaction(
    rest: httpx.AsyncClient, database: asyncpg.Pool
) -> None:
    name = fresh()
    answer = await rest.post("/teams", json=[{"name": name}, {"name": ""}])
    assert (answer.status_code, answer.json()["code"]) == (400, "23514")
    assert await count(database, name) == 0
    empty = await rest.post("/teams", json=[], headers=FULL)
    assert (empty.status_code, empty.json()) == (201, [])


async def test_the_keys_of_all_objects_must_match_unless_columns_are_named(
    rest: httpx.AsyncClient,
) -> None:
    rows = [{"name": fresh()}, {"name": fresh(), "founded": "2020-01-02"}]
    refused = await rest.post("/teams", json=rows)
    assert refused.status_code == 400
    assert refused.json()["code"] == "PGRST102"
    assert refused.json()["message"] == "All object keys must match"
    accepted = await rest.post(
        '/teams?columns="name","founded"&select=founded', json=rows, headers=FULL
    )
    assert accepted.json() == [{"founded": None}, {"founded": "2020-01-02"}]


async def test_missing_values_can_take_their_defaults(rest: httpx.AsyncClient) -> None:
    rows = [{"name": fresh()}, {"name": fresh(), "colours": ["red"]}]
    path = "/teams?columns=name,colours&select=colours"
    refused = await rest.post(path, json=rows, headers=FULL)
    assert refused.json()["code"] == "23502"
    headers = {"prefer": "return=representation, missing=default"}
    accepted = await rest.post(path, json=rows, headers=headers)
    assert accepted.json() == [{"colours": []}, {"colours": ["red"]}]
    assert accepted.headers["preference-applied"] == "missing=default, return=representation"
    whole = await rest.post("/teams?columns=id,name", json=[{"name": fresh()}], headers=headers)
    assert whole.status_code == 400  # generated always: not even its default may be given


async def test_an_upsert_merges_or_ignores_duplicates(
    rest: httpx.AsyncClient, supabase: AsyncClient
) -> None:
    name = fresh()
    merge = {"prefer": "resolution=merge-duplicates,return=representation"}
    path = "/teams?on_conflict=name&select=name,founded"
    first = await rest.post(path, json={"name": name, "founded": "2020-01-01"}, headers=merge)
    assert first.status_code == 201
    again = await rest.post(path, json={"name": name, "founded": "2021-01-01"}, headers=merge)
    assert (again.status_code, again.json()) == (200, [{"name": name, "founded": "2021-01-01"}])
    applied = "resolution=merge-duplicates, return=representation"
    assert again.headers["preference-applied"] == applied
    ignore = {"prefer": "resolution=ignore-duplicates,return=representation"}
    third = await rest.post(path, json={"name": name, "founded": "2022-01-01"}, headers=ignore)
    assert (third.status_code, third.json()) == (201, [])
    conflict = await rest.post("/teams", json={"name": name})
    assert (conflict.status_code, conflict.json()["code"]) == (409, "23505")
    answer = await (
        supabase.table("teams")
        .upsert({"name": name, "founded": None}, on_conflict="name")
        .execute()
    )
    assert answer.data[0]["founded"] is None  # type: ignore[call-overload, index]


async def test_put_makes_or_replaces_the_row_the_url_names(
    rest: httpx.AsyncClient, team: dict[str, Any]
) -> None:
    body = {"player_id": await new_player(rest, team["id"]), "number": "A"}
    path = f"/passports?player_id=eq.{body['player_id']}"
    made = await rest.put(path, json=body)
    assert made.status_code == 204, made.text
    replaced = await rest.put(path, json={**body, "number": "B"}, headers=FULL)
    assert (replaced.status_code, replaced.json()) == (200, [{**body, "number": "B"}])
    other = await rest.put(path, json={**body, "player_id": 0})
    assert (other.status_code, other.json()["code"]) == (400, "PGRST115")
    partly = await rest.put("/passports?number=eq.B", json=body)
    assert (partly.status_code, partly.json()["code"]) == (405, "PGRST105")
    limited = await rest.put(f"{path}&limit=1", json=body)
    assert (limited.status_code, limited.json()["code"]) == (400, "PGRST114")


async def new_player(rest: httpx.AsyncClient, team_id: object) -> int:
    row = {"team_id": team_id, "name": "Ana"}
    answer = await rest.post("/players?select=id", json=row, headers=FULL)
    player_id: int = answer.json()[0]["id"]
    return player_id


async def test_an_update_changes_what_the_filters_find(
    rest: httpx.AsyncClient, team: dict[str, Any]
) -> None:
    first, second = await new_player(rest, team["id"]), await new_player(rest, team["id"])
    minimal = await rest.patch(f"/players?id=eq.{first}", json={"name": "Eva"})
    assert (minimal.status_code, minimal.content) == (204, b"")
    assert minimal.headers["content-range"] == "0-0/*"
    select = "select=id,name,teams(name)"
    full = await rest.patch(
        f"/players?id=in.({first},{second})&name=eq.Ana&{select}", json={"salary": 5}, headers=FULL
    )
    expected = [{"id": second, "name": "Ana", "teams": {"name": team["name"]}}]
    assert (full.status_code, full.json()) == (200, expected)
    nothing = await rest.patch("/players?id=eq.0", json={"name": "x"}, headers=FULL)
    assert (nothing.status_code, nothing.json()) == (200, [])
    empty = await rest.patch(f"/players?id=eq.{first}", json={}, headers=FULL)
    assert (empty.status_code, empty.json()) == (200, [])


async def test_a_delete_removes_what_the_filters_find(
    rest: httpx.AsyncClient, supabase: AsyncClient, team: dict[str, Any]
) -> None:
    player = await new_player(rest, team["id"])
    counted = await rest.delete(f"/players?id=eq.{player}", headers={"prefer": "count=exact"})
    assert (counted.status_code, counted.headers["content-range"]) == (204, "*/1")
    answer = await supabase.table("teams").delete().eq("id", team["id"]).execute()
    assert [row["id"] for row in answer.data] == [team["id"]]  # type: ignore[call-overload, index]


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_a_change_without_filters_is_refused_as_on_hosted(
    rest: httpx.AsyncClient, method: str
) -> None:
    answer = await rest.request(method, "/teams", json={"name": "all"})
    assert answer.status_code == 400
    word = "UPDATE" if method == "PATCH" else "DELETE"
    assert answer.json()["code"] == "21000"
    assert answer.json()["message"] == f"{word} requires a WHERE clause"


async def test_max_affected_rolls_back_what_goes_beyond(
    rest: httpx.AsyncClient, team: dict[str, Any]
) -> None:
    for _ in range(2):
        await new_player(rest, team["id"])
    path = f"/players?team_id=eq.{team['id']}"
    strict = {"prefer": "handling=strict, max-affected=1"}
    refused = await rest.delete(path, headers=strict)
    assert refused.status_code == 400
    assert refused.json()["code"] == "PGRST124"
    assert refused.json()["details"] == "The query affects 2 rows"
    assert len((await rest.get(path)).json()) == 2
    enough = await rest.delete(path, headers={"prefer": "handling=strict, max-affected=2"})
    assert enough.status_code == 204
    assert enough.headers["preference-applied"] == "handling=strict, max-affected=2"


async def test_a_singular_answer_rolls_back_unless_one_row_changed(
    rest: httpx.AsyncClient, team: dict[str, Any]
) -> None:
    for _ in range(2):
        await new_player(rest, team["id"])
    path = f"/players?team_id=eq.{team['id']}"
    headers = {**FULL, "accept": "application/vnd.pgrst.object+json"}
    answer = await rest.patch(path, json={"name": "Both"}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (406, "PGRST116")
    assert {row["name"] for row in (await rest.get(path)).json()} == {"Ana"}


async def test_unknown_preferences_matter_only_when_strict(rest: httpx.AsyncClient) -> None:
    lenient = await rest.get("/many?limit=1", headers={"prefer": "anything=1, handling=lenient"})
    assert (lenient.status_code, lenient.headers["preference-applied"]) == (200, "handling=lenient")
    strict = await rest.get("/many?limit=1", headers={"prefer": "anything=1, handling=strict"})
    assert strict.status_code == 400
    assert strict.json()["code"] == "PGRST122"
    assert strict.json()["details"] == "Invalid preferences: anything=1"
    zone = {"prefer": "timezone=America/Sao_Paulo"}
    moved = await rest.get("/kinds?select=moment", headers=zone)
    assert moved.json() == [{"moment": "2026-01-02T00:04:05.6-03:00"}]
