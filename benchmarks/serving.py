"""Serves an application with uvicorn, set as `crm serve` sets it, so that the server is the same for both."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import uvicorn

from crm_framework.memory import rest_what_is_loaded
from crm_framework.server.limits.connections import Guarded
from crm_framework.server.logs import log_config
from crm_framework.server.loops import new_event_loop


def run(work: Coroutine[Any, Any, None]) -> None:
    """Runs a server on the kind of loop that `crm serve` runs on."""
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(work)


async def serve(app: object, port: int) -> None:
    """Until the process is told to stop."""
    rest_what_is_loaded()
    await uvicorn.Server(
        uvicorn.Config(
            app,  # type: ignore[arg-type]  # bare functions, without the types of ASGI
            port=port,
            http=Guarded,
            log_config=log_config("warning"),
            access_log=False,
            lifespan="off",
            server_header=False,
        )
    ).serve()
