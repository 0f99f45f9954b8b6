"""Reading a text from left to right, and the names in it."""

import re
from typing import NoReturn

from local.gateway.rest.errors import bad_query

# Deeper nesting than anybody writes; it keeps a hostile query from exhausting the stack.
MAX_DEPTH = 50
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
# Letters, digits, _, $ and spaces; a dash when it is not the start of an arrow.
BARE = re.compile(r"[\w$ ]+(?:-(?!>)[\w$ ]*)*")
ARROW = re.compile(r"->>?")


class Cursor:
    """A place in a text; `what` names the text in error messages."""

    def __init__(self, text: str, what: str) -> None:
        self.text = text
        self.place = 0
        self._what = what
        self._depth = 0

    @property
    def done(self) -> bool:
        """Whether everything is read."""
        return self.place >= len(self.text)

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
            self.fail(f'expecting "{mark}"')

    def descend(self) -> None:
        """Call on entering a bracket, `ascend` on leaving it; fails when it is absurdly deep."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self.fail(f"expecting at most {MAX_DEPTH} levels")

    def ascend(self) -> None:
        """See `descend`."""
        self._depth -= 1

    def fail(self, why: str) -> NoReturn:
        """Raises PGRST100 with the place."""
        found = f'"{self.text[self.place]}"' if not self.done else "end of input"
        where = f"(line 1, column {self.place + 1})"
        message = f'"failed to parse {self._what} ({self.text})" {where}'
        raise bad_query(message, f"unexpected {found} {why}")


def read_name(cursor: Cursor) -> str:
    """A column or table name, bare or in double quotes."""
    quoted = cursor.take(QUOTED)
    if quoted:
        return unescape(quoted[1])
    bare = cursor.take(BARE)
    if not bare or not bare[0].strip():
        cursor.fail("expecting field name (* or [a..z0..9_$])")
    return bare[0].strip()


def read_path(cursor: Cursor) -> tuple[tuple[str, str], ...]:
    """`->a->>b`, or nothing."""
    steps = []
    while arrow := cursor.take(ARROW):
        steps.append((arrow[0], read_name(cursor)))
    return tuple(steps)


def unescape(text: str) -> str:
    """What stands between double quotes, without its backslashes."""
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)
