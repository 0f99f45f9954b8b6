"""Statements that a hosted project refuses, or that break the atomicity of `supabase db push`."""

import re
from collections.abc import Iterator, Sequence
from itertools import takewhile

from local.lint.finding import Finding
from local.lint.migration import Migration, Rule, Statement

# Supabase owns these; since April 2025 it refuses DDL in them.
RESERVED_SCHEMAS = frozenset(
    "auth storage realtime vault extensions graphql graphql_public cron net pgmq pgbouncer "
    "supabase_functions supabase_migrations pg_catalog information_schema".split()
)
# The tables of Supabase on which policies and triggers of a project are allowed.
OPEN_TABLES = frozenset(
    [("auth", table) for table in ("users", "identities", "sessions", "refresh_tokens")]
    + [("storage", "objects"), ("storage", "buckets"), ("realtime", "messages")]
)
RESERVED_ROLES = frozenset(
    "anon authenticated authenticator service_role postgres dashboard_user pgbouncer "
    "supabase_admin supabase_auth_admin supabase_storage_admin supabase_realtime_admin "
    "supabase_replication_admin supabase_read_only_user supabase_functions_admin".split()
)
# `alter role anon set statement_timeout` is documented; attributes and other roles are not ours.
CONFIGURABLE_ROLES = frozenset(("anon", "authenticated", "authenticator", "service_role"))
# pgvector is on every host and in the embedded Postgres; the other two are optional wake-ups.
EXTENSIONS = frozenset(("vector", "pg_cron", "pg_net"))

_FILE_NAME = re.compile(r"\d{14}_[a-z]+(_[a-z0-9]+)*\.sql")
_DDL = ("create", "alter", "drop", "grant", "revoke", "comment", "truncate", "reindex")
_TRANSACTION = frozenset("begin start commit end rollback abort savepoint release prepare".split())
_BEFORE_THE_KIND = frozenset(
    "or replace on unique constraint materialized temporary temp unlogged".split()
)
_NO_TRANSACTION = (("vacuum",), ("alter", "system"), ("create", "database"), ("drop", "database"))


def file_names(migrations: Sequence[Migration]) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for migration in migrations:
        name = migration.file.rpartition("/")[2]
        if not _FILE_NAME.fullmatch(name):
            yield Finding(migration.file, 1, "file-name", "must be <14 digits>_<room>[_<what>].sql")
        version = name[:14]
        if version in seen:
            yield Finding(migration.file, 1, "file-name", f"{seen[version]} has the same version")
        seen[version] = name


def transactions(migrations: Sequence[Migration]) -> Iterator[Finding]:
    for migration in migrations:
        for statement in migration.statements:
            if statement.tokens[0].is_word(*_TRANSACTION):
                yield statement.finding(
                    "transaction", "a file is one transaction; do not begin or end one"
                )
            concurrent = any(token.is_word("concurrently") for token in statement.tokens)
            if concurrent and statement.tokens[0].is_word("create", "drop", "reindex", "refresh"):
                if len(migration.statements) > 1:
                    yield statement.finding(
                        "concurrently", "needs a file of its own, without a transaction"
                    )
            elif any(statement.starts(*words) for words in _NO_TRANSACTION):
                yield statement.finding("transaction", "cannot run in a transaction")


def reserved_schemas(migrations: Sequence[Migration]) -> Iterator[Finding]:
    for statement, at in _commands(migrations, *_DDL):
        target = _target(statement, at)
        if target is None or not target or target[0] not in RESERVED_SCHEMAS:
            continue
        if _kind(statement, at) in ("policy", "trigger") and target in OPEN_TABLES:
            continue
        yield statement.finding(
            "reserved-schema",
            f"{'.'.join(target)} is Supabase's; its open tables take policies and triggers",
            at,
        )


def reserved_roles(migrations: Sequence[Migration]) -> Iterator[Finding]:
    for statement, at in _commands(migrations, "create", "alter", "drop", "grant", "revoke"):
        for role in _changed_roles(statement, at):
            if role in RESERVED_ROLES:
                yield statement.finding("reserved-role", f"a project may not change {role}", at)


def _changed_roles(statement: Statement, at: int) -> Iterator[str]:
    """Roles that the command makes, alters, drops, hands out membership in, or gives a table to."""
    rest = statement.tokens[at + 1 :]
    owner = statement.after("owner", at)
    if _kind(statement, at) in ("role", "user", "group"):
        first = _after_existence(statement, at + 2)
        setting = first + 1 < len(statement.tokens) and statement.tokens[first + 1]
        if setting and setting.is_word("set", "reset"):
            yield from {statement.tokens[first].text} - CONFIGURABLE_ROLES
        elif statement.tokens[at].is_word("drop"):
            yield from (token.text for token in rest if token.is_name)
        else:
            yield statement.tokens[first].text
    elif statement.tokens[at].is_word("grant", "revoke") and statement.after("on", at) is None:
        before_grantee = takewhile(lambda token: not token.is_word("to", "from"), rest)
        yield from (token.text for token in before_grantee if token.is_name)
    elif owner is not None and statement.starts("to", at=owner):
        yield from {statement.tokens[owner + 1].text} - {"postgres"}


def privileged(migrations: Sequence[Migration]) -> Iterator[Finding]:
    """Commands that want a superuser, or an extension that hosts or the embedded Postgres lack."""
    for statement, at in _commands(migrations, "create", "alter"):
        kind = _kind(statement, at)
        words = [token.text for token in statement.tokens[at:]]
        if kind == "event":
            yield statement.finding("privileged", "event triggers need a superuser", at)
        elif kind == "publication" and "all" in words and "tables" in words:
            yield statement.finding(
                "privileged", "a publication for all tables needs a superuser", at
            )
        elif kind == "extension":
            name = (statement.name_at(_after_existence(statement, at + 2)) or ("",))[0]
            if name not in EXTENSIONS:
                known = ", ".join(sorted(EXTENSIONS))
                yield statement.finding(
                    "extension", f"{name} is not everywhere we run; allowed: {known}", at
                )
            elif "version" in words:
                yield statement.finding("extension", "the host picks the version; leave it out", at)


RULES: tuple[Rule, ...] = (
    file_names,
    transactions,
    reserved_schemas,
    reserved_roles,
    privileged,
)


def _commands(migrations: Sequence[Migration], *verbs: str) -> Iterator[tuple[Statement, int]]:
    for migration in migrations:
        for statement in migration.everything():
            for at in statement.heads():
                if statement.tokens[at].is_word(*verbs):
                    yield statement, at


def _kind(statement: Statement, at: int) -> str:
    """The object a CREATE, ALTER, DROP or COMMENT ON is about: table, policy, role ..."""
    for token in statement.tokens[at + 1 :]:
        if not token.is_word(*_BEFORE_THE_KIND):
            return token.text
    return ""


def _target(statement: Statement, at: int) -> tuple[str, ...] | None:
    """The qualified name that a DDL command changes; of a policy, trigger or index its table."""
    verb, kind = statement.tokens[at].text, _kind(statement, at)
    if not kind:
        return None  # a column called `comment` at the end of an expression, and the like
    if kind in ("policy", "trigger", "index", "rule"):
        # A comment has two ONs: `comment on policy x on t`.
        table = statement.after("on", at + 2 if verb == "comment" else at)
        if table is not None:
            return statement.name_at(table)
    if verb in ("grant", "revoke"):
        table = statement.after("on", at)
        if table is None:
            return None
        return statement.name_at(_skip(statement, table, "table", "function", "schema", "sequence"))
    if verb == "truncate":
        return statement.name_at(_after_existence(statement, at + 1))
    texts = [token.text for token in statement.tokens]
    return statement.name_at(_after_existence(statement, texts.index(kind, at) + 1))


def _after_existence(statement: Statement, at: int) -> int:
    return _skip(statement, at, "if", "not", "exists", "only", "concurrently", "view", "table")


def _skip(statement: Statement, at: int, *words: str) -> int:
    while at < len(statement.tokens) and statement.tokens[at].is_word(*words):
        at += 1
    return at
