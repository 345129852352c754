"""The socket that a process listens at."""

import asyncio
import errno
import socket
from collections.abc import Callable

from crm_framework.errors import CrmError, ErrorCode

BACKLOG = 2048


def listening(host: str, port: int, hint: str) -> socket.socket:
    """A socket that listens there. CrmError CONFIGURATION with the hint where another program does."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
        # asyncio sets it on connections of its own listeners only; without it, an answer that goes out in two
        # pieces waits some 40 ms for the client's acknowledgement of the first
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        where = f"{host}:{port}"
        if error.errno == errno.EADDRINUSE:
            raise CrmError(
                ErrorCode.CONFIGURATION, f"Another program listens at {where} already.", hint=hint
            ) from None
        raise CrmError(
            ErrorCode.CONFIGURATION,
            f"The server cannot listen at {where}: {error.strerror or error}.",
            hint="Check the host and the port.",
        ) from None


async def take_waiting(listener: socket.socket, protocol: Callable[[], asyncio.Protocol]) -> None:
    """Begins the connections that the system has made and nobody has accepted: who is at their other end
    believes to be served, and would see them break. For a listener that the loop listens at no more.
    """
    loop = asyncio.get_running_loop()
    listener.setblocking(False)
    for _ in range(BACKLOG):
        try:
            connection, _address = listener.accept()
        except OSError:  # none waits any more, or that one is gone
            return
        await loop.connect_accepted_socket(protocol, connection)
