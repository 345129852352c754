"""What events tell of that may earn points: each cause has a source key, under which it counts once."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from crm_framework import (
    CustomerCreated,
    Event,
    InteractionLogged,
    InteractionUpdated,
    PurchaseRecorded,
    RefundRecorded,
    among,
    parse_time,
)

from .conditions import Line
from .rules import OWN_EVENTS, Cause, Trigger
from .store import Offer, Reads


@dataclass(frozen=True, kw_only=True)
class Told:
    """A cause, whose it is, and the key under which it counts once in a programme."""

    customer_id: str
    source_key: str
    cause: Cause
    interaction_id: str | None = None
    program_id: str | None = None
    """Only in this programme; in all, if None."""


OUTBOUND = "OUTBOUND"
"""The direction of a touch that we began."""


AT_ONCE = 500
"""Events that are looked at before others go on: an import has thousands."""


async def told_by(events: Sequence[Event], now: datetime) -> list[Told]:
    """The causes in a batch of events, each once. Those of interactions have yet to be looked up."""
    found: dict[tuple[str, str], Told] = {}
    for number, event in enumerate(events, 1):
        if number % AT_ONCE == 0:
            await asyncio.sleep(0)
        if event.customer_id is None or event.type.startswith(OWN_EVENTS):
            continue
        for one in _told(event, event.customer_id, now):
            found.setdefault((one.source_key, one.cause.trigger), one)
    return list(found.values())


def _told(event: Event, customer_id: str, now: datetime) -> Iterable[Told]:
    if isinstance(event, PurchaseRecorded):
        yield Told(
            customer_id=customer_id,
            source_key=f"purchase:{event.interaction_id}",
            cause=Cause(
                trigger=Trigger.PURCHASE, at=now, kind=event.kind, currency=event.currency,
                total_minor=event.total_minor,
            ),
            interaction_id=event.interaction_id,
        )  # fmt: skip
    elif isinstance(event, InteractionLogged):
        if not isinstance(event, InteractionUpdated | RefundRecorded):
            yield Told(
                customer_id=customer_id,
                source_key=f"interaction:{event.interaction_id}",
                cause=Cause(trigger=Trigger.INTERACTION, at=now, kind=event.kind),
                interaction_id=event.interaction_id,
            )
    elif isinstance(event, CustomerCreated):
        yield Told(
            customer_id=customer_id,
            source_key=f"sign-up:{customer_id}",
            cause=Cause(trigger=Trigger.SIGN_UP, at=now),
        )
    yield Told(
        customer_id=customer_id,
        source_key=f"event:{event.type}:{event.subject_id}"[:200],
        cause=Cause(trigger=Trigger.EVENT, at=now, kind=event.type),
    )


def wanted(told: Iterable[Told], offers: Mapping[str, Offer]) -> list[Told]:
    """Those for which some programme has a rule, by trigger, kind and currency."""
    rules = [(offer.programme, dated.rule) for offer in offers.values() for dated in offer.dated]
    return [
        one
        for one in told
        if any(
            rule.trigger is one.cause.trigger
            and (not rule.kinds or one.cause.kind in rule.kinds)
            and one.cause.currency in (None, programme.currency)
            for programme, rule in rules
        )
    ]


async def looked_up(told: Sequence[Told], reads: Reads, *, lines: bool) -> list[Told]:
    """With the moment, the channel, the direction and, if `lines`, the lines. Two statements at most.

    An interaction that is not there any more told of nothing.
    """
    keys = [one.interaction_id for one in told if one.interaction_id is not None]
    if not keys:
        return list(told)
    where = among("id", keys, reads.dialect)
    rows = await reads.fetch(
        f"SELECT id, occurred_at, channel, direction FROM crm_interaction WHERE {where.sql}", where.args
    )
    known = {str(row["id"]): row for row in rows}
    by_purchase = await lines_of(keys, reads) if lines else {}
    return [
        one if one.interaction_id is None else _filled(one, known[one.interaction_id], by_purchase)
        for one in told
        if one.interaction_id is None or one.interaction_id in known
    ]


def _filled(one: Told, row: Mapping[str, Any], lines: Mapping[str, Sequence[Line]]) -> Told:
    cause = replace(
        one.cause,
        at=parse_time(row["occurred_at"]),
        channel=row["channel"],
        outbound=row["direction"] == OUTBOUND,
        lines=tuple(lines.get(one.interaction_id or "", ())),
    )
    return replace(one, cause=cause)


async def lines_of(keys: Sequence[str], reads: Reads) -> dict[str, list[Line]]:
    """The lines of purchases, by their keys."""
    where = among("interaction_id", keys, reads.dialect)
    rows = await reads.fetch(
        "SELECT interaction_id, sku, category, quantity, amount_minor FROM crm_purchase_line"
        f" WHERE {where.sql} ORDER BY interaction_id, position",
        where.args,
    )
    found: dict[str, list[Line]] = {}
    for row in rows:
        line = Line(
            sku=row["sku"], category=row["category"], quantity=row["quantity"],
            amount_minor=row["amount_minor"],
        )  # fmt: skip
        found.setdefault(str(row["interaction_id"]), []).append(line)
    return found
