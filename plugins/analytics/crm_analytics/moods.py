"""When each customer was last unhappy: the latest interaction in a bad mood."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from crm_framework import (
    Event,
    InteractionLogged,
    InteractionUpdated,
    Reader,
    UnitOfWork,
    among,
    parse_time,
)

from .rollups.recount import held

_UPDATE = (
    "UPDATE analytics_customer SET unhappy_at = (SELECT MAX(i.occurred_at) FROM crm_interaction AS i"
    " WHERE i.customer_id = analytics_customer.customer_id AND i.sentiment = 'NEGATIVE') WHERE "
)


def concerns(event: Event) -> bool:
    """Whether it tells of a bad mood, or may take one back."""
    if not isinstance(event, InteractionLogged) or event.customer_id is None:
        return False
    mood = event.changes.get("sentiment")
    if not isinstance(event, InteractionUpdated):
        return mood is not None and mood[1] == "NEGATIVE"
    return mood is not None or "occurred_at" in event.changes


async def count(events: Sequence[Event], tx: UnitOfWork) -> None:
    customers = {event.customer_id for event in events if event.customer_id and concerns(event)}
    if customers:
        await recount(list(await held(customers, tx)), tx)


async def recount(customers: Collection[str], tx: UnitOfWork) -> None:
    """Of these customers, who are held."""
    where = among("customer_id", sorted(customers), tx.dialect)
    await tx.execute(f"{_UPDATE}{where.sql}", where.args)


async def differing(kept: Mapping[str, datetime | None], source: UnitOfWork | Reader) -> set[str]:
    """Those customers of whom another moment is kept than that of their latest interaction in a bad mood."""
    where = among("customer_id", sorted(kept), source.dialect)
    rows = await source.fetch(
        "SELECT customer_id, MAX(occurred_at) AS latest FROM crm_interaction"
        f" WHERE sentiment = 'NEGATIVE' AND {where.sql} GROUP BY customer_id",
        where.args,
    )
    latest = {str(row["customer_id"]): parse_time(row["latest"]) for row in rows}
    return {customer for customer, at in kept.items() if latest.get(customer) != at}
