"""The sample bodies, by provider and file name."""

from pathlib import Path

from functions.providers.base import Provider
from functions.providers.evolution import EVOLUTION
from functions.providers.meta import META

FOLDER = Path(__file__).parent.parent / "samples"
PROVIDERS: dict[str, Provider] = {"evolution": EVOLUTION, "meta": META}
ROUTES: dict[str, str | None] = {"evolution": "loja", "meta": None}


def webhook_names() -> list[str]:
    """The bodies that a provider posts, as 'evolution/….json'."""
    return [
        f"{path.parent.name}/{path.name}"
        for path in sorted(FOLDER.glob("*/*.json"))
        if not path.name.startswith(("error_", "response_"))
    ]


def read(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


def provider_of(name: str) -> tuple[Provider, str | None]:
    provider = name.split("/")[0]
    return PROVIDERS[provider], ROUTES[provider]
