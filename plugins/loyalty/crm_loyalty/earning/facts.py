"""What conditions ask about customers, read for a whole batch."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any

from crm_framework import among, now, segment_members
from crm_loyalty.tiers.standing import Kept, tiers_at

from .conditions import Who
from .store import Offer, Reads, moment, plain


async def about(
    customer_ids: Collection[str], offers: Iterable[Offer], reads: Reads
) -> dict[tuple[str, str], Who]:
    """By programme and customer. Only what some rule or campaign asks for is read: a statement each for
    attributes, tags and tiers, and one for each segment.
    """
    every = list(offers)
    rules = [dated.rule for offer in every for dated in offer.dated]
    campaigns = [one for offer in every for one in offer.campaigns]
    asked = frozenset[str]().union(*(offer.asks for offer in every))
    keys = sorted(customer_ids)
    people = {key: Who() for key in keys}
    if "attributes" in asked:
        for key, value in await _column("crm_customer", "id", "attributes", keys, reads):
            people[key] = replace(people[key], attributes=plain(value) or {})
    if "tags" in asked:
        for key, tag in await _column("crm_customer_tag", "customer_id", "tag", keys, reads):
            people[key] = replace(people[key], tags=people[key].tags | {tag})
    if "segments" in asked:
        conditions = [rule.conditions for rule in rules] + [one.conditions for one in campaigns]
        segments = sorted({segment for one in conditions for segment in one.segments})
        source: Any = reads  # a unit of work, or a reader
        for segment, members in (await segment_members(source, segments, keys)).items():
            for key in members:
                people[key] = replace(people[key], segments=people[key].segments | {segment})
    found = {(offer.programme.id, key): who for offer in every for key, who in people.items()}
    if "tiers" in asked:
        where = among("customer_id", keys, reads.dialect)
        rows = await reads.fetch(
            "SELECT id, program_id, customer_id, tier_id, tier_review_at FROM loyalty_account"
            f" WHERE {where.sql}",
            where.args,
        )
        owners = {str(row["id"]): (str(row["program_id"]), str(row["customer_id"])) for row in rows}
        kept = [
            Kept(
                account_id=str(row["id"]),
                program_id=str(row["program_id"]),
                tier_id=None if row["tier_id"] is None else str(row["tier_id"]),
                review_at=moment(row["tier_review_at"]),
            )
            for row in rows
            if owners[str(row["id"])] in found
        ]
        both: Any = reads
        for key, tier in (await tiers_at(both, kept, now())).items():
            found[owners[key]] = replace(found[owners[key]], tier=tier)
    return found


async def _column(
    table: str, key: str, column: str, keys: Collection[str], reads: Reads
) -> list[tuple[str, Any]]:
    where = among(key, sorted(keys), reads.dialect)
    rows = await reads.fetch(
        f"SELECT {key} AS key, {column} AS value FROM {table} WHERE {where.sql}", where.args
    )
    return [(str(row["key"]), row["value"]) for row in rows]
