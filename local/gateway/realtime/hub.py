"""Who listens to what: topic and privacy -> joined channels, and the fan-out to them."""

from collections import defaultdict
from typing import Protocol

from local.gateway.realtime.frames import Message, encode_message

Address = tuple[str, bool]  # topic without the `realtime:` prefix, and whether it is private


class Member(Protocol):
    """A joined channel, as far as the fan-out cares."""

    @property
    def version(self) -> str: ...
    @property
    def full_topic(self) -> str: ...
    @property
    def hears_itself(self) -> bool: ...
    def deliver(self, message: Message, wire: str | bytes) -> None: ...


class Hub:
    """Public and private topics of one name are different addresses and never meet."""

    def __init__(self) -> None:
        self._members: defaultdict[Address, dict[Member, None]] = defaultdict(dict)

    def add(self, address: Address, member: Member) -> None:
        self._members[address][member] = None

    def remove(self, address: Address, member: Member) -> None:
        members = self._members.get(address, {})
        members.pop(member, None)
        if not members:
            self._members.pop(address, None)

    def publish(self, address: Address, message: Message, *, sender: Member | None = None) -> None:
        """Queue it for every member; for its sender only if that asked to hear itself."""
        wires: dict[str, str | bytes | None] = {}
        for member in list(self._members.get(address, ())):
            if member is sender and not member.hears_itself:
                continue
            if member.version not in wires:
                wires[member.version] = encode_message(member.version, member.full_topic, message)
            wire = wires[member.version]
            if wire is not None:
                member.deliver(message, wire)
