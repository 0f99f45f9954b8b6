"""Which foreign key an embed means: `select=a,child!hint(b)`."""

from dataclasses import dataclass

from local.gateway.rest.catalog import SCHEMA, Catalog, ForeignKey
from local.gateway.rest.errors import RestError
from local.gateway.rest.nodes import Embed


@dataclass(frozen=True, slots=True)
class Join:
    """`table`'s `columns` equal the parent's `parent_columns`; `to_one`: at most one row fits."""

    table: str
    columns: tuple[str, ...]
    parent_columns: tuple[str, ...]
    to_one: bool
    key: ForeignKey

    @property
    def cardinality(self) -> str:
        """As error details name it."""
        if self.to_one:
            return "one-to-one" if self.key.unique else "many-to-one"
        return "one-to-many"


def find_join(catalog: Catalog, parent: str | None, embed: Embed) -> Join:
    """The one join between `parent` and the embed's target.

    The target is a table, or the name or column of a foreign key of the parent. Raises: RestError
    PGRST200 when there is none, PGRST201 when the hint leaves several.
    """
    found = [
        join
        for join in _joins(catalog, parent)
        if _is_meant(join, parent, embed.target) and _fits_hint(join, embed.hint)
    ]
    if len(found) == 1:
        return found[0]
    if not found:
        hint = f"' using the hint '{embed.hint}" if embed.hint else ""
        raise RestError(
            400,
            "PGRST200",
            f"Could not find a relationship between '{parent}' and '{embed.target}'"
            " in the schema cache",
            f"Searched for a foreign key relationship between '{parent}' and '{embed.target}{hint}'"
            f" in the schema '{SCHEMA}', but no matches were found.",
        )
    raise _ambiguous(parent or "", embed.target, found)


def _joins(catalog: Catalog, parent: str | None) -> list[Join]:
    joins = []
    for key in catalog.foreign_keys:
        if key.table == parent:
            joins.append(Join(key.target, key.target_columns, key.columns, True, key))
        if key.target == parent:
            joins.append(Join(key.table, key.columns, key.target_columns, key.unique, key))
    return joins


def _is_meant(join: Join, parent: str | None, target: str) -> bool:
    if join.table == target or join.key.name == target:
        return True
    return join.key.table == parent and join.key.columns == (target,)


def _fits_hint(join: Join, hint: str | None) -> bool:
    return hint is None or hint == join.key.name or join.key.columns == (hint,)


def _ambiguous(parent: str, target: str, found: list[Join]) -> RestError:
    details = [
        {
            "cardinality": join.cardinality,
            "embedding": f"{parent} with {join.table}",
            "relationship": f"{join.key.name} using {parent}({', '.join(join.parent_columns)})"
            f" and {join.table}({', '.join(join.columns)})",
        }
        for join in found
    ]
    choices = ", ".join(f"'{join.table}!{join.key.name}'" for join in found)
    return RestError(
        300,
        "PGRST201",
        "Could not embed because more than one relationship was found for"
        f" '{parent}' and '{target}'",
        details,
        f"Try changing '{target}' to one of the following: {choices}."
        " Find the desired relationship in the 'details' key.",
    )
