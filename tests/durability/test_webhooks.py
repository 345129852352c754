"""`crm serve` is killed while it sends to webhooks: every event arrives, repeated under the same id if it is
repeated, and the log tells so."""

import asyncio
import base64
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from crm_framework.outgoing.signatures import signed_headers
from crm_framework.storage.clock import now
from crm_framework.storage.database import Database
from crm_framework.storage.stream import read_after
from crm_framework.testing.templates import Kind, TestDatabases

from . import office, receiving
from .clerks import document
from .servers import CrmServer
from .test_crashes import BUDGETS_MS, WAIT_SECONDS, clerks_at, counter_of

KILLS = int(os.environ.get("TORTURE_KILLS", "2"))
SEED = os.environ["TORTURE_SEED"]
SETTINGS = {"CRM_WEBHOOK_ALLOW_HTTP": "true", "CRM_WEBHOOK_ALLOW_PRIVATE": "127.0.0.1"}
MADE = "createWebhook(input: $input) { secret webhook { id } errors { code } }", "CreateWebhookInput"


@asynccontextmanager
async def receiver(file: Path) -> AsyncIterator[str]:
    """The address of one in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", receiving.__name__, str(file), SEED, stdout=PIPE
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(await process.stdout.readline())}/crm"
    finally:
        process.kill()
        await process.communicate()


async def all_arrived(database: Database) -> None:
    """Waits until nothing is owed any more. Leases and pauses are not waited out, as if time had passed."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            [reader] = await database.fetch("SELECT position FROM crm_stream_reader WHERE name = 'webhooks'")
            page = await read_after(database, reader["position"], 1)
            pending = await database.fetch("SELECT 1 FROM crm_webhook_delivery WHERE status = 'PENDING'")
            if not (pending or page.events or page.waiting):
                return
            async with database.unit_of_work() as tx:
                await tx.execute(
                    "UPDATE crm_webhook_delivery SET next_at = ? WHERE status = 'PENDING' AND next_at > ?",
                    (now(), now()),
                )
                tx.wake("webhooks")
            await asyncio.sleep(0.5)


async def test_killed_while_it_sends(
    test_databases: TestDatabases, database_kind: Kind, tmp_path: Path
) -> None:
    url, rng = test_databases.copy(database_kind, "office", office.prepare), Random(SEED)
    notes = tmp_path / "received"
    server = CrmServer(url, tmp_path, settings=SETTINGS)
    await server.start(BUDGETS_MS[0])
    try:
        async with receiver(notes) as address, counter_of(server) as counter:
            counter.opened.set()
            made = await counter.ask(document(MADE), {"url": address})
            async with clerks_at(counter, SEED):
                for _ in range(KILLS):
                    await counter.busy(rng.randint(5, 20))
                    await asyncio.sleep(rng.random() * 0.1)
                    await server.kill()
                    await counter.close()
                    await server.start(BUDGETS_MS[0])
                    counter.opened.set()
                await counter.busy(5)
            async with await Database.open(url, apps={}, pool_size=1, read_pool_size=1) as database:
                await all_arrived(database)
                await server.kill()
                [webhook] = await database.fetch("SELECT begins FROM crm_webhook")
                events = (await read_after(database, webhook["begins"], 1_000_000)).events
                deliveries = await database.fetch("SELECT * FROM crm_webhook_delivery")
    finally:
        await server.kill()
    received: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in notes.read_text().splitlines():
        got = json.loads(line)
        received[got["headers"]["webhook-id"]].append(got)
    assert sorted(row["event_id"] for row in deliveries) == sorted(event.id for event in events)
    assert received.keys() == {row["id"] for row in deliveries}
    types = {event.id: event.type for event in events}
    for row in deliveries:
        repeats = received[row["id"]]
        assert (row["status"], row["response_status"]) == ("DELIVERED", 200)
        assert len(repeats) <= row["attempts"]
        assert not all(got["failing"] for got in repeats)
        assert {json.loads(base64.b64decode(got["body"]))["type"] for got in repeats} == {
            types[row["event_id"]]
        }
        for got in repeats:
            at = datetime.fromtimestamp(int(got["headers"]["webhook-timestamp"]), UTC)
            signed = signed_headers(row["id"], at, base64.b64decode(got["body"]), [made["secret"]])
            assert got["headers"]["webhook-signature"] == signed["webhook-signature"]
    repeated = sum(len(repeats) - 1 for repeats in received.values())
    sys.stderr.write(
        f"\nTORTURE_SEED={SEED}, {KILLS} kills: {len(events)} events arrived, {repeated} repeated, of which"
        f" {sum(got['failing'] for repeats in received.values() for got in repeats)} after a failure\n"
    )
    assert "Traceback" not in server.log
    test_databases.drop(url)
