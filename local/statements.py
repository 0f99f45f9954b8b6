"""Splits an SQL script into its statements, as psql would: at semicolons that are code."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

# What may contain a semicolon without ending a statement, then everything else in small pieces.
TOKEN = re.compile(
    r"""
      (?P<comment>--[^\n]*)
    | (?P<block>/\*)
    | (?P<quoted>
          [eE]'(?:[^'\\]|\\.|'')*'
        | '(?:[^']|'')*'
        | "(?:[^"]|"")*"
        | \$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$
      )
    | (?P<word>[^\W\d][\w$]*)
    | (?P<end>;)
    | (?P<space>\s+)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement without its semicolon; `line` is where `text` starts, counted from 1."""

    text: str
    line: int
    words: tuple[str, ...]

    def line_of(self, position: int) -> int:
        """The script's line of the character `position`, counted from 1 as Postgres does."""
        return self.line + self.text.count("\n", 0, position - 1)


def split(script: str) -> list[Statement]:
    """The statements in order. Comments stay with the statement they precede.

    `words` are the statement's first lower-case words outside comments, enough to tell its kind.
    """
    return list(_statements(script))


def _statements(script: str) -> Iterator[Statement]:
    start, position, depth, previous = 0, 0, 0, ""
    words: list[str] = []
    has_code = False
    while position < len(script):
        match = TOKEN.match(script, position)
        assert match is not None  # `other` matches any character
        position = match.end()
        if match["block"]:
            position = _end_of_comment(script, match.end())
        elif match["end"] and depth == 0:
            if has_code:
                yield _statement(script, start, match.start(), words)
            start, words, has_code = position, [], False
        elif not match["comment"] and not match["space"]:
            has_code = True
            word = (match["word"] or "").lower()
            depth = _depth(depth, previous, word)
            if word:
                words.append(word)
            previous = word
    if has_code:
        yield _statement(script, start, len(script), words)


def _depth(depth: int, previous: str, word: str) -> int:
    """Counts into the body of a function written as `begin atomic ...; ...; end`."""
    if previous == "begin" and word == "atomic":
        return depth + 1
    if depth and word == "case":
        return depth + 1
    if depth and word == "end":
        return depth - 1
    return depth


def _statement(script: str, start: int, end: int, words: list[str]) -> Statement:
    text = script[start:end]
    lead = len(text) - len(text.lstrip())
    line = script.count("\n", 0, start + lead) + 1
    return Statement(text.strip(), line, tuple(words[:8]))


def _end_of_comment(script: str, position: int) -> int:
    """The place after a block comment that opened before `position`; they nest in Postgres."""
    depth = 1
    for mark in re.finditer(r"/\*|\*/", script[position:]):
        depth += 1 if mark.group() == "/*" else -1
        if depth == 0:
            return position + mark.end()
    return len(script)
