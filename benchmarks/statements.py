"""Prints the SQL of the page with and without a field of each plugin, as the product runs it, as JSON."""

import asyncio
import os
import sys

import orjson

from benchmarks.workloads import PAGE, WORKLOADS
from crm_framework.app import open_service
from crm_framework.engine.execute import execute
from crm_framework.security.actors import Actor
from crm_framework.settings import load_settings


async def counted() -> dict[str, list[str]]:
    """Name of the workload → statements of its second run, when whatever is kept is kept."""
    found = {}
    async with open_service(load_settings(database_url=os.environ["CRM_DATABASE_URL"])) as service:
        for workload in (PAGE, *(one for one in WORKLOADS if one.plugins)):
            for _ in range(2):
                context = service.context(Actor.system(), "bench")
                with service.database.counting() as statements:
                    result = await execute(service.schema.schema, workload.query, {}, None, context)
            if result.errors:
                raise RuntimeError(f"{workload.name}: {result.errors}")
            found[workload.name] = list(statements)
    return found


if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(asyncio.run(counted())))
