"""Points on birthdays: a job looks, day by day, for customers whose attribute holds one of the last days."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from crm_framework import JobRun, UnitOfWork, among
from crm_loyalty.ledger.accounts import hold_owners

from .causes import Told
from .enter import candidates, enter, prepared
from .rules import Cause, Trigger
from .store import Offer, offers

BIRTHDAYS = "loyalty.birthdays"
LOOK_BACK = 7
"""Days: so long the job may not have run, and misses none."""
BATCH = 500


@dataclass(frozen=True)
class Search:
    """One attribute of one programme."""

    program_id: str
    attribute: str


async def reward_birthdays(job: JobRun) -> None:
    """A batch of customers of one programme and attribute; goes on with the next one."""
    async with job.unit_of_work() as tx:
        found = await offers(tx, [Trigger.BIRTHDAY])
        searches = searches_of(found, tx.now)
        place = int(job.payload.get("search", 0))
        if place >= len(searches):
            job.done(tx)
            return
        search = searches[place]
        last = await reward(tx, found[search.program_id], search, str(job.payload.get("after", "")))
        then = {"search": place, "after": last} if last else {"search": place + 1}
        job.done(tx, then=then)


def searches_of(found: Mapping[str, Offer], at: datetime) -> list[Search]:
    """Each attribute that a rule names, in an order that stays."""
    return sorted(
        {
            Search(offer.programme.id, dated.attribute)
            for offer in found.values()
            for dated in offer.dated
            if dated.attribute and dated.holds(at)
        },
        key=lambda search: (search.program_id, search.attribute),
    )


async def reward(tx: UnitOfWork, offer: Offer, search: Search, after: str) -> str | None:
    """Enters the birthdays of the next customers; the last one's key if there may be more."""
    days = days_back(tx.now.astimezone(offer.programme.zone).date())
    rows = await _born_on(tx, search.attribute, sorted(days), after)
    years = await _had(tx, offer.programme.id, [str(row["id"]) for row in rows])
    told: list[Told] = []
    for row in rows:
        key, day = str(row["id"]), days[row["day"]]
        if (key, day.year) not in years:
            told.append(birthday(key, offer, day))
    only = {offer.programme.id: offer}
    known = await prepared(told, only, tx)
    fitting = await candidates(known, only, tx)
    await enter(fitting, await hold_owners(tx, fitting.owners), tx)
    return str(rows[-1]["id"]) if len(rows) == BATCH else None


def birthday(customer_id: str, offer: Offer, day: date) -> Told:
    """The cause of a birthday: once a year."""
    at = datetime.combine(day, time(), tzinfo=offer.programme.zone).astimezone(UTC)
    return Told(
        customer_id=customer_id,
        source_key=f"birthday:{customer_id}:{day.year}",
        cause=Cause(trigger=Trigger.BIRTHDAY, at=at),
        program_id=offer.programme.id,
    )


def days_back(today: date) -> dict[str, date]:
    """`MM-DD` → the day that it was last. Who was born on 29 February has the birthday, in other years, on
    the 28th.
    """
    days: dict[str, date] = {}
    for back in range(LOOK_BACK):
        day = today - timedelta(days=back)
        days.setdefault(f"{day:%m-%d}", day)
        if (day.month, day.day) == (2, 28) and (day + timedelta(days=1)).month == 3:
            days.setdefault("02-29", day)
    return days


async def _born_on(
    tx: UnitOfWork, attribute: str, days: Sequence[str], after: str
) -> Sequence[dict[str, Any]]:
    if tx.dialect == "postgres":
        born, name = "attributes ->> CAST(? AS text)", attribute
    else:
        quoted = attribute.replace('"', '""')
        born, name = "json_extract(attributes, ?)", f'$."{quoted}"'
    chosen = among("day", days, tx.dialect)
    beyond = ("AND id > ?", [after]) if after else ("", [])
    return await tx.fetch(
        f"SELECT id, day FROM (SELECT id, substr({born}, 6, 5) AS day FROM crm_customer"
        f" WHERE merged_into_id IS NULL AND erased_at IS NULL {beyond[0]}) AS born"
        f" WHERE {chosen.sql} ORDER BY id LIMIT {BATCH}",
        [name, *beyond[1], *chosen.args],
    )


async def _had(tx: UnitOfWork, program_id: str, customers: Sequence[str]) -> set[tuple[str, int]]:
    """(customer, year) of birthdays that were counted, also for those who were merged into the customer."""
    where = among("COALESCE(merged_into_id, id)", customers, tx.dialect)
    keys = await tx.fetch(
        f"SELECT id, COALESCE(merged_into_id, id) AS winner FROM crm_customer WHERE {where.sql}", where.args
    )
    winners = {str(row["id"]): str(row["winner"]) for row in keys}
    years = range(tx.now.year - 1, tx.now.year + 2)
    sources = {f"birthday:{key}:{year}": (winner, year) for key, winner in winners.items() for year in years}
    chosen = among("source_key", sorted(sources), tx.dialect)
    rows = await tx.fetch(
        f"SELECT source_key FROM loyalty_entry WHERE program_id = ? AND {chosen.sql}",
        [program_id, *chosen.args],
    )
    return {sources[row["source_key"]] for row in rows}
