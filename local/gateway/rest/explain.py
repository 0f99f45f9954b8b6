"""Postgres' plan instead of the rows: Accept: application/vnd.pgrst.plan+json;options=analyze."""

import re
from dataclasses import dataclass

PLAN = re.compile(r"application/vnd\.pgrst\.plan(?:\+(json|text))?(;.*)?", re.IGNORECASE)
FOR = re.compile(r'for="([^"]*)"')
OPTIONS = re.compile(r"options=([\w|-]*)")
KNOWN_OPTIONS = ("analyze", "verbose", "settings", "buffers", "wal")


@dataclass(frozen=True, slots=True)
class Explain:
    """How the plan is shown, and of which media type's statement it is."""

    format: str
    options: tuple[str, ...]
    of: str

    @property
    def sql(self) -> str:
        """What stands before the statement."""
        return f"explain ({', '.join([f'format {self.format}', *self.options])}) "

    @property
    def content_type(self) -> str:
        """The answer's Content-Type."""
        options = f"; options={'|'.join(self.options)}" if self.options else ""
        return f'application/vnd.pgrst.plan+{self.format}; for="{self.of}"{options}; charset=utf-8'


def parse_explain(media_type: str, default: str) -> Explain | None:
    """The plan a media type asks for, of `default` when it names no other; None for all others."""
    match = PLAN.fullmatch(media_type)
    if not match:
        return None
    parameters = match[2] or ""
    of, options = FOR.search(parameters), OPTIONS.search(parameters)
    named = options[1].lower().split("|") if options else []
    return Explain(
        (match[1] or "text").lower(),
        tuple(option for option in KNOWN_OPTIONS if option in named),
        of[1] if of else default,
    )
