"""supabase/migrations keeps the rules that can be read in its text."""

from pathlib import Path

from local.lint import declarations, migration, statements, writes

FOLDER = Path(__file__).parents[2] / migration.FOLDER


def test_the_migrations_have_no_finding() -> None:
    migrations = migration.read(FOLDER)
    assert migrations
    rules = (*statements.RULES, *writes.RULES, *declarations.RULES)
    found = (finding for rule in rules for finding in rule(migrations))
    assert [str(finding) for finding in migration.unwaived(migrations, found)] == []


def test_every_function_body_is_read() -> None:
    """A body that the lexer cannot open would hide every fault in it."""
    for source in migration.read(FOLDER):
        for statement in source.statements:
            if migration.is_routine(statement):
                assert any(migration.body_of(statement)), f"{source.file}:{statement.line}"
