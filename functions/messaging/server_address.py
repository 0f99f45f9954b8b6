"""Which servers a company may have us call: none inside our own network.

This says so early, to whoever connects a number. What holds is the check of each connection, in
functions/core/open_internet.py: by then a name may lead elsewhere.
"""

from urllib.parse import urlsplit

from functions.core.errors import InvalidRequest
from functions.core.open_internet import Resolve, is_open, resolved


async def check_server(url: str, *, private_allowed: bool, resolve: Resolve = resolved) -> None:
    """Raises InvalidRequest invalid_server for an address that is not https on the open internet.

    `private_allowed`: for a deployment whose companies are all its operator's own.
    """
    parts = urlsplit(url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise _refused("Its port is none.") from None
    if parts.username is not None or not parts.hostname:
        raise _refused("It is no plain address.")
    if private_allowed:
        return
    if parts.scheme != "https":
        raise _refused("It must be https.")
    try:
        found = await resolve(parts.hostname, port)
    except (OSError, UnicodeError):
        raise _refused("Its name does not resolve.") from None
    if not found or not all(is_open(address) for address in found):
        raise _refused("It is not on the open internet.")


def _refused(why: str) -> InvalidRequest:
    return InvalidRequest(
        f"This server cannot be called. {why}",
        code="invalid_server",
        hint="Operators of their own servers set ALLOW_PRIVATE_SERVERS=1.",
    )
