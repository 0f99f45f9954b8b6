"""Writes that fail only when they run: in a function, called over the API, on a hosted project."""

from collections.abc import Iterator, Sequence

from local.lint.finding import Finding
from local.lint.lexer import Kind, Token, tokenize
from local.lint.migration import Migration, Rule, Statement
from local.lint.statements import RESERVED_SCHEMAS

_NOT_AN_OBJECT = frozenset(
    "array null true false json_agg jsonb_agg json_build_array jsonb_build_array".split()
)
_NO_WRITES = ("grant", "revoke", "alter", "comment", "drop")


def unfiltered_writes(migrations: Sequence[Migration]) -> Iterator[Finding]:
    """The API's sessions load safeupdate, which refuses these with 21000, in functions too."""
    for statement in _writing(migrations):
        for at in _writes(statement):
            if not _has_where(statement, at):
                verb = statement.tokens[at].text
                yield statement.finding(
                    "unfiltered-write", f"the API refuses {verb} without where", at
                )


def storage_deletes(migrations: Sequence[Migration]) -> Iterator[Finding]:
    for statement in _writing(migrations):
        for at in _writes(statement):
            table = statement.name_at(at + 2)
            if statement.starts("delete", "from", at=at) and table[:1] == ("storage",):
                yield statement.finding(
                    "storage-delete",
                    f"a trigger guards {'.'.join(table)}: delete through the Storage API",
                    at,
                )


def bookkeeping(migrations: Sequence[Migration]) -> Iterator[Finding]:
    """Which migrations of Supabase's own services have run is no business of a project."""
    for statement in _writing(migrations):
        for at in (*_writes(statement), *_inserts(statement)):
            table = statement.name_at(at + (1 if statement.tokens[at].is_word("update") else 2))
            if table[:1] and table[0] in RESERVED_SCHEMAS and table[-1].endswith("migrations"):
                yield statement.finding(
                    "migration-table", f"{'.'.join(table)} is Supabase's own record", at
                )


def broadcasts(migrations: Sequence[Migration]) -> Iterator[Finding]:
    """realtime.send swallows its errors: a payload that it cannot store is lost without a trace."""
    for migration in migrations:
        for statement in migration.everything():
            for at, token in enumerate(statement.tokens):
                name = statement.name_at(at) if token.is_word("realtime") else ()
                if name == ("realtime", "broadcast_changes"):
                    yield statement.finding(
                        "broadcast-changes", "ships whole rows, secrets too: use realtime.send", at
                    )
                argument = _first_argument(statement, at + 4)
                if name == ("realtime", "send") and argument and not _may_be_an_object(argument):
                    yield statement.finding(
                        "broadcast-payload", "a payload that is no object is lost", at
                    )


RULES: tuple[Rule, ...] = (
    unfiltered_writes,
    storage_deletes,
    bookkeeping,
    broadcasts,
)


def _writing(migrations: Sequence[Migration]) -> Iterator[Statement]:
    """Statements that can hold a write, without those that only mention the words."""
    for migration in migrations:
        for statement in migration.everything():
            declares = statement.starts("create") and not any(
                token.is_word("table", "materialized") for token in statement.tokens[:4]
            )
            if statement.nested or not (declares or statement.tokens[0].is_word(*_NO_WRITES)):
                yield statement
                yield from _dynamic(statement)


def _inserts(statement: Statement) -> Iterator[int]:
    for at in range(len(statement.tokens)):
        if statement.starts("insert", "into", at=at):
            yield at


def _writes(statement: Statement) -> Iterator[int]:
    tokens = statement.tokens
    for at, token in enumerate(tokens[:-1]):
        if token.is_word("delete") and tokens[at + 1].is_word("from"):
            yield at
        elif (
            token.is_word("update") and tokens[at + 1].is_name and not tokens[at + 1].is_word("set")
        ):
            # `for update of t` and `for no key update` only lock; `do update set` has no table.
            if at == 0 or not tokens[at - 1].is_word("for", "key"):
                yield at


def _has_where(statement: Statement, at: int) -> bool:
    """Looks as far as the write reaches: to its closing parenthesis, its LOOP, or the end."""
    depth = 0
    for token in statement.tokens[at:]:
        if token.kind is Kind.SIGN and token.text in "()":
            depth += 1 if token.text == "(" else -1
        if depth < 0 or (depth == 0 and token.is_word("loop")):
            return False
        if depth == 0 and token.is_word("where"):
            return True
    return False


def _dynamic(statement: Statement) -> Iterator[Statement]:
    """The SQL that EXECUTE builds from strings, as far as the strings say."""
    for at in statement.heads():
        strings = [token for token in statement.tokens[at:] if token.kind is Kind.STRING]
        if statement.nested and statement.starts("execute", at=at) and strings:
            text = " ".join(token.text for token in strings)
            tokens = tuple(
                t for t in tokenize(text, strings[0].inside) if t.kind is not Kind.COMMENT
            )
            if tokens:
                yield Statement(statement.file, tokens, nested=True)


def _first_argument(statement: Statement, at: int) -> Token | None:
    """The token behind `(`, or behind the `payload =>` that stands there."""
    rest = statement.tokens[at : at + 4]
    named = [token.text for token in rest[1:3]] == ["=", ">"]
    return next(iter(rest[3:] if named else rest), None)


def _may_be_an_object(argument: Token) -> bool:
    if argument.kind is Kind.STRING:
        return argument.text.lstrip().startswith("{")
    return argument.kind is not Kind.NUMBER and not argument.is_word(*_NOT_AN_OBJECT)
