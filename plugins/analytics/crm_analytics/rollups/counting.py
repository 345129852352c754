"""What an event changes in the figures of purchases and refunds, and in the tags that they are kept by."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from crm_framework import (
    CustomerTagged,
    CustomerUpdated,
    Event,
    InteractionUpdated,
    PurchaseRecorded,
    RefundRecorded,
    UnitOfWork,
    parse_time,
)

from .recount import CHUNK, Between, held, recount, retag

MONEY = ("purchase", "refund")
FAR = timedelta(days=400)
"""Where the days of one change lie further apart, all of its customers' days are counted."""


def concerns(event: Event) -> bool:
    """Whether it changes them: a purchase, a refund, or another channel of one; tags put on or taken off."""
    return event.customer_id is not None and (_sells(event) or _tags(event))


def _sells(event: Event) -> bool:
    return isinstance(event, PurchaseRecorded | RefundRecorded) or _corrects(event)


def _tags(event: Event) -> bool:
    return isinstance(event, CustomerTagged | CustomerUpdated) and "tags" in event.changes


def _corrects(event: Event) -> bool:
    return isinstance(event, InteractionUpdated) and event.kind in MONEY and "channel" in event.changes


async def count(events: Sequence[Event], tx: UnitOfWork) -> None:
    """Brings the days of these purchases and refunds up to date, and the tags."""
    await _count_tags({str(event.customer_id) for event in events if concerns(event) and _tags(event)}, tx)
    moments: list[datetime] = []
    customers: set[str] = set()
    everything = products = False
    for event in events:
        if event.customer_id is None or not _sells(event):
            continue
        customers.add(event.customer_id)
        products = products or "lines" in event.changes
        at = _moment(event.changes.get("occurred_at"))
        if at is None or _corrects(event):
            # its refunds go the way of a purchase, and they are on other days
            everything = True
        else:
            moments.append(at)
    if not customers:
        return
    between = None if everything else _between(moments)
    one_by_one = sorted(customers)
    for place in range(0, len(one_by_one), CHUNK):
        found = await held(one_by_one[place : place + CHUNK], tx)
        if found:
            await recount(found, between, tx, products=products or between is None)


async def _count_tags(customers: Collection[str], tx: UnitOfWork) -> None:
    one_by_one = sorted(customers)
    for place in range(0, len(one_by_one), CHUNK):
        await retag(await held(one_by_one[place : place + CHUNK], tx), tx)


def _moment(change: tuple[Any, Any] | None) -> datetime | None:
    return None if change is None or change[1] is None else parse_time(change[1])


def _between(moments: Sequence[datetime]) -> Between | None:
    """The days on which these moments may lie, in whatever zone."""
    first, last = min(moments), max(moments)
    if last - first > FAR:
        return None
    return Between(first.date() - timedelta(days=1), last.date() + timedelta(days=1))
