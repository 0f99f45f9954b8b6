"""What a client asks for when it joins a topic."""

from dataclasses import dataclass
from typing import Any

NOT_ASKED = object()


@dataclass(frozen=True, slots=True)
class JoinOptions:
    """The `config` of a phx_join; whatever is missing or of another type counts as not asked.

    `replay` is left as it came, because asking for it wrongly is refused.
    """

    private: bool
    hears_itself: bool
    acknowledges: bool
    presence: bool
    replication_ready: bool
    replay: Any
    postgres_changes: list[Any]

    @classmethod
    def of(cls, payload: dict[str, Any]) -> "JoinOptions":
        config = mapping(payload.get("config"))
        broadcast, presence = mapping(config.get("broadcast")), mapping(config.get("presence"))
        changes = config.get("postgres_changes")
        return cls(
            private=_true(config.get("private")),
            hears_itself=_true(broadcast.get("self")),
            acknowledges=_true(broadcast.get("ack")),
            presence=_true(presence.get("enabled")),
            replication_ready=_true(broadcast.get("replication_ready")),
            replay=broadcast.get("replay", NOT_ASKED),
            postgres_changes=[each for each in changes if each]
            if isinstance(changes, list)
            else [],
        )


def requested_token(payload: dict[str, Any]) -> str | None:
    """The token a join brings. None stands for the key of the socket, as an opaque key does."""
    user, access = payload.get("user_token"), payload.get("access_token")
    first = access or user
    if isinstance(first, str) and first.startswith("sb_"):
        return None
    return next((token for token in (user, access) if isinstance(token, str)), None)


def mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _true(value: object) -> bool:
    """Older clients send booleans as text."""
    return value is True or (isinstance(value, str) and value.lower() == "true")
