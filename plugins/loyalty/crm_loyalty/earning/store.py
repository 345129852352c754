"""What programmes offer: their rules and campaigns, as they are or were, read for a batch of causes."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from crm_framework import CrmError, ErrorCode, UnitOfWork, among, format_minor, parse_time

from .plain import from_plain
from .rules import (
    Basis,
    Campaign,
    Multiplier,
    Programme,
    Rounding,
    Rule,
    Selection,
    Terms,
    Trigger,
    needs,
)

LOWEST = -(2**31)
"""Priority of a programme's own rate: any rule comes before it."""
OWN_RATE = ""
"""Its key."""


class Reads(Protocol):
    """What a unit of work and a reader have in common."""

    @property
    def dialect(self) -> Any: ...
    async def fetch(self, sql: str, args: Sequence[object] = ()) -> Sequence[Mapping[str, Any]]: ...


@dataclass(frozen=True, kw_only=True)
class Span:
    """From when until when something holds."""

    from_at: datetime | None
    until_at: datetime | None

    def holds(self, at: datetime) -> bool:
        return (self.from_at is None or self.from_at <= at) and (self.until_at is None or at < self.until_at)


@dataclass(frozen=True, kw_only=True)
class Dated(Span):
    """A version of a rule."""

    rule: Rule
    attribute: str | None = None


@dataclass(frozen=True, kw_only=True)
class Version(Span):
    """A version of a programme."""

    programme: Programme
    points_per_unit: int


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A programme as it is and was, its rules in the order in which they were made, and its campaigns."""

    versions: tuple[Version, ...]
    dated: tuple[Dated, ...]
    campaigns: tuple[Campaign, ...] = ()

    @property
    def programme(self) -> Programme:
        """As it is. Its key, name, currency and zone are what they always were."""
        return self.versions[-1].programme

    def programme_at(self, at: datetime) -> Programme:
        """As it was at a moment."""
        return next((one.programme for one in self.versions if one.holds(at)), self.programme)

    def rules(self, at: datetime) -> list[Rule]:
        """Those that held at a moment."""
        return [dated.rule for dated in self.dated if dated.holds(at)]

    @property
    def asks(self) -> frozenset[str]:
        """What must be known of customers and purchases."""
        programmes = [one.programme for one in self.versions]
        return needs([dated.rule for dated in self.dated], self.campaigns, programmes)


PROGRAM = (
    "p.id, p.name, p.currency, p.time_zone, v.from_at, v.until_at, v.points_per_unit, v.selection,"
    " v.rounding, v.pending_days, v.expiry_months, v.cap_per_purchase, v.cap_per_day,"
    " v.cap_per_customer, v.active, v.multipliers"
)
EVER_ACTIVE = (
    "(p.active = TRUE OR EXISTS (SELECT 1 FROM loyalty_program_version w WHERE w.program_id = p.id"
    " AND w.active = TRUE))"
)
VERSION = (
    "v.id, v.rule_id, v.from_at, v.until_at, v.trigger, v.basis, v.points, v.per_minor, v.whole_steps,"
    " v.referee_points, v.kinds, v.attribute, v.priority, v.conditions, v.cap_per_cause, v.cap_per_day,"
    " v.cap_per_customer, v.pending_days, v.expires_months, v.expires_days, v.never_expires"
)


async def offers(
    reads: Reads, triggers: Collection[Trigger], *, program_id: str | None = None
) -> dict[str, Offer]:
    """By the programmes' keys: those that are or were active and have something for one of the triggers, or
    the one that is named. Three statements at most.
    """
    chosen = among("v.trigger", sorted(triggers), reads.dialect)
    # what happened while it was active may be told later
    only, args = ("p.id = ?", [program_id]) if program_id else (EVER_ACTIVE, [])
    versions = await reads.fetch(
        f"SELECT r.program_id, r.name, {VERSION} FROM loyalty_rule_version v"
        " JOIN loyalty_rule r ON r.id = v.rule_id JOIN loyalty_program p ON p.id = r.program_id"
        f" WHERE {chosen.sql} AND {only} ORDER BY r.created_at, r.id, v.number",
        [*chosen.args, *args],
    )
    if not versions and not program_id and Trigger.PURCHASE not in triggers:
        return {}
    programs: dict[str, list[Version]] = {}
    for row in await reads.fetch(
        f"SELECT {PROGRAM} FROM loyalty_program p JOIN loyalty_program_version v ON v.program_id = p.id"
        f" WHERE {only} ORDER BY p.id, v.number",
        args,
    ):
        programs.setdefault(str(row["id"]), []).append(version(row))
    bought = Trigger.PURCHASE in triggers
    rules = {key: _own(own) if bought else [] for key, own in programs.items()}
    for row in versions:
        if str(row["program_id"]) in rules:  # else it was ended at this moment
            rules[str(row["program_id"])].append(dated(row))
    wanted = [key for key in programs if rules[key] or program_id]
    if not wanted:
        return {}
    own = among("program_id", wanted, reads.dialect)
    found = await reads.fetch(
        "SELECT id, program_id, name, percent, starts_at, ends_at, rules, conditions, created_at"
        " FROM loyalty_campaign"
        f" WHERE {own.sql} ORDER BY created_at, id",
        own.args,
    )
    return {
        key: Offer(
            versions=tuple(programs[key]),
            dated=tuple(rules[key]),
            campaigns=tuple(campaign(one) for one in found if str(one["program_id"]) == key),
        )
        for key in wanted
    }


def version(row: Mapping[str, Any]) -> Version:
    """From a row of `PROGRAM`."""
    months = row["expiry_months"]
    programme = Programme(
        id=str(row["id"]),
        name=row["name"],
        currency=row["currency"],
        zone=ZoneInfo(row["time_zone"]),
        selection=Selection(row["selection"]),
        rounding=Rounding(row["rounding"]),
        terms=Terms(pending_days=row["pending_days"], expires_months=months, never_expires=months is None),
        multipliers=tuple(Multiplier(**one) for one in plain(row["multipliers"])),
        cap_per_purchase=row["cap_per_purchase"],
        cap_per_day=row["cap_per_day"],
        cap_per_customer=row["cap_per_customer"],
        active=bool(row["active"]),
    )
    return Version(
        programme=programme,
        points_per_unit=row["points_per_unit"],
        from_at=moment(row["from_at"]),
        until_at=moment(row["until_at"]),
    )


def dated(row: Mapping[str, Any]) -> Dated:
    """From a row of `VERSION` with the rule's name."""
    return Dated(
        rule=Rule(
            id=str(row["rule_id"]),
            version_id=str(row["id"]),
            name=row["name"],
            trigger=Trigger(row["trigger"]),
            basis=Basis(row["basis"]),
            points=row["points"],
            per_minor=row["per_minor"],
            whole_steps=bool(row["whole_steps"]),
            referee_points=row["referee_points"],
            kinds=tuple(plain(row["kinds"])),
            priority=row["priority"],
            conditions=from_plain(plain(row["conditions"])),
            cap_per_cause=row["cap_per_cause"],
            cap_per_day=row["cap_per_day"],
            cap_per_customer=row["cap_per_customer"],
            terms=Terms(
                pending_days=row["pending_days"],
                expires_months=row["expires_months"],
                expires_days=row["expires_days"],
                never_expires=bool(row["never_expires"]),
            ),
        ),
        attribute=row["attribute"],
        from_at=moment(row["from_at"]),
        until_at=moment(row["until_at"]),
    )


def campaign(row: Mapping[str, Any]) -> Campaign:
    return Campaign(
        id=str(row["id"]),
        name=row["name"],
        percent=row["percent"],
        starts_at=moment(row["starts_at"]),
        ends_at=moment(row["ends_at"]),
        rules=tuple(plain(row["rules"])),
        made_at=moment(row["created_at"]),
        conditions=from_plain(plain(row["conditions"])),
    )


def moment(value: Any) -> datetime | None:
    return None if value is None else parse_time(value)


def plain(value: Any) -> Any:
    """A JSON column, which comes as text."""
    return json.loads(value) if isinstance(value, str) else value


def unit_minor(currency: str) -> int:
    """Minor units in a unit of a currency: 100 for EUR, 1 for JPY."""
    decimals = format_minor(0, currency).partition(".")[2]
    return int("1" + decimals)


def _own(versions: Sequence[Version]) -> list[Dated]:
    """The programme's own rate as a rule, which counts where no rule of higher priority does."""
    return [
        Dated(
            rule=Rule(
                id=OWN_RATE,
                version_id="",
                name=one.programme.name,
                trigger=Trigger.PURCHASE,
                basis=Basis.PER_AMOUNT,
                points=one.points_per_unit,
                per_minor=unit_minor(one.programme.currency),
                priority=LOWEST,
            ),
            from_at=one.from_at,
            until_at=one.until_at,
        )
        for one in versions
        if one.points_per_unit > 0
    ]


async def currency_of(reads: Reads, program_id: str) -> str:
    """The currency that a programme counts. NOT_FOUND for an unknown one."""
    rows = await reads.fetch("SELECT currency FROM loyalty_program WHERE id = ?", [program_id])
    if not rows:
        raise CrmError(ErrorCode.NOT_FOUND, "There is no such programme.", path=("program",))
    return str(rows[0]["currency"])


async def currency_of_rule(reads: Reads, rule_id: str) -> str:
    """The currency of a rule's programme. NOT_FOUND for an unknown rule."""
    rows = await reads.fetch(
        "SELECT p.currency FROM loyalty_rule r JOIN loyalty_program p ON p.id = r.program_id WHERE r.id = ?",
        [rule_id],
    )
    if not rows:
        raise CrmError(ErrorCode.NOT_FOUND, "There is no such rule.", path=("rule",))
    return str(rows[0]["currency"])


async def check_tiers(tx: UnitOfWork, program_id: str, tiers: Sequence[str], *path: str) -> None:
    """NOT_FOUND for a tier that is none of the programme's."""
    if not tiers:
        return
    where = among("id", list(tiers), tx.dialect)
    rows = await tx.fetch(
        f"SELECT id FROM loyalty_tier WHERE program_id = ? AND {where.sql}", [program_id, *where.args]
    )
    if {str(row["id"]) for row in rows} != set(tiers):
        raise CrmError(ErrorCode.NOT_FOUND, "There is no such tier in the programme.", path=path)
