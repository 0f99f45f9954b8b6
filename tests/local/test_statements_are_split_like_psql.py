"""A semicolon ends a statement only where Postgres would say so."""

import pytest

from local.statements import split


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("", []),
        (" ; ;; ", []),
        ("select 1", ["select 1"]),
        ("select 1; select 2;", ["select 1", "select 2"]),
        ("select ';'; select 2", ["select ';'", "select 2"]),
        ("select 'it''s;'; select 2", ["select 'it''s;'", "select 2"]),
        (r"select E'\';'; select 2", [r"select E'\';'", "select 2"]),
        (r"select '\'; select 2", [r"select '\'", "select 2"]),
        ('select ";" from "a""b;"; select 2', ['select ";" from "a""b;"', "select 2"]),
        ("select $$;$$; select 2", ["select $$;$$", "select 2"]),
        ("do $x$ begin; $$;$$ end $x$; select 2", ["do $x$ begin; $$;$$ end $x$", "select 2"]),
        ("select $1; select a$b$c; x", ["select $1", "select a$b$c", "x"]),
        ("-- a; b\nselect 1; -- after;\n", ["-- a; b\nselect 1"]),
        ("/* a; /* b; */ c; */ select 1; x", ["/* a; /* b; */ c; */ select 1", "x"]),
        ("select 1 /* ; */ ; x", ["select 1 /* ; */", "x"]),
        ("select '/*'; select '*/'", ["select '/*'", "select '*/'"]),
        ("select 'a--b;'; x", ["select 'a--b;'", "x"]),
        (
            "create function f() returns int begin atomic select case when a then 1 end; "
            "select 2; end; select 3",
            [
                "create function f() returns int begin atomic select case when a then 1 end; "
                "select 2; end",
                "select 3",
            ],
        ),
        ("begin; select 1; end; x", ["begin", "select 1", "end", "x"]),
        ("select 'é;ü'; create table \"ação\" ()", ["select 'é;ü'", 'create table "ação" ()']),
        ("select 'open; select 2", ["select 'open", "select 2"]),
    ],
)
def test_a_script_becomes_its_statements(script: str, expected: list[str]) -> None:
    assert [statement.text for statement in split(script)] == expected


def test_a_statement_knows_its_line_and_kind() -> None:
    script = "-- head\n\nselect 1;\n\n  create  UNIQUE index\n concurrently x\n on t (a);"
    first, second = split(script)
    assert (first.line, first.words[0]) == (1, "select")
    assert second.line == 5
    assert second.words[:4] == ("create", "unique", "index", "concurrently")
    assert second.line_of(second.text.index("concurrently") + 1) == 6
