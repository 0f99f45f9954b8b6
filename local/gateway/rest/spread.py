"""What an embed gives to the row around it when it is spread: `...child(a,b.sum())`."""

from dataclasses import dataclass

from local.gateway.rest.tree import Node


@dataclass(frozen=True, slots=True)
class Output:
    """A column that a spread embed gives to the row around it, perhaps to be aggregated there."""

    column: str
    aggregate: str | None = None
    cast: str | None = None
    alias: str | None = None


def outputs(node: Node) -> list[Output]:
    """The columns of a spread embed."""
    found = [
        Output(
            item.alias or item.name.label or item.name.column,
            item.aggregate,
            item.aggregate_cast,
            item.alias,
        )
        for item in node.items
    ]
    for child in node.children:
        found += outputs(child) if child.spreads else [Output(child.label)]
    return found
