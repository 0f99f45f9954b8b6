"""Calling functions over /rest/v1/rpc: arguments in, every kind of result out."""

from typing import Any

import httpx
import pytest
from postgrest import CountMethod
from supabase import AsyncClient


@pytest.mark.parametrize(
    ("name", "arguments", "body"),
    [
        ("add", {"a": 1}, "11"),
        ("add", {"a": 1, "b": 2}, "3"),
        ("no_value", {}, "null"),
        ("as_json", {"p": {"b": [1, {"c": None}]}}, '{"b": [1, {"c": null}]}'),
        ("numbers", {"up_to": 3}, "[1, 2, 3]"),
        ("numbers", {"up_to": 0}, "[]"),
        ("pairs", {"up_to": 2}, '[{"n":1,"square":1}, \n {"n":2,"square":4}]'),
        ("pairs", {"up_to": 0}, "[]"),
        ("with_out", {"a": 1}, '{"b":2,"c":"c"}'),
        ("total", {"n": [1, 2, 3]}, "6"),
        ("overloaded", {"a": 1}, '"a"'),
        ("overloaded", {"a": 1, "b": 2}, '"ab"'),
        ("whole", {"any": ["thing"]}, '{"any": ["thing"]}'),
        ("whole", [{"any": 1}, {"any": 2}], '[{"any": 1}, {"any": 2}]'),
    ],
)
async def test_a_result_has_the_shape_of_its_type(
    rest: httpx.AsyncClient, name: str, arguments: Any, body: str
) -> None:
    answer = await rest.post(f"/rpc/{name}", json=arguments)
    assert (answer.status_code, answer.text) == (200, body)
    assert answer.headers["content-type"] == "application/json; charset=utf-8"


async def test_a_void_function_answers_204(rest: httpx.AsyncClient) -> None:
    answer = await rest.post("/rpc/nothing")
    assert (answer.status_code, answer.content) == (204, b"")


async def test_ranges_and_counts_apply_to_functions(rest: httpx.AsyncClient) -> None:
    plain = await rest.post("/rpc/pairs", json={"up_to": 3})
    assert plain.headers["content-range"] == "0-2/*"
    empty = await rest.post("/rpc/pairs", json={"up_to": 0})
    assert empty.headers["content-range"] == "*/*"
    counted = await rest.post(
        "/rpc/pairs?limit=2", json={"up_to": 3}, headers={"prefer": "count=exact"}
    )
    assert (counted.status_code, counted.headers["content-range"]) == (206, "0-1/3")
    numbers = await rest.post("/rpc/numbers?limit=1&offset=1", json={"up_to": 3})
    assert (numbers.json(), numbers.headers["content-range"]) == ([2], "1-1/*")
    assert (await rest.post("/rpc/add?select=*&limit=1", json={"a": 1})).json() == 11
    large = await rest.post("/rpc/numbers", json={"up_to": 1500})
    assert len(large.json()) == 1000


async def test_rows_of_a_function_are_selected_filtered_and_embedded(
    rest: httpx.AsyncClient, supabase: AsyncClient, team: dict[str, Any]
) -> None:
    answer = await rest.post(
        "/rpc/pairs?select=square&n=gt.1&order=n.desc&limit=1", json={"up_to": 5}
    )
    assert answer.json() == [{"square": 25}]
    await supabase.table("players").insert({"team_id": team["id"], "name": "Ana"}).execute()
    found = await rest.get(f"/rpc/all_teams?select=id,players(name)&id=eq.{team['id']}")
    assert found.json() == [{"id": team["id"], "players": [{"name": "Ana"}]}]
    one = await rest.post("/rpc/team?select=id", json={"team_name": team["name"]})
    assert one.json() == {"id": team["id"]}
    none = await rest.post("/rpc/team?select=id", json={"team_name": "nobody"})
    assert none.json() == {"id": None}


async def test_get_takes_arguments_from_the_query(rest: httpx.AsyncClient) -> None:
    assert (await rest.get("/rpc/add?a=1&b=2")).json() == 3
    assert (await rest.get("/rpc/total?n=1&n=2")).json() == 3
    assert (await rest.get("/rpc/pairs?up_to=3&n=eq.2")).json() == [{"n": 2, "square": 4}]
    head = await rest.head("/rpc/add?a=1")
    assert (head.status_code, head.content) == (200, b"")
    for method in ("PUT", "PATCH", "DELETE"):
        answer = await rest.request(method, "/rpc/add")
        assert (answer.status_code, answer.json()["code"]) == (405, "PGRST101")


async def test_the_body_can_be_one_text(rest: httpx.AsyncClient) -> None:
    refused = await rest.post("/rpc/add", content="1", headers={"content-type": "text/plain"})
    assert (refused.status_code, refused.json()["code"]) == (404, "PGRST202")
    other = await rest.post("/rpc/add", content="<a/>", headers={"content-type": "text/html"})
    assert (other.status_code, other.json()["code"]) == (400, "PGRST102")


async def test_arguments_choose_the_function_by_name_alone(rest: httpx.AsyncClient) -> None:
    unknown = await rest.post("/rpc/add", json={"a": 1, "z": 2})
    assert unknown.status_code == 404
    assert unknown.json() == {
        "code": "PGRST202",
        "message": "Could not find the function public.add(a, z) in the schema cache",
        "details": "Searched for the function public.add with parameters a, z or with a single"
        " unnamed json/jsonb parameter, but no matches were found in the schema cache.",
        "hint": "Perhaps you meant to call the function public.add(a, b)",
    }
    missing = await rest.post("/rpc/add", json={"b": 1})
    assert missing.json()["code"] == "PGRST202"
    none = await rest.post("/rpc/nobody")
    expected = "Could not find the function public.nobody without parameters in the schema cache"
    assert none.json()["message"] == expected
    near = await rest.post("/rpc/add_teams")
    assert near.json()["hint"] == "Perhaps you meant to call the function public.add_team"
    both = await rest.post("/rpc/same_name", json={"a": 1})
    assert (both.status_code, both.json()["code"]) == (300, "PGRST203")
    assert both.json()["message"] == (
        "Could not choose the best candidate function between:"
        " public.same_name(a => integer), public.same_name(a => text)"
    )


async def test_a_stable_function_and_a_get_cannot_write(rest: httpx.AsyncClient) -> None:
    for answer in (
        await rest.post("/rpc/write_in_stable"),
        await rest.get("/rpc/add_team?team_name=x"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (405, "25006")


async def test_a_function_sets_status_and_headers(rest: httpx.AsyncClient) -> None:
    answer = await rest.post("/rpc/teapot")
    assert (answer.status_code, answer.json()) == (418, "short and stout")
    assert (answer.headers["x-tea"], answer.headers["x-milk"]) == ("pot", "no")


async def test_a_function_sees_the_request(rest: httpx.AsyncClient) -> None:
    async def setting(name: str) -> Any:
        answer = await rest.post("/rpc/setting", json={"name": name}, headers={"X-Trace": "t1"})
        return answer.json()

    assert await setting("request.method") == "POST"
    assert await setting("request.path") == "/rpc/setting"
    assert '"x-trace":"t1"' in await setting("request.headers")
    assert '"role":"service_role"' in await setting("request.jwt.claims")
    assert await setting("role") == "service_role"
    assert await setting("search_path") == '"public", "extensions"'
    assert await setting("statement_timeout") == "8s"


async def test_timeouts_are_those_of_the_role_and_of_the_function(
    rest: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    timeout = {"name": "statement_timeout"}
    assert (await anonymous.post("/rpc/setting", json=timeout)).json() == "3s"
    cut = await rest.post("/rpc/sleep_briefly")
    assert (cut.status_code, cut.json()["code"]) == (500, "57014")


async def test_supabase_py_calls_functions(supabase: AsyncClient) -> None:
    assert (await supabase.rpc("add", {"a": 1, "b": 1}).execute()).data == 2
    assert (await supabase.rpc("add", {"a": 1}, get=True).execute()).data == 11
    count = CountMethod.exact
    answer = await supabase.rpc("pairs", {"up_to": 3}, count=count).gt("n", 1).execute()
    assert answer.data == [{"n": 2, "square": 4}, {"n": 3, "square": 9}]
    assert answer.count == 2
