"""What each file declares, which files may rely on it, and why a function runs as its owner."""

from collections.abc import Iterator, Sequence

from local.lint.finding import Finding
from local.lint.migration import Migration, Rule, Statement, is_routine

_MODIFIERS = frozenset(
    "or replace temporary temp unlogged materialized recursive if not exists".split()
)
_KINDS = ("table", "view", "function", "procedure", "type", "sequence")


def places(migrations: Sequence[Migration]) -> dict[str, tuple[str, int]]:
    """`schema.name` of every table, view, type and routine -> file and line of its declaration."""
    return {
        name: (statement.file, statement.line)
        for migration in migrations
        for statement in migration.statements
        if (name := _declared(statement))
    }


def forward_references(migrations: Sequence[Migration]) -> Iterator[Finding]:
    """PL/pgSQL looks names up when it runs, so Postgres does not see that the order is broken."""
    declared_in: dict[str, int] = {}
    for number, migration in enumerate(migrations):
        for statement in migration.statements:
            if name := _declared(statement):
                declared_in.setdefault(name, number)
    for number, migration in enumerate(migrations):
        for statement in migration.everything():
            for at in range(len(statement.tokens) - 2):
                name = ".".join(statement.name_at(at)[:2])
                if declared_in.get(name, -1) > number:
                    later = migrations[declared_in[name]].file.rpartition("/")[2]
                    text = f"{name} is declared later, in {later}"
                    yield statement.finding("forward-reference", text, at)


def definers(migrations: Sequence[Migration]) -> Iterator[Finding]:
    for migration in migrations:
        lines = migration.text.splitlines()
        for statement in migration.statements:
            at = statement.after("security")
            if not is_routine(statement) or at is None or not statement.starts("definer", at=at):
                continue
            inside = "\n".join(lines[statement.line - 1 : statement.tokens[-1].line])
            if "-- definer because " not in migration.comment_above(statement.line) + inside:
                yield statement.finding(
                    "definer-reason", "say why in a line `-- definer because ...`"
                )


RULES: tuple[Rule, ...] = (forward_references, definers)


def _declared(statement: Statement) -> str:
    if not statement.starts("create"):
        return ""
    at = 1
    while at < len(statement.tokens) and statement.tokens[at].is_word(*_MODIFIERS, *_KINDS):
        at += 1
    if not statement.tokens[at - 1].is_word(*_KINDS, "exists"):
        return ""
    return ".".join(statement.name_at(at))
