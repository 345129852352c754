"""A process that sends, for tests: `python -m tests.messages.postman URL PORT`, until it is told to end."""

import asyncio
import signal
import sys

from crm_framework.domain.messages.sending import sending_job
from crm_framework.hooks.dispatch import PluginHost
from crm_framework.storage.database import Database
from crm_framework.worker.jobs import Jobs
from crm_framework.worker.loop import Worker, finish
from tests.messages.conftest import settings_for

APPS = {"crm": "crm_framework.domain.models"}


async def main(url: str, port: int) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    settings, host = settings_for(port), PluginHost()
    async with await Database.open(url, apps=APPS) as database:
        database.settings = settings
        worker = Worker([Jobs(database, [sending_job(host, settings)], host).chore(4)], poll_seconds=0.1)
        running = asyncio.create_task(worker.run())
        print("ready", flush=True)  # noqa: T201  # whom the test waits for
        await stop.wait()
        await finish(worker, running, 30)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
