"""Which policy a ticket comes under: the first, in their order, whose conditions fit it. The one without
conditions comes after all others, wherever it stands: it is for what no other fits.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crm_framework import CrmError, UnitOfWork, among, segment_members

from .rules import Conditions, Facts, fits, rules_of
from .versions import Fetching

log = logging.getLogger("crm_ticketing")


@dataclass(frozen=True)
class Offer:
    """A version of a policy that tickets may come under."""

    version_id: str
    policy_id: str
    conditions: Conditions


@dataclass(frozen=True)
class Looked:
    """What conditions look at in a ticket, before its customer is looked at.

    `tags` are those of a ticket that is to be opened; of others they are looked up.
    """

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
    return fallback_last(
        [Offer(str(row["id"]), str(row["policy_id"]), rules_of(row["rules"]).conditions) for row in rows]
    )


def fallback_last(offers: Sequence[Offer]) -> list[Offer]:
    """The offers in the order in which they are tried, of those in the order of their policies."""
    return sorted(offers, key=lambda offer: offer.conditions.none)


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
    """What the conditions look at, by the keys of `tickets`: that of a ticket, or "" for one to be opened.

    Tags and segments are looked up only where one of the offers asks for them. Raises `CrmError` where nobody
    knows now who belongs to one of the segments, as a plugin fails: but a ticket that is to be opened is then
    taken not to belong, since a complaint is to be heard whatever else is broken.
    """
    customers = list(dict.fromkeys(one.customer_id for one in tickets.values()))
    tags: dict[str, set[str]] = {}
    if any(offer.conditions.tags for offer in offers):
        tags = await _tags(tx, [key for key in tickets if key], customers)
    asked = list(dict.fromkeys(key for offer in offers for key in offer.conditions.segments))
    members = await _members(tx, asked, customers, certain="" not in tickets)
    return {
        key: Facts(
            priority=one.priority,
            category=one.category,
            channel=one.channel,
            tags=one.tags | tags.get(key, set()) | tags.get(one.customer_id, set()),
            segments=frozenset(key for key in asked if one.customer_id in members[key]),
        )
        for key, one in tickets.items()
    }


async def _members(
    tx: UnitOfWork, asked: Sequence[str], customers: Sequence[str], *, certain: bool
) -> dict[str, frozenset[str]]:
    if not asked:
        return {}
    try:
        return await segment_members(tx, asked, customers)
    except CrmError:
        if certain:
            raise
    found: dict[str, frozenset[str]] = {}
    for key in asked:
        try:
            found |= await segment_members(tx, [key], customers)
        except CrmError as error:
            log.warning("no policy is chosen by segment %s now: %s", key, error)
            found[key] = frozenset()
    return found


async def _tags(tx: UnitOfWork, tickets: Sequence[str], customers: Sequence[str]) -> dict[str, set[str]]:
    """Key of a ticket or of a customer → its tags."""
    of_tickets = among("ticket_id", tickets, tx.dialect)
    of_customers = among("customer_id", customers, tx.dialect)
    rows = await tx.fetch(
        f"SELECT ticket_id AS id, tag FROM ticketing_ticket_tag WHERE {of_tickets.sql}"
        f" UNION ALL SELECT customer_id, tag FROM crm_customer_tag WHERE {of_customers.sql}",
        [*of_tickets.args, *of_customers.args],
    )
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(str(row["id"]), set()).add(row["tag"])
    return found
