"""Reading tables over /rest/v1: supabase-py where it suffices, raw HTTP where shapes matter."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from supabase import AsyncClient, ClientOptions, create_client

from local.stack import Stack


@pytest.fixture(scope="module")
async def squad(supabase: AsyncClient) -> dict[str, Any]:
    """A team with three players, one of them with a passport, and a match against another."""
    names = [f"home {uuid4()}", f"away {uuid4()}"]
    teams = await (
        supabase.table("teams")
        .insert(
            [
                {"name": names[0], "colours": ["red", "white"], "details": {"a": {"b": [1, 2]}}},
                {"name": names[1], "colours": [], "details": {"city": "São Paulo"}},
            ]
        )
        .execute()
    )
    home, away = (row["id"] for row in teams.data)  # type: ignore[call-overload, index]
    players = await (
        supabase.table("players")
        .insert(
            [
                {"team_id": home, "name": "Ana", "salary": 10.5, "active": True},
                {"team_id": home, "name": "Bia", "salary": None, "active": True},
                {"team_id": home, "name": "Caê", "salary": 30, "active": False},
            ]
        )
        .execute()
    )
    ids = [row["id"] for row in players.data]  # type: ignore[call-overload, index]
    await supabase.table("passports").insert({"player_id": ids[0], "number": "BR1"}).execute()
    await supabase.table("matches").insert({"home_id": home, "away_id": away, "round": 1}).execute()
    return {"home": home, "away": away, "players": ids, "names": names}


async def names_of(
    rest: httpx.AsyncClient, squad: dict[str, Any], query: str, table: str = "players"
) -> list[str]:
    answer = await rest.get(f"/{table}?select=name&order=name&team_id=eq.{squad['home']}&{query}")
    assert answer.status_code == 200, answer.text
    return [row["name"] for row in answer.json()]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("name=eq.Ana", ["Ana"]),
        ("name=neq.Ana", ["Bia", "Caê"]),
        ("salary=gt.10.5", ["Caê"]),
        ("salary=gte.10.50", ["Ana", "Caê"]),
        ("salary=lt.30", ["Ana"]),
        ("salary=lte.30", ["Ana", "Caê"]),
        ("name=like.*a", ["Ana", "Bia"]),
        ("name=like.B%25", ["Bia"]),
        ("name=ilike.CA*", ["Caê"]),
        ("name=ilike.*Ê", ["Caê"]),
        ("name=match.^[AB]", ["Ana", "Bia"]),
        ("salary=is.null", ["Bia"]),
        ("salary=not.is.null", ["Ana", "Caê"]),
        ("salary=is.not_null", ["Ana", "Caê"]),
        ("active=is.false", ["Caê"]),
        ("active=not.is.true", ["Caê"]),
        ("name=in.(Ana,Bia)", ["Ana", "Bia"]),
        ('name=in.("Ana","Caê")', ["Ana", "Caê"]),
        ("name=not.in.(Ana,Bia)", ["Caê"]),
        ("name=in.()", []),
        ("salary=isdistinct.30", ["Ana", "Bia"]),
        ("name=eq(any).{Ana,Bia}", ["Ana", "Bia"]),
        ("name=like(all).{A*,*a}", ["Ana"]),
        ("or=(name.eq.Ana,salary.eq.30)", ["Ana", "Caê"]),
        ("and=(name.neq.Ana,active.is.true)", ["Bia"]),
        ("not.or=(name.eq.Ana,active.is.false)", ["Bia"]),
        (
            "or=(name.eq.Ana,and(active.is.false,not.or(salary.lt.30,salary.is.null)))",
            ["Ana", "Caê"],
        ),
        ('or=(name.in.("Ana","x,y"),name.not.like.*a)', ["Ana", "Caê"]),
        ("name=not.eq.Ana&active=is.true", ["Bia"]),
    ],
)
async def test_an_operator_means_what_it_means_in_postgrest(
    rest: httpx.AsyncClient, squad: dict[str, Any], query: str, expected: list[str]
) -> None:
    assert await names_of(rest, squad, query) == expected


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("colours=cs.{red}", True),
        ("colours=cs.{green}", False),
        ("colours=cd.{red,white,blue}", True),
        ("colours=ov.{white,green}", True),
        ('details=cs.{"a":{}}', True),
        ("details->a->b->>1=eq.2", True),
        ("details->a->b->1=eq.2", True),
        ("details->>a=is.null", False),
        ("or=(colours.cs.{red,white},name.eq.x)", True),
    ],
)
async def test_arrays_and_json_can_be_searched(
    rest: httpx.AsyncClient, squad: dict[str, Any], query: str, found: bool
) -> None:
    answer = await rest.get(f"/teams?select=id&id=eq.{squad['home']}&{query}")
    assert answer.status_code == 200, answer.text
    assert bool(answer.json()) is found


async def test_values_keep_the_types_postgres_gives_them(rest: httpx.AsyncClient) -> None:
    answer = await rest.get("/kinds")
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.text == (
        '[{"id":1,"odd \\"name":"x","big":9007199254740993,"exact":1234567890.123456789,'
        '"raw":"\\\\xdeadbeef","moment":"2026-01-02T03:04:05.6+00:00","day":"2026-01-02",'
        '"spans":"[1,5)","numbers":[1,2,3],"nothing":null}]'
    )


async def test_columns_can_be_renamed_cast_and_taken_out_of_json(
    rest: httpx.AsyncClient, squad: dict[str, Any]
) -> None:
    select = "key:id::text,details->a->b,first:details->a->b->>0,list:numbers"
    answer = await rest.get(f"/teams?select={select.rpartition(',')[0]}&id=eq.{squad['home']}")
    assert answer.json() == [{"key": str(squad["home"]), "b": [1, 2], "first": "1"}]
    odd = await rest.get('/kinds?select=x:"odd \\"name",big::text&"odd \\"name"=eq.x')
    assert odd.json() == [{"x": "x", "big": "9007199254740993"}]


async def test_order_limit_and_offset_cut_a_page(
    rest: httpx.AsyncClient, squad: dict[str, Any]
) -> None:
    path = f"/players?select=name&team_id=eq.{squad['home']}"
    answer = await rest.get(f"{path}&order=salary.desc.nullslast,name")
    assert [row["name"] for row in answer.json()] == ["Caê", "Ana", "Bia"]
    answer = await rest.get(f"{path}&order=salary.asc.nullsfirst&limit=1&offset=1")
    assert answer.json() == [{"name": "Ana"}]
    assert answer.headers["content-range"] == "1-1/*"
    answer = await rest.get(f"{path}&order=name", headers={"range": "1-2"})
    assert [row["name"] for row in answer.json()] == ["Bia", "Caê"]
    assert answer.headers["content-range"] == "1-2/*"


async def test_a_count_makes_the_answer_partial(
    rest: httpx.AsyncClient, squad: dict[str, Any]
) -> None:
    path = f"/players?select=name&team_id=eq.{squad['home']}"
    count = {"prefer": "count=exact"}
    whole = await rest.get(path, headers=count)
    assert (whole.status_code, whole.headers["content-range"]) == (200, "0-2/3")
    assert whole.headers["preference-applied"] == "count=exact"
    part = await rest.get(f"{path}&limit=2", headers=count)
    assert (part.status_code, part.headers["content-range"]) == (206, "0-1/3")
    none = await rest.get(f"{path}&name=eq.nobody", headers=count)
    assert (none.status_code, none.headers["content-range"], none.text) == (200, "*/0", "[]")
    beyond = await rest.get(f"{path}&offset=10", headers=count)
    assert beyond.status_code == 416
    assert beyond.json()["code"] == "PGRST103"
    head = await rest.head(path, headers=count)
    assert (head.status_code, head.headers["content-range"], head.content) == (200, "0-2/3", b"")


async def test_no_more_than_a_thousand_rows_come_at_once(rest: httpx.AsyncClient) -> None:
    answer = await rest.get("/many", headers={"prefer": "count=exact"})
    assert len(answer.json()) == 1000
    assert (answer.status_code, answer.headers["content-range"]) == (206, "0-999/1200")
    assert len((await rest.get("/many?limit=5000")).json()) == 1000
    assert len((await rest.get("/many?offset=1000")).json()) == 200


async def test_one_object_can_be_asked_for(rest: httpx.AsyncClient, squad: dict[str, Any]) -> None:
    single = {"accept": "application/vnd.pgrst.object+json"}
    answer = await rest.get(f"/teams?select=id&id=eq.{squad['home']}", headers=single)
    assert answer.json() == {"id": squad["home"]}
    assert answer.headers["content-type"] == "application/vnd.pgrst.object+json; charset=utf-8"
    none = await rest.get("/teams?select=id&id=eq.0", headers=single)
    assert none.status_code == 406
    assert none.json() == {
        "code": "PGRST116",
        "message": "Cannot coerce the result to a single JSON object",
        "details": "The result contains 0 rows",
        "hint": None,
    }
    many = await rest.get(f"/players?team_id=eq.{squad['home']}", headers=single)
    assert many.json()["details"] == "The result contains 3 rows"


async def test_related_rows_come_inside_by_foreign_keys(
    rest: httpx.AsyncClient, squad: dict[str, Any]
) -> None:
    select = "name,players(name,passports(number),team:teams(id))"
    path = f"/teams?select={select}&id=eq.{squad['home']}&players.order=name"
    team = (await rest.get(path)).json()[0]
    reference = {"id": squad["home"]}
    assert team["players"] == [
        {"name": "Ana", "passports": {"number": "BR1"}, "team": reference},
        {"name": "Bia", "passports": None, "team": reference},
        {"name": "Caê", "passports": None, "team": reference},
    ]
    answer = await rest.get(f"/players?select=name,club:team_id(name)&id=eq.{squad['players'][0]}")
    assert answer.json() == [{"name": "Ana", "club": {"name": squad["names"][0]}}]


async def test_related_rows_are_filtered_ordered_and_cut_by_themselves(
    rest: httpx.AsyncClient, squad: dict[str, Any]
) -> None:
    path = f"/teams?select=players(name)&id=in.({squad['home']},{squad['away']})&order=id"
    answer = await rest.get(
        f"{path}&players.active=is.true&players.order=name.desc&players.limit=1"
    )
    assert answer.json() == [{"players": [{"name": "Bia"}]}, {"players": []}]
    answer = await rest.get(f"{path}&players.or=(name.eq.Ana,salary.eq.30)&players.order=name")
    assert answer.json()[0] == {"players": [{"name": "Ana"}, {"name": "Caê"}]}


async def test_inner_embeds_and_null_embeds_choose_the_rows(
    rest: httpx.AsyncClient, squad: dict[str, Any]
) -> None:
    both = f"id=in.({squad['home']},{squad['away']})"
    count = {"prefer": "count=exact"}
    inner = await rest.get(f"/teams?select=id,players!inner(name)&{both}", headers=count)
    assert [row["id"] for row in inner.json()] == [squad["home"]]
    assert inner.headers["content-range"] == "0-0/1"
    without = await rest.get(f"/teams?select=id,players()&players=is.null&{both}", headers=count)
    assert without.json() == [{"id": squad["away"]}]
    assert without.headers["content-range"] == "0-0/1"
    having = await rest.get(f"/teams?select=id,players()&players=not.is.null&{both}")
    assert having.json() == [{"id": squad["home"]}]
    to_one = await rest.get(
        f"/players?select=name,passports!inner(number)&team_id=eq.{squad['home']}"
    )
    assert to_one.json() == [{"name": "Ana", "passports": {"number": "BR1"}}]


async def test_an_ambiguous_embed_needs_a_hint(
    rest: httpx.AsyncClient, squad: dict[str, Any]
) -> None:
    answer = await rest.get("/matches?select=round,teams(name)")
    assert answer.status_code == 300
    body = answer.json()
    assert body["code"] == "PGRST201"
    assert {entry["cardinality"] for entry in body["details"]} == {"many-to-one"}
    assert "'teams!matches_home_id_fkey'" in body["hint"]
    path = "/matches?select=home:teams!matches_home_id_fkey(name),away:teams!away_id(name)"
    hinted = await rest.get(f"{path}&home_id=eq.{squad['home']}")
    first, second = squad["names"]
    assert hinted.json() == [{"home": {"name": first}, "away": {"name": second}}]


async def test_views_read_like_tables(rest: httpx.AsyncClient, squad: dict[str, Any]) -> None:
    answer = await rest.get(f"/active_players?select=name&id=eq.{squad['players'][0]}")
    assert answer.json() == [{"name": "Ana"}]
    hidden = await rest.get(f"/active_players?id=eq.{squad['players'][2]}")
    assert hidden.json() == []


async def test_a_grant_on_one_column_is_enough_for_it(anonymous: httpx.AsyncClient) -> None:
    assert (await anonymous.get("/half_open?select=id")).json() == [{"id": 1}]
    assert (await anonymous.get("/half_open?select=id&id=eq.1")).status_code == 200
    assert (await anonymous.get("/half_open")).json()["code"] == "42501"


async def test_supabase_py_queries_are_understood(
    supabase: AsyncClient, squad: dict[str, Any]
) -> None:
    answer = await (
        supabase.table("players")
        .select("name, teams(name)", count="exact")  # type: ignore[arg-type]
        .eq("team_id", squad["home"])
        .in_("name", ["Ana", "Bia", 'x,"y"'])
        .or_("active.is.true,salary.gt.5")
        .not_.is_("joined_at", "null")
        .order("salary", desc=True, nullsfirst=True)
        .range(0, 9)
        .execute()
    )
    assert answer.count == 2
    assert [row["name"] for row in answer.data] == ["Bia", "Ana"]  # type: ignore[call-overload, index]
    one = await supabase.table("teams").select("id").eq("id", 0).maybe_single().execute()
    assert one is None


def test_the_synchronous_client_works_as_well(league: Stack) -> None:
    with httpx.Client() as http:
        options = ClientOptions(httpx_client=http)
        client = create_client(league.url, league.keys.service_role_key, options)
        assert client.rpc("add", {"a": 1}).execute().data == 11
        assert client.table("many").select("id").limit(1).execute().data == [{"id": 1}]
