"""Names of scopes. A scope is one versioned thing and, under the same name, a realtime topic."""

from dataclasses import dataclass
from uuid import UUID

PREFIX_CONVERSATION = "conversation"
PREFIX_INBOX = "inbox"

EVENT = "change"  # the only event sent on these topics


@dataclass(frozen=True, slots=True)
class Scope:
    """`<prefix>:<id>`; any lower-case prefix, because later rooms add their own."""

    prefix: str
    id: UUID

    def __str__(self) -> str:
        return f"{self.prefix}:{self.id}"

    @property
    def sync_function(self) -> str:
        """The SQL function that answers what changed in scopes of this kind."""
        return f"sync_{self.prefix}"

    @classmethod
    def parse(cls, name: str) -> "Scope":
        """Raises ValueError when the name is no scope."""
        prefix, _, identifier = name.partition(":")
        if not prefix.isidentifier() or prefix != prefix.lower():
            raise ValueError(f"not a scope: {name!r}")
        return cls(prefix, UUID(identifier))


def conversation(conversation_id: UUID) -> str:
    """The messages of one conversation."""
    return str(Scope(PREFIX_CONVERSATION, conversation_id))


def inbox(company_id: UUID) -> str:
    """The list of a company's conversations."""
    return str(Scope(PREFIX_INBOX, company_id))
