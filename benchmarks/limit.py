"""The limit: a bare ASGI application with hand-written SQL for each workload, one process like the product.

    python -m benchmarks.limit PORT        # the database is CRM_DATABASE_URL

It gives the same answers as the product and writes the same rows, in one transaction a request and as
durably, and does nothing else: no GraphQL, no tokens, no checks.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import orjson

from benchmarks.limit_answers import Answer
from benchmarks.limit_postgres import Postgres
from benchmarks.limit_rows import Values
from benchmarks.limit_sqlite import Sqlite
from benchmarks.serving import serve
from crm_framework.storage.urls import SqliteTarget, parse_url


class Workloads(Protocol):
    """One method a workload; `Answer` is the `data` of the product's answer."""

    async def one(self, values: Values) -> Answer: ...
    async def page(self, values: Values) -> Answer: ...
    async def nested(self, values: Values) -> Answer: ...
    async def search(self, values: Values) -> Answer: ...
    async def create(self, values: Values) -> Answer: ...
    async def log(self, values: Values) -> Answer: ...
    async def close(self) -> None: ...


async def open_limit(url: str) -> Workloads:
    target = parse_url(url)
    return Sqlite(target) if isinstance(target, SqliteTarget) else await Postgres.open(target)


def application(database: Workloads) -> Callable[..., Awaitable[None]]:
    """The ASGI application: POST /NAME with the workload's variables as JSON."""
    workloads: dict[str, Callable[[Values], Awaitable[Answer]]] = {
        f"/{name}": getattr(database, name) for name in ("one", "page", "nested", "search", "create", "log")
    }

    async def app(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        body: bytes = message["body"]
        while message["more_body"]:
            message = await receive()
            body += message["body"]
        answer = await workloads[scope["path"]](orjson.loads(body))
        # as the API writes moments: in UTC, with the Z
        content = orjson.dumps({"data": answer}, option=orjson.OPT_UTC_Z)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(content)),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    return app


async def main() -> None:
    database = await open_limit(os.environ["CRM_DATABASE_URL"])
    try:
        await serve(application(database), int(sys.argv[1]))
    finally:
        await database.close()


if __name__ == "__main__":
    asyncio.run(main())
