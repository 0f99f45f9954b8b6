"""What a client asks for when it joins a topic."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class JoinOptions:
    """The `config` of a phx_join; whatever is missing or of another type counts as not asked."""

    private: bool
    hears_itself: bool
    acknowledges: bool
    presence: bool
    replication_ready: bool
    replay: dict[str, Any] | None
    postgres_changes: list[Any]

    @classmethod
    def of(cls, payload: dict[str, Any]) -> "JoinOptions":
        config = _object(payload.get("config"))
        broadcast, presence = _object(config.get("broadcast")), _object(config.get("presence"))
        changes = config.get("postgres_changes")
        return cls(
            private=_true(config.get("private")),
            hears_itself=_true(broadcast.get("self")),
            acknowledges=_true(broadcast.get("ack")),
            presence=_true(presence.get("enabled")),
            replication_ready=_true(broadcast.get("replication_ready")),
            replay=_object(broadcast["replay"]) if "replay" in broadcast else None,
            postgres_changes=changes if isinstance(changes, list) else [],
        )


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _true(value: object) -> bool:
    """Older clients send booleans as text."""
    return value is True or value == "true"
