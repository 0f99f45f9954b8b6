"""What a query string says, as a tree; made by grammar.py and filters.py."""

from dataclasses import dataclass

# Operators that take one value as it stands, and their SQL.
OPERATORS = {
    "eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "like": "like",
    "ilike": "ilike", "match": "~", "imatch": "~*", "cs": "@>", "cd": "<@", "ov": "&&",
    "sl": "<<", "sr": ">>", "nxr": "&<", "nxl": "&>", "adj": "-|-",
    "isdistinct": "is distinct from",
}  # fmt: skip
IS_VALUES = {
    "null": "null", "not_null": "not null", "true": "true", "false": "false", "unknown": "unknown"
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Name:
    """A column and the way into its JSON: pairs of arrow and key."""

    column: str
    path: tuple[tuple[str, str], ...] = ()

    @property
    def label(self) -> str:
        """What it is called in the answer: the last key that is no index, else the column."""
        keys = [key for _, key in self.path if not key.lstrip("-").isdigit()]
        return keys[-1] if keys else self.column


@dataclass(frozen=True, slots=True)
class SelectItem:
    """One column of the answer; column '*' stands for all."""

    name: Name
    alias: str | None = None
    cast: str | None = None


@dataclass(frozen=True, slots=True)
class Embed:
    """Rows of a related table inside each row."""

    target: str
    hint: str | None
    inner: bool
    alias: str | None
    select: "list[SelectItem | Embed]"

    @property
    def label(self) -> str:
        """What it is called in the answer and in conditions."""
        return self.alias or self.target


@dataclass(frozen=True, slots=True)
class Condition:
    """`operator` is a key of OPERATORS, 'in' or 'is'; `values` has one entry except for 'in'."""

    name: Name
    operator: str
    values: tuple[str, ...]
    negated: bool = False
    quantifier: str | None = None


@dataclass(frozen=True, slots=True)
class Logic:
    """Conditions joined by 'and' or 'or'."""

    word: str
    members: "tuple[Condition | Logic, ...]"
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """`direction` and `nulls` are SQL words or ''."""

    name: Name
    direction: str
    nulls: str
