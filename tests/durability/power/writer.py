"""`python -m … FOLDER SEED DEEDS [SYNCHRONOUS]`: clerks write to FOLDER's database by the whole service.

What is acknowledged goes to FOLDER/acknowledged, so that it stands in the same record as what reached the
disk before it.
"""

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import orjson

from crm_framework.app import open_service
from crm_framework.security.actors import Actor
from crm_framework.server.operations import Operation
from crm_framework.server.service import Service
from crm_framework.storage import durability, sqlite
from tests.durability import office
from tests.durability.clerks import Clerk, Note

CLERKS = 3
FILE = "crm.sqlite3"
ACKNOWLEDGED = "acknowledged"


async def main(folder: Path, seed: str, deeds: int) -> None:
    told = os.open(folder / ACKNOWLEDGED, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    async with open_service(office.settings(f"sqlite://{folder}/{FILE}")) as service:

        async def ask(document: str, input_: dict[str, Any]) -> Mapping[str, Any]:
            return await answer(service, document, input_)

        def note(note: Note) -> None:
            os.write(told, orjson.dumps(note) + b"\n")

        names = [f"{seed}{number}" for number in range(CLERKS)]
        await asyncio.gather(*(Clerk(name, ask, note, Random(name)).work(deeds) for name in names))
    os.close(told)


async def answer(service: Service, document: str, input_: dict[str, Any]) -> Mapping[str, Any]:
    context = service.context(Actor.system("clerks"), "clerks")
    operation = Operation(query=document, variables={"input": input_}, operation_name=None, read_only=False)
    result = orjson.loads((await service.execute(operation, context)).encoded())
    assert "errors" not in result, result
    found: Mapping[str, Any] = result["data"]["answer"]
    assert found["errors"] == [], found
    return found


def flush_less(level: str) -> None:
    """What a careless program would do, to show what is found then."""
    durability.SYNCHRONOUS = level
    vars(sqlite)["check_sqlite"] = lambda connection, target: None


if __name__ == "__main__":
    if len(sys.argv) > 4:
        flush_less(sys.argv[4])
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
