"""Transactions of a single statement, on their way to PostgreSQL: those of a kind that wait go together.

A statement costs the server, and Python, almost as much for one of them as for several. So one is sent at
once, and those of its kind that come while it is under way are stored by the next one. Each is still a
transaction of its own: where anything is amiss with one of them, it is stored by itself, and waits
for others' locks or fails as it would have done alone. Nobody hears of it before the server has it.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import asyncpg

from crm_framework.errors import CrmError

from .failures import Unconfirmed
from .gathered import Gathered, Kind, Outdated, for_many, in_one
from .sessions import Slots

if TYPE_CHECKING:
    from .postgres_session import PostgresSession

log = logging.getLogger(__name__)

MOST = 8
"""Transactions in one statement at most; more of them are hardly cheaper. There are two, four or so many in
one, as each number is another statement to prepare."""

MOST_VALUES = 1_000
"""Values in one statement at most: a longer one the driver would not keep prepared."""

PATIENCE_SECONDS = 0.005
"""How long they wait for the one that is under way, which may wait itself: for a disk, or for a lock."""

_KINDS = 256
"""Kinds whose types are kept."""


@dataclass(slots=True)
class _Whole:
    gathered: Gathered
    stored: asyncio.Future[None]


@dataclass(slots=True)
class _Lane:
    """Those of one kind."""

    most: int
    """How many of them go in one statement."""
    waiting: deque[_Whole] = field(default_factory=deque)
    under_way: int = 0
    """Statements."""
    timer: asyncio.TimerHandle | None = None


class Wholes:
    """Those of one driver; `begin` opens a session. Those that have to wait for others' locks take no more
    than `waiters` connections for that.
    """

    def __init__(self, begin: "Callable[[], PostgresSession]", waiters: Slots) -> None:
        self._begin = begin
        self._waiters = waiters
        self._lanes: dict[Kind, _Lane] = {}
        self._types: dict[Kind, tuple[str, ...]] = {}
        self._sending: set[asyncio.Task[None]] = set()

    def add(self, kind: Kind, gathered: Gathered) -> asyncio.Future[None]:
        """Done when it is on the server's disk. It fails with `Outdated` where what it assumes is not so."""
        loop = asyncio.get_running_loop()
        whole = _Whole(gathered, loop.create_future())
        lane = self._lanes.get(kind)
        if lane is None:
            lane = self._lanes[kind] = _Lane(_most(kind))
        lane.waiting.append(whole)
        if lane.under_way and len(lane.waiting) % lane.most:
            self._be_patient(kind, lane)
        else:
            self._send(kind, lane)
        return whole.stored

    async def close(self) -> None:
        """Waits for what is on its way."""
        while self._sending:
            await asyncio.wait(self._sending)

    def _be_patient(self, kind: Kind, lane: _Lane) -> None:
        if lane.timer is None:
            loop = asyncio.get_running_loop()
            lane.timer = loop.call_later(PATIENCE_SECONDS, self._send, kind, lane)

    def _send(self, kind: Kind, lane: _Lane) -> None:
        lane.under_way += 1
        self._later(self._sent(kind, lane))

    async def _sent(self, kind: Kind, lane: _Lane) -> None:
        group = [lane.waiting.popleft() for _ in range(min(lane.most, _power(len(lane.waiting))))]
        if lane.timer is not None:
            lane.timer.cancel()
            lane.timer = None
        if lane.waiting:
            self._be_patient(kind, lane)
        try:
            if len(group) == 1 and lane.under_way == 1:
                await self._store_alone(kind, group[0])
            elif group:  # one beside another, too: that may be waiting for a lock
                await self._store_together(kind, group)
        finally:
            lane.under_way -= 1
            if lane.waiting:
                self._send(kind, lane)
            elif not lane.under_way:
                del self._lanes[kind]

    async def _store_together(self, kind: Kind, group: Sequence[_Whole]) -> None:
        stored: set[int] = set()
        session = self._begin()
        try:
            await session.connect()
        except Exception as error:
            _tell(group, error)
            return
        try:
            sql = for_many(kind, len(group), await self._types_of(session, kind))
            values = [value for whole in group for value in whole.gathered.values]
            stored.update(row[0] for row in await session.returned(sql, values))
        except Unconfirmed as error:
            _tell(group, error)
            return
        except Exception as error:
            # nothing is stored; each finds out by itself whether it was at fault
            log.debug("%d changes could not be stored together: %r", len(group), error)
        finally:
            await session.close()
        _tell([whole for number, whole in enumerate(group) if number in stored])
        for number, whole in enumerate(group):
            if number not in stored:
                self._later(self._store_after_all(kind, whole))

    async def _store_after_all(self, kind: Kind, whole: _Whole) -> None:
        """One that could not go with others, most likely since another change holds what it needs."""
        try:
            async with self._waiters.one():
                await self._store_alone(kind, whole)
        except CrmError as error:
            _tell([whole], error)

    async def _store_alone(self, kind: Kind, whole: _Whole) -> None:
        session = self._begin()
        try:
            await session.connect()
            changed = await session.changed(in_one(kind), whole.gathered.values)
            _tell([whole], Outdated() if whole.gathered.assumed and not changed else None)
        except Exception as error:
            _tell([whole], error)
        finally:
            await session.close()

    async def _types_of(self, session: "PostgresSession", kind: Kind) -> tuple[str, ...]:
        if kind not in self._types:
            types = tuple(map(_spelt, await session.types_of(in_one(kind))))
            if len(self._types) >= _KINDS:
                self._types.clear()
            self._types[kind] = types
        return self._types[kind]

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)


def _spelt(type_: asyncpg.Type) -> str:
    schema, name = (str(part).replace('"', '""') for part in (type_.schema, type_.name))
    item = name.removesuffix("[]")
    return f'"{schema}"."{item}"{name[len(item) :]}'


def _most(kind: Kind) -> int:
    values = sum(len(columns) * rows for _, columns, rows in kind[1])
    return _power(max(1, min(MOST, MOST_VALUES // values)))


def _power(number: int) -> int:
    """The greatest power of two that is no greater; 0 for 0."""
    return 1 << number.bit_length() >> 1


def _tell(group: Sequence[_Whole], error: Exception | None = None) -> None:
    for whole in group:
        if not whole.stored.done():
            if error is None:
                whole.stored.set_result(None)
            else:
                whole.stored.set_exception(error)
