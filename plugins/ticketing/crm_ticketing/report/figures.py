"""The same numbers for other plugins, and what they should know of single customers."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from crm_framework import (
    Figure,
    Fragment,
    Reader,
    Signal,
    Window,
    among,
    encode_id,
    now,
    parse_time,
)
from crm_ticketing.clocks.measures import KINDS
from crm_ticketing.surveys.rules import satisfaction

from .rules import (
    AGES,
    BREACH_RATE,
    OVERDUE,
    PERCENTILES,
    Group,
    Share,
    breaches,
    first_contact,
    overdue,
    together,
)
from .store import GroupBy, Span, continuity, count, groups, refuse_more

RECENT = timedelta(days=90)
"""How long a breached ticket that was resolved is still told of."""

MOST_EACH = 100

RATE_OF_KIND = f"{BREACH_RATE}; of this kind."


async def figures(window: Window, group_by: str | None, reader: Reader) -> Sequence[Figure]:
    """Of tickets opened, and ratings given, in the window; what is open is as of now."""
    span, moment = Span(window.start, window.end), now()
    by = next((one for one in GroupBy if one.value == (group_by or "").upper()), None)
    await refuse_more(reader, span)
    return await told(reader, span, by, moment)


async def told(
    reader: Reader,
    span: Span,
    by: GroupBy | None,
    moment: datetime,
    *,
    tell: Callable[[int], None] | None = None,
) -> list[Figure]:
    """The figures of the whole, and of each group where there are groups, whatever the number of tickets."""
    parts = await groups(reader, span, by, moment, tell=tell)
    if by is None:
        return _told(parts[None], None)
    whole = together(parts.values(), (await continuity(reader, span, None))[None])
    await count(whole)
    found = _told(whole, None)
    for key, group in parts.items():
        found += _told(group, key or "")
    return found


def _told(group: Group, name: str | None) -> list[Figure]:
    rated = satisfaction(group.ratings)
    found = [
        Figure("opened", "Tickets that were opened.", group.opened, n=group.opened, group=name),
        Figure(
            "resolved",
            "Tickets opened in the window that are resolved.",
            group.resolved,
            n=group.opened,
            group=name,
        ),
        _share("breach_rate", f"{BREACH_RATE}.", breaches(group), name),
        _share("overdue_rate", f"{OVERDUE}.", overdue(group), name),
        _share(
            "first_contact_resolution",
            "Resolved with one answer at most and not opened again, of the resolved ones.",
            first_contact(group),
            name,
        ),
        _share(
            "owner_continuity",
            "Tickets with the person who had most of that customer's, of customers who have several.",
            group.continuity,
            name,
        ),
        _share(
            "csat",
            "Ratings of 4 and 5, of all that were given.",
            Share(rated.satisfied, rated.answers),
            name,
        ),
    ]
    for kind, word in enumerate(map(str.lower, KINDS)):
        found.append(_share(f"{word}_breach_rate", RATE_OF_KIND, breaches(group, kind), name))
        for percent, seconds in zip(PERCENTILES, group.percentiles[kind], strict=True):
            found.append(
                Figure(
                    f"{word}_p{percent}",
                    f"{percent} of 100 clocks that were met took no longer, in working time.",
                    seconds,
                    n=len(group.taken[kind]),
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


_OPEN = "status IN ('NEW', 'OPEN', 'WAITING_ON_CUSTOMER', 'ON_HOLD')"


def signalled(reader: Reader, complaints: Sequence[str]) -> Fragment:
    """The customers of whom `signals` tells now: two reads along an index."""
    kinds = among("k.category", list(complaints), reader.dialect)
    mine = "t.id IN (SELECT k.customer_id FROM ticketing_ticket AS k WHERE k.merged_into_id IS NULL AND"
    return Fragment(
        f"({mine} k.{_OPEN} AND ({kinds.sql} OR k.breached_at IS NOT NULL)) OR {mine} k.breached_at >= ?))",
        (*kinds.args, now() - RECENT),
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
        f" AND ((t.{_OPEN} AND ({kinds.sql} OR t.breached_at IS NOT NULL))"
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
