"""What conditions ask about customers, read for a whole batch."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any

from crm_framework import among, segment_members

from .conditions import Who
from .rules import needs
from .store import Offer, Reads, plain


async def about(
    customer_ids: Collection[str], offers: Iterable[Offer], reads: Reads
) -> dict[tuple[str, str], Who]:
    """By programme and customer. Only what some rule or campaign asks for is read: a statement each for
    attributes, tags and tiers, and one for each segment.
    """
    every = list(offers)
    rules = [dated.rule for offer in every for dated in offer.dated]
    campaigns = [one for offer in every for one in offer.campaigns]
    asked = needs(rules, campaigns)
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
            f"SELECT program_id, customer_id, tier_id FROM loyalty_account WHERE {where.sql}", where.args
        )
        for row in rows:
            at = str(row["program_id"]), str(row["customer_id"])
            if at in found and row["tier_id"] is not None:
                found[at] = replace(found[at], tier=str(row["tier_id"]))
    return found


async def _column(
    table: str, key: str, column: str, keys: Collection[str], reads: Reads
) -> list[tuple[str, Any]]:
    where = among(key, sorted(keys), reads.dialect)
    rows = await reads.fetch(
        f"SELECT {key} AS key, {column} AS value FROM {table} WHERE {where.sql}", where.args
    )
    return [(str(row["key"]), row["value"]) for row in rows]
