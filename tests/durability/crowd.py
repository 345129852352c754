"""`python -m … URL NAME`: one of several processes that do the same things to the same records at once.

It says that it is ready and waits for a line, so that all begin together; then it prints what it was
answered, as JSON.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable
from typing import Any

import orjson

from crm_framework.app import open_service
from crm_framework.security.actors import Actor
from crm_framework.server.operations import Operation
from crm_framework.server.service import Service
from crm_framework.testing.apps import settings_with

from . import office
from .clerks import BUY, CREATE, MERGE, RENAME, TAG, document

UPDATES, KEYS, PURCHASES, TAGS, MERGES, SEGMENTS = 20, 15, 15, 10, 5, 5
SOURCE = "crowd"
SEGMENT = "createSegment(input: $input) { segment { id } errors { code message } }", "CreateSegmentInput"


async def main(url: str, name: str) -> None:
    settings = settings_with(office.settings(url), database_pool_timeout_s=120.0)
    async with open_service(settings) as service:
        one = One(service, name)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)
        deeds: list[Awaitable[Any]] = [
            one.count_up(),
            one.keys(),
            one.buy(),
            one.tag(),
            one.merge(),
            one.name(),
        ]
        await asyncio.gather(*deeds)
        sys.stdout.buffer.write(orjson.dumps({"said": one.said, "counted": one.counted}))


class One:
    def __init__(self, service: Service, name: str) -> None:
        self.service = service
        self.name_ = name
        self.said: dict[str, str] = {}
        """What a key, reference or name led to."""
        self.counted: Counter[str] = Counter()

    async def ask(self, change: tuple[str, str], **input_: Any) -> dict[str, Any]:
        context = self.service.context(Actor.system("crowd"), "crowd")
        operation = Operation(document(change), {"input": input_}, None, False)
        result = orjson.loads((await self.service.execute(operation, context)).encoded())
        assert "errors" not in result, result
        payload: dict[str, Any] = result["data"]["answer"]
        return payload

    async def customer(self, reference: str) -> str:
        """The id of a customer; whoever comes first makes it."""
        answer = await self.ask(CREATE, name=reference, source=SOURCE, reference=reference)
        assert answer["errors"] == [], answer
        return str(answer["customer"]["id"])

    async def count_up(self) -> None:
        """Reads, adds one, and writes what it read with its version: on a conflict, once more."""
        customer = await self.customer("0")
        done = 0
        while done < UPDATES:
            (row,) = await self.service.database.fetch(
                "SELECT name, version FROM crm_customer WHERE source = ? AND reference = '0'", [SOURCE]
            )
            answer = await self.ask(
                RENAME, id=customer, name=str(int(row["name"]) + 1), expectedVersion=row["version"]
            )
            if answer["errors"]:
                assert {error["code"] for error in answer["errors"]} == {"CONFLICT"}, answer
                self.counted["conflicts"] += 1
            else:
                done += 1

    async def keys(self) -> None:
        for number in range(KEYS):
            answer = await self.ask(CREATE, name=f"Keyed {number}", idempotencyKey=f"key {number}")
            assert answer["errors"] == [], answer
            self.said[f"key {number}"] = answer["customer"]["id"]

    async def buy(self) -> None:
        customer = await self.customer("buyer")
        for number in range(PURCHASES):
            total = {"amount": f"{number + 1}.00", "currency": "EUR"}
            ref = f"purchase {number}"
            answer = await self.ask(BUY, customer=customer, total=total, source=SOURCE, reference=ref)
            assert answer["errors"] == [], answer
            self.said[ref] = answer["interaction"]["id"]

    async def tag(self) -> None:
        customer = await self.customer("tagged")
        for number in range(TAGS):
            answer = await self.ask(
                TAG, customers=[customer], add=[f"{self.name_} {number}", f"all {number}"]
            )
            assert answer["errors"] == [], answer

    async def merge(self) -> None:
        winner = await self.customer("winner")
        for number in range(MERGES):
            loser = await self.customer(f"loser {number}")
            if loser == winner:
                continue  # another process was here before: the reference leads to the winner
            answer = await self.ask(MERGE, winner=winner, losers=[loser])
            assert answer["errors"] == [], answer
            self.counted["merges"] += len(answer["losers"])

    async def name(self) -> None:
        """Names are unique: one process gets each, the others are told so."""
        for number in range(SEGMENTS):
            answer = await self.ask(SEGMENT, name=f"Segment {number}", filter={})
            assert {error["code"] for error in answer["errors"]} <= {"CONFLICT"}, answer
            self.counted["segments"] += not answer["errors"]
            self.counted["refusals"] += bool(answer["errors"])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
