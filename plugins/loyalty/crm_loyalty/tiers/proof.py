"""Whether the tiers that are kept with accounts are what the rules make of their entries."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from crm_framework import UnitOfWork, among, parse_time

from .standing import Changed, Counts, Ladder, changes_kept, histories, ladders, stands

JUDGING = "loyalty.tiers"
"""The job that judges a programme anew. As long as it waits for one, its accounts may be behind the rules."""


async def misjudged(tx: UnitOfWork, account_ids: Sequence[str]) -> dict[str, list[str]]:
    """By account, what of its tier and of how it came to it is not what the rules say."""
    where = among("id", account_ids, tx.dialect)
    rows = await tx.fetch(
        "SELECT id, program_id, tier_id, tier_since, tier_judged_at, tier_review_at FROM loyalty_account"
        f" WHERE {where.sql}",
        where.args,
    )
    found = await ladders(tx, {row["program_id"] for row in rows})
    waiting = {
        row["key_text"].removeprefix("tiers:")
        for row in await tx.fetch(
            "SELECT key_text FROM crm_job WHERE name = ? AND key_text IS NOT NULL AND finished_at IS NULL",
            [JUDGING],
        )
    }
    looked_at = [row for row in rows if row["program_id"] not in waiting]
    laddered = {row["id"]: found[row["program_id"]] for row in looked_at if row["program_id"] in found}
    counted = await histories(tx, laddered)
    kept = await changes_kept(tx, [row["id"] for row in looked_at])
    texts: dict[str, list[str]] = defaultdict(list)
    for row in looked_at:
        texts[row["id"]] += _of(row, laddered.get(row["id"]), counted, kept.get(row["id"], []))
    return texts


def _of(
    row: Mapping[str, Any], ladder: Ladder | None, counted: Mapping[str, Counts], kept: Sequence[Changed]
) -> Iterator[str]:
    judged = row["tier_judged_at"]
    if ladder is None or judged is None:
        if row["tier_id"] is not None or kept:
            yield "the account has a tier, and was never judged"
        return
    now = stands(ladder, counted.get(row["id"]), parse_time(judged))
    says = row["tier_id"], _moment(row["tier_since"]), _moment(row["tier_review_at"])
    if says != (now.tier_id, now.since, now.review_at):
        yield f"the tier is {says[0]} since {says[1]}, and may be lost at {says[2]}; by the entries it is" + (
            f" {now.tier_id} since {now.since}, and may be lost at {now.review_at}"
        )
    if list(kept) != list(now.changes):
        yield "the history of its tiers is not what the entries come to"


def _moment(value: Any) -> Any:
    return None if value is None else parse_time(value)
