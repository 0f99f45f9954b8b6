"""Structured logs: one JSON object a line, with ids and numbers only.

Phone numbers, names, message bodies and secrets never appear: pass ids, counts and codes.
"""

import logging

import orjson

logger = logging.getLogger("recado")


def event(name: str, /, level: int = logging.INFO, **fields: str | int | float | None) -> None:
    """Logs what happened, e.g. event("job.settled", type="messages.send", outcome="ok")."""
    if logger.isEnabledFor(level):
        logger.log(level, orjson.dumps({"event": name, **fields}).decode())
