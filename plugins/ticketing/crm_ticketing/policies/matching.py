"""Which policy a ticket comes under: the first, in their order, whose conditions fit it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crm_framework import UnitOfWork, among, segment_members

from .rules import Conditions, Facts, fits, rules_of
from .versions import Fetching


@dataclass(frozen=True)
class Offer:
    """A version of a policy that tickets may come under."""

    version_id: str
    policy_id: str
    conditions: Conditions


@dataclass(frozen=True)
class Looked:
    """What conditions look at in a ticket, before its customer is looked at."""

    customer_id: str
    priority: str
    category: str
    channel: str | None
    tags: frozenset[str] = frozenset()


async def active_offers(reading: Fetching) -> list[Offer]:
    """The versions that new tickets get, in the order in which they are tried."""
    rows = await reading.fetch(
        "SELECT v.id, v.policy_id, v.rules FROM ticketing_policy p JOIN ticketing_policy_version v"
        " ON v.policy_id = p.id AND v.number = p.active_number ORDER BY p.position, p.id"
    )
    return [Offer(str(row["id"]), str(row["policy_id"]), rules_of(row["rules"]).conditions) for row in rows]


async def fitting(
    tx: UnitOfWork, offers: Sequence[Offer], tickets: Mapping[str, Looked]
) -> dict[str, Offer | None]:
    """The offer that each ticket comes under; None where no policy is switched on."""
    facts = await facts_of(tx, offers, tickets)
    return {
        key: next((offer for offer in offers if fits(offer.conditions, facts[key])), None) for key in tickets
    }


async def facts_of(
    tx: UnitOfWork, offers: Sequence[Offer], tickets: Mapping[str, Looked]
) -> dict[str, Facts]:
    """What the conditions look at: of customers only what one of the offers asks for."""
    customers = list(dict.fromkeys(one.customer_id for one in tickets.values()))
    tags: dict[str, set[str]] = {}
    if any(offer.conditions.tags for offer in offers):
        where = among("customer_id", customers, tx.dialect)
        for row in await tx.fetch(
            f"SELECT customer_id, tag FROM crm_customer_tag WHERE {where.sql}", where.args
        ):
            tags.setdefault(str(row["customer_id"]), set()).add(row["tag"])
    asked = list(dict.fromkeys(key for offer in offers for key in offer.conditions.segments))
    members = await segment_members(tx, asked, customers) if asked else {}
    return {
        key: Facts(
            priority=one.priority,
            category=one.category,
            channel=one.channel,
            tags=one.tags | frozenset(tags.get(one.customer_id, ())),
            segments=frozenset(key for key in asked if one.customer_id in members[key]),
        )
        for key, one in tickets.items()
    }
