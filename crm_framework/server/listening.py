"""The socket that a process listens at."""

import errno
import socket

from crm_framework.errors import CrmError, ErrorCode


def listening(host: str, port: int, hint: str) -> socket.socket:
    """A socket that listens there. CrmError CONFIGURATION with the hint where another program does."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
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
