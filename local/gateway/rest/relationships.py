"""From foreign keys to relationships: both directions, through views, junctions and functions."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import product

from local.gateway.rest.catalog import Junction, Pairs, QName, Relation, Relationship
from local.gateway.rest.views import Origins, copies

# The order in which an ambiguous embed lists its choices.
KINDS = ("one-to-many", "many-to-one", "one-to-one", "many-to-many", "computed")


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """`columns` pair one of `table` with the one of `target` it refers to."""

    name: str
    table: QName
    target: QName
    columns: Pairs
    unique: bool  # at most one row refers to a row


def relate(
    keys: Iterable[ForeignKey],
    computed: Iterable[Relationship],
    relations: dict[QName, Relation],
    origins: Origins,
    exposed: Iterable[str],
) -> dict[QName, list[Relationship]]:
    """All relationships by their source; none leads out of the exposed schemas."""
    forward = [found for key in keys for found in _through_views(key, relations, origins)]
    every = [*forward, *map(_inverse, forward), *_many_to_many(forward, relations)]
    named = {(each.source, each.function): each for each in computed}
    every = [each for each in every if (each.source, each.target) not in named]
    schemas = set(exposed)
    related: dict[QName, list[Relationship]] = {}
    for each in sorted([*every, *named.values()], key=_place):
        tables = [each.source, each.target, each.junction.table if each.junction else each.source]
        if each.source.schema in schemas and each.target.schema in schemas:
            related.setdefault(each.source, [])
        if all(table.schema in schemas for table in tables):
            related.setdefault(each.source, []).append(each)
    return related


def _place(relationship: Relationship) -> tuple[object, ...]:
    junction = relationship.junction.table if relationship.junction else QName("", "")
    kind = KINDS.index(relationship.kind)
    return (relationship.target, kind, relationship.constraint, junction, relationship.columns)


def _through_views(
    key: ForeignKey, relations: dict[QName, Relation], origins: Origins
) -> Iterable[Relationship]:
    """The key between the tables, and between all views that show its columns."""
    own = tuple(source for source, _ in key.columns)
    other = tuple(target for _, target in key.columns)
    kind = "one-to-one" if key.unique else "many-to-one"
    for source, columns in _showing(key.table, own, origins):
        for target, target_columns in _showing(key.target, other, origins):
            if source not in relations or target not in relations:
                continue
            yield Relationship(
                source,
                target,
                kind,
                key.name,
                tuple(zip(columns, target_columns, strict=True)),
                to_one=True,
            )


def _showing(
    table: QName, columns: tuple[str, ...], origins: Origins
) -> Iterable[tuple[QName, tuple[str, ...]]]:
    """The table itself and the views with all of these columns, under the names they have there."""
    yield table, columns
    for view, shown in origins.items():
        for names in product(*(copies(shown, table, column) for column in columns)):
            yield view, names


def _inverse(forward: Relationship) -> Relationship:
    one = forward.kind == "one-to-one"
    return replace(
        forward,
        source=forward.target,
        target=forward.source,
        kind="one-to-one" if one else "one-to-many",
        columns=tuple((target, source) for source, target in forward.columns),
        to_one=one,
    )


def _many_to_many(
    forward: list[Relationship], relations: dict[QName, Relation]
) -> Iterable[Relationship]:
    """A table whose primary key holds two foreign keys joins what they refer to."""
    by_source: dict[QName, list[Relationship]] = {}
    for each in forward:
        if each.kind == "many-to-one":
            by_source.setdefault(each.source, []).append(each)
    for table, found in by_source.items():
        key = set(relations[table].primary_key)
        for one, other in product(found, found):
            used = {*one.source_columns, *other.source_columns}
            if one.constraint == other.constraint or not used <= key:
                continue
            junction = Junction(
                table,
                (one.constraint, other.constraint),
                tuple((target, source) for source, target in one.columns),
                tuple((target, source) for source, target in other.columns),
            )
            yield Relationship(one.target, other.target, "many-to-many", junction=junction)
