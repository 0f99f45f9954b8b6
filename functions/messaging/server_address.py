"""Which servers a company may have us call: none inside our own network."""

import asyncio
import ipaddress
import socket
from urllib.parse import urlsplit

from functions.core.errors import InvalidRequest


async def check_server(url: str, *, private_allowed: bool) -> None:
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
        found = await asyncio.get_running_loop().getaddrinfo(
            parts.hostname, port, type=socket.SOCK_STREAM
        )
    except (OSError, UnicodeError):
        raise _refused("Its name does not resolve.") from None
    if not all(ipaddress.ip_address(address[4][0]).is_global for address in found):
        raise _refused("It is not on the open internet.")


def _refused(why: str) -> InvalidRequest:
    return InvalidRequest(
        f"This server cannot be called. {why}",
        code="invalid_server",
        hint="Operators of their own servers set ALLOW_PRIVATE_SERVERS=1.",
    )
