"""Rows of other tables inside and beside a table's own; grouped, computed and searched columns."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest

from tests.fixtures import until

SCHEMA = """
create table public.films (
  id int primary key, title text not null, year int not null, plot text, tags tsvector
);
create table public.actors (id int primary key, name text not null);
create table public.roles (
  film_id int references public.films, actor_id int references public.actors, part text,
  primary key (film_id, actor_id)
);
create table public.directors (
  film_id int primary key references public.films, name text not null
);
create view public.recent_films as select id, title as name from public.films where year > 2000;
create function public.decade(public.films) returns text language sql stable as
  $$ select ($1.year / 10 * 10) || 's' $$;
create function public.cast_of(public.films) returns setof public.actors language sql stable as
  $$ select a.* from public.actors a join public.roles r on r.actor_id = a.id
     where r.film_id = $1.id $$;
create function public.lead(public.films) returns setof public.actors rows 1 language sql stable as
  $$ select a.* from public.actors a join public.roles r on r.actor_id = a.id
     where r.film_id = $1.id order by a.id limit 1 $$;
grant select, insert, update on public.films, public.actors, public.roles, public.directors,
  public.recent_films to service_role;
insert into public.films values
  (1, 'Central', 1998, 'a letter to a father', to_tsvector('letters')),
  (2, 'Cidade', 2002, 'a camera in the city', null), (3, 'Bacurau', 2019, null, null);
insert into public.actors values (1, 'Fernanda'), (2, 'Matheus'), (3, 'Sônia');
insert into public.roles values (1, 1, 'Dora'), (1, 2, 'Bené'), (2, 2, 'Bené'), (3, 3, 'Domingas');
insert into public.directors values (1, 'Walter'), (2, 'Kátia');
"""
AWAY = """
drop table public.films, public.actors, public.roles, public.directors cascade;
alter role authenticator reset pgrst.db_aggregates_enabled;
notify pgrst;
"""


@pytest.fixture(scope="module", autouse=True)
async def films(migrator: asyncpg.Pool, database: asyncpg.Pool) -> AsyncIterator[None]:
    await migrator.execute(SCHEMA)
    yield
    await database.execute(AWAY)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        # through the table whose primary key holds both keys
        ("films?select=title,actors(name)&id=eq.1&actors.order=id",
         [{"title": "Central", "actors": [{"name": "Fernanda"}, {"name": "Matheus"}]}]),
        ("actors?select=name,films!inner(title)&films.year=gt.2010",
         [{"name": "Sônia", "films": [{"title": "Bacurau"}]}]),
        # beside the row's own columns: one value, or an array of all
        ("directors?select=name,...films(title,year)&film_id=eq.2",
         [{"name": "Kátia", "title": "Cidade", "year": 2002}]),
        ("films?select=title,...actors(who:name)&id=eq.1&actors.order=name.desc",
         [{"title": "Central", "who": ["Matheus", "Fernanda"]}]),
        # by functions that take the row
        ("films?select=decade,cast_of(name)&id=eq.3",
         [{"decade": "2010s", "cast_of": [{"name": "Sônia"}]}]),
        ("films?select=title,lead(name)&decade=eq.1990s",
         [{"title": "Central", "lead": {"name": "Fernanda"}}]),
        # views have the keys of their tables
        ("recent_films?select=name,directors(name),roles(part)&order=id",
         [{"name": "Cidade", "directors": {"name": "Kátia"}, "roles": [{"part": "Bené"}]},
          {"name": "Bacurau", "directors": None, "roles": [{"part": "Domingas"}]}]),
        # ordered by a column of the one row inside
        ("films?select=title,directors(name)&order=directors(name).desc.nullslast&limit=2",
         [{"title": "Central", "directors": {"name": "Walter"}},
          {"title": "Cidade", "directors": {"name": "Kátia"}}]),
        # filters and limits under the table's name when the embed has another
        ("films?select=title,who:actors(name)&id=eq.1&actors.limit=1&actors.order=id",
         [{"title": "Central", "who": [{"name": "Fernanda"}]}]),
        # words in texts and in vectors
        ("films?select=id&plot=fts(english).cameras", [{"id": 2}]),
        ("films?select=id&plot=plfts.a%20letter", [{"id": 1}]),
        ("films?select=id&plot=not.wfts.city&plot=not.is.null", [{"id": 1}]),
        ("films?select=id&plot=phfts(english).the%20city", [{"id": 2}]),
        ("films?select=id&tags=fts.letter", [{"id": 1}]),
    ],
)  # fmt: skip
async def test_related_rows_come_in_every_shape(
    rest: httpx.AsyncClient, query: str, expected: Any
) -> None:
    answer = await rest.get(f"/{query}")
    assert answer.json() == expected, answer.text


async def test_written_rows_come_back_with_what_is_computed_of_them(
    rest: httpx.AsyncClient,
) -> None:
    select = "title,decade,cast_of(name),actors(name)"
    answer = await rest.patch(
        f"/films?id=eq.3&select={select}",
        json={"year": 2020},
        headers={"prefer": "return=representation"},
    )
    who = [{"name": "Sônia"}]
    expected = {"title": "Bacurau", "decade": "2020s", "cast_of": who, "actors": who}
    assert answer.json() == [expected]


async def test_aggregates_group_by_what_is_not_aggregated(
    rest: httpx.AsyncClient, database: asyncpg.Pool
) -> None:
    refused = await rest.get("/films?select=year.max()")
    assert (refused.status_code, refused.json()["code"]) == (400, "PGRST123")
    await database.execute("alter role authenticator set pgrst.db_aggregates_enabled = 'true'")
    await database.execute("notify pgrst, 'reload config'")
    await until_answered(rest, "/films?select=year.max()", [{"max": 2020}])
    for query, expected in (
        ("films?select=count(),first:year.min(),mean:year.avg()::int",
         [{"count": 3, "first": 1998, "mean": 2007}]),
        ("roles?select=film_id,count()&order=film_id&limit=2",
         [{"film_id": 1, "count": 2}, {"film_id": 2, "count": 1}]),
        ("actors?select=name,roles(count())&id=eq.2",
         [{"name": "Matheus", "roles": [{"count": 2}]}]),
        ("roles?select=...actors(name),count()&order=actors(name)&limit=1",
         [{"name": "Fernanda", "count": 1}]),
        ("roles?select=part,...films(year.sum())&part=eq.Bené", [{"part": "Bené", "sum": 4000}]),
    ):  # fmt: skip
        answer = await rest.get(f"/{query}")
        assert answer.json() == expected, answer.text
    many = await rest.get("/films?select=...actors(id.count())")
    assert (many.status_code, many.json()["code"]) == (400, "PGRST127")


async def until_answered(rest: httpx.AsyncClient, path: str, expected: Any) -> None:
    async def answered() -> bool:
        return bool((await rest.get(path)).json() == expected)

    await until(answered, what=f"{path} answers {expected}")
