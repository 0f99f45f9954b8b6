"""Names resolved: the query's select list and the catalog become a tree of what is read.

Each node is one table (or view, or function's result) and becomes one SELECT; its children are the
embedded ones, joined to it laterally.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from local.gateway.rest.catalog import Catalog, Column, QName, Relation, Relationship, quote
from local.gateway.rest.errors import RestError, not_embedded, not_implemented
from local.gateway.rest.nodes import Embed, Name, Part, SelectItem
from local.gateway.rest.querystring import EVERY_COLUMN, Query
from local.gateway.rest.relationship import find_relationship

# The CTE that holds the rows changed, or what a function returned.
SOURCE = "pgrst_source"


@dataclass(slots=True)
class Node:
    """`sql`: the FROM item; `prefix`: what stands before its columns; `row`: its row as a value.

    `joined`: the name of the lateral join that makes it part of the row around it.
    """

    name: QName
    sql: str
    prefix: str
    row: str
    relation: Relation | None
    items: list[SelectItem]
    part: Part
    embed: Embed | None = None
    relationship: Relationship | None = None
    joined: str = ""
    conditions: list[str] = field(default_factory=list)
    children: "list[Node]" = field(default_factory=list)

    @property
    def to_one(self) -> bool:
        """Whether at most one row belongs to each row around it."""
        return self.relationship is not None and self.relationship.to_one

    @property
    def spreads(self) -> bool:
        """Whether its columns stand beside those of the row around it."""
        return self.embed is not None and self.embed.spread

    @property
    def hoists(self) -> bool:
        """Whether its aggregates are those of the rows around it: it is one row of each."""
        return self.spreads and self.to_one

    @property
    def label(self) -> str:
        """What it is called in the answer."""
        return self.embed.label if self.embed else self.name.name

    @property
    def is_whole(self) -> bool:
        """Whether exactly all columns are selected."""
        return self.items == [EVERY_COLUMN] and not self.children

    @property
    def shows_nothing(self) -> bool:
        """Whether it is there for its conditions only: `child()`."""
        return not self.items and all(child.shows_nothing for child in self.children)

    def child(self, label: str) -> "Node | None":
        """The embed of that name."""
        return next((child for child in self.children if child.label == label), None)

    def column(self, name: str) -> Column | None:
        """The column; None for a computed one, and for what there is not."""
        return self.relation.columns.get(name) if self.relation else None


def read_tree(catalog: Catalog, name: QName, query: Query, *, from_source: bool = False) -> Node:
    """The tree for the rows of `name`, or with `from_source` for those in the CTE.

    Raises: RestError PGRST200, PGRST201 relationships; PGRST118, PGRST108 orders; PGRST123,
    PGRST127 aggregates.
    """
    root = table_node(catalog, name)
    if from_source:
        root.sql, root.prefix = f"{SOURCE} as {root.row}", root.row
    root.items = [item for item in query.select if isinstance(item, SelectItem)]
    root.part = query.part
    _add_children(catalog, root, query.select, 1)
    _settle_items(root, False)
    _check(catalog, root)
    return root


def table_node(catalog: Catalog, name: QName) -> Node:
    """The rows of a table themselves."""
    relation = catalog.relations.get(name)
    return Node(name, name.sql, name.sql, quote(name.name), relation, [], Part())


def needed_columns(root: Node) -> list[str]:
    """What a statement has to return for `root` to be read from it; ["*"]: everything."""
    names = [item.name.column for item in root.items]
    names += [order.name.column for order in root.part.order if order.relation is None]
    for child in root.children:
        if child.relationship:
            # A function takes the whole row.
            names += ["*"] if child.relationship.function else child.relationship.source_columns
    if "*" in names or not names:
        return ["*"] if names else []
    return list(dict.fromkeys(names))


def _add_children(
    catalog: Catalog, parent: Node, select: list[SelectItem | Embed], depth: int
) -> None:
    for item in select:
        if isinstance(item, Embed):
            child = _embedded(catalog, parent, item, depth)
            _add_children(catalog, child, item.select, depth + 1)
            parent.children.append(child)


def _embedded(catalog: Catalog, parent: Node, embed: Embed, depth: int) -> Node:
    found = find_relationship(catalog, parent.name, embed)
    alias = quote(f"{found.target.name}_{depth}")
    source = found.target.sql
    if found.function:
        source = f"{found.function.sql}({parent.row}::{parent.name.sql})"
        alias = quote(f"{found.function.name}_{depth}")
    sql = f"{source} as {alias}"
    conditions = [f"{alias}.{quote(t)} = {parent.prefix}.{quote(s)}" for s, t in found.columns]
    if found.junction:
        between = quote(f"{found.junction.table.name}_{depth}_junction")
        sql += f", {found.junction.table.sql} as {between}"
        sides = ((parent.prefix, found.junction.source), (alias, found.junction.target))
        conditions = [
            f"{between}.{quote(own)} = {side}.{quote(other)}"
            for side, pairs in sides
            for other, own in pairs
        ]
    items = [item for item in embed.select if isinstance(item, SelectItem)]
    relation = catalog.relations.get(found.target)
    joined = quote(f"{parent.name.name}_{embed.label}_{depth}")
    node = Node(found.target, sql, alias, alias, relation, items, embed.part, embed, found, joined)
    node.conditions = conditions
    return node


def _settle_items(node: Node, grouped: bool) -> None:
    """Where columns are taken one by one (grouped, made arrays, shown by a cast), `*` is a list.

    An aggregate that is spread has a name, by which the row around it knows it.
    """
    aggregates = any(item.aggregate for item in node.items)
    grouped = grouped or aggregates or (node.spreads and not node.to_one)
    columns = node.relation.columns if node.relation else {}
    if columns and (grouped or any(column.to_json for column in columns.values())):
        names = [SelectItem(Name(column)) for column in columns]
        node.items = [
            spelled
            for item in node.items
            for spelled in (names if item == EVERY_COLUMN else [item])
        ]
    if node.spreads:
        node.items = [
            replace(item, alias=item.aggregate) if item.aggregate and not item.alias else item
            for item in node.items
        ]
    for child in node.children:
        _settle_items(child, grouped)


def _check(catalog: Catalog, root: Node) -> None:
    for node in walk(root):
        aggregates = any(item.aggregate for item in node.items)
        if aggregates and not catalog.config.aggregates:
            raise RestError(400, "PGRST123", "Use of aggregate functions is not allowed")
        if node.spreads and not node.to_one and (aggregates or _hoisted(node)):
            raise not_implemented(
                "Aggregates are not implemented for one-to-many or many-to-many spreads."
            )
        for order in node.part.order:
            if order.relation is not None:
                _check_related_order(node, order.relation)


def _hoisted(node: Node) -> bool:
    """Whether an aggregate of a spread child is this node's."""
    return any(
        child.hoists and (any(item.aggregate for item in child.items) or _hoisted(child))
        for child in node.children
    )


def _check_related_order(node: Node, label: str) -> None:
    child = node.child(label)
    if child is None:
        raise not_embedded(label)
    if not child.to_one:
        raise RestError(
            400,
            "PGRST118",
            f"A related order on '{label}' is not possible",
            f"'{node.name.name}' and '{label}' do not form a many-to-one or one-to-one"
            " relationship",
        )


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it."""
    yield node
    for child in node.children:
        yield from walk(child)
