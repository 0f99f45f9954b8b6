"""The statements of POST, PATCH, DELETE and PUT on tables."""

from dataclasses import dataclass

from local.gateway.rest.catalog import Catalog, Column, Relation, literal, quote
from local.gateway.rest.errors import RestError
from local.gateway.rest.expression import Values, condition_sql
from local.gateway.rest.media import Media
from local.gateway.rest.nodes import Condition, Logic
from local.gateway.rest.payload import Payload, read_payload
from local.gateway.rest.querystring import Query
from local.gateway.rest.read import SETTINGS, Reader
from local.gateway.rest.request import Request
from local.gateway.rest.tree import SOURCE, needed_columns, read_tree, table_node
from local.gateway.rest.window import Window

# Counts rows an upsert adds: +1 when a row is offered, -1 when it turns out to exist.
COUNT_ADDED = (
    "set_config('pgrst.inserted', (coalesce(nullif(current_setting('pgrst.inserted', true), ''),"
    " '0')::int + 1)::text, true) <> '0'"
)
COUNT_MERGED = COUNT_ADDED.replace("+ 1", "- 1").replace("<> '0'", "<> '-1'")
INSERTED = "nullif(current_setting('pgrst.inserted', true), '')::int"


@dataclass(slots=True)
class Writer:
    """Builds the statement of one request."""

    catalog: Catalog
    request: Request
    relation: Relation
    query: Query
    values: Values

    def statement(self, media: Media) -> str:
        """`with pgrst_source as (insert ...) select`: one row with the rows written.

        Raises: RestError PGRST102, PGRST204 the body; PGRST105 PUT; 21000 nothing to choose by.
        """
        root = read_tree(self.catalog, self.relation.name, self.query, from_source=True)
        # Conditions on the rows themselves choose what is written, not what is answered.
        conditions, root.part.conditions = root.part.conditions, []
        returned: list[str] = []
        if self.request.full or self.request.prefer.get("return") == "headers-only":
            returned = needed_columns(root)
            if returned != ["*"]:
                returned = list(dict.fromkeys([*returned, *self.relation.primary_key]))
        changed = self._change(conditions, self._returning(returned))
        rows, body = SOURCE, "null"
        if self.request.full:
            rows = f"({Reader(self.values, None).rows(root, Window())})"
            body = media.body_sql()
        return (
            f"with {SOURCE} as ({changed}) select {body} as body, count(*) as page,"
            f" null as total, {SETTINGS}, {INSERTED} as inserted, {self._location()} as location"
            f" from {rows} as _row"
        )

    def _change(self, conditions: list[Condition | Logic], returning: str) -> str:
        """INSERT, UPDATE or DELETE; a SELECT of no row where there is nothing to change."""
        name = self.relation.name.sql
        ending = f" returning {returning}"
        if self.request.method == "DELETE":
            return f"delete from {name} where {self._where(conditions)}{ending}"
        wanted = None if self.request.method == "PUT" else self.query.columns
        payload = read_payload(
            self.request.body, self.request.content_type, wanted, for_function=False
        )
        columns = [self._column(key) for key in payload.keys]
        if self.request.method == "PUT":
            return self._put(conditions, payload, columns) + ending
        if self.request.method == "POST":
            return self._insert(payload, columns) + ending
        if not columns:
            return f"select {returning} from {name} where false"
        sets = ", ".join(f"{quote(c.name)} = pgrst_body.{quote(c.name)}" for c in columns)
        where = self._where(conditions)
        return (
            f"update {name} set {sets} from {self._records(payload, columns)} where {where}{ending}"
        )

    def _where(self, conditions: list[Condition | Logic]) -> str:
        """The conditions joined; hosted projects load safeupdate, which refuses to do without."""
        if not conditions:
            word = "DELETE" if self.request.method == "DELETE" else "UPDATE"
            raise RestError(400, "21000", f"{word} requires a WHERE clause")
        node = table_node(self.catalog, self.relation.name)
        return " and ".join(condition_sql(node, each, self.values) for each in conditions)

    def _insert(self, payload: Payload, columns: list[Column]) -> str:
        resolution = self.request.prefer.get("resolution")
        target = self.query.on_conflict or list(self.relation.primary_key)
        merge = resolution == "merge-duplicates"
        where = f" where {COUNT_ADDED}" if merge else ""
        sql = self._insert_into(payload, columns) + where
        return f"{sql} {_on_conflict(target, columns, merge)}" if resolution and target else sql

    def _put(
        self, conditions: list[Condition | Logic], payload: Payload, columns: list[Column]
    ) -> str:
        """The row whose whole primary key the URL names, made or replaced."""
        key = self.relation.primary_key
        named = [
            each.name.column
            for each in conditions
            if isinstance(each, Condition) and each.operator == "eq" and not each.negated
        ]
        if not key or len(named) != len(conditions) or sorted(named) != sorted(key):
            message = "Filters must include all and only primary key columns with 'eq' operators"
            raise RestError(405, "PGRST105", message)
        body = table_node(self.catalog, self.relation.name)
        body.prefix = "pgrst_body"
        matches = [condition_sql(body, each, self.values) for each in conditions]
        sql = self._insert_into(payload, columns)
        where = " and ".join([COUNT_ADDED, *matches])
        return f"{sql} where {where} {_on_conflict(list(key), columns, True)}"

    def _insert_into(self, payload: Payload, columns: list[Column]) -> str:
        name = self.relation.name.sql
        names = ", ".join(quote(column.name) for column in columns)
        chosen = ", ".join(f"pgrst_body.{quote(column.name)}" for column in columns)
        into = f"insert into {name}{f' ({names})' if columns else ''}"
        return f"{into} select {chosen} from {self._records(payload, columns)}"

    def _records(self, payload: Payload, columns: list[Column]) -> str:
        """A FROM item with the body's objects as rows; Postgres takes the text apart."""
        names = ", ".join(
            f"{c.from_json.sql}({quote(c.name)}) as {quote(c.name)}"
            if c.from_json
            else quote(c.name)
            for c in columns
        )
        types = ", ".join(f"{quote(c.name)} {'json' if c.from_json else c.type}" for c in columns)
        filled = self.request.prefer.get("missing") == "default" and self.request.method != "PUT"
        kind = "jsonb" if filled else "json"
        if not columns and not payload.is_array:
            return "(values (1)) pgrst_body"
        text, source = f"{self.values.add(payload.raw)}::{kind}", ""
        if filled:
            source, text = _with_defaults(payload, columns, text), "pgrst_filled.value"
        if not columns:
            rows = f"{kind}_array_elements({text}) _"
        else:
            rows = f"{kind}_to_record{'set' if payload.is_array else ''}({text}) as _({types})"
        lateral = "lateral " if source else ""
        return f"{source}{lateral}(select {names} from {rows}) pgrst_body"

    def _column(self, name: str) -> Column:
        column = self.relation.columns.get(name)
        if column is None:
            table = self.relation.name.name
            message = f"Could not find the '{name}' column of '{table}' in the schema cache"
            raise RestError(400, "PGRST204", message)
        return column

    def _returning(self, names: list[str]) -> str:
        """The columns the answer needs: a caller may lack the right to read others."""
        table = self.relation.name.sql
        if names == ["*"]:
            return f"{table}.*"
        return ", ".join(f"{table}.{quote(name)}" for name in names) or "1"

    def _location(self) -> str:
        """The primary key of a single new row, for Prefer: return=headers-only."""
        wanted = self.request.prefer.get("return") == "headers-only"
        if self.request.method != "POST" or not wanted or not self.relation.primary_key:
            return "null"
        keys = ", ".join(literal(name) for name in self.relation.primary_key)
        return (
            "case when count(*) = 1 then (select json_object_agg(key, value) from"
            f" (select row_to_json(s) as row from {SOURCE} as s limit 1) as r,"
            f" json_each_text(r.row) where key in ({keys})) end"
        )


def _on_conflict(target: list[str], columns: list[Column], merge: bool) -> str:
    conflict = f"on conflict ({', '.join(map(quote, target))})"
    if not merge or not columns:
        return f"{conflict} do nothing"
    sets = ", ".join(f"{quote(c.name)} = excluded.{quote(c.name)}" for c in columns)
    return f"{conflict} do update set {sets} where {COUNT_MERGED}"


def _with_defaults(payload: Payload, columns: list[Column], text: str) -> str:
    """A FROM item whose value is the body with the columns' defaults where keys are missing."""
    defaults = ", ".join(
        f"{literal(column.name)}, {column.default}" for column in columns if column.default
    )
    filled = f"jsonb_build_object({defaults})"
    value = f"select {filled} || {text} as value"
    if payload.is_array:
        value = f"select jsonb_agg({filled} || e) as value from jsonb_array_elements({text}) as e"
    return f"({value}) as pgrst_filled, "
