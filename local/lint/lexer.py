"""SQL as tokens: enough of Postgres' lexical rules to never mistake a string or a comment for code.

There is no parser here. To every SQL parser the body of a PL/pgSQL function is a string, and the
rules ask about keywords and names, which tokens answer.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    WORD = "word"  # keyword or identifier, unquoted ones in lower case
    QUOTED = "quoted"  # "identifier", without the quotes
    STRING = "string"  # '...', E'...' or $tag$...$tag$, without the delimiters
    NUMBER = "number"
    COMMENT = "comment"  # the text after --, or between /* and */
    SIGN = "sign"  # one character of anything else


@dataclass(frozen=True, slots=True)
class Token:
    kind: Kind
    text: str
    line: int  # of its first character, from 1
    inside: int = 0  # STRING: the line on which its content starts

    @property
    def is_name(self) -> bool:
        return self.kind in (Kind.WORD, Kind.QUOTED)

    def is_word(self, *words: str) -> bool:
        """True for one of these keywords; a quoted identifier is never a keyword."""
        return self.kind is Kind.WORD and self.text in words


_TOKEN = re.compile(
    r"""
      (?P<space>\s+)
    | --(?P<comment>[^\n]*)
    | (?P<dollar>\$(?:[A-Za-z_\x80-\uffff][\w\x80-\uffff]*)?\$)
    | [eE]'(?P<escaped>(?:[^'\\]|\\.|'')*)'
    | (?:[bBxXnN]|[uU]&)?'(?P<string>(?:[^']|'')*)'
    | (?:[uU]&)?"(?P<quoted>(?:[^"]|"")*)"
    | (?P<number>\d[\w.]*)
    | (?P<word>[A-Za-z_\x80-\uffff][\w$\x80-\uffff]*)
    | (?P<sign>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")


def tokenize(sql: str, line: int = 1) -> Iterator[Token]:
    """Yield the tokens of `sql`, comments included; `line` is the number of its first line."""
    at = 0
    while at < len(sql):
        if sql.startswith("/*", at):
            end = _block_comment_end(sql, at)
            yield Token(Kind.COMMENT, sql[at + 2 : end - 2], line)
            line += sql.count("\n", at, end)
            at = end
            continue
        match = _TOKEN.match(sql, at)
        assert match is not None  # the last alternative takes any character
        end = match.end()
        if match.lastgroup == "dollar":
            tag = match["dollar"]
            close = sql.find(tag, end)
            close = len(sql) if close < 0 else close
            yield Token(Kind.STRING, sql[end:close], line, inside=line)
            end = min(close + len(tag), len(sql))
        elif match.lastgroup != "space":
            yield _token(match, line)
        line += sql.count("\n", at, end)
        at = end


def _token(match: re.Match[str], line: int) -> Token:
    group = match.lastgroup or "sign"
    text = match[group]
    if group in ("escaped", "string"):
        return Token(Kind.STRING, text.replace("''", "'"), line, inside=line)
    if group == "quoted":
        return Token(Kind.QUOTED, text.replace('""', '"'), line)
    if group == "word":
        return Token(Kind.WORD, text.lower(), line)
    return Token(Kind(group), text, line)


def _block_comment_end(sql: str, at: int) -> int:
    """Block comments nest in Postgres."""
    depth = 0
    for edge in _COMMENT_EDGE.finditer(sql, at):
        depth += 1 if edge.group() == "/*" else -1
        if depth == 0:
            return edge.end()
    return len(sql) + 2  # unterminated: the rest is comment
