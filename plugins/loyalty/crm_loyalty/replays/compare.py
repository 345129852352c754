"""What causes of the past have earned, and what they would earn by other rules."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from crm_framework import CustomerPast, UnitOfWork, among, customer_pasts, parse_time
from crm_loyalty.earning.causes import OUTBOUND, Told, lines_of
from crm_loyalty.earning.enter import worth_an_entry
from crm_loyalty.earning.facts import about
from crm_loyalty.earning.rules import Award, Cause, Rule, Trigger, award, by_segments, local_day
from crm_loyalty.earning.store import OWN_RATE, Offer
from crm_loyalty.earning.uses import Uses, day_of
from crm_loyalty.rules import points_to_keep

EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
"""Nothing that is recorded happened before; calendars end not far before year 1."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """Causes from `from_at` on and before `until_at`, by the rules as they were at `rules_at`."""

    from_at: datetime
    until_at: datetime
    rules_at: datetime


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One cause: what it has earned, less refunds, and what it would have."""

    told: Told
    award: Award
    entry: "Entered | None"
    after: int
    by_segments: bool = False
    """Whether it may be another one by the segments that the customer belonged to when it happened."""

    @property
    def before(self) -> int:
        return 0 if self.entry is None else self.entry.earned - self.entry.taken


@dataclass(frozen=True)
class Entered:
    """What is in the ledger for a cause: earned, with earlier corrections, and taken back; and whether
    somebody cancelled what was pending of it."""

    id: str
    earned: int
    taken: int
    cancelled: bool = False


async def compared(tx: UnitOfWork, customers: Sequence[str], offer: Offer, window: Window) -> list[Compared]:
    """All causes of these customers in the window, in their order. A fixed number of statements."""
    told, refunded = await _causes(tx, customers, offer, window)
    if not told:
        return []
    who = await about(customers, [offer], tx)
    entries = await _entries(tx, offer.programme.id, [one.source_key for one in told])
    uses = await _earlier(tx, customers, offer, window)
    others = await _others(tx, customers, offer, window)
    tiers = await _tiers(tx, customers, offer.programme.id)
    pasts: dict[str, CustomerPast] = {}
    if offer.asks & {"attributes", "tags"}:
        pasts = await customer_pasts(tx, customers, told[0].cause.at)
    programme = offer.programme_at(window.rules_at)
    campaigns = [one for one in offer.campaigns if one.made_at is None or one.made_at <= window.rules_at]
    found: list[Compared] = []
    for one in told:
        while others and others[0].at <= one.cause.at:
            other = others.popleft()
            uses.gave(other.customer_id, "", other.day, other.points)
        day = local_day(one.cause.at, offer.programme.zone)
        whose = replace(
            who[offer.programme.id, one.customer_id], tier=_tier(tiers.get(one.customer_id, ()), one.cause.at)
        )
        if (past := pasts.get(one.customer_id)) is not None:
            then = past.at(one.cause.at)
            whose = replace(whose, tags=then.tags, attributes=then.attributes)
        rules = rules_of(offer, window.rules_at, one.cause.at)
        used = uses.of(one.customer_id, day, offer)
        # that it was not active then is no rule, which another could take the place of
        by = replace(programme, active=offer.programme_at(one.cause.at).active)
        earned = award(by, rules, campaigns, one.cause, whose, used)
        uses.add(one.customer_id, day, earned)
        entry = entries.get(one.source_key)
        if entry is not None and entry.cancelled:
            continue  # somebody decided on it
        back = refunded.get(one.interaction_id or "", 0)
        after = earned.points
        if one.cause.trigger is Trigger.PURCHASE:
            after = points_to_keep(earned.points, one.cause.total_minor or 0, back)
        if entry is not None or worth_an_entry(one, offer, earned):
            present = by_segments(programme, rules, campaigns, one.cause, whose)
            found.append(Compared(told=one, award=earned, entry=entry, after=after, by_segments=present))
    return found


def rules_of(offer: Offer, rules_at: datetime, at: datetime) -> list[Rule]:
    """The rules as they were at `rules_at`, of those that count for what happened at `at`. The programme's
    own rate does for all.
    """
    begins: dict[str, datetime | None] = {OWN_RATE: None}
    for dated in offer.dated:
        begins.setdefault(dated.rule.id, dated.from_at)
    return [
        dated.rule
        for dated in offer.dated
        if dated.holds(rules_at) and ((begin := begins[dated.rule.id]) is None or begin <= at)
    ]


Risen = tuple[datetime, str | None]
"""Since when, which tier."""


async def _tiers(tx: UnitOfWork, customers: Sequence[str], program_id: str) -> dict[str, list[Risen]]:
    """By customer, the earliest first: a cause goes by the tier that there was then."""
    of = among("a.customer_id", list(customers), tx.dialect)
    rows = await tx.fetch(
        "SELECT a.customer_id, c.tier_id, c.at FROM loyalty_tier_change c JOIN loyalty_account a"
        f" ON a.id = c.account_id WHERE a.program_id = ? AND {of.sql} ORDER BY c.at, c.id",
        [program_id, *of.args],
    )
    found: dict[str, list[Risen]] = {}
    for row in rows:
        tier = None if row["tier_id"] is None else str(row["tier_id"])
        found.setdefault(str(row["customer_id"]), []).append((parse_time(row["at"]), tier))
    return found


def _tier(risen: Sequence[Risen], at: datetime) -> str | None:
    return next((tier for since, tier in reversed(risen) if since < at), None)


async def _causes(
    tx: UnitOfWork, customers: Sequence[str], offer: Offer, window: Window
) -> tuple[list[Told], dict[str, int]]:
    """Purchases in the programme's currency, interactions that some rule is about; and what was refunded of
    the purchases, minor units."""
    kinds = {kind for dated in offer.dated for kind in dated.rule.kinds} | {"purchase"}
    every = any(dated.rule.trigger is Trigger.INTERACTION and not dated.rule.kinds for dated in offer.dated)
    of = among("customer_id", list(customers), tx.dialect)
    chosen = among("kind", sorted(kinds), tx.dialect)
    only = ("", ()) if every else (f" AND {chosen.sql}", chosen.args)
    rows = await tx.fetch(
        "SELECT id, customer_id, kind, occurred_at, channel, direction, total_minor, currency"
        " FROM crm_interaction"
        f" WHERE {of.sql} AND occurred_at >= ? AND occurred_at < ?{only[0]} AND kind <> 'refund'"
        " ORDER BY occurred_at, id",
        [*of.args, window.from_at, window.until_at, *only[1]],
    )
    purchases = [str(row["id"]) for row in rows if row["kind"] == "purchase"]
    lines = await lines_of(purchases, tx) if "lines" in offer.asks else {}
    told = [
        _told(row, tuple(lines.get(str(row["id"]), ())))
        for row in rows
        if row["kind"] != "purchase" or row["currency"] == offer.programme.currency
    ]
    where = among("refund_of_id", purchases, tx.dialect)
    refunds = await tx.fetch(
        "SELECT refund_of_id, SUM(total_minor) AS minor FROM crm_interaction"
        f" WHERE {where.sql} GROUP BY refund_of_id",
        where.args,
    )
    return told, {str(row["refund_of_id"]): -int(row["minor"]) for row in refunds}


def _told(row: Mapping[str, Any], lines: tuple[Any, ...]) -> Told:
    bought = row["kind"] == "purchase"
    return Told(
        customer_id=str(row["customer_id"]),
        source_key=f"{'purchase' if bought else 'interaction'}:{row['id']}",
        cause=Cause(
            trigger=Trigger.PURCHASE if bought else Trigger.INTERACTION,
            at=parse_time(row["occurred_at"]),
            kind=row["kind"],
            currency=row["currency"] if bought else None,
            total_minor=row["total_minor"] if bought else None,
            channel=row["channel"],
            outbound=row["direction"] == OUTBOUND,
            lines=lines,
        ),
        interaction_id=str(row["id"]),
    )


async def _entries(tx: UnitOfWork, program_id: str, sources: Sequence[str]) -> dict[str, Entered]:
    """By source key. Among what is linked to an entry, corrections have no amount, and refunds have one."""
    where = among("e.source_key", sources, tx.dialect)
    rows = await tx.fetch(
        "SELECT e.id, e.source_key, e.points + e.pending AS points,"
        " SUM(CASE WHEN c.kind <> 'CANCELLED' AND c.amount_minor IS NULL THEN c.points + c.pending END)"
        " AS more,"
        " SUM(CASE WHEN c.kind = 'CANCELLED' OR c.amount_minor IS NOT NULL THEN c.points + c.pending END)"
        " AS back,"
        " SUM(CASE WHEN c.kind = 'CANCELLED' THEN 1 END) AS cancelled"
        " FROM loyalty_entry e LEFT JOIN loyalty_entry c ON c.corrects_id = e.id AND c.kind <> 'UNLOCKED'"
        f" WHERE e.program_id = ? AND {where.sql} GROUP BY e.id, e.source_key, e.points, e.pending",
        [program_id, *where.args],
    )
    return {
        row["source_key"]: Entered(
            str(row["id"]),
            int(row["points"]) + int(row["more"] or 0),
            -int(row["back"] or 0),
            cancelled=bool(row["cancelled"]),
        )
        for row in rows
    }


async def _earlier(tx: UnitOfWork, customers: Sequence[str], offer: Offer, window: Window) -> Uses:
    """What rules gave before the window, and all of them together, by customer: what caps are measured by."""
    uses = Uses()
    capped = sorted({d.rule.id for d in offer.dated if d.rule.id and _capped(d.rule)})
    whole = _bounded(offer, window)
    if not capped and not whole:
        return uses
    of = among("a.customer_id", list(customers), tx.dialect)
    of_rule = among("s.rule_id", capped, tx.dialect)
    first = local_day(max(window.from_at, EARLIEST), offer.programme.zone)
    for row in await tx.fetch(
        "SELECT a.customer_id, s.rule_id, SUM(s.points) AS points,"
        " SUM(CASE WHEN s.day = ? THEN s.points ELSE 0 END) AS on_day FROM loyalty_share s"
        " JOIN loyalty_account a ON a.id = s.account_id JOIN loyalty_entry e ON e.id = s.entry_id"
        f" WHERE a.program_id = ? AND {of.sql} AND e.at < ?{'' if whole else f' AND {of_rule.sql}'}"
        " GROUP BY a.customer_id, s.rule_id",
        [first, offer.programme.id, *of.args, window.from_at, *(() if whole else of_rule.args)],
    ):
        customer, rule = str(row["customer_id"]), "" if row["rule_id"] is None else str(row["rule_id"])
        before = int(row["points"]) - int(row["on_day"])
        uses.gave(customer, rule, first, int(row["on_day"]))
        uses.gave(customer, rule, first - timedelta(days=1), before)
    return uses


def _capped(rule: Rule) -> bool:
    return rule.cap_per_customer is not None or rule.cap_per_day is not None


def _bounded(offer: Offer, window: Window) -> bool:
    """Whether the programme has a cap of its own that goes beyond one purchase."""
    programme = offer.programme_at(window.rules_at)
    return programme.cap_per_customer is not None or programme.cap_per_day is not None


@dataclass(frozen=True)
class Other:
    """What something earned that is not replayed, such as a birthday."""

    customer_id: str
    at: datetime
    day: date
    points: int


async def _others(tx: UnitOfWork, customers: Sequence[str], offer: Offer, window: Window) -> deque[Other]:
    """In the window, in its order, where the programme's own caps count it."""
    if not _bounded(offer, window):
        return deque()
    of = among("a.customer_id", list(customers), tx.dialect)
    rows = await tx.fetch(
        "SELECT a.customer_id, e.at, s.day, s.points FROM loyalty_share s"
        " JOIN loyalty_account a ON a.id = s.account_id JOIN loyalty_entry e ON e.id = s.entry_id"
        f" WHERE a.program_id = ? AND {of.sql} AND e.at >= ? AND e.at < ?"
        " AND e.source_key NOT LIKE 'purchase:%' AND e.source_key NOT LIKE 'interaction:%'"
        " AND e.source_key NOT LIKE 'replay:%' ORDER BY e.at",
        [offer.programme.id, *of.args, window.from_at, window.until_at],
    )
    return deque(
        Other(str(row["customer_id"]), parse_time(row["at"]), day_of(row["day"]), int(row["points"]))
        for row in rows
    )
