"""Merging: several records of one customer become one, in every table and plugin, or nothing happens.

The losers keep their rows, which lead to the winner: by key, and by source and reference, so that a file that
is imported again creates no duplicate. Chains are flattened, so that each leads there in one step.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from crm_framework.domain.contacts.points import Point, points_of, shown, write_points
from crm_framework.domain.customers.changes import with_points
from crm_framework.domain.customers.locks import hold_with_losers
from crm_framework.domain.customers.record import Record, lock_records, resolve_ids, save
from crm_framework.domain.customers.tags import set_tags, tags_of
from crm_framework.domain.privacy.absent_plugins import refuse_absent_plugins
from crm_framework.domain.privacy.merge_rules import MergeConflict, united, united_points
from crm_framework.domain.rows import json_of, json_text, marks
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.events import Changes, CustomersMerged

if TYPE_CHECKING:
    from crm_framework.storage.unit_of_work import UnitOfWork

LOSERS_LIMIT = 100
"""Customers that one call may merge into another."""


class MergePlugins(Protocol):
    """The part of the host that is used here."""

    async def merge_customers(
        self, winner: str, losers: Sequence[str], tx: "UnitOfWork"
    ) -> Mapping[str, Mapping[str, int]]: ...


@dataclass(frozen=True, kw_only=True)
class MergeReport:
    """What moved: rows by owner (`core`, or a plugin) and table. A dry run tells what would move.

    `losers` leaves out those that were merged into this winner before.
    """

    winner: str
    losers: tuple[str, ...]
    moved: Mapping[str, Mapping[str, int]]
    conflicts: tuple[MergeConflict, ...]
    dry_run: bool


class _Undone(Exception):
    """Ends a dry run."""


async def merge_customers(
    tx: "UnitOfWork",
    winner: str,
    losers: Sequence[str],
    *,
    plugins: MergePlugins | None = None,
    dry_run: bool = False,
) -> MergeReport:
    """Makes the winner's all that belongs to the losers. Losers that are merged into it already are no error.

    BAD_INPUT for a customer into itself, NOT_FOUND, REFUSED for an erased one, CONFLICT for one that was
    merged into another. What a plugin raises aborts the merge.
    """
    key, wanted = await _standing(tx, winner, losers)
    if wanted:

        async def named() -> list[str]:
            key, wanted = await _standing(tx, winner, losers)
            return [key, *wanted]

        # Those merged into them earlier too: they are about to lead to the winner.
        (key, *wanted), _ = await hold_with_losers(tx, named)
    report = MergeReport(winner=key, losers=tuple(wanted), moved={}, conflicts=(), dry_run=dry_run)
    if not wanted:
        return report
    await refuse_absent_plugins(tx, wanted, "a merge")
    if not dry_run:
        return await _merge(tx, report, plugins)
    try:
        async with tx.savepoint():
            report = await _merge(tx, report, plugins)
            raise _Undone
    except _Undone:
        return report


async def _standing(tx: "UnitOfWork", winner: str, losers: Sequence[str]) -> tuple[str, list[str]]:
    """The winner's key today, and the losers that are still to be merged into it."""
    if not 1 <= len(losers) <= LOSERS_LIMIT:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{len(losers)} losers are given; from 1 to {LOSERS_LIMIT} are allowed.",
            path=("losers",),
            hint="Merge in parts.",
        )
    today = await _today(tx, winner, losers)
    key = today[winner]
    wanted: list[str] = []
    for index, loser in enumerate(losers):
        path = ("losers", index)
        if loser in (key, winner):
            raise CrmError(
                ErrorCode.BAD_INPUT,
                "A customer cannot be merged into itself."
                if loser == winner
                else f"The customer {winner} was merged into {loser} before, so it is the same one.",
                path=path,
                hint="Name two different customers.",
            )
        if today[loser] not in (loser, key):
            raise CrmError(
                ErrorCode.CONFLICT,
                f"The customer {loser} was merged into {today[loser]} before.",
                path=path,
                hint=f"Merge {today[loser]} if that is meant.",
            )
        if today[loser] == loser and loser not in wanted:
            wanted.append(loser)
    return key, wanted


async def _today(tx: "UnitOfWork", winner: str, losers: Sequence[str]) -> dict[str, str]:
    try:
        return await resolve_ids(tx, [winner, *losers], path=("winner",))
    except CrmError:
        for index, loser in enumerate(losers):  # finds the one at fault
            await resolve_ids(tx, [loser], path=("losers", index))
        raise


async def _merge(tx: "UnitOfWork", report: MergeReport, plugins: MergePlugins | None) -> MergeReport:
    records = await lock_records(tx, [report.winner, *report.losers], path=("losers",))
    winner, losers = records[report.winner], [records[key] for key in report.losers]
    after, conflicts = united(winner, losers)
    more: Changes = {"merged": (None, list(report.losers))}
    points, moved_points, consents = await _unite_points(tx, report, more)
    moved = {
        "crm_contact_point": moved_points,
        "crm_customer_tag": await _unite_tags(tx, report, more),
        "crm_interaction": await _move(tx, "crm_interaction", report),
        "crm_message": await _move(tx, "crm_message", report),
        "crm_token": await _move(tx, "crm_token", report),
        "crm_event": await _move_pending_events(tx, report),
        "crm_customer": await _lead_to_winner(tx, report, losers),
    }
    _, changes = await save(tx, winner, with_points(after, points), more=more)
    by_plugin = await plugins.merge_customers(report.winner, report.losers, tx) if plugins else {}
    tx.emit(CustomersMerged(customer_id=report.winner, losers=report.losers, changes=changes))
    return replace(
        report,
        moved={"core": {table: count for table, count in moved.items() if count}, **by_plugin},
        conflicts=(*conflicts, *consents),
    )


async def _unite_points(
    tx: "UnitOfWork", report: MergeReport, more: Changes
) -> tuple[list[Point], int, list[MergeConflict]]:
    """The winner's contact points, how many rows of losers moved or went, and conflicts of consent."""
    before = await points_of(tx, report.winner)
    theirs = [(key, await points_of(tx, key)) for key in report.losers]
    after, conflicts = united_points(before, theirs)
    count = sum(len(points) for _, points in theirs)
    if count:
        await tx.execute(
            f"DELETE FROM crm_contact_point WHERE customer_id IN ({marks(len(report.losers))})", report.losers
        )
    if after != before:
        await write_points(tx, report.winner, before, after)
        more["contact_points"] = (shown(before), shown(after))
    return after, count, conflicts


async def _unite_tags(tx: "UnitOfWork", report: MergeReport, more: Changes) -> int:
    tags = await tags_of(tx, [report.winner, *report.losers])
    before = tags[report.winner]
    after = tuple(sorted({tag for on in tags.values() for tag in on}))
    count = sum(len(tags[key]) for key in report.losers)
    for key in report.losers:
        await set_tags(tx, key, tags[key], ())
    if after != tuple(before):
        await set_tags(tx, report.winner, before, after)
        more["tags"] = (list(before), list(after))
    return count


async def _move(tx: "UnitOfWork", table: str, report: MergeReport) -> int:
    return await tx.execute(
        f"UPDATE {table} SET customer_id = ? WHERE customer_id IN ({marks(len(report.losers))})",
        [report.winner, *report.losers],
    )


async def _move_pending_events(tx: "UnitOfWork", report: MergeReport) -> int:
    """Events that a handler still owes are about the winner now; the others are history and stay."""
    rows = await tx.fetch(
        f"SELECT id, payload FROM crm_event WHERE customer_id IN ({marks(len(report.losers))})"
        " AND id IN (SELECT event_id FROM crm_delivery)",
        report.losers,
    )
    await tx.execute_many(
        "UPDATE crm_event SET customer_id = ?, payload = ? WHERE id = ?",
        [
            (report.winner, json_text({**json_of(row["payload"]), "customer_id": report.winner}), row["id"])
            for row in rows
        ],
    )
    await _move(tx, "crm_delivery", report)
    return len(rows)


async def _lead_to_winner(tx: "UnitOfWork", report: MergeReport, losers: Sequence[Record]) -> int:
    """Sets where the losers lead, and those that led to them. They have no contact points any more."""
    for loser in losers:
        gone = replace(
            loser,
            merged_into_id=report.winner,
            email=None,
            phone=None,
            city=None,
            country=None,
            search_text="",
        )
        await save(tx, loser, gone)
    earlier = await tx.execute(
        "UPDATE crm_customer SET merged_into_id = ?, version = version + 1"
        f" WHERE merged_into_id IN ({marks(len(report.losers))})",
        [report.winner, *report.losers],
    )
    return len(losers) + earlier
