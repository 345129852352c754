"""The same numbers for other plugins, and what they should know of single customers."""

from collections.abc import Sequence
from datetime import timedelta

from crm_framework import Figure, Reader, Signal, Window, among, encode_id, now, parse_time
from crm_ticketing.surveys.rules import satisfaction

from .rules import (
    AGES,
    KINDS,
    PERCENTILES,
    Group,
    Share,
    breaches,
    continuity,
    first_contact,
    percentiles,
    together,
)
from .store import GroupBy, Span, groups

RECENT = timedelta(days=90)
"""How long a breached ticket that was resolved is still told of."""

MOST_EACH = 100


async def figures(window: Window, group_by: str | None, reader: Reader) -> Sequence[Figure]:
    """Of tickets opened, and ratings given, in the window; what is open is as of now."""
    span, moment = Span(window.start, window.end), now()
    by = next((one for one in GroupBy if one.value == (group_by or "").upper()), None)
    parts = await groups(reader, span, by, moment)
    told = _told(together(parts.values()), None)
    if by is not None:
        for key, group in parts.items():
            told += _told(group, key or "")
    return told


def _told(group: Group, name: str | None) -> list[Figure]:
    rated = satisfaction(group.ratings.elements())
    found = [
        Figure("opened", "Tickets that were opened.", group.opened, n=group.opened, group=name),
        Figure(
            "resolved",
            "Tickets opened in the window that are resolved.",
            group.resolved,
            n=group.opened,
            group=name,
        ),
        _share("breach_rate", "Late clocks, of those that ended or are late.", breaches(group), name),
        _share(
            "first_contact_resolution",
            "Resolved with one answer at most and not opened again, of the resolved ones.",
            first_contact(group),
            name,
        ),
        _share(
            "owner_continuity",
            "Tickets with the person who had most of that customer's, of customers who have several.",
            continuity(group),
            name,
        ),
        _share(
            "csat",
            "Ratings of 4 and 5, of all that were given.",
            Share(rated.satisfied, rated.answers),
            name,
        ),
    ]
    for kind in KINDS:
        taken = group.taken[kind]
        word = kind.lower()
        found.append(_share(f"{word}_breach_rate", "Late clocks of this kind.", breaches(group, kind), name))
        for percent, value in zip(PERCENTILES, percentiles(taken, PERCENTILES), strict=True):
            found.append(
                Figure(
                    f"{word}_p{percent}",
                    f"{percent} of 100 took no longer, in working time.",
                    None if value is None else value // 1_000_000,
                    n=len(taken),
                    unit="seconds",
                    group=name,
                )
            )
    found += [
        Figure(
            f"backlog_{age.lower()}",
            "Tickets of this age that are open now.",
            group.ages[age],
            n=group.ages.total(),
            group=name,
        )
        for age, _ in AGES
    ]
    return found


def _share(name: str, description: str, share: Share, group: str | None) -> Figure:
    return Figure(
        name,
        description,
        share.value,
        numerator=share.part,
        denominator=share.whole,
        n=share.whole,
        unit="share",
        group=group,
    )


async def signals(customer_ids: Sequence[str], reader: Reader, complaints: Sequence[str]) -> Sequence[Signal]:
    """Open complaints, and tickets of which a clock was breached, that are open or were until lately."""
    owners = among("t.customer_id", customer_ids, reader.dialect)
    kinds = among("t.category", list(complaints), reader.dialect)
    rows = await reader.fetch(
        "SELECT * FROM (SELECT t.id, t.customer_id, t.number, t.subject, t.status, t.created_at,"
        " t.breached_at,"
        f" CASE WHEN {kinds.sql} THEN 1 ELSE 0 END AS complaint,"
        " ROW_NUMBER() OVER (PARTITION BY t.customer_id ORDER BY t.created_at DESC, t.id) AS place"
        f" FROM ticketing_ticket AS t WHERE {owners.sql} AND t.merged_into_id IS NULL"
        f" AND ((t.status NOT IN ('RESOLVED', 'CLOSED') AND ({kinds.sql} OR t.breached_at IS NOT NULL))"
        " OR t.breached_at >= ?)) AS ranked WHERE place <= ?",
        [*kinds.args, *owners.args, *kinds.args, now() - RECENT, MOST_EACH],
    )
    found: list[Signal] = []
    for row in rows:
        late, open_ = row["breached_at"], row["status"] not in ("RESOLVED", "CLOSED")
        about = f"Ticket {row['number']}: {row['subject']}"[:300]
        known = {"customer_id": str(row["customer_id"]), "reference_id": encode_id("Ticket", str(row["id"]))}
        if row["complaint"] and open_:
            at = parse_time(row["created_at"])
            found.append(Signal(kind="open_complaint", at=at, text=f"Open complaint. {about}", **known))
        if late is not None:
            how = "Answered or resolved too late" if not open_ else "Overdue"
            found.append(Signal(kind="breached_ticket", at=parse_time(late), text=f"{how}. {about}", **known))
    return found
