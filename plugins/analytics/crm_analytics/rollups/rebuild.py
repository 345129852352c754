"""All figures counted anew, in batches: whoever goes on where another was killed comes to the same end.

Customers are looked at beside all changes, and only what proves to be otherwise is written, a few thousand
rows at a time. Whoever was counted between the look and the writing is counted once more, under a hold.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterator
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from dataclasses import dataclass
from typing import Protocol

from crm_analytics import answers, moods
from crm_framework import UnitOfWork

from . import membership, quintiles, summing, totals
from .figures import Figures, Standing, next_ones, scanned
from .kept import Held, Source
from .recount import held, keep, recount
from .state import NAME, State, state

CHUNK = 500
"""Customers who are looked at together."""
ROWS = 1_000
"""About as many rows are written in one transaction: on SQLite everybody else waits for as long with a
change."""


class Run(Protocol):
    """What a job and a command have in common."""

    @property
    def reader(self) -> Source: ...

    def unit_of_work(self) -> AbstractAsyncContextManager[UnitOfWork]: ...


@dataclass(frozen=True)
class Progress:
    """`after` is the key of the last customer who was counted; None at the end."""

    after: str | None
    done: int


@dataclass(frozen=True)
class Look:
    """Customers as they were found; `differing` are those of whom something else is to be kept."""

    standing: dict[str, Standing]
    figures: Figures
    zone: str
    differing: frozenset[str]
    answers: frozenset[str]
    moods: frozenset[str]
    memberships: frozenset[str]

    @property
    def after(self) -> str | None:
        """The last one's key; None where none follow."""
        return list(self.standing)[-1] if len(self.standing) == CHUNK else None

    def pieces(self) -> Iterator[list[str]]:
        """Those to be written, as many as make `ROWS` rows at a time."""
        wanted = self.differing | self.answers | self.moods | self.memberships
        piece: list[str] = []
        rows = 0
        for customer in self.standing:
            if customer in wanted:
                piece.append(customer)
                rows += self._rows(customer)
                if rows >= ROWS:
                    yield piece
                    piece, rows = [], 0
        if piece:
            yield piece

    def _rows(self, customer: str) -> int:
        changes = (self.figures.days, self.figures.months, self.figures.products)
        return 3 + sum(
            len(rows) for one in changes for rows in (one.before.get(customer, ()), one.after[customer])
        )


async def begin(tx: UnitOfWork, zone: str) -> None:
    """Has customers who come meanwhile counted for the zone from the start."""
    await tx.execute("UPDATE analytics_state SET next_zone = ? WHERE name = ?", [zone, NAME])


async def number(after: str | None, source: Source) -> int:
    """How many customers there are to be looked at."""
    more, args = ("AND id > ?", [after]) if after else ("", [])
    [row] = await source.fetch(
        "SELECT COUNT(*) AS number FROM crm_customer WHERE merged_into_id IS NULL AND erased_at IS NULL"
        f" {more}",
        args,
    )
    return int(row["number"])


async def look(after: str | None, source: Source) -> Look:
    """At the next customers, and at all that is kept and was recorded of them. Nobody waits for it."""
    now = await state(source)
    zone = now.next_zone or now.zone
    standing = await next_ones(after, CHUNK, source)
    figures = await scanned(dict.fromkeys(standing, zone), source)
    differing = {
        one.id
        for one in standing.values()
        if one.zone != zone
        or one.signup_month != one.signed_up(zone)
        or one.together != figures.together[one.id]
        or figures.differ(one.id)
    }
    return Look(
        standing,
        figures,
        zone,
        frozenset(differing),
        frozenset(await answers.differing(standing, source)),
        frozenset(await moods.differing({one.id: one.unhappy_at for one in standing.values()}, source)),
        frozenset(await membership.differing(figures.months.after, source)),
    )


async def write(found: Look, customers: Collection[str], tx: UnitOfWork) -> None:
    """Keeps what was found of these."""
    sums = not _apart(await _step(tx))
    now = await held(customers, tx)
    same = {one: now[one] for one in customers if one in now and _untouched(now[one], found.standing[one])}
    differing = {one: held_one for one, held_one in same.items() if one in found.differing}
    if differing:
        zones = dict.fromkeys(differing, found.zone)
        await keep(differing, found.figures.of(differing), zones, tx, sums=sums)
    others = {one: held_one for one, held_one in now.items() if one not in same}
    if others:
        await recount(others, None, tx, zone=found.zone, sums=sums)
    if again := [one for one in now if one in found.answers or one in others]:
        await answers.recount(again, tx)
    if again := [one for one in now if one in found.moods or one in others]:
        await moods.recount(again, tx)
    if again := [one for one in now if one in found.memberships or one in others]:
        await membership.recount(again, tx)


def _untouched(now: Held, before: Standing) -> bool:
    """Whether nobody held the customer since it was looked at: this hold is the next one."""
    return now.counted == (0 if before.counted is None else before.counted + 1)


def _apart(now: State) -> bool:
    """Whether all is being counted for the first time, or for another zone: the sums over all are then made
    at the end, instead of row by row."""
    return now.counted_at is None or now.next_zone not in (None, now.zone)


async def _step(tx: UnitOfWork) -> State:
    """Tells whoever sums up that something changed, and is the only one until the transaction's end."""
    await tx.execute("UPDATE analytics_state SET step = step + 1 WHERE name = ?", [NAME])
    return await state(tx)


async def batches(run: Run, after: str | None = None) -> AsyncIterator[Progress]:
    """Counts all customers, or those after one, each batch in transactions of its own."""
    done = 0
    looks = (_in_turn if isinstance(run.reader, UnitOfWork) else _ahead)(after, run.reader)
    async with aclosing(looks):
        async for found in looks:
            await write_all(run, found)
            done += len(found.standing)
            yield Progress(found.after, done)


async def _in_turn(after: str | None, source: Source) -> AsyncGenerator[Look, None]:
    while True:
        found = await look(after, source)
        yield found
        after = found.after
        if after is None:
            return


async def _ahead(after: str | None, source: Source) -> AsyncGenerator[Look, None]:
    """Looks at the next ones while those before are written: the database does both at once."""
    next_look = asyncio.ensure_future(look(after, source))
    try:
        while True:
            found = await next_look
            if found.after is not None:
                next_look = asyncio.ensure_future(look(found.after, source))
            yield found
            if found.after is None:
                return
    finally:
        next_look.cancel()
        await asyncio.gather(next_look, return_exceptions=True)


async def write_all(run: Run, found: Look) -> None:
    for piece in found.pieces():
        async with run.unit_of_work() as tx:
            await write(found, piece, tx)


async def finish(run: Run) -> None:
    """Brings the sums over all up to date, and says that all is counted."""
    while True:
        if await _late(run):
            continue
        now = await state(run.reader)
        zone = now.next_zone or now.zone
        lacking = await summing.lacking(zone, run.reader)
        bounds = await quintiles.look(run.reader)
        if await settle(run, now, lacking, bounds):
            return


async def _late(run: Run) -> bool:
    """Counts customers who go by another zone, if there are any: those who were made before the end of the
    last batch, but after their turn."""
    now = await state(run.reader)
    zone = now.next_zone or now.zone
    rows = await run.reader.fetch(
        f"SELECT customer_id FROM analytics_customer WHERE zone <> ? LIMIT {CHUNK // 10 + 1}", [zone]
    )
    if rows:
        async with run.unit_of_work() as tx:
            sums = not _apart(await _step(tx))
            customers = await held([str(row["customer_id"]) for row in rows], tx)
            await recount(customers, None, tx, zone=zone, sums=sums)
            await answers.recount(list(customers), tx)
            await moods.recount(list(customers), tx)
    return bool(rows)


async def settle(run: Run, seen: State, lacking: summing.Lacking, bounds: quintiles.Found) -> bool:
    """Adds what is lacking, and says that all is counted; False where somebody else came between: then it is
    to be looked at once more."""
    rows = [(total, item) for total, sums in lacking.items() for item in sums.items()]
    for place in range(0, max(1, len(rows)), ROWS):
        async with run.unit_of_work() as tx:
            now = await _step(tx)
            if now.step != seen.step + 1 or now.next_zone != seen.next_zone:
                return False
            seen = now
            for total in totals.TOTALS:
                part = [item for one, item in rows[place : place + ROWS] if one is total]
                totals.add(tx, total, part)
            if place + ROWS >= len(rows):
                await quintiles.keep(tx, bounds)
                await tx.execute(
                    "UPDATE analytics_state SET zone = ?, next_zone = NULL, counted_at = ? WHERE name = ?",
                    [now.next_zone or now.zone, tx.now, NAME],
                )
    return True


@dataclass(frozen=True)
class Inside:
    """Everything in one transaction."""

    reader: UnitOfWork

    def unit_of_work(self) -> AbstractAsyncContextManager[UnitOfWork]:
        return nullcontext(self.reader)


async def all_at_once(tx: UnitOfWork, zone: str) -> int:
    """Everything in one transaction, for small companies and for tests; the number of customers counted."""
    await begin(tx, zone)
    run, done = Inside(tx), 0
    async for progress in batches(run):
        done = progress.done
    await finish(run)
    return done
