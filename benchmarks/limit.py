"""The limits: a bare ASGI application with hand-written SQL for each workload, one process like the product.

    python -m benchmarks.limit PORT        # the database is CRM_DATABASE_URL

POST /rows/NAME takes rows from the database and makes JSON of them, POST /json/NAME has the database make the
JSON and sends it as it is. It gives the same answers as the product and writes the same rows, in one
transaction a request and as durably, and does nothing else: no GraphQL, no tokens, no checks.
"""

import os
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol

import orjson

from benchmarks.limit_answers import Answer
from benchmarks.limit_postgres import Postgres
from benchmarks.limit_rows import Values
from benchmarks.limit_sqlite import Sqlite
from benchmarks.serving import run, serve
from crm_framework.storage.urls import SqliteTarget, parse_url


class Workloads(Protocol):
    """One method a workload; `Answer` is the `data` of the product's answer."""

    async def one(self, values: Values) -> Answer: ...
    async def page(self, values: Values) -> Answer: ...
    async def nested(self, values: Values) -> Answer: ...
    async def search(self, values: Values) -> Answer: ...
    async def create(self, values: Values) -> Answer: ...
    async def log(self, values: Values) -> Answer: ...
    async def import_(self, values: Values) -> Answer: ...
    async def as_json(self, name: str, values: Values) -> bytes:
        """The whole answer of one of the reads, as the database has written it."""
        ...

    async def close(self) -> None: ...


async def open_limit(url: str) -> Workloads:
    target = parse_url(url)
    return Sqlite(target) if isinstance(target, SqliteTarget) else await Postgres.open(target)


READS = ("one", "page", "nested", "search")
WRITES = {"create": "create", "log": "log", "import": "import_"}
"""Name of a workload → its method."""


def application(database: Workloads) -> Callable[..., Awaitable[None]]:
    """The ASGI application; requests are the workload's variables as JSON."""
    workloads: dict[str, Callable[[Values], Awaitable[bytes]]] = {}
    for name in READS:
        workloads[f"/rows/{name}"] = partial(encoded, getattr(database, name))
        workloads[f"/json/{name}"] = partial(database.as_json, name)
    for name, method in WRITES.items():
        workloads[f"/rows/{name}"] = partial(encoded, getattr(database, method))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        body: bytes = message["body"]
        if message["more_body"]:
            parts = [body]
            while message["more_body"]:
                message = await receive()
                parts.append(message["body"])
            body = b"".join(parts)
        content = await workloads[scope["path"]](orjson.loads(body))
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(content)),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    return app


async def encoded(workload: Callable[[Values], Awaitable[Answer]], values: Values) -> bytes:
    """As the API writes it: moments in UTC, with the Z."""
    return orjson.dumps({"data": await workload(values)}, option=orjson.OPT_UTC_Z)


async def main() -> None:
    database = await open_limit(os.environ["CRM_DATABASE_URL"])
    try:
        await serve(application(database), int(sys.argv[1]))
    finally:
        await database.close()


if __name__ == "__main__":
    run(main())
