"""Several processes send: each message arrives, and once more only where one was killed on the way."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.outgoing.mail import Mail

from .conftest import Office


@asynccontextmanager
async def postman(office: Office) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.messages.postman", office.database.url, str(office.server.port)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        process._transport.close()  # type: ignore[attr-defined]  # its pipe, which else is closed by chance


async def settled(office: Office) -> None:
    async with asyncio.timeout(120):
        while [row for row in await office.rows() if row["state"] == "QUEUED"]:  # noqa: ASYNC110  # others do it
            await asyncio.sleep(0.05)


async def test_two_at_once_send_each_message_once(office: Office) -> None:
    queued = [await office.queue(key=f"tests.{number}") for number in range(40)]
    async with postman(office), postman(office):
        await settled(office)
    assert Counter(mail.message_id for mail in office.server.taken) == Counter(
        message.message_id for message in queued
    )
    assert [row["attempts"] for row in await office.rows()] == [1] * 40


async def test_one_killed_between_sending_and_marking_leaves_it_to_another(office: Office) -> None:
    """The server has the message; the process dies before it can note that."""
    ann = await office.customer()
    taken = asyncio.Event()

    async def kill(mail: Mail) -> None:
        process.kill()
        taken.set()  # now: with its client the server ends this too

    office.server.after = kill
    async with postman(office) as process, asyncio.timeout(60):
        queued = await office.queue(customer_id=ann)
        await taken.wait()
    row = await office.row()
    assert (row["state"], row["attempts"], await office.jobs()) == ("QUEUED", 1, ["RUNNING"])
    office.server.after = None
    async with office.database.unit_of_work() as tx:
        await tx.execute("UPDATE crm_job SET leased_until = created_at")
    await office.work()  # takes it back
    await office.again()
    first, second = office.server.taken
    assert first.content == second.content
    assert first.message_id == queued.message_id
    row = await office.row()
    assert (row["state"], row["attempts"], await office.jobs()) == ("SENT", 2, ["DONE"])
    assert await office.told() == [("message.queued", ann), ("message.sent", ann)]
