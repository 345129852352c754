"""`crm serve`: serves the GraphQL API until it is told to stop."""

import asyncio
import errno
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType

import click
import uvicorn

from crm_framework.app import create_app, open_service, working_for
from crm_framework.cli.running import console, run, settings_of
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.runtime import load_host, migrations_of
from crm_framework.security.administrator import administrators_token
from crm_framework.security.permissions import Permissions
from crm_framework.server.limits.connections import guarded
from crm_framework.server.limits.descriptors import provide_for
from crm_framework.server.limits.socket_protocol import GuardedSocket
from crm_framework.server.logs import log_config
from crm_framework.server.loops import new_event_loop
from crm_framework.server.memory import rest_what_is_loaded
from crm_framework.settings import Settings
from crm_framework.storage.migration.migrator import migrate, pending
from crm_framework.storage.migration.plan import read_plan

GRACE_SECONDS = 10
"""How long requests that are under way may still take when the server is told to stop."""


@click.command("serve")
@click.option("--host", help="Address to listen at; default 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65535), help="Default 8000; 0 takes a free one.")
@click.option("--token-file", type=click.Path(path_type=Path), help="Keep the administrator's token here.")
@click.option("--log-level", default="info", type=click.Choice(["debug", "info", "warning", "error"]))
@click.pass_context
def command(
    context: click.Context, host: str | None, port: int | None, token_file: Path | None, log_level: str
) -> None:
    """Serves /graphql, /healthz and /readyz.

    A new database is migrated first; an existing one never is: run `crm migrate`. Where there is no token
    yet, one for an administrator is made and shown. The owed work (deliveries, jobs, schedules) is done here
    too, unless `worker = false` is set.
    """
    settings = settings_of(context, host=host, port=port)
    with suppress(click.Abort):  # Ctrl-C is how it is stopped, no failure
        run(_serve(settings, token_file, log_level), new_event_loop)


async def _serve(settings: Settings, token_file: Path | None, log_level: str) -> None:
    provide_for(settings.max_connections + settings.max_sockets)
    with _listening(settings) as listener:
        await _migrate_if_new(settings)
        async with open_service(settings) as service:
            token = await administrators_token(
                service.database, Permissions.of(service.host.declarations), token_file
            )
            address, port = listener.getsockname()[:2]
            console.print(f"The CRM is at http://{_shown(address)}:{port}/graphql")
            for plugin in service.host.plugins:
                if plugin.reason:
                    console.print(
                        f"Plugin {plugin.name} is left out: {plugin.reason} {plugin.hint}", markup=False
                    )
            if token:
                console.print("The administrator's token:", token, soft_wrap=True)
            console.print("Stop it with Ctrl-C.")
            config = uvicorn.Config(
                create_app(service=service),
                http=guarded(settings.max_connections, lambda: service.sockets.open),
                ws=GuardedSocket,
                ws_max_size=settings.max_message_bytes,
                ws_per_message_deflate=False,  # it costs memory for each socket
                log_config=log_config(log_level),
                access_log=False,
                lifespan="off",
                server_header=False,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
            # uvicorn raises the signal again when it has ended, which must not end the worker half-way
            signal.signal(signal.SIGTERM, lambda *_: None)
            async with working_for(service) as worker:
                rest_what_is_loaded()
                await Server(config, worker.stop if worker else None).serve(sockets=[listener])


class Server(uvicorn.Server):
    """Tells the worker at once when it is told to stop itself, so that both end their work side by side."""

    def __init__(self, config: uvicorn.Config, stop: Callable[[], None] | None) -> None:
        super().__init__(config)
        self._stop = stop
        self._loop = asyncio.get_running_loop()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        if self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop)


async def _migrate_if_new(settings: Settings) -> None:
    """There is nothing in a database without a single migration, so nothing can be lost."""
    apps = migrations_of(await load_host(settings))
    missing = await pending(settings.database_url, apps)
    if len(missing) == len(read_plan(apps).steps):
        await migrate(settings.database_url, apps)


def _listening(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listener = socket.create_server((settings.host, settings.port), family=family, backlog=2048)
        # asyncio sets it on connections of its own listeners only; without it, an answer that goes out in two
        # pieces waits some 40 ms for the client's acknowledgement of the first
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        if error.errno == errno.EADDRINUSE:
            raise CrmError(
                ErrorCode.CONFIGURATION,
                f"Another program listens at {where} already.",
                hint="Stop it, or choose another port: --port, CRM_PORT, or PORT= with make run.",
            ) from None
        raise CrmError(
            ErrorCode.CONFIGURATION,
            f"The server cannot listen at {where}: {error.strerror or error}.",
            hint="Check --host and --port.",
        ) from None


def _shown(address: str) -> str:
    if address in ("0.0.0.0", "::"):
        return "localhost"
    return f"[{address}]" if ":" in address else address
