"""Serves an application with uvicorn, set as `crm serve` sets it, so that the server is the same for both."""

import uvicorn

from crm_framework.server.logs import log_config


async def serve(app: object, port: int) -> None:
    """Until the process is told to stop."""
    await uvicorn.Server(
        uvicorn.Config(
            app,  # type: ignore[arg-type]  # bare functions, without the types of ASGI
            port=port,
            log_config=log_config("warning"),
            access_log=False,
            lifespan="off",
            server_header=False,
        )
    ).serve()
