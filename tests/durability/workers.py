"""`crm worker` as a process of its own, which the tests kill."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

from crm_framework.testing import CrmClient

CRM = "from crm_framework.cli import main; main()"


async def worker(
    client: CrmClient, folder: Path, plugin: str, *arguments: str, program: str = CRM
) -> Process:
    """One with this plugin, whose settings are in `crm.toml` in the folder, if there are any."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CRM_")}
    given = {"CRM_DATABASE_URL": client.service.settings.database_url, "CRM_PLUGINS": plugin}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, "worker", *arguments),
        cwd=folder,
        env={**kept, **given},
        stdout=PIPE,
        stderr=PIPE,
    )


async def let_time_pass(client: CrmClient) -> None:
    """What takes a minute, and some seconds: the jobs of a worker that was killed are free, and due again."""
    async with client.service.database.unit_of_work() as tx:
        await tx.execute("UPDATE crm_job SET leased_until = ? WHERE leased_until IS NOT NULL", [tx.now])
    await end_pauses(client)


async def end_pauses(client: CrmClient) -> None:
    """What failed, or was begun by a worker that was killed, is due at once."""
    async with client.service.database.unit_of_work() as tx:
        await tx.execute("UPDATE crm_job SET run_at = ? WHERE status = 'WAITING'", [tx.now])
