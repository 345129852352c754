"""One reader of the stream of events in a process, for all who follow it there.

Each follower has a queue with a bound. One that does not keep up loses its queue and reads for itself what it
missed, until it has caught up: nobody else waits for it, nothing is lost, and no memory grows.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crm_framework.errors import CrmError
from crm_framework.events import CustomersMerged, Event

from .families import family
from .stream import Page, StreamedEvent, check_kept, check_position, order_of, read_after, tail

if TYPE_CHECKING:
    from .database import Database

log = logging.getLogger(__name__)

PAGE = 200
FIRST_LOOK_SECONDS = 0.01
LAST_LOOK_SECONDS = 0.5
"""Pauses between looks at what is committed but waits for an older transaction, doubled each time."""

LAST_RETRY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Told:
    """An event with its place in the stream. `position` is what to keep, to go on after it."""

    event: Event
    id: str
    row: StreamedEvent

    @property
    def position(self) -> str:
        return self.row.position


class _Follower:
    def __init__(self, types: Collection[str] | None, size: int) -> None:
        self.types = None if types is None else frozenset(types)
        self.customers: set[str] | None = None
        self.size = size
        self.queue: deque[Told] = deque()
        self.overrun = False
        self.filled = asyncio.Event()

    def takes(self, told: Told) -> bool:
        if self.customers is not None:
            if isinstance(told.event, CustomersMerged):
                together = {told.row.customer_id or "", *told.event.losers}
                if not together.isdisjoint(self.customers):
                    self.customers |= together
            if told.row.customer_id not in self.customers:
                return False
        return self.types is None or told.row.type in self.types

    def narrow(self, customers: set[str]) -> None:
        """Takes the events of these keys only, and of those that are merged with them later."""
        self.customers = customers
        self.queue = deque(told for told in self.queue if self.takes(told))

    def offer(self, told: Told) -> None:
        if self.overrun or not self.takes(told):
            return
        if len(self.queue) >= self.size:
            self.overrun = True
            self.queue.clear()
        else:
            self.queue.append(told)
        self.filled.set()


class Feed:
    """The events of one open database, as they are committed anywhere."""

    def __init__(self, database: "Database") -> None:
        self._database = database
        self._followers: set[_Follower] = set()
        self._reader: asyncio.Task[None] | None = None
        self._position: str | None = None
        self._placed = asyncio.Event()
        self.watchers: list[Callable[[Event], None]] = []
        """Called with each event while anybody follows. Must not raise."""

    async def events(
        self,
        *,
        types: Collection[str] | None = None,
        customer: str | None = None,
        after: str | None = None,
        queue: int = 1_000,
    ) -> AsyncGenerator[Told, None]:
        """What happens from now on, or all that happened after a position and then what happens.

        Of one `customer`, given that, under all keys that it had, has and gets by merges. In order, each
        once; `queue` of them wait in memory at most. Raises CrmError for a position that cannot be gone on
        from, and where the database is away while it is caught up. Events of plugins that are not on are left
        out.
        """
        if after is not None:
            await check_position(self._database, after)
        position = await tail(self._database) if after is None else after
        while True:
            # what lies far back is read page by page, at the pace of the one who takes it
            while True:
                page = await self._page(position, types, customer)
                for told in self._known(page.events):
                    yield told
                position = page.position
                if len(page.events) < PAGE:
                    break
            follower = _Follower(types, queue)
            begin = order_of(await self._follow(follower))
            try:
                if customer is not None:
                    # read when nothing is missed any more: merges from now on come through the stream
                    follower.narrow(await family(self._database, customer))
                last = order_of(position)
                while last < begin:
                    page = await self._page(position, types, customer)
                    for told in self._known(page.events):
                        if (last := order_of(told.position)) > begin:
                            break
                        yield told
                        position = told.position
                    else:
                        position = page.position
                        last = order_of(position)
                while not follower.overrun:
                    if not follower.queue:
                        follower.filled.clear()
                        await follower.filled.wait()
                        continue
                    told = follower.queue.popleft()
                    # the reader may have been a little behind
                    if order_of(told.position) > order_of(position):
                        yield told
                        position = told.position
            finally:
                self._followers.discard(follower)

    async def _page(self, position: str, types: Collection[str] | None, customer: str | None) -> Page:
        """What comes next, none of it left out."""
        page = await read_after(self._database, position, PAGE, types=types, customer=customer)
        await check_kept(self._database, position)  # afterwards, so that what was removed meanwhile shows
        return page

    @property
    def followers(self) -> int:
        return len(self._followers)

    async def _follow(self, follower: _Follower) -> str:
        """The position after which the follower gets everything."""
        self._followers.add(follower)
        try:
            if self._reader is None:
                self._placed.clear()
                self._reader = asyncio.ensure_future(self._read())
            if self._position is None:
                await self._placed.wait()
        except BaseException:
            self._followers.discard(follower)
            raise
        # nothing is offered between the reader's page and here: there is no await in between
        follower.queue.clear()
        follower.overrun = False
        assert self._position is not None
        return self._position

    def _known(self, rows: Collection[StreamedEvent]) -> list[Told]:
        types = self._database.event_types
        found: list[Told] = []
        for row in rows:
            if types is None or row.type not in types:
                continue
            try:
                found.append(Told(types.decode(row.type, row.payload), row.id, row))
            except Exception as error:
                log.error("the event %s of type %s cannot be read: %s", row.id, row.type, error)
        return found

    async def _read(self) -> None:
        look, retry = FIRST_LOOK_SECONDS, FIRST_LOOK_SECONDS
        try:
            while self._followers:
                seen = self._database.notices.count
                try:
                    if self._position is None:
                        self._position = await tail(self._database)
                        self._placed.set()
                    page = await read_after(self._database, self._position, PAGE)
                except Exception as error:
                    if not isinstance(error, CrmError):
                        log.exception("the stream of events cannot be read")
                    await asyncio.sleep(retry)
                    retry = min(2 * retry, LAST_RETRY_SECONDS)
                    continue
                retry = FIRST_LOOK_SECONDS
                self._position = page.position
                for told in self._known(page.events):
                    for watcher in self.watchers:
                        watcher(told.event)
                    for follower in self._followers:
                        follower.offer(told)
                if page.events:
                    look = FIRST_LOOK_SECONDS
                    await asyncio.sleep(0)  # those who follow come between two pages
                elif page.waiting:
                    await self._database.notices.wait(seen, look)
                    look = min(2 * look, LAST_LOOK_SECONDS)
                else:
                    await self._database.notices.wait(seen)
        finally:
            self._reader = None
            self._position = None

    async def close(self) -> None:
        reader = self._reader
        if reader is not None:
            reader.cancel()
            await asyncio.wait([reader])
