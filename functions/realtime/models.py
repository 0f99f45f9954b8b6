"""The shapes of protocol ledger/1: the event that is broadcast, the answer of a sync, and the
change that both turn into."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PROTOCOL = 1

Row = Mapping[str, Any]  # has "id" and "rev"; "deleted_at" is not null in a tombstone


@dataclass(frozen=True, slots=True)
class Event:
    """The rows that took a scope from version `prev` to `ver`; no rows when they were too large."""

    scope: str
    epoch: str
    prev: int
    ver: int
    rows: tuple[Row, ...] | None

    @classmethod
    def parse(cls, payload: Mapping[str, Any]) -> "Event":
        """Raises ValueError when the payload is no event of this protocol."""
        try:
            if payload["v"] != PROTOCOL:
                raise ValueError(f"unknown protocol version {payload['v']!r}")
            rows = payload["rows"]
            return cls(
                scope=str(payload["scope"]),
                epoch=str(payload["epoch"]),
                prev=int(payload["prev"]),
                ver=int(payload["ver"]),
                rows=None if rows is None else _rows(rows),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not an event: {error}") from error


@dataclass(frozen=True, slots=True)
class Answer:
    """All rows changed after a version, up to `ver`; with `reset`, the newest rows instead."""

    epoch: str
    reset: bool
    ver: int
    head: int
    rows: tuple[Row, ...]
    more: bool

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> "Answer":
        """Raises ValueError when the body is no sync answer."""
        try:
            return cls(
                epoch=str(body["epoch"]),
                reset=bool(body["reset"]),
                ver=int(body["ver"]),
                head=int(body["head"]),
                rows=_rows(body["rows"]),
                more=bool(body["more"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a sync answer: {error}") from error


@dataclass(frozen=True, slots=True)
class Change:
    """Rows to take over, in the order of their versions, tombstones among them.

    With `reset` they replace everything known of the scope.
    """

    scope: str
    epoch: str
    version: int
    rows: tuple[Row, ...]
    reset: bool = False

    def then(self, later: "Change") -> "Change":
        """Both changes as one: the newest state of each row."""
        if later.reset:
            return later
        merged = {row["id"]: row for row in self.rows} | {row["id"]: row for row in later.rows}
        rows = tuple(sorted(merged.values(), key=lambda row: int(row["rev"])))
        return Change(self.scope, later.epoch, later.version, rows, self.reset)


def is_tombstone(row: Row) -> bool:
    return row.get("deleted_at") is not None


def _rows(rows: Any) -> tuple[Row, ...]:
    checked = [{"id": row["id"], **row} for row in rows]
    return tuple(sorted(checked, key=lambda row: int(row["rev"])))
