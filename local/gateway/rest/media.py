"""Media types: which one the answer has, and the SQL that makes it of the rows called _row."""

from dataclasses import dataclass, replace
from functools import lru_cache

from local.gateway.rest.catalog import Catalog, Function, Handler, QName
from local.gateway.rest.errors import RestError
from local.gateway.rest.explain import Explain, parse_explain

ANY = "*/*"
JSON = "application/json"
CSV = "text/csv"
FORM = "application/x-www-form-urlencoded"
BYTES = "application/octet-stream"
OBJECT = "application/vnd.pgrst.object+json"
ARRAY = "application/vnd.pgrst.array+json"
STRIPPED = ";nulls=stripped"
# The types that PostgREST itself knows; their answers say that they are UTF-8.
KNOWN = (JSON, CSV, FORM, BYTES, "application/geo+json", "text/plain", "text/xml")


@dataclass(frozen=True, slots=True)
class Media:
    """The type of an answer; `handler` makes it when the database has one for it."""

    type: str
    handler: Handler | None = None
    explain: Explain | None = None

    @property
    def singular(self) -> bool:
        """Whether the answer is one object, and anything but one row an error."""
        return self.type.startswith(OBJECT) and not self.explain

    @property
    def content_type(self) -> str:
        """The answer's Content-Type."""
        if self.explain:
            return self.explain.content_type
        named = self.handler.content_type if self.handler else self.type
        plain = named not in (*KNOWN, ARRAY + STRIPPED, OBJECT, OBJECT + STRIPPED)
        return named if plain or named == BYTES else f"{named}; charset=utf-8"

    def body_sql(self, function: Function | None = None) -> str:
        """The aggregate that makes the body of the rows; `function`: whose result they are."""
        scalar = function is not None and not function.returns_rows
        row = "_row.pgrst_scalar" if scalar else "_row"
        if self.handler:
            return _handled(self.handler, row, scalar)
        if self.type == CSV:
            return CSV_SQL
        if self.type == "application/geo+json":
            return GEOJSON_SQL
        one = self.type.startswith(OBJECT) or (function is not None and not function.returns_set)
        rows = f"json_agg({row}){'->0' if one else ''}"
        if STRIPPED in self.type:
            rows = f"json_strip_nulls({rows})"
        return f"coalesce({rows}, '{'null' if one else '[]'}')"


CSV_SQL = r"""coalesce((
    select string_agg(k.name, ',') from json_object_keys(json_agg(_row)->0) as k (name)
  ), '') || E'\n' ||
  coalesce(string_agg(substring(_row::text, 2, length(_row::text) - 2), E'\n'), '')"""
GEOJSON_SQL = (
    "json_build_object('type', 'FeatureCollection', 'features',"
    " coalesce(json_agg(st_asgeojson(_row)::json), '[]'))"
)


def _handled(handler: Handler, row: str, scalar: bool) -> str:
    if scalar or handler.target is None:
        return f"{handler.sql.sql}({row})"
    return f"{handler.sql.sql}({row}::{handler.target.sql})"


def negotiate(catalog: Catalog, accept: str | None, target: QName, *, whole: bool) -> Media:
    """The first acceptable type that can be made; `whole`: the rows are those of `target`.

    Raises: RestError 406 PGRST107.
    """
    wanted = acceptable(accept or ANY)
    for name in wanted:
        explain = parse_explain(name, JSON) if catalog.config.plans else None
        if explain:
            of = negotiate(catalog, explain.of, target, whole=whole)
            return replace(of, explain=replace(explain, of=of.type))
        if name.startswith((OBJECT, ARRAY)):
            return Media(name)
        targets: tuple[QName | None, ...] = (target, None) if whole else (None,)
        keys = [(target, ANY)] * whole + [(each, name) for each in targets]
        for key in keys:
            if handler := catalog.handlers.get(key):
                return Media(handler.content_type, handler)
        if name in (JSON, ANY):
            return Media(JSON)
        if name in (CSV, "application/geo+json"):
            return Media(name)
    message = f"None of these media types are available: {', '.join(wanted)}"
    raise RestError(406, "PGRST107", message)


# Callers send the same few headers again and again.
@lru_cache(maxsize=256)
def acceptable(accept: str) -> tuple[str, ...]:
    """The media types of an Accept header, the most wanted first, in one spelling."""
    ranked = []
    for part in accept.replace(" ", "").split(","):
        name, _, weight = part.partition(";q=")
        specific = name.count(";") - name.count("*")
        ranked.append((-_number(weight.partition(";")[0]), -specific, canonical(name)))
    return tuple(name for _, _, name in sorted(ranked, key=lambda entry: entry[:2]))


@lru_cache(maxsize=256)
def canonical(text: str) -> str:
    """One spelling for each type known here; others stay as they are."""
    name, *parameters = (piece.strip() for piece in text.split(";"))
    name = name.lower()
    stripped = "nulls=stripped" in [parameter.lower() for parameter in parameters]
    if name in (OBJECT, "application/vnd.pgrst.object"):
        return OBJECT + STRIPPED * stripped
    if name in (ARRAY, "application/vnd.pgrst.array"):
        return ARRAY + STRIPPED if stripped else JSON
    return name if name in KNOWN or name == ANY else text


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 1.0
