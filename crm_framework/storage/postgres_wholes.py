"""Transactions of a single statement, on their way to PostgreSQL: those of a kind that wait go together.

A statement costs the server, and Python, almost as much for one of them as for several. So one is sent at
once, and those of its kind that come while it is under way are stored by the next one, as arrays. Each is
still a transaction of its own: where anything is amiss with one of them, it is stored by itself, and waits
for others' locks or fails as it would have done alone. Nobody hears of it before the server has it.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import asyncpg

from .failures import Unconfirmed
from .gathered import Gathered, Kind, Outdated, for_many, in_one

if TYPE_CHECKING:
    from .postgres_session import PostgresSession

MOST = 32
"""Transactions in one statement at most, so that the first of them need not wait for very many."""

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

    waiting: deque[_Whole] = field(default_factory=deque)
    under_way: int = 0
    """Statements."""
    timer: asyncio.TimerHandle | None = None


class Wholes:
    """Those of one driver; `begin` opens a session."""

    def __init__(self, begin: "Callable[[], PostgresSession]") -> None:
        self._begin = begin
        self._lanes: dict[Kind, _Lane] = {}
        self._types: dict[Kind, tuple[str, ...] | None] = {}
        self._sending: set[asyncio.Task[None]] = set()

    def add(self, kind: Kind, gathered: Gathered) -> asyncio.Future[None]:
        """Done when it is on the server's disk. It fails with `Outdated` where what it assumes is not so."""
        loop = asyncio.get_running_loop()
        whole = _Whole(gathered, loop.create_future())
        lane = self._lanes.get(kind)
        if lane is None:
            lane = self._lanes[kind] = _Lane()
        lane.waiting.append(whole)
        if lane.under_way:
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
        if lane.timer is not None:
            lane.timer.cancel()
            lane.timer = None
        lane.under_way += 1
        self._later(self._sent(kind, lane))

    async def _sent(self, kind: Kind, lane: _Lane) -> None:
        group = [lane.waiting.popleft() for _ in range(min(len(lane.waiting), MOST))]
        if lane.waiting:
            self._be_patient(kind, lane)
        try:
            if len(group) == 1:
                await self._store_alone(kind, group[0])
            elif group:
                await self._store_together(kind, group)
        finally:
            lane.under_way -= 1
            if lane.waiting:
                self._send(kind, lane)
            elif not lane.under_way:
                del self._lanes[kind]

    async def _store_together(self, kind: Kind, group: Sequence[_Whole]) -> None:
        stored: frozenset[int] = frozenset()
        session = self._begin()
        try:
            await session.connect()
        except Exception as error:
            _tell(group, error)
            return
        try:
            types = await self._types_of(session, kind)
            if types is not None:
                columns = zip(*(whole.gathered.values for whole in group), strict=True)
                rows = await session.returned(for_many(kind, types), list(map(list, columns)))
                stored = frozenset(row[0] for row in rows)
        except Unconfirmed as error:
            _tell(group, error)
            return
        except Exception:
            pass  # nothing is stored; each finds out by itself whether it was at fault
        finally:
            await session.close()
        _tell([whole for number, whole in enumerate(group, 1) if number in stored])
        for number, whole in enumerate(group, 1):
            if number not in stored:
                self._later(self._store_alone(kind, whole))

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

    async def _types_of(self, session: "PostgresSession", kind: Kind) -> tuple[str, ...] | None:
        """The types of which arrays are sent; None where a value is an array itself."""
        if kind not in self._types:
            types = await session.types_of(in_one(kind))
            if len(self._types) >= _KINDS:
                self._types.clear()
            scalars = all(type_.kind == "scalar" for type_ in types)
            self._types[kind] = tuple(map(_spelt, types)) if scalars else None
        return self._types[kind]

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)


def _spelt(type_: asyncpg.Type) -> str:
    schema, name = (part.replace('"', '""') for part in (type_.schema, type_.name))
    return f'"{schema}"."{name}"'


def _tell(group: Sequence[_Whole], error: Exception | None = None) -> None:
    for whole in group:
        if not whole.stored.done():
            if error is None:
                whole.stored.set_result(None)
            else:
                whole.stored.set_exception(error)
