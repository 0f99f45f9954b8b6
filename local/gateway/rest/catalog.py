"""What the database has, as far as a request can name it: the only source of types in our SQL.

Filled by introspection.py, relationships between tables by relationships.py.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from local.gateway.rest.config import Config


class QName(NamedTuple):
    """A name with its schema."""

    schema: str
    name: str

    @property
    def sql(self) -> str:
        """As SQL writes it."""
        return f"{quote(self.schema)}.{quote(self.name)}"


@lru_cache(maxsize=4096)
def quote(name: str) -> str:
    """An SQL identifier for `name`, whatever characters it has."""
    # A NUL would end the statement's text in the protocol.
    return '"' + name.replace("\0", "").replace('"', '""') + '"'


def literal(text: str) -> str:
    """An SQL string for a name out of the catalog; values from outside are bound instead."""
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'" if "\\" in text else f"'{escaped}'"


@dataclass(frozen=True, slots=True)
class Column:
    """`base`: its type, or what a domain is made of. `default`: the SQL for a missing value.

    `to_json`, `from_json`, `from_text`: functions of casts that the project made for a domain, so
    that clients see it in another form.
    """

    name: str
    type: str
    base: str
    default: str | None = None
    to_json: QName | None = None
    from_json: QName | None = None
    from_text: QName | None = None


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or view; `columns` by name, in their order."""

    name: QName
    columns: dict[str, Column]
    primary_key: tuple[str, ...] = ()
    is_view: bool = False


# Pairs of a column and the column it equals.
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Junction:
    """The table between the two sides of a many-to-many: its columns beside theirs."""

    table: QName
    constraints: tuple[str, str]
    source: Pairs
    target: Pairs


@dataclass(frozen=True, slots=True)
class Relationship:
    """How rows of `source` find theirs in `target`: by equal columns, a junction, or a function.

    `kind` as error details name it; `columns` pair one of the source with one of the target.
    """

    source: QName
    target: QName
    kind: str  # one-to-many, many-to-one, one-to-one, many-to-many or computed
    constraint: str = ""
    columns: Pairs = ()
    junction: Junction | None = None
    function: QName | None = None
    to_one: bool = False

    @property
    def source_columns(self) -> tuple[str, ...]:
        """Those of the source that the join needs."""
        pairs = self.junction.source if self.junction else self.columns
        return tuple(source for source, _ in pairs)


@dataclass(frozen=True, slots=True)
class Parameter:
    """An input of a function; the name is '' for an unnamed one."""

    name: str
    type: str
    required: bool
    variadic: bool


@dataclass(frozen=True, slots=True)
class Function:
    """`returns_rows` of columns, not bare values; those of `table` when it is known."""

    name: QName
    parameters: tuple[Parameter, ...]
    returns_set: bool
    returns_void: bool
    returns_rows: bool
    table: QName | None
    writes: bool
    settings: tuple[tuple[str, str], ...]

    @property
    def signature(self) -> str:
        """For messages: public.f(a => integer)."""
        shown = ", ".join(f"{p.name} => {p.type}" for p in self.parameters)
        return f"{self.name.schema}.{self.name.name}({shown})"


@dataclass(frozen=True, slots=True)
class Handler:
    """SQL that makes a media type of rows: an aggregate, or the domain that a function returns.

    `target`: whose rows it takes (a table, or the function), None for anyone's. `content_type`
    is what the answer says.
    """

    sql: QName
    target: QName | None
    content_type: str


@dataclass(frozen=True, slots=True)
class Catalog:
    """One moment of the schema, of the roles' settings, and of PostgREST's configuration."""

    config: Config = field(default_factory=Config)
    relations: dict[QName, Relation] = field(default_factory=dict)
    functions: dict[QName, list[Function]] = field(default_factory=dict)
    relationships: dict[QName, list[Relationship]] = field(default_factory=dict)
    handlers: dict[tuple[QName | None, str], Handler] = field(default_factory=dict)
    role_settings: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)

    def names(self, schema: str) -> list[str]:
        """The tables and views of one schema."""
        return [name.name for name in self.relations if name.schema == schema]
