"""The worker's loops, on chores whose work is known: when they look, how much they begin, how they end."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from crm_framework.storage.database import Database
from crm_framework.worker import loop as loops
from crm_framework.worker.loop import Chore, Piece, Worker, finish, working

NEVER = 3600.0


class Pile:
    """Work that waits to be done: `begun` and `done` are the items, in their order."""

    def __init__(self, items: Sequence[int] = ()) -> None:
        self.waiting = list(items)
        self.begun: list[int] = []
        self.done: list[int] = []
        self.looks = 0
        self.at_once = 0
        self.most_at_once = 0
        self.gate: asyncio.Event | None = None
        self.faults: dict[int, Exception] = {}
        self.fault_of_due: Exception | None = None

    def chore(self, width: int = 1) -> Chore:
        return Chore(name="pile", due=self.due, width=width)

    async def due(self, room: int) -> Sequence[Piece]:
        self.looks += 1
        if self.fault_of_due is not None:
            fault, self.fault_of_due = self.fault_of_due, None
            raise fault
        taken, self.waiting = self.waiting[:room], self.waiting[room:]
        return [self.piece(item) for item in taken]

    def piece(self, item: int) -> Piece:
        async def do() -> None:
            self.begun.append(item)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            try:
                if self.gate is not None:
                    await self.gate.wait()
                await asyncio.sleep(0)
                if item in self.faults:
                    raise self.faults[item]
                self.done.append(item)
            finally:
                self.at_once -= 1

        return do


@asynccontextmanager
async def running(worker: Worker) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(worker.run())
    try:
        yield task
    finally:
        await finish(worker, task, 0.1)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  # what the test watches has no event of its own
            await asyncio.sleep(0.001)


async def test_it_does_all_there_is_and_never_more_at_once_than_its_width() -> None:
    pile = Pile(range(50))
    async with running(Worker([pile.chore(width=3)], poll_seconds=NEVER)):
        await until(lambda: len(pile.done) == 50)
    assert sorted(pile.done) == list(range(50))
    assert pile.most_at_once == 3


async def test_it_rests_until_it_is_woken() -> None:
    pile = Pile()
    worker = Worker([pile.chore()], poll_seconds=NEVER)
    async with running(worker):
        await until(lambda: pile.looks == 1)
        pile.waiting.append(1)
        await asyncio.sleep(0.05)
        assert (pile.looks, pile.done) == (1, [])
        worker.wake({"something else", "pile"})
        await until(lambda: pile.done == [1])


async def test_a_commit_that_wakes_it_does_so_and_a_rollback_does_not(database: Database) -> None:
    pile = Pile()
    worker = Worker([pile.chore()], poll_seconds=NEVER)
    database.bells.append(worker.wake)
    async with running(worker):
        await until(lambda: pile.looks == 1)
        with pytest.raises(ZeroDivisionError):
            async with database.unit_of_work() as tx:
                tx.wake("pile")
                await tx.execute("DELETE FROM crm_delivery")
                raise ZeroDivisionError
        await asyncio.sleep(0.05)
        assert pile.looks == 1
        async with database.unit_of_work() as tx:
            tx.wake("pile")
            await tx.execute("DELETE FROM crm_delivery")
        await until(lambda: pile.looks == 2)


async def test_it_is_woken_while_it_works(database: Database) -> None:
    pile = Pile()
    async with working(database, [pile.chore()], grace_seconds=1):
        await until(lambda: pile.looks > 0)
        pile.waiting = [1]
        async with database.unit_of_work() as tx:
            tx.wake("pile")
            await tx.execute("DELETE FROM crm_delivery")
        await until(lambda: pile.done == [1])
    assert database.bells == []


async def test_it_looks_by_itself_after_a_while() -> None:
    pile = Pile()
    async with running(Worker([pile.chore()], poll_seconds=0.01)):
        await until(lambda: pile.looks >= 3)
        pile.waiting.append(1)
        await until(lambda: pile.done == [1])


async def test_what_raises_is_logged_and_the_loop_goes_on(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loops, "FIRST_PAUSE", 0.01)
    pile = Pile(range(4))
    pile.faults = {1: RuntimeError("the piece"), 2: RuntimeError("another")}
    pile.fault_of_due = RuntimeError("the look")
    other = Pile(range(4))
    chores = [pile.chore(), Chore(name="other", due=other.due)]
    async with running(Worker(chores, poll_seconds=0.01)):
        await until(lambda: pile.done == [0, 3] and other.done == [0, 1, 2, 3])
    failures = [record.getMessage() for record in caplog.records if record.name == loops.__name__]
    assert failures == [
        "The worker's pile could not look for work (1 in a row)",
        "The worker's pile failed (1 in a row)",
        "The worker's pile failed (2 in a row)",
    ]


async def test_what_runs_comes_to_its_end_when_the_worker_stops() -> None:
    pile = Pile(range(5))
    pile.gate = asyncio.Event()
    worker = Worker([pile.chore(width=2)], poll_seconds=NEVER)
    task = asyncio.create_task(worker.run())
    await until(lambda: len(pile.begun) == 2)
    worker.stop()
    await asyncio.sleep(0.02)
    assert not task.done()
    pile.gate.set()
    await finish(worker, task, 30)
    assert (sorted(pile.done), pile.waiting) == ([0, 1], [2, 3, 4])


async def test_what_takes_longer_than_the_grace_is_cut_short() -> None:
    pile = Pile(range(5))
    pile.gate = asyncio.Event()
    worker = Worker([pile.chore(width=2)], poll_seconds=NEVER)
    task = asyncio.create_task(worker.run())
    await until(lambda: len(pile.begun) == 2)
    await finish(worker, task, 0.01)
    assert task.cancelled()
    assert (pile.done, pile.at_once, pile.waiting) == ([], 0, [2, 3, 4])


async def test_drain_does_what_is_due_and_what_comes_of_it() -> None:
    first, second = Pile(range(7)), Pile()

    async def hand_on(room: int) -> Sequence[Piece]:
        pieces = await first.due(room)
        second.waiting += [10] * len(pieces)
        return pieces

    worker = Worker([second.chore(), Chore(name="first", due=hand_on, width=3)])
    assert await worker.drain() == 14
    assert (sorted(first.done), second.done) == (list(range(7)), [10] * 7)


async def test_drain_raises_what_a_piece_raises_after_those_beside_it_ended() -> None:
    pile = Pile(range(6))
    pile.faults = {0: RuntimeError("no")}
    with pytest.raises(RuntimeError, match="no"):
        await Worker([pile.chore(width=3)]).drain()
    assert (pile.done, pile.waiting) == ([1, 2], [3, 4, 5])
