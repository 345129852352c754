"""The tier that is kept with an account, and its history: written with what changes them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import orjson

from crm_framework import Reader, UnitOfWork, among, new_id, parse_time
from crm_loyalty.events import TierChanged
from crm_loyalty.models import TierBasis, TierDescent, TierPeriod

from .rules import NONE, Counted, Span, TierRules, standing_over
from .unmoved import unmoved

if TYPE_CHECKING:
    from crm_loyalty.ledger.accounts import Account
    from crm_loyalty.ledger.entries import Entry


@dataclass(frozen=True)
class Level:
    """A tier of a programme, as it is or was."""

    id: str
    name: str
    threshold: int
    benefits: Sequence[str]


@dataclass(frozen=True)
class Rungs:
    """The tiers of a programme from a moment on (None: from the first), the lowest first, and the rules by
    which one stands on them."""

    from_at: datetime | None
    levels: Sequence[Level]
    rules: TierRules
    basis: TierBasis

    def level_of(self, tier_id: str | None) -> int:
        return next((number for number, each in enumerate(self.levels) if each.id == tier_id), NONE)


@dataclass(frozen=True)
class Ladder:
    """The tiers of a programme, as they were and are."""

    spans: Sequence[Rungs]
    currency: str

    @property
    def now(self) -> Rungs:
        return self.spans[-1]

    def at(self, moment: datetime) -> Rungs:
        """As they were at a moment."""
        held = [span for span in self.spans if span.from_at is None or span.from_at <= moment]
        return held[-1] if held else self.spans[0]


@dataclass(frozen=True)
class Counts:
    """What of an account counts towards tiers, by either basis."""

    points: Sequence[Counted] = ()
    spend: Sequence[Counted] = ()


@dataclass(frozen=True)
class Changed:
    """A tier was reached or lost."""

    at: datetime
    tier_id: str | None
    previous_id: str | None
    id: str = field(default="", compare=False)


@dataclass(frozen=True)
class Stands:
    """Where an account stands at a moment: see `rules.Standing`."""

    tier_id: str | None
    amount: int
    since: datetime | None
    review_at: datetime | None
    changes: Sequence[Changed]


def stands(ladder: Ladder, counts: Counts | None, as_of: datetime) -> Stands:
    """By the rules of each moment."""
    counts = counts or Counts()
    spans = [
        Span(
            rules=span.rules,
            keys=[level.id for level in span.levels],
            history=counts.points if span.basis is TierBasis.POINTS else counts.spend,
            from_at=span.from_at,
        )
        for span in ladder.spans
    ]
    found = standing_over(spans, as_of)
    changes = [Changed(each.at, _id(each.level), _id(each.previous)) for each in found.changes]
    return Stands(_id(found.level), found.amount, found.since, found.review_at, changes)


def _id(key: Any) -> str | None:
    return None if key == NONE else str(key)


RISING = ("tier_period", "tier_basis", "tier_descent", "tier_grace_days")
"""What of a programme's versions is about tiers."""
LADDERS = (
    "SELECT p.id AS program_id, p.time_zone, p.currency, v.from_at, v.tier_period, v.tier_basis,"
    " v.tier_descent, v.tier_grace_days, v.number, NULL AS tier_id, NULL AS name, NULL AS threshold,"
    " NULL AS benefits FROM loyalty_program p JOIN loyalty_program_version v ON v.program_id = p.id WHERE {0}"
    " UNION ALL SELECT p.id, p.time_zone, p.currency, v.from_at, NULL, NULL, NULL, NULL, v.number, t.id,"
    " v.name, v.threshold, v.benefits FROM loyalty_program p JOIN loyalty_tier t ON t.program_id = p.id"
    " JOIN loyalty_tier_version v ON v.tier_id = t.id WHERE {0}"
)


async def ladders(source: UnitOfWork | Reader, program_ids: Iterable[str]) -> dict[str, Ladder]:
    """Of each of these programmes that has tiers, its ladder. One statement."""
    where = among("p.id", sorted(set(program_ids)), source.dialect)
    rows = await source.fetch(LADDERS.format(where.sql), [*where.args, *where.args])
    by_program: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_program[str(row["program_id"])].append(row)
    found = {key: _ladder(of) for key, of in by_program.items()}
    return {key: ladder for key, ladder in found.items() if ladder is not None}


def _ladder(rows: Sequence[dict[str, Any]]) -> Ladder | None:
    """Spans between all moments at which the programme's rules or one of its tiers changed."""
    ordered = sorted(rows, key=lambda row: row["number"])
    tiers: dict[str, list[dict[str, Any]]] = defaultdict(list)
    says: list[dict[str, Any]] = []
    for row in ordered:
        if row["tier_id"] is not None:
            tiers[row["tier_id"]].append(row)
        elif not says or any(row[name] != says[-1][name] for name in RISING):
            says.append(row)  # of the others something else was changed
    if not tiers or not says:
        return None
    dated = [*says, *(row for versions in tiers.values() for row in versions)]
    spans: list[Rungs] = []
    for from_at in (None, *sorted({at for row in dated if (at := _moment(row["from_at"])) is not None})):
        begun = [_begun(versions, from_at) for versions in tiers.values()]
        there = [one for one in begun if one is not None]
        spans.append(_rungs(from_at, _begun(says, from_at) or says[0], there))
    return Ladder(tuple(spans), rows[0]["currency"])


def _begun(versions: Sequence[dict[str, Any]], at: datetime | None) -> dict[str, Any] | None:
    """The version that holds at a moment: the last of those that have begun. None is before all moments."""
    found: dict[str, Any] | None = None
    for row in versions:
        begins = _moment(row["from_at"])
        if begins is None or (at is not None and begins <= at):
            found = row
    return found


def _rungs(from_at: datetime | None, program: Mapping[str, Any], tiers: Sequence[Mapping[str, Any]]) -> Rungs:
    rows = sorted(tiers, key=lambda row: (row["threshold"], str(row["tier_id"])))
    levels = [
        Level(str(row["tier_id"]), row["name"], row["threshold"], texts(row["benefits"])) for row in rows
    ]
    rules = TierRules(
        thresholds=[level.threshold for level in levels],
        period=TierPeriod(program["tier_period"]),
        descent=TierDescent(program["tier_descent"]),
        grace=timedelta(days=program["tier_grace_days"]),
        zone=ZoneInfo(program["time_zone"]),
    )
    return Rungs(from_at, levels, rules, TierBasis(program["tier_basis"]))


def texts(value: Any) -> list[str]:
    """The benefits of a tier, as the database gives them."""
    found: list[str] = orjson.loads(value) if isinstance(value, str | bytes) else value
    return found


async def histories(source: UnitOfWork | Reader, account_ids: Iterable[str]) -> dict[str, Counts]:
    """Of each account that has some, what counts towards tiers."""
    where = among("account_id", sorted(account_ids), source.dialect)
    rows = await source.fetch(
        "SELECT account_id, at, qualifies_at, qualifying_points, qualifying_minor FROM loyalty_entry"
        f" WHERE {where.sql} AND (qualifying_points <> 0 OR qualifying_minor <> 0) ORDER BY at, id",
        where.args,
    )
    points: dict[str, list[Counted]] = defaultdict(list)
    spend: dict[str, list[Counted]] = defaultdict(list)
    for row in rows:
        key, at, of = str(row["account_id"]), parse_time(row["at"]), parse_time(row["qualifies_at"])
        for found, amount in ((points, row["qualifying_points"]), (spend, row["qualifying_minor"])):
            if amount:
                found[key].append(Counted(at, of, amount))
    return {key: Counts(points.get(key, ()), spend.get(key, ())) for key in {*points, *spend}}


@dataclass(frozen=True)
class Kept:
    """The tier that is kept with an account, and when it may be lost."""

    account_id: str
    program_id: str
    tier_id: str | None
    review_at: datetime | None


async def tiers_at(
    source: UnitOfWork | Reader, accounts: Iterable[Kept], at: datetime
) -> dict[str, str | None]:
    """By account, its tier now: also where the job has not come yet to one that is lost since. Two statements
    at most, and none where nothing is due.
    """
    every = list(accounts)
    found = {each.account_id: each.tier_id for each in every}
    due = {each.account_id: each.program_id for each in every if each.review_at and each.review_at <= at}
    if due:
        known = await ladders(source, due.values())
        judged = {key: known[program] for key, program in due.items() if program in known}
        counted = await histories(source, judged)
        for key, ladder in judged.items():
            found[key] = stands(ladder, counted.get(key), at).tier_id
    return found


async def judge(tx: UnitOfWork, accounts: Iterable["Account"], entries: Sequence["Entry"]) -> None:
    """Brings the tiers of accounts up to date after these entries; those that they leave alone stay."""
    moved = {
        entry.book_id
        for entry in entries
        if entry.qualifying_points or entry.qualifying_minor or entry.kind == "MERGED"
    }
    touched = [
        account
        for account in accounts
        if account.id in moved or (account.tier_review_at and account.tier_review_at <= account.posted_at)
    ]
    found = await ladders(tx, {account.program_id for account in touched}) if touched else {}
    same = await unmoved(tx, touched, entries, found)
    await _judge(tx, [account for account in touched if account.id not in same], found)


async def judge_all(tx: UnitOfWork, accounts: Sequence["Account"]) -> None:
    """Applies the rules of today to all that counts in these accounts, which are held."""
    found = await ladders(tx, {account.program_id for account in accounts}) if accounts else {}
    await _judge(tx, accounts, found)


async def _judge(tx: UnitOfWork, accounts: Sequence["Account"], found: Mapping[str, Ladder]) -> None:
    judged = {account.id: account for account in accounts if account.program_id in found}
    if not judged:
        return
    counted = await histories(tx, judged)
    kept = await changes_kept(tx, judged)
    outdated: list[tuple[object, ...]] = []
    added: list[tuple[object, ...]] = []
    updates: list[tuple[object, ...]] = []
    for key, account in judged.items():
        ladder = found[account.program_id]
        now = stands(ladder, counted.get(key), account.posted_at)
        told = kept.get(key, [])
        same = sum(
            1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(now.changes, told, strict=False))
        )
        outdated += [(each.id,) for each in told[same:]]
        added += [
            (new_id(), key, each.tier_id, each.previous_id, each.at, tx.now) for each in now.changes[same:]
        ]
        if now.tier_id != account.tier_id:
            tx.emit(_changed(account, ladder.now, now.tier_id))
        updates.append((now.tier_id, now.since, account.posted_at, now.review_at, key))
    await tx.execute_many("DELETE FROM loyalty_tier_change WHERE id = ?", outdated)
    tx.insert_values(
        "loyalty_tier_change", ("id", "account_id", "tier_id", "previous_id", "at", "created_at"), added
    )
    await tx.execute_many(
        "UPDATE loyalty_account SET tier_id = ?, tier_since = ?, tier_judged_at = ?, tier_review_at = ?"
        " WHERE id = ?",
        updates,
    )


async def changes_kept(source: UnitOfWork, accounts: Iterable[str]) -> dict[str, list[Changed]]:
    """The changes that are kept of each account, in their order."""
    where = among("account_id", sorted(accounts), source.dialect)
    rows = await source.fetch(
        f"SELECT id, account_id, tier_id, previous_id, at FROM loyalty_tier_change WHERE {where.sql}"
        " ORDER BY at, id",
        where.args,
    )
    found: dict[str, list[Changed]] = defaultdict(list)
    for row in rows:
        change = Changed(parse_time(row["at"]), row["tier_id"], row["previous_id"], row["id"])
        found[row["account_id"]].append(change)
    return found


def _changed(account: "Account", rungs: Rungs, tier_id: str | None) -> TierChanged:
    names = {each.id: each.name for each in rungs.levels}
    return TierChanged(
        customer_id=account.customer_id,
        account_id=account.id,
        program_id=account.program_id,
        tier_id=tier_id,
        previous_tier_id=account.tier_id,
        up=rungs.level_of(tier_id) > rungs.level_of(account.tier_id),
        changes={"tier": (names.get(account.tier_id or ""), names.get(tier_id or ""))},
    )


def _moment(value: Any) -> datetime | None:
    return None if value is None else parse_time(value)
