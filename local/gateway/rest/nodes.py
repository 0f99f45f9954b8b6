"""What a query string says, as a tree; made by grammar.py and filters.py, no names resolved."""

from collections.abc import Iterable
from dataclasses import dataclass, field

# Operators that take one value as it stands, and their SQL.
OPERATORS = {
    "eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "like": "like",
    "ilike": "ilike", "match": "~", "imatch": "~*", "cs": "@>", "cd": "<@", "ov": "&&",
    "sl": "<<", "sr": ">>", "nxr": "&<", "nxl": "&>", "adj": "-|-",
    "isdistinct": "is distinct from",
}  # fmt: skip
QUANTIFIABLE = ("eq", "gt", "gte", "lt", "lte", "like", "ilike", "match", "imatch")
FULL_TEXT = {
    "fts": "to_tsquery", "plfts": "plainto_tsquery", "phfts": "phraseto_tsquery",
    "wfts": "websearch_to_tsquery",
}  # fmt: skip
IS_VALUES = {
    "null": "null", "not_null": "not null", "true": "true", "false": "false", "unknown": "unknown"
}  # fmt: skip
AGGREGATES = ("sum", "avg", "count", "max", "min")


@dataclass(frozen=True, slots=True)
class Step:
    """One step into JSON: `->a`, `->>0`."""

    arrow: str
    key: str
    is_index: bool = False


@dataclass(frozen=True, slots=True)
class Name:
    """A column and the way into its JSON."""

    column: str
    path: tuple[Step, ...] = ()

    @property
    def label(self) -> str | None:
        """What it is called in the answer when that is not the column: the last key."""
        if not self.path:
            return None
        keys = [step.key for step in self.path if not step.is_index]
        return keys[-1] if keys else self.column


@dataclass(frozen=True, slots=True)
class SelectItem:
    """One column of the answer; column '*' stands for all."""

    name: Name
    alias: str | None = None
    cast: str | None = None
    aggregate: str | None = None
    aggregate_cast: str | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """`operator` is a key of OPERATORS or FULL_TEXT, 'in' or 'is'; only 'in' has many values."""

    name: Name
    operator: str
    values: tuple[str, ...]
    negated: bool = False
    quantifier: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Logic:
    """Conditions joined by 'and' or 'or'."""

    word: str
    members: "tuple[Condition | Logic, ...]"
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """`direction` and `nulls` are SQL words or ''; `relation`: an embed whose column it is."""

    name: Name
    direction: str
    nulls: str
    relation: str | None = None


@dataclass(slots=True)
class Part:
    """What is asked of the rows at one place of the tree."""

    conditions: list[Condition | Logic] = field(default_factory=list)
    order: list[Order] = field(default_factory=list)
    limit: int | None = None
    offset: int = 0


@dataclass(slots=True)
class Embed:
    """Rows of a related table inside each row, or with `spread` their columns beside its own."""

    target: str
    hint: str | None
    join: str  # inner, left or ''
    alias: str | None
    select: "list[SelectItem | Embed]"
    spread: bool = False
    part: Part = field(default_factory=Part)

    @property
    def label(self) -> str:
        """What it is called in the answer and in conditions."""
        return self.alias or self.target


def names_in(conditions: Iterable[Condition | Logic]) -> Iterable[str]:
    """The columns that conditions look at."""
    for condition in conditions:
        if isinstance(condition, Logic):
            yield from names_in(condition.members)
        else:
            yield condition.name.column
