"""The tier that is kept with an account, and its history: written with what changes them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import orjson

from crm_framework import Reader, UnitOfWork, among, new_id, parse_time
from crm_loyalty.events import TierChanged
from crm_loyalty.models import TierBasis, TierDescent, TierPeriod

from .rules import NONE, Counted, TierRules, standing
from .unmoved import unmoved

if TYPE_CHECKING:
    from crm_loyalty.ledger.accounts import Account
    from crm_loyalty.ledger.entries import Entry


@dataclass(frozen=True)
class Level:
    """A tier of a programme."""

    id: str
    name: str
    threshold: int
    benefits: Sequence[str]


@dataclass(frozen=True)
class Ladder:
    """The tiers of a programme, the lowest first, and the rules by which one stands on them."""

    levels: Sequence[Level]
    rules: TierRules
    basis: TierBasis
    currency: str

    def tier_id(self, level: int) -> str | None:
        return None if level == NONE else self.levels[level].id

    def level_of(self, tier_id: str | None) -> int:
        return next((number for number, each in enumerate(self.levels) if each.id == tier_id), NONE)

    @property
    def counted(self) -> str:
        """The column of entries that counts."""
        return "qualifying_points" if self.basis is TierBasis.POINTS else "qualifying_minor"


async def ladders(source: UnitOfWork | Reader, program_ids: Iterable[str]) -> dict[str, Ladder]:
    """Of each of these programmes that has tiers, its ladder."""
    where = among("p.id", sorted(set(program_ids)), source.dialect)
    rows = await source.fetch(
        "SELECT p.id AS program_id, p.time_zone, p.currency, p.tier_period, p.tier_basis, p.tier_descent,"
        " p.tier_grace_days, t.id, t.name, t.threshold, t.benefits FROM loyalty_program p"
        f" JOIN loyalty_tier t ON t.program_id = p.id WHERE {where.sql} ORDER BY t.threshold",
        where.args,
    )
    by_program: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_program[str(row["program_id"])].append(row)
    return {key: _ladder(tiers) for key, tiers in by_program.items()}


def _ladder(rows: Sequence[dict[str, Any]]) -> Ladder:
    first = rows[0]
    levels = [Level(str(row["id"]), row["name"], row["threshold"], texts(row["benefits"])) for row in rows]
    rules = TierRules(
        thresholds=[level.threshold for level in levels],
        period=TierPeriod(first["tier_period"]),
        descent=TierDescent(first["tier_descent"]),
        grace=timedelta(days=first["tier_grace_days"]),
        zone=ZoneInfo(first["time_zone"]),
    )
    return Ladder(levels, rules, TierBasis(first["tier_basis"]), first["currency"])


def texts(value: Any) -> list[str]:
    """The benefits of a tier, as the database gives them."""
    found: list[str] = orjson.loads(value) if isinstance(value, str | bytes) else value
    return found


async def histories(source: UnitOfWork | Reader, accounts: Mapping[str, Ladder]) -> dict[str, list[Counted]]:
    """Of each account what counts on its programme's ladder."""
    where = among("account_id", sorted(accounts), source.dialect)
    rows = await source.fetch(
        "SELECT account_id, at, qualifies_at, qualifying_points, qualifying_minor FROM loyalty_entry"
        f" WHERE {where.sql} AND (qualifying_points <> 0 OR qualifying_minor <> 0) ORDER BY at, id",
        where.args,
    )
    found: dict[str, list[Counted]] = defaultdict(list)
    for row in rows:
        key = str(row["account_id"])
        amount = row[accounts[key].counted]
        if amount:
            found[key].append(Counted(parse_time(row["at"]), parse_time(row["qualifies_at"]), amount))
    return found


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
            found[key] = ladder.tier_id(standing(counted.get(key, ()), ladder.rules, at).level)
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
    counted = await histories(tx, {key: found[account.program_id] for key, account in judged.items()})
    kept = await _kept(tx, judged)
    outdated: list[tuple[object, ...]] = []
    added: list[tuple[object, ...]] = []
    updates: list[tuple[object, ...]] = []
    for key, account in judged.items():
        ladder = found[account.program_id]
        now = standing(counted.get(key, ()), ladder.rules, account.posted_at)
        wanted = [
            (each.at, ladder.tier_id(each.level), ladder.tier_id(each.previous)) for each in now.changes
        ]
        told = kept.get(key, [])
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1][1:], zip(wanted, told, strict=False)))
        outdated += [(each[0],) for each in told[same:]]
        added += [(new_id(), key, tier, previous, at, tx.now) for at, tier, previous in wanted[same:]]
        tier_id = ladder.tier_id(now.level)
        if tier_id != account.tier_id:
            tx.emit(_changed(account, ladder, now.level))
        updates.append((tier_id, now.since, account.posted_at, now.review_at, key))
    await tx.execute_many("DELETE FROM loyalty_tier_change WHERE id = ?", outdated)
    tx.insert_values(
        "loyalty_tier_change", ("id", "account_id", "tier_id", "previous_id", "at", "created_at"), added
    )
    await tx.execute_many(
        "UPDATE loyalty_account SET tier_id = ?, tier_since = ?, tier_judged_at = ?, tier_review_at = ?"
        " WHERE id = ?",
        updates,
    )


_Kept = tuple[str, datetime, str | None, str | None]
"""key, moment, tier, previous tier"""


async def _kept(tx: UnitOfWork, accounts: Iterable[str]) -> dict[str, list[_Kept]]:
    where = among("account_id", sorted(accounts), tx.dialect)
    rows = await tx.fetch(
        f"SELECT id, account_id, tier_id, previous_id, at FROM loyalty_tier_change WHERE {where.sql}"
        " ORDER BY at, id",
        where.args,
    )
    found: dict[str, list[_Kept]] = defaultdict(list)
    for row in rows:
        found[row["account_id"]].append(
            (row["id"], parse_time(row["at"]), row["tier_id"], row["previous_id"])
        )
    return found


def _changed(account: "Account", ladder: Ladder, level: int) -> TierChanged:
    names = {each.id: each.name for each in ladder.levels}
    before = ladder.level_of(account.tier_id)
    tier_id = ladder.tier_id(level)
    return TierChanged(
        customer_id=account.customer_id,
        account_id=account.id,
        program_id=account.program_id,
        tier_id=tier_id,
        previous_tier_id=account.tier_id,
        up=level > before,
        changes={"tier": (names.get(account.tier_id or ""), names.get(tier_id or ""))},
    )
