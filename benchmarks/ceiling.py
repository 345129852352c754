"""The ceiling: an application that does nothing, to see how much the server and the client can do at all."""

import sys
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.serving import run, serve

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
BODY = {"type": "http.response.body", "body": b"{}"}


async def app(scope: Any, receive: Any, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
    """The ASGI application."""
    await send(START)
    await send(BODY)


if __name__ == "__main__":
    run(serve(app, int(sys.argv[1])))
