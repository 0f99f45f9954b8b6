"""What commands write: tables, facts, JSON. Answers go to stdout, remarks to stderr.

Colours and cutting to the width are for terminals; elsewhere the text is plain and whole.
"""

import json
import os
import shutil
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from functions.core.errors import AppError

COLOURS = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
# How a job or queue stands, at a glance.
TONES = {
    "failed": "red",
    "critical": "red",
    "no_tick": "red",
    "warning": "yellow",
    "paused": "yellow",
    "running": "cyan",
    "completed": "green",
    "ok": "green",
}
GAP = "  "


class Output:
    """One command's mouth. `as_json`: exactly what the database answered, for programs."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.is_terminal = sys.stdout.isatty()
        plain = "NO_COLOR" in os.environ or os.environ.get("TERM", "dumb") == "dumb"
        self.has_colours = self.is_terminal and not plain

    def answer(self, value: Any, *, one_line: bool = False) -> None:
        """The answer for programs."""
        indent = 0 if one_line else orjson.OPT_INDENT_2
        self.write(orjson.dumps(value, option=indent).decode())

    def write(self, text: str = "") -> None:
        """Lines on stdout."""
        sys.stdout.write(text + "\n")

    def remark(self, text: str) -> None:
        """A line on stderr: beside the answer, not part of it."""
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def error(self, error: AppError) -> None:
        """One clear line with what to do, or for programs an object."""
        if self.as_json:
            problem = {"code": error.code, "detail": error.detail, "hint": error.hint}
            return self.remark(orjson.dumps(problem).decode())
        hint = f" {error.hint}" if error.hint else ""
        return self.remark(f"{error.code}: {printable(error.detail)}{printable(hint)}")

    def style(self, text: str, *names: str) -> str:
        codes = ";".join(COLOURS[name] for name in names if name in COLOURS)
        return f"\x1b[{codes}m{text}\x1b[0m" if codes and self.has_colours else text

    def toned(self, word: str) -> str:
        """A state or health in its colour."""
        return self.style(word, TONES.get(word.strip(), ""))

    def table(self, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
        """Lines with aligned columns; numbers stand right, and on a terminal the last column is
        cut at its edge."""
        cells = [[printable(cell) for cell in row] for row in rows]
        right = [_is_number([row[n] for row in rows]) for n in range(len(header))]
        widths = [
            max([columns(title), *(columns(row[n]) for row in cells)])
            for n, title in enumerate(header)
        ]
        lines = [self._line([self.style(t, "dim") for t in header], header, widths, right)]
        for row in cells:
            row[-1] = self._cut(row[-1], sum(widths[:-1]) + len(GAP) * (len(widths) - 1))
            lines.append(self._line([self.toned(cell) for cell in row], row, widths, right))
        return lines

    def facts(self, pairs: Mapping[str, Any]) -> None:
        """Names and values, one per line; what is None or empty is left out."""
        shown = {name: value for name, value in pairs.items() if value not in (None, "", "-")}
        width = max((len(name) for name in shown), default=0)
        for name, value in shown.items():
            self.write(f"{self.style(name.ljust(width), 'dim')}{GAP}{printable(value)}")

    def document(self, name: str, value: Any) -> None:
        """JSON as it is, under its name."""
        self.write(f"\n{self.style(name, 'dim')}")
        for line in json.dumps(value, indent=2, ensure_ascii=False).split("\n"):
            self.write(printable(line))

    def _line(
        self, styled: list[str], plain: Sequence[str], widths: list[int], right: list[bool]
    ) -> str:
        padded = []
        for text, bare, width, is_right in zip(styled, plain, widths, right, strict=True):
            space = " " * (width - columns(bare))
            padded.append(space + text if is_right else text + space)
        return GAP.join(padded).rstrip()

    def _cut(self, text: str, used: int) -> str:
        room = shutil.get_terminal_size().columns - used
        return cut(text, max(room, 10)) if self.is_terminal else text


def _is_number(column: Sequence[Any]) -> bool:
    """Whether a column holds numbers, apart from what is missing."""
    kinds = {isinstance(value, int | float) for value in column if value != "-"}
    return kinds == {True}


def printable(value: Any) -> str:
    """One line that a terminal shows as it is: what a provider wrote must not steer it."""
    text = "-" if value is None else str(value)
    return "".join(c if c.isprintable() else " " if c in "\r\n\t" else "?" for c in text)


def columns(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def cut(text: str, width: int) -> str:
    """At most so many columns."""
    if columns(text) <= width:
        return text
    while columns(text) > width - 1:
        text = text[:-1]
    return text + "…"
