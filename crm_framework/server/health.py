"""For load balancers and people on call: whether the process lives, and whether it can work."""

import asyncio
import logging
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from crm_framework.errors import CrmError
from crm_framework.storage.backlog import backlog
from crm_framework.storage.migration.plan import AppliedMigration

from .service import Service, service_of

log = logging.getLogger("crm_framework.server")

DATABASE_SECONDS = 3.0
HEADERS = {"Cache-Control": "no-store"}


async def healthz(request: Request) -> Response:
    """200 while the process answers at all."""
    return PlainTextResponse("ok\n", headers=HEADERS)


async def readyz(request: Request) -> Response:
    """200 if requests can be served, 503 if not; in both cases what is in order and what is not.

    A plugin that is broken does not make the API unready, nor does work that is owed: a node that is taken
    away because of it leaves the more to the others. What is told here is for everyone to read: names
    and states, no data, and nothing that the code of a plugin said.
    """
    service = service_of(request)
    database, migrations = await _database(service)
    owed = await _owed(service) if migrations == "applied" else None
    ready = database == "ok" and migrations == "applied"
    report: dict[str, Any] = {
        "status": "ready" if ready else "unready",
        "database": database,
        "migrations": migrations,
        "audit": {
            "unsealed": service.sealer.waiting,
            "oldest_unsealed_s": round(service.sealer.lag_seconds, 1),
        },
        "owed": owed,
        "plugins": [
            {
                "name": plugin.name,
                "version": plugin.version,
                "status": plugin.status.value,
                "reason": plugin.told if plugin.reason else None,
                "hint": "The log and `crm plugins list` say more." if plugin.reason else None,
            }
            for plugin in service.host.plugins
        ],
    }
    return JSONResponse(report, 200 if ready else 503, HEADERS)


async def _owed(service: Service) -> dict[str, Any] | None:
    """What all nodes have still to do, None where it cannot be counted."""
    try:
        async with asyncio.timeout(DATABASE_SECONDS):
            found = await backlog(service.database)
    except Exception as error:
        log.warning("What is owed cannot be read: %s", error)
        return None
    return {
        "deliveries": found.deliveries,
        "deliveries_parked": found.parked,
        "oldest_delivery_s": round(found.lag_seconds, 1),
        "jobs_due": found.jobs_due,
        "jobs_failed": found.jobs_failed,
    }


async def _database(service: Service) -> tuple[str, str]:
    """The state of the database and of its migrations."""
    try:
        async with asyncio.timeout(DATABASE_SECONDS):
            rows = await service.database.fetch("SELECT app, name FROM crm_migration")
    except Exception as error:
        log.warning("The database cannot be read: %s", error)
        return "unavailable", "unknown"
    try:
        missing = service.plan.missing([AppliedMigration(row["app"], row["name"]) for row in rows])
    except CrmError as error:
        return "ok", error.message
    return "ok", f"{len(missing)} pending, the first of them {missing[0]}" if missing else "applied"
