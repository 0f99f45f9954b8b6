"""Reading a text from left to right, and the names in it."""

import re
from typing import NoReturn

from local.gateway.rest.errors import bad_query
from local.gateway.rest.nodes import Step

# Deeper nesting than anybody writes; it keeps a hostile query from exhausting the stack.
MAX_DEPTH = 50
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
# Letters, digits, _, $ and spaces; a dash when it is not the start of an arrow.
BARE = re.compile(r"[\w$ ]+(?:-(?!>)[\w$ ]+)*")
JSON_KEY = re.compile(r"[^(\-:.,>)]+(?:-(?!>)[^(\-:.,>)]+)*")
INDEX = re.compile(r"-?[0-9]+(?=->|::|\.|,|$)")
ARROW = re.compile(r"->>?")
FIELD_NAME = "field name (* or [a..z0..9_$])"


class Cursor:
    """A place in a text; `what` names the text in error messages, `shift` moves their columns."""

    def __init__(self, text: str, what: str, shift: int = 0) -> None:
        self.text = text
        self.place = 0
        self._what = what
        self._shift = shift
        self._depth = 0

    @property
    def done(self) -> bool:
        """Whether everything is read."""
        return self.place >= len(self.text)

    def at(self, marks: str) -> bool:
        """Whether one of these characters stands here."""
        return not self.done and self.text[self.place] in marks

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Reads `pattern` when it stands here."""
        match = pattern.match(self.text, self.place)
        if match:
            self.place = match.end()
        return match

    def accept(self, mark: str) -> bool:
        """Reads `mark` when it stands here."""
        if self.text.startswith(mark, self.place):
            self.place += len(mark)
            return True
        return False

    def expect(self, mark: str) -> None:
        """Reads `mark` or fails."""
        if not self.accept(mark):
            self.fail(f'"{mark}"')

    def spaces(self) -> None:
        """Skips blanks."""
        while self.at(" \t"):
            self.place += 1

    def descend(self) -> None:
        """Call on entering a bracket, `ascend` on leaving it; fails when it is absurdly deep."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self.fail(f"at most {MAX_DEPTH} levels")

    def ascend(self) -> None:
        """See `descend`."""
        self._depth -= 1

    def fail(self, expected: str) -> NoReturn:
        """Raises PGRST100 with the place."""
        mark = "'" if expected.endswith("end of input") else '"'
        found = "end of input" if self.done else f"{mark}{self.text[self.place]}{mark}"
        where = f"(line 1, column {self.place + 1 + self._shift})"
        message = f'"failed to parse {self._what}" {where}'
        raise bad_query(message, f"unexpected {found} expecting {expected}")


def read_name(cursor: Cursor) -> str:
    """A column or table name, bare or in double quotes."""
    quoted = cursor.take(QUOTED)
    if quoted:
        return unescape(quoted[1])
    bare = cursor.take(BARE)
    if not bare or not bare[0].strip():
        cursor.fail(FIELD_NAME)
    return bare[0].strip()


def read_path(cursor: Cursor) -> tuple[Step, ...]:
    """`->a->>0`, or nothing."""
    steps = []
    while arrow := cursor.take(ARROW):
        if index := cursor.take(INDEX):
            steps.append(Step(arrow[0], index[0], True))
        elif quoted := cursor.take(QUOTED):
            steps.append(Step(arrow[0], unescape(quoted[1])))
        elif key := cursor.take(JSON_KEY):
            steps.append(Step(arrow[0], key[0].strip()))
        else:
            if cursor.accept("-"):
                cursor.fail("digit")
            cursor.fail('"-", digit or any non reserved character different from: .,>()')
    return tuple(steps)


def unescape(text: str) -> str:
    """What stands between double quotes, without its backslashes."""
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)
