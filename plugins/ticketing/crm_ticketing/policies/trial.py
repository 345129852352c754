"""Trying a policy on tickets that are there, and putting tickets under the policies of today."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from crm_framework import CrmError, ErrorCode, JobRun, UnitOfWork
from crm_ticketing.calendars.calendar import micros
from crm_ticketing.clocks.history import Happened
from crm_ticketing.clocks.rules import clocks
from crm_ticketing.clocks.store import pasts, settle
from crm_ticketing.tickets.changes import rematch
from crm_ticketing.tickets.held import hold_tickets

from .matching import Looked, Offer, fallback_last, fitting
from .rules import ClockKind, rules_of
from .versions import versions_of

MOST_TRIED = 2_000
BATCH = 100
RECALCULATE = "ticketing.recalculate"


@dataclass(frozen=True)
class ClockTrial:
    """Of one clock, over the tickets that the policy would take: how many there are now and would be, and how
    many of these are breached."""

    clock: str
    present: int
    breached: int
    would_be: int
    would_be_breached: int


@dataclass(frozen=True)
class Trial:
    """`looked_at` tickets, of which the policy would take `taken`."""

    looked_at: int
    taken: int
    clocks: tuple[ClockTrial, ...]


async def try_policy(tx: UnitOfWork, policy_id: str, since: datetime | None, most: int) -> Trial:
    """What the policy's latest version would have made of the latest tickets, had it applied from their start
    on, in its place among those that are on. Changes nothing.
    """
    offers = await _with_latest(tx, policy_id)
    rows = await tx.fetch(
        "SELECT id, customer_id, priority, category, channel FROM ticketing_ticket"
        " WHERE created_at >= ? ORDER BY created_at DESC LIMIT ?",
        [since or datetime.fromtimestamp(0, tx.now.tzinfo), min(most, MOST_TRIED)],
    )
    looked = {
        str(row["id"]): Looked(str(row["customer_id"]), row["priority"], row["category"], row["channel"])
        for row in rows
    }
    offered = await fitting(tx, offers, looked)
    taken = [key for key, offer in offered.items() if offer is not None and offer.policy_id == policy_id]
    version_id = next(offer.version_id for offer in offers if offer.policy_id == policy_id)
    histories, versions = await pasts(tx, taken)
    tried = {**versions, **await versions_of(tx, [version_id])}
    counts = {str(kind): [0, 0, 0, 0] for kind in ClockKind}
    now = micros(tx.now)
    for key in taken:
        for clock in clocks(histories[key], versions, now):
            counts[clock.kind][0] += 1
            counts[clock.kind][1] += clock.breached is not None
        for clock in clocks(under(histories[key], version_id), tried, now):
            counts[clock.kind][2] += 1
            counts[clock.kind][3] += clock.breached is not None
    found = tuple(ClockTrial(kind, *numbers) for kind, numbers in counts.items() if any(numbers))
    return Trial(len(rows), len(taken), found)


def under(history: Sequence[Happened], version_id: str) -> list[Happened]:
    """The same history, had one version applied from the beginning."""
    kept = [one for one in history if one.kind != "POLICY"]
    return [*kept[:1], Happened(kept[0].at, "POLICY", version_id), *kept[1:]] if kept else []


async def _with_latest(tx: UnitOfWork, policy_id: str) -> list[Offer]:
    """The active offers with the latest version of one policy in its place. One for every ticket stands in
    for the present one of that kind, as it would have to when it is switched on.
    """
    rows = await tx.fetch(
        "SELECT p.id, v.id AS version_id, v.rules FROM ticketing_policy p JOIN ticketing_policy_version v"
        " ON v.policy_id = p.id"
        " AND v.number = CASE WHEN p.id = ? THEN p.number ELSE p.active_number END"
        " ORDER BY p.position, p.id",
        [policy_id],
    )
    offers = [
        Offer(str(row["version_id"]), str(row["id"]), rules_of(row["rules"]).conditions) for row in rows
    ]
    if not any(offer.policy_id == policy_id for offer in offers):
        raise CrmError(ErrorCode.NOT_FOUND, "There is no such policy.", path=("policy",))
    if any(offer.policy_id == policy_id and offer.conditions.none for offer in offers):
        offers = [offer for offer in offers if offer.policy_id == policy_id or not offer.conditions.none]
    return fallback_last(offers)


async def recalculate(tx: UnitOfWork, ticket_ids: Sequence[str]) -> list[str]:
    """Puts tickets under the policies of today, in their newest versions, from now on; keys of those changed.

    What was met or breached before stays so.
    """
    changed = []
    held = await hold_tickets(tx, ticket_ids)
    for key in sorted(held):
        ticket = held[key]
        if ticket is None:
            raise CrmError(ErrorCode.NOT_FOUND, "There is no such ticket.", path=("tickets",))
        if await rematch(tx, ticket, newest=True):
            await settle(tx, ticket)
            changed.append(key)
    return changed


async def recalculate_all(job: JobRun) -> None:
    """Recalculates all tickets that are not settled, some in each transaction."""
    after = job.payload.get("after")
    async with job.unit_of_work() as tx:
        rows = await tx.fetch(
            "SELECT id FROM ticketing_ticket WHERE status NOT IN ('RESOLVED', 'CLOSED')"
            + (" AND id > ?" if after else "")
            + " ORDER BY id LIMIT ?",
            [*([after] if after else []), BATCH],
        )
        keys = [str(row["id"]) for row in rows]
        await recalculate(tx, keys)
        job.done(tx, then={"after": keys[-1]} if len(keys) == BATCH else None)
