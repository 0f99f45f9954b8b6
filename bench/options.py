"""What the command line may change; the defaults are what docs/benchmarks.md quotes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """One run of the benchmarks."""

    rate: float = 200.0
    """inbound: webhooks a second."""
    seconds: float = 20.0
    """inbound and reads: length of a measurement."""
    chats: int = 400
    """inbound: people who write, half of them to each provider's number."""
    jobs: int = 20_000
    """queue: jobs per measurement; slow contestants get fewer."""
    conversations: int = 100_000
    """volume: conversations of all companies."""
    messages: int = 20
    """volume: messages of each conversation, about."""
    data: str = ""
    """volume: the folder where the data set stays; without one it is made for this run."""
    quick: bool = False
    """queue: fewer jobs and settings, in less than three minutes."""
    rounds: int = 3
    """queue, gateway: interleaved rounds, of which the median counts."""
    repeats: int = 7
    """cold: interpreter starts, of which the median counts."""
