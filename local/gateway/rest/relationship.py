"""Which relationship an embed means: `select=a,child!hint(b)`."""

from local.gateway.rest.catalog import Catalog, QName, Relationship
from local.gateway.rest.errors import RestError
from local.gateway.rest.hints import SOMEWHAT_ALIKE, nearest
from local.gateway.rest.nodes import Embed


def find_relationship(catalog: Catalog, source: QName, embed: Embed) -> Relationship:
    """The one from `source` that the embed's target and hint leave.

    The target is a table, a foreign key or its column, or a function that takes the row. Raises:
    RestError PGRST200 when there is none, PGRST201 when there are several.
    """
    every = catalog.relationships.get(source, [])
    known = [each for each in every if (each.function or each.target).schema == source.schema]
    found = [each for each in known if _is_meant(catalog, each, embed)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise _not_found(catalog, source, known, embed)
    raise _ambiguous(embed.target, found)


def _is_meant(catalog: Catalog, each: Relationship, embed: Embed) -> bool:
    if each.function:
        return embed.target == each.function.name
    pairs = each.columns if len(each.columns) == 1 else ((None, None),)
    own, other = pairs[0]
    by_table = embed.target == each.target.name
    if each.source == each.target:
        # Both directions of one key: the table's name means those that refer to the row, the
        # column's name the one it refers to.
        many = each.kind == "one-to-many"
        if embed.hint is not None:
            return by_table and many and embed.hint == other
        return (by_table and many) or (embed.target == own and each.kind == "many-to-one")
    if embed.hint is not None:
        junction = each.junction.table.name if each.junction else None
        return by_table and embed.hint in (each.constraint, own, other, junction)
    is_view = catalog.relations[each.target].is_view
    return by_table or (embed.target in (each.constraint, own) and not is_view)


def _not_found(
    catalog: Catalog, source: QName, known: list[Relationship], embed: Embed
) -> RestError:
    parent, child = source.name, embed.target
    hint = f"' using the hint '{embed.hint}" if embed.hint else ""
    return RestError(
        400,
        "PGRST200",
        f"Could not find a relationship between '{parent}' and '{child}' in the schema cache",
        f"Searched for a foreign key relationship between '{parent}' and '{child}{hint}'"
        f" in the schema '{source.schema}', but no matches were found.",
        _suggestion(catalog, source, known, child),
    )


def _suggestion(
    catalog: Catalog, source: QName, known: list[Relationship], child: str
) -> str | None:
    wanted, names = child, [each.target.name for each in known]
    if source not in catalog.relationships:
        wanted = source.name
        names = [name.name for name in catalog.relationships if name.schema == source.schema]
    near = nearest(wanted, names, SOMEWHAT_ALIKE)
    if near is None or near == wanted:
        return None
    return f"Perhaps you meant '{near}' instead of '{wanted}'."


def _ambiguous(target: str, found: list[Relationship]) -> RestError:
    source = found[0].source.name
    choices = ", ".join(
        f"'{each.target.name}!{each.junction.table.name if each.junction else each.constraint}'"
        for each in found
    )
    return RestError(
        300,
        "PGRST201",
        "Could not embed because more than one relationship was found for"
        f" '{source}' and '{target}'",
        [_described(each) for each in found],
        f"Try changing '{target}' to one of the following: {choices}."
        " Find the desired relationship in the 'details' key.",
    )


def _described(each: Relationship) -> dict[str, str]:
    source, target = each.source.name, each.target.name
    if each.junction:
        first, second = (
            f"{constraint}({', '.join(own for _, own in pairs)})"
            for constraint, pairs in zip(
                each.junction.constraints, (each.junction.source, each.junction.target), strict=True
            )
        )
        how = f"{each.junction.table.name} using {first} and {second}"
    else:
        own, other = (", ".join(names) for names in zip(*each.columns, strict=True))
        how = f"{each.constraint} using {source}({own}) and {target}({other})"
    return {
        "cardinality": each.kind,
        "embedding": f"{source} with {target}",
        "relationship": how,
    }
