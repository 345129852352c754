"""`crm worker`: does the owed work of the CRM apart from the server."""

import asyncio
import signal
import socket
from contextlib import AsyncExitStack, suppress

import click

from crm_framework.app import serving
from crm_framework.cli.running import console, run, settings_of
from crm_framework.runtime import Runtime, open_runtime
from crm_framework.schema.webhook_filters import webhook_api
from crm_framework.server.listening import listening
from crm_framework.server.logs import logging_as
from crm_framework.server.loops import new_event_loop
from crm_framework.server.watched import watched
from crm_framework.settings import Settings
from crm_framework.worker.chores import all_chores
from crm_framework.worker.loop import Chore, Worker, working

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@click.command("worker")
@click.option("--once", is_flag=True, help="Do what is due now and what comes of it, and end.")
@click.option(
    "--metrics-port",
    type=click.IntRange(0, 65535),
    help="Answer /metrics, /healthz and /readyz at this port; 0 takes a free one.",
)
@click.option("--metrics-host", default="127.0.0.1", show_default=True, help="Address of that port.")
@click.option("--log-level", default="info", type=click.Choice(["debug", "info", "warning", "error"]))
@click.pass_context
def command(
    context: click.Context, once: bool, metrics_port: int | None, metrics_host: str, log_level: str
) -> None:
    """Does what is owed after changes: deliveries to plugins, jobs, schedules, webhooks.

    It also seals what a process that was killed left unsealed of the audit log.

    `crm serve` does it as well unless `worker = false` is set. Any number of workers may run on a database.
    SIGTERM or Ctrl-C stops it: what runs then may come to its end for `worker_grace_s` seconds.
    """
    if once and metrics_port is not None:
        raise click.UsageError("--metrics-port is for a worker that goes on, so not with --once.")
    settings = settings_of(context)
    with logging_as(settings.log_format, log_level), suppress(click.Abort):
        if once:
            run(_drain(settings), new_event_loop)
        elif metrics_port is None:
            run(_work(settings), new_event_loop)
        else:
            with listening(metrics_host, metrics_port, "Choose another --metrics-port.") as listener:
                run(_work(settings, listener), new_event_loop)


async def _work(settings: Settings, listener: socket.socket | None = None) -> None:
    async with AsyncExitStack() as stack:
        runtime = await stack.enter_async_context(open_runtime(settings))
        chores = _chores(runtime)
        if listener is None:
            runtime.sealer.sweep_regularly()
        else:
            service = await stack.enter_async_context(serving(runtime))
            await stack.enter_async_context(watched(service, listener))
            address, port = listener.getsockname()[:2]
            shown = f"[{address}]" if ":" in address else address
            console.print(f"It tells how it does at http://{shown}:{port}/readyz and /metrics.", markup=False)
        told = _told_to_stop()
        async with working(runtime.database, chores, grace_seconds=settings.worker_grace_s):
            _show_plugins(runtime)
            names = ", ".join(chore.name for chore in chores)
            console.print(f"The worker does: {names}. Stop it with Ctrl-C.", markup=False)
            await told.wait()
            console.print("The worker stops.")


async def _drain(settings: Settings) -> None:
    async with open_runtime(settings) as runtime:
        await runtime.sealer.sweep()
        worker = Worker(_chores(runtime))
        told = asyncio.create_task(_stop(worker))
        try:
            done = await worker.drain()
        finally:
            told.cancel()
        console.print(f"Pieces of work done: {done}.")


async def _stop(worker: Worker) -> None:
    await _told_to_stop().wait()
    worker.stop()


def _chores(runtime: Runtime) -> list[Chore]:
    api = webhook_api(runtime.database, runtime.schema.schema, runtime.host)
    return all_chores(runtime.database, runtime.host, runtime.settings, api)


def _told_to_stop() -> asyncio.Event:
    told = asyncio.Event()
    for sent in SIGNALS:
        with suppress(NotImplementedError):  # on Windows
            asyncio.get_running_loop().add_signal_handler(sent, told.set)
    return told


def _show_plugins(runtime: Runtime) -> None:
    for plugin in runtime.host.plugins:
        if plugin.reason:
            console.print(f"Plugin {plugin.name} is left out: {plugin.told} The log says more.", markup=False)
