"""Migration files as statements, with the bodies of functions and DO blocks opened.

A finding is waived, in place, by a comment on its line or right above it:
`-- lint: allow unfiltered-write because the table has one row`.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.lint.finding import Finding
from local.lint.lexer import Kind, Token, tokenize

FOLDER = Path("supabase/migrations")
_WAIVER = re.compile(r"lint: allow (?P<rule>[a-z-]+) because \S")
_ENTERS_A_BLOCK = ("begin", "then", "else", "loop")


@dataclass(frozen=True, slots=True)
class Statement:
    """Tokens up to a semicolon, without it and without comments.

    A PL/pgSQL body is cut at semicolons too: `if x then delete from y` is one piece, see `heads`.
    """

    file: str
    tokens: tuple[Token, ...]
    nested: bool = False  # stands in a function or DO body

    @property
    def line(self) -> int:
        return self.tokens[0].line

    def starts(self, *words: str, at: int = 0) -> bool:
        """True if these keywords stand at this token."""
        here = self.tokens[at : at + len(words)]
        return len(here) == len(words) and all(
            token.is_word(word) for token, word in zip(here, words, strict=True)
        )

    def heads(self) -> Iterator[int]:
        """Where commands may begin: the first token; in a body also behind what opens a block."""
        for index in range(len(self.tokens)):
            if index == 0 or (self.nested and self.tokens[index - 1].is_word(*_ENTERS_A_BLOCK)):
                yield index

    def name_at(self, index: int) -> tuple[str, ...]:
        """The dotted name that begins at this token, such as ('public', 'companies'), or ()."""
        parts: list[str] = []
        while index < len(self.tokens) and self.tokens[index].is_name:
            parts.append(self.tokens[index].text)
            if index + 1 >= len(self.tokens) or self.tokens[index + 1].text != ".":
                break
            index += 2
        return tuple(parts)

    def after(self, word: str, start: int = 0) -> int | None:
        """Index of the token behind the first `word` outside parentheses, or None."""
        depth = 0
        for index in range(start, len(self.tokens)):
            depth += _depth_change(self.tokens[index])
            if depth == 0 and self.tokens[index].is_word(word):
                return index + 1
        return None

    def finding(self, rule: str, text: str, at: int = 0) -> Finding:
        return Finding(self.file, self.tokens[at].line, rule, text)


@dataclass(frozen=True, slots=True)
class Migration:
    file: str  # as findings name it
    text: str
    statements: tuple[Statement, ...]  # the file's own, in order

    @classmethod
    def parse(cls, file: str, text: str) -> "Migration":
        return cls(file, text, tuple(_split(file, tokenize(text), nested=False)))

    def everything(self) -> Iterator[Statement]:
        """The file's statements, each followed by those of its body."""
        for statement in self.statements:
            yield statement
            yield from body_of(statement)

    def comment_above(self, line: int) -> str:
        """The comment lines that end right above this line, and the line itself."""
        lines = self.text.splitlines()
        first = line - 1
        while first > 0 and lines[first - 1].lstrip().startswith("--"):
            first -= 1
        return "\n".join(lines[first:line])

    def waives(self, finding: Finding) -> bool:
        said = _WAIVER.findall(self.comment_above(finding.line)) if finding.line else []
        return finding.rule in said


Rule = Callable[[Sequence[Migration]], Iterator[Finding]]


def read(folder: Path) -> list[Migration]:
    """The migrations in the order in which they are applied."""
    return [
        Migration.parse((FOLDER / path.name).as_posix(), path.read_text(encoding="utf-8"))
        for path in sorted(folder.iterdir())
        if path.suffix == ".sql"
    ]


def unwaived(migrations: Sequence[Migration], findings: Iterator[Finding]) -> list[Finding]:
    by_file = {migration.file: migration for migration in migrations}
    return sorted(f for f in findings if f.file not in by_file or not by_file[f.file].waives(f))


def body_of(statement: Statement) -> Iterator[Statement]:
    """The statements inside a function, procedure or DO block; nothing for anything else."""
    tokens = statement.tokens
    if statement.starts("do"):
        bodies = [token for token in tokens if token.kind is Kind.STRING][-1:]
    elif is_routine(statement):
        language = statement.after("language")
        if language is not None and tokens[language].text.lower() not in ("sql", "plpgsql"):
            return
        at = statement.after("as")
        bodies = [token for token in tokens[at : at + 1] if token.kind is Kind.STRING] if at else []
        atomic = statement.after("atomic")
        if atomic is not None:
            yield from _split(statement.file, iter(tokens[atomic:]), nested=True)
    else:
        return
    for body in bodies:
        yield from _split(statement.file, tokenize(body.text, body.inside), nested=True)


def is_routine(statement: Statement) -> bool:
    """True for CREATE [OR REPLACE] FUNCTION or PROCEDURE."""
    at = 3 if statement.starts("create", "or", "replace") else 1
    return statement.starts("create") and any(
        statement.starts(kind, at=at) for kind in ("function", "procedure")
    )


def _depth_change(token: Token) -> int:
    return {"(": 1, ")": -1}.get(token.text, 0) if token.kind is Kind.SIGN else 0


def _split(file: str, tokens: Iterator[Token], *, nested: bool) -> Iterator[Statement]:
    """Cut at semicolons; those of a `begin atomic ... end` body belong to their statement."""
    held: list[Token] = []
    open_blocks = 0
    for token in tokens:
        if token.kind is Kind.COMMENT:
            continue
        if token.is_word("atomic") and held and held[-1].is_word("begin"):
            open_blocks = 1
        elif open_blocks and token.is_word("case", "end"):
            open_blocks += 1 if token.text == "case" else -1
        if token.kind is Kind.SIGN and token.text == ";" and not open_blocks:
            if held:
                yield Statement(file, tuple(held), nested)
            held = []
        else:
            held.append(token)
    if held:
        yield Statement(file, tuple(held), nested)
