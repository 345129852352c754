"""How a process does, told apart from the API: for workers, which serve nothing else."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.applications import Starlette

from .limits.connections import guarded
from .routes import middleware, watching
from .service import Service

MAX_CONNECTIONS = 50
GRACE_SECONDS = 1


@asynccontextmanager
async def watched(service: Service, listener: socket.socket) -> AsyncIterator[None]:
    """Answers /healthz, /readyz and /metrics as a server does while the block runs, and nothing else."""
    app = Starlette(routes=watching(), middleware=middleware())
    app.router.redirect_slashes = False
    app.state.service = service
    config = uvicorn.Config(
        app,
        http=guarded(MAX_CONNECTIONS, lambda: 0),
        ws="none",
        log_config=None,
        access_log=False,
        lifespan="off",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = _Server(config)
    answering = asyncio.create_task(server.serve(sockets=[listener]), name="crm worker: metrics")
    try:
        yield
    finally:
        server.should_exit = True
        await answering


class _Server(uvicorn.Server):
    """Leaves the signals to the worker."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
