"""The proof that the kept figures are those of a scan of all interactions.

Each customer's rows are compared with a count of all their purchases and refunds; then the sums over all
customers with those of the rows. Customers whose events the worker has yet to hand over are left out: what
differs there is on its way. Tickets, tickets solved and points are proved by nothing here: they are sums
of what other plugins told, of which there is no record to scan.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from crm_framework import UnitOfWork, among

from . import answers, moods
from .rollups import figures, membership, rebuild, summing
from .rollups.figures import NOTHING, Standing
from .rollups.kept import Source
from .rollups.recount import held
from .rollups.state import state

MOST = 100
"""Differences that are told."""


@dataclass
class Found:
    """How far the proof is, and where figures differ."""

    after: str | None = None
    customers: int = 0
    differences: list[str] = field(default_factory=list)
    owed: int = 0
    """Customers who differ by what is still to be counted."""


async def verify(tx: UnitOfWork) -> Found:
    """How many customers were looked at, and where figures differ from a scan, `MOST` of these."""
    run = rebuild.Inside(tx)
    found = await batch(run, Found())
    while found.after is not None:
        found = await batch(run, found)
    found.differences += await sums(tx)
    del found.differences[MOST:]
    return found


async def batch(run: rebuild.Run, found: Found) -> Found:
    """Looks at the next customers. `after` is None after the last ones."""
    standing = await figures.next_ones(found.after, rebuild.CHUNK, run.reader)
    wrong = {customer for customer, _ in await _differences(standing, run.reader)}
    told: list[str] = []
    owed: set[str] = set()
    if wrong:
        # what was recorded between two statements is no difference: once more, with them held
        async with run.unit_of_work() as tx:
            owed = await _owed(wrong, tx)
            if rest := wrong - owed:
                await held(rest, tx)
                owed |= await _owed(rest, tx)
                again = await figures.these(rest - owed, tx)
                told = [text for _, text in await _differences(again, tx)]
    more = len(standing) == rebuild.CHUNK and len(found.differences) + len(told) < MOST
    return Found(
        list(standing)[-1] if more else None,
        found.customers + len(standing),
        [*found.differences, *told],
        found.owed + len(owed),
    )


async def _owed(customers: Collection[str], tx: UnitOfWork) -> set[str]:
    where = among("customer_id", sorted(customers), tx.dialect)
    rows = await tx.fetch(
        "SELECT DISTINCT customer_id FROM crm_delivery"
        f" WHERE handler = 'analytics' AND status = 'PENDING' AND {where.sql}",
        where.args,
    )
    return {str(row["customer_id"]) for row in rows}


async def _differences(customers: Mapping[str, Standing], source: Source) -> list[tuple[str, str]]:
    """Customer, and what differs."""
    own = (await state(source)).zone
    zones = {one.id: one.zone or own for one in customers.values()}
    scan = await figures.scanned(zones, source)
    kept_answers, given = await answers.compared(customers, source)
    unhappy = await moods.differing({one.id: one.unhappy_at for one in customers.values()}, source)
    memberships, wanted_memberships = await membership.compared(scan.months.after, source)
    found: list[tuple[str, str]] = []
    for customer, one in customers.items():
        pairs: list[tuple[str, Mapping[Any, Any], Mapping[Any, Any]]] = [
            (what, change.before.get(customer, {}), change.after.get(customer, {}))
            for what, change in (
                ("days", scan.days),
                ("months", scan.months),
                ("activity", scan.activity),
                ("revenue", scan.revenue),
                ("products", scan.products),
            )
        ]
        pairs.append(("answers", kept_answers.get(customer, {}), given.get(customer, {})))
        pairs.append(("memberships", memberships.get(customer, {}), wanted_memberships.get(customer, {})))
        wanted = scan.together[customer]
        if one.together != wanted:
            together = None if one.together == NOTHING else one.together
            pairs.append(("figures", {"together": together}, {"together": wanted}))
        found += [
            (customer, text) for what, old, new in pairs for text in _compared(what, customer, old, new)
        ]
        if customer in unhappy:
            text = f"mood of {customer}: {one.unhappy_at} is kept, which is not their latest in a bad one"
            found.append((customer, text))
    return found


def _compared(what: str, whose: str, old: Mapping[Any, Any], new: Mapping[Any, Any]) -> Iterator[str]:
    for key in {**old, **new}:
        if old.get(key) != new.get(key):
            place = " ".join(map(str, key)) if isinstance(key, tuple) else key
            yield f"{what} of {whose}, {place}: {old.get(key)} is kept, {new.get(key)} was recorded"


async def sums(source: Source) -> list[str]:
    """Where the sums over all differ from those of the customers' rows, and of those who were erased."""
    lacking = await summing.lacking((await state(source)).zone, source)
    return [
        f"{total.table} {' '.join(map(str, key))}: {', '.join(total.numbers)} differ by"
        f" {tuple(-number for number in numbers)}"
        for total, some in lacking.items()
        for key, numbers in some.items()
    ]
