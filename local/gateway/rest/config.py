"""PostgREST's configuration, as far as a project can change it.

It is read from the authenticator's settings, as on hosted:
`alter role authenticator set pgrst.db_max_rows = '100'`, then `notify pgrst, 'reload config'`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

YES = ("true", "1", "on", "yes", "t")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


@dataclass(frozen=True, slots=True)
class Config:
    """`schemas` are those exposed, the first one by default; what is not set is as on hosted."""

    schemas: tuple[str, ...] = ("public",)
    extra_search_path: tuple[str, ...] = ("public", "extensions")
    max_rows: int | None = 1000
    aggregates: bool = False
    plans: bool = False
    rollback: bool = False
    transaction_end_can_change: bool = False
    pre_request: str = ""
    # Function settings that must be in force before the function starts to have any effect.
    hoisted: tuple[str, ...] = (
        "statement_timeout",
        "plan_filter.statement_cost_limit",
        "default_transaction_isolation",
    )

    @classmethod
    def of(cls, settings: Mapping[str, str]) -> "Config":
        """From settings without their prefix `pgrst.`; what cannot be read counts as not set."""
        default = cls()
        rows = settings.get("db_max_rows", "1000")
        end = settings.get("db_tx_end", "commit")
        return cls(
            schemas=_names(settings.get("db_schemas", "")) or default.schemas,
            extra_search_path=_names(
                settings.get("db_extra_search_path", ", ".join(default.extra_search_path))
            ),
            max_rows=int(rows) if rows.isdigit() else None,
            aggregates=settings.get("db_aggregates_enabled") in YES,
            plans=settings.get("db_plan_enabled") in YES,
            rollback=end.startswith("rollback"),
            transaction_end_can_change=end.endswith("allow-override"),
            pre_request=settings.get("db_pre_request", ""),
            hoisted=_names(settings.get("db_hoisted_tx_settings", "")) or default.hoisted,
        )
