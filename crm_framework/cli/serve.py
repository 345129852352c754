"""`crm serve`: serves the GraphQL API until it is told to stop, in one process or in several."""

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

import click
import uvicorn

from crm_framework.app import create_app, open_service, working_for
from crm_framework.cli.running import console, run, settings_of
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.memory import rest_what_is_loaded
from crm_framework.runtime import Runtime, migrate_if_new, open_runtime
from crm_framework.security.administrator import administrators_token, place_beside
from crm_framework.security.permissions import Permissions
from crm_framework.server.limits.connections import guarded
from crm_framework.server.limits.descriptors import provide_for
from crm_framework.server.limits.socket_protocol import GuardedSocket
from crm_framework.server.listening import listening, take_waiting
from crm_framework.server.logs import logging_as
from crm_framework.server.loops import new_event_loop
from crm_framework.server.processes import Processes, this_command
from crm_framework.server.service import Service
from crm_framework.server.shared_counts import share_counts
from crm_framework.settings import Settings

log = logging.getLogger("crm_framework.server")

GRACE_SECONDS = 10
"""How long requests that are under way may still take when the server is told to stop."""
PORT_HINT = "Stop it, or choose another port: --port, CRM_PORT, or PORT= with make run."
LAST_SECONDS = 10.0
"""How much longer than all graces together a process may take to end before it is killed."""


@click.command("serve")
@click.option("--host", help="Address to listen at; default 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65535), help="Default 8000; 0 takes a free one.")
@click.option("--processes", type=click.IntRange(1), help="Processes that serve; default 1.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    help="Keep the administrator's token here.",
)
@click.option("--log-level", default="info", type=click.Choice(["debug", "info", "warning", "error"]))
@click.option("--inherited", hidden=True, help="File descriptors from the process that keeps this one.")
@click.option("--number", hidden=True, type=int, default=0, help="Which of its processes this one is.")
@click.option("--counts", hidden=True, type=click.Path(path_type=Path), help="Where they keep their counts.")
@click.pass_context
def command(
    context: click.Context,
    host: str | None,
    port: int | None,
    processes: int | None,
    token_file: Path | None,
    log_level: str,
    inherited: str | None,
    number: int,
    counts: Path | None,
) -> None:
    """Serves /graphql, /healthz and /readyz.

    A new database is migrated first; an existing one never is: run `crm migrate`. Where there is no token
    yet, one for an administrator is made: shown at a terminal, else kept in the file administrator.token
    beside SQLite's file or in the working folder. The owed work (deliveries, jobs, schedules) is done here
    too, unless `worker = false` is set. With several processes, one that ends is replaced, and SIGHUP
    replaces each in turn without a pause in service.
    """
    settings = settings_of(context, host=host, port=port, processes=processes)
    if inherited is not None:
        if counts is not None:
            share_counts(counts, number)
        work = _serve_for_keeper(settings, *map(int, inherited.split(",")))
    elif settings.processes > 1:
        work = _keep(settings, token_file)
    else:
        work = _serve_alone(settings, token_file)
    with logging_as(settings.log_format, log_level), suppress(click.Abort):  # Ctrl-C is no failure
        run(work, new_event_loop)


async def _serve_alone(settings: Settings, token_file: Path | None) -> None:
    with listening(settings.host, settings.port, PORT_HINT) as listener:
        await migrate_if_new(settings)
        async with open_service(settings) as service:
            greeting = await _greeting(service, listener, token_file)
            await _serve(service, listener, lambda: _greet(greeting))


async def _serve_for_keeper(settings: Settings, listener: int, control: int) -> None:
    """One of several processes: the keeper did the rest."""
    with socket.socket(fileno=listener) as inherited, socket.socket(fileno=control) as keeper:
        async with open_service(settings) as service:
            await _serve(service, inherited, lambda: keeper.send(b"serves"), keeper)


async def _keep(settings: Settings, token_file: Path | None) -> None:
    """Keeps several processes that serve."""
    if sys.platform == "win32":
        raise CrmError(
            ErrorCode.CONFIGURATION,
            "Several processes cannot share a socket on Windows.",
            hint="Set processes = 1.",
        )
    with listening(settings.host, settings.port, PORT_HINT) as listener, _folder_for_counts() as counts:
        await migrate_if_new(settings)
        async with open_runtime(settings) as runtime:
            greeting = await _greeting(runtime, listener, token_file)
        processes = Processes(
            [*this_command(), *counts],
            listener,
            settings.processes,
            grace_seconds=GRACE_SECONDS + settings.worker_grace_s + LAST_SECONDS,
        )
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, processes.stop)
        loop.add_signal_handler(signal.SIGINT, processes.stop)
        loop.add_signal_handler(signal.SIGHUP, processes.renew)
        if not await processes.run(lambda: _greet(greeting)):
            raise CrmError(
                ErrorCode.CONFIGURATION, "A process that should serve ended.", hint="It said why above."
            )


@contextmanager
def _folder_for_counts() -> Iterator[list[str]]:
    """The option that names a folder where the processes may count; none where nothing can be written."""
    try:
        folder = TemporaryDirectory(prefix="crm-counts-", ignore_cleanup_errors=True)
    except OSError as error:
        log.warning("No temporary folder: /metrics tells of one process at a time. %s", error)
        yield []
        return
    with folder as name:
        yield [f"--counts={name}"]


async def _greeting(opened: Service | Runtime, listener: socket.socket, token_file: Path | None) -> list[str]:
    """What to show once it serves."""
    shown = token_file is None and sys.stdout.isatty()
    place = None if shown else token_file or place_beside(opened.settings.database_url)
    token = await administrators_token(
        opened.database, Permissions.of(opened.host.declarations), place, only_first=token_file is None
    )
    address, port = listener.getsockname()[:2]
    lines = [f"The CRM is at http://{_shown(address)}:{port}/graphql"]
    lines += [
        f"Plugin {plugin.name} is left out: {plugin.told} The log says more."
        for plugin in opened.host.plugins
        if plugin.reason
    ]
    if token:  # what is no terminal may be a log, which others read
        kept = f" is in {place.resolve()}" if place else f": {token}"
        lines.append(f"The administrator's token{kept}")
    return [*lines, "Stop it with Ctrl-C."]


def _greet(lines: list[str]) -> None:
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)


async def _serve(
    service: Service,
    listener: socket.socket,
    started: Callable[[], object],
    keeper: socket.socket | None = None,
) -> None:
    settings = service.settings
    provide_for(settings.max_connections + settings.max_sockets)
    config = uvicorn.Config(
        create_app(service=service),
        http=guarded(settings.max_connections, lambda: service.sockets.open),
        ws=GuardedSocket,
        ws_max_size=settings.max_message_bytes,
        ws_per_message_deflate=False,  # it costs memory for each socket
        log_config=None,
        access_log=False,
        lifespan="off",
        # Otherwise uvicorn believes whoever connects from this machine, and FORWARDED_ALLOW_IPS
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    async with ended_in_order(), working_for(service) as worker:
        rest_what_is_loaded()
        server = Server(
            config, started, worker.stop if worker else None, service.sockets.stop, shared=keeper is not None
        )
        if keeper is not None:
            keeper.setblocking(False)
            asyncio.get_running_loop().add_reader(keeper, server.leave)
        try:
            await server.serve(sockets=[listener])
        finally:
            if keeper is not None:
                asyncio.get_running_loop().remove_reader(keeper)


@asynccontextmanager
async def ended_in_order() -> AsyncIterator[None]:
    """uvicorn raises SIGTERM again when it has ended, which must not end the worker half-way."""
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class Server(uvicorn.Server):
    """Says when it serves; told to stop, it tells the worker at once: both end their work side by side.

    Where other processes listen at the same socket (`shared`), they accept what waits there.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        started: Callable[[], object],
        stop: Callable[[], None] | None,
        end_streams: Callable[[], None],
        *,
        shared: bool = False,
    ) -> None:
        super().__init__(config)
        self._shared = shared
        self._say_started = started
        self._stop = stop
        self._end_streams = end_streams
        self._loop = asyncio.get_running_loop()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._say_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._end_streams()
        left = [] if self._shared else [listener.dup() for listener in sockets or ()]
        for server in self.servers:
            server.close()
        for listener in left:
            await take_waiting(listener, self._protocol)
            listener.close()
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        """As uvicorn makes it for each connection."""
        make: Callable[..., asyncio.Protocol] = self.config.http_protocol_class
        return make(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        if self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop)

    def leave(self) -> None:
        """Stops in order: whoever kept this process is gone."""
        self.should_exit = True
        if self._stop is not None:
            self._stop()


def _shown(address: str) -> str:
    if address in ("0.0.0.0", "::"):
        return "localhost"
    return f"[{address}]" if ":" in address else address
