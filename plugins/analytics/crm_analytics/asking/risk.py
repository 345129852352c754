"""`analytics { atRisk }`, and the reasons of a customer: own gaps, bad mood, and what other plugins say."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any

import strawberry
from strawberry import Info

from crm_analytics import charts
from crm_analytics.metrics.at_risk import (
    DEFINITION,
    UNHAPPY_FOR,
    Brought,
    Reason,
    lengthening_gap,
    ranked,
)
from crm_analytics.rollups.kept import as_day
from crm_analytics.tables import as_csv
from crm_analytics.windows import Window, day_in
from crm_framework import (
    Batch,
    CrmError,
    Customer,
    ErrorCode,
    Fragment,
    among,
    batch,
    computed,
    now,
    parse_time,
    reference,
)

from .analytics import Analytics
from .question import Question
from .reasons import either, own_reasons

JSON = strawberry.scalars.JSON
MOST = 200
CANDIDATES = 1000
"""Customers that are looked at more closely: of each kind those who brought the most in each currency."""


@strawberry.type(description="What puts a customer at risk.")
class RiskReason:
    kind: str = strawberry.field(description="gap, mood, or what another plugin calls it.")
    text: str = strawberry.field(description="In words.")
    at: datetime | None = strawberry.field(
        description="Since when: of a gap, the beginning of the day of the latest purchase."
    )
    reference_id: str | None = strawberry.field(
        description="The id or key of the record that says so, if any."
    )


@dataclass(frozen=True)
class Standing:
    """What is known of a customer here."""

    last_day: date | None
    gap_median: float | None
    unhappy_at: datetime | None
    zone: str = "UTC"
    """Whose days these are."""


async def reasons_of(
    info: Info, standing: Mapping[str, Standing], at: datetime
) -> dict[str, list[RiskReason]]:
    """Why each of these customers is at risk at a moment; an empty list for who is not."""
    found: dict[str, list[RiskReason]] = {key: [] for key in standing}
    for key, one in standing.items():
        if one.last_day is not None and one.gap_median is not None:
            gap = lengthening_gap(one.last_day, one.gap_median, day_in(at, one.zone))
            if gap is not None:
                found[key].append(_shown(gap, one.zone))
        if one.unhappy_at is not None and one.unhappy_at >= at - UNHAPPY_FOR:
            found[key].append(
                RiskReason(
                    kind="mood", text="an interaction went badly", at=one.unhappy_at, reference_id=None
                )
            )
    told = await info.context.signals(list(standing))
    for key, signals in told.by_customer.items():
        found[key] += [
            RiskReason(kind=one.kind, text=one.text, at=one.at, reference_id=one.reference_id)
            for one in signals
        ]
    return found


def _shown(reason: Reason, zone: str) -> RiskReason:
    begun, _ = Window(reason.day, reason.day).bounds(zone)
    return RiskReason(kind=reason.kind, text=reason.text, at=begun, reference_id=None)


@strawberry.type(description="A customer at risk.")
class CustomerAtRisk:
    customer_id: strawberry.Private[str]
    customer: Customer | None = reference("customer_id", "The customer.")
    reasons: list[RiskReason] = strawberry.field(description="What puts the customer at risk.")


@strawberry.type(
    description="Customers at risk, those with the most reasons first; of as many, who brought the most in"
    " each main currency, then the second of each, and who never bought last."
)
class AtRiskTable:
    name: str = strawberry.field(description="What it is called.")
    definition: str = strawberry.field(description="What it means.")
    definition_version: int = strawberry.field(description="Grows when the definition changes.")
    rows: list[CustomerAtRisk] = strawberry.field(description="The customers.")
    asked: strawberry.Private[Question]

    @batch(needs=("asked",))
    @staticmethod
    async def total(each: Batch["AtRiskTable"]) -> list[int]:
        """How many customers are at risk, in the table or not."""
        return [await _total(asked) for asked in each.column("asked")]

    @batch(needs=("asked", "name"))
    @staticmethod
    async def chart(each: Batch["AtRiskTable"]) -> list[JSON]:
        """A Vega-Lite specification (version 5) with the data inline: customers by kind of reason, in the
        table or not."""
        return [
            charts.bars(
                name,
                [{"label": kind, "value": n} for kind, n in sorted((await _by_kind(asked)).items())],
                "customers",
            )
            for asked, name in zip(each.column("asked"), each.column("name"), strict=True)
        ]

    @computed()
    @staticmethod
    def csv(rows: list[CustomerAtRisk]) -> str:
        """One line for each reason, as CSV, with the customer's key."""
        return as_csv(
            ("customer", "kind", "reason", "at", "reference"),
            [
                (row.customer_id, reason.kind, reason.text, reason.at, reason.reference_id)
                for row in rows
                for reason in row.reasons
            ],
        )


First = Annotated[int, strawberry.argument(description="How many customers; 200 at most.")]


@batch(needs=("asked",), permission="interactions.read", also="customers.read", about=Customer, name="atRisk")
async def at_risk_field(each: Batch[Analytics], info: Info, first: First = 50) -> list[AtRiskTable]:
    """Customers at risk now, with what puts them there."""
    if not 1 <= first <= MOST:
        raise CrmError(ErrorCode.BAD_INPUT, f"{first} customers are not 1 to {MOST}.", path=("first",))
    return [await _table(asked, first) for asked in each.column("asked")]


async def _table(asked: Question, first: int) -> AtRiskTable:
    at = now()
    candidates = await _candidates(asked, at)
    standing = {key: one for key, (one, _) in candidates.items()}
    brought = {key: one for key, (_, one) in candidates.items()}
    reasons = await reasons_of(asked.info, standing, at)
    risky = ranked({key: len(why) for key, why in reasons.items() if why}, brought)
    return AtRiskTable(
        name=DEFINITION.name,
        definition=DEFINITION.text,
        definition_version=DEFINITION.version,
        rows=[CustomerAtRisk(customer_id=key, reasons=reasons[key]) for key in risky[:first]],
        asked=asked,
    )


async def _candidates(asked: Question, at: datetime) -> dict[str, tuple[Standing, Brought]]:
    """Key → standing, and what the customer brought."""
    about = asked.about("t.id")
    found: dict[str, tuple[Standing, Brought]] = {}
    for condition in await _conditions(asked, at):
        for key, last_day, gap, unhappy, zone, currency, net in await asked.reader.rows(
            "SELECT id, last_day, gap_median, unhappy_at, zone, currency, net FROM ("
            "SELECT CAST(t.id AS TEXT) AS id, f.last_day, f.gap_median, f.unhappy_at, f.zone, f.currency,"
            " COALESCE(f.net_minor, 0) AS net, ROW_NUMBER() OVER"
            " (PARTITION BY f.currency ORDER BY COALESCE(f.net_minor, 0) DESC, t.id) AS place"
            f" FROM {_EVERYBODY} WHERE ({condition.sql}) AND {about.sql} AND t.erased_at IS NULL) AS s"
            f" ORDER BY currency IS NULL, place, currency LIMIT {CANDIDATES}",
            [*condition.args, *about.args],
        ):
            found[key] = (standing_of(last_day, gap, unhappy, zone), Brought(currency, int(net)))
    return found


async def _by_kind(asked: Question) -> dict[str, int]:
    """Kind of reason → how many customers have such a one. What plugins call theirs, their signals say."""
    own, told = _own(asked, now()), (await asked.info.context.signalled()).conditions
    counted = {kind: await _count(asked, condition) for kind, condition in own.items()}
    found = Counter({kind: number for kind, number in counted.items() if number})
    if told:
        about, signalled = asked.about("t.id"), either(told.values())
        rows = await asked.reader.rows(
            f"SELECT CAST(t.id AS TEXT) FROM {_EVERYBODY} WHERE ({signalled.sql}) AND {about.sql}"
            " AND t.erased_at IS NULL",
            [*signalled.args, *about.args],
        )
        keys = [row[0] for row in rows]
        for start in range(0, len(keys), CANDIDATES):
            signals = await asked.info.context.signals(keys[start : start + CANDIDATES])
            for of_one in signals.by_customer.values():
                found.update({one.kind for one in of_one})
    return found


async def _total(asked: Question) -> int:
    return await _count(asked, either(await _conditions(asked, now())))


async def _count(asked: Question, risky: Fragment) -> int:
    about = asked.about("t.id")
    [(number,)] = await asked.reader.rows(
        f"SELECT COUNT(*) FROM {_EVERYBODY} WHERE ({risky.sql}) AND {about.sql} AND t.erased_at IS NULL",
        [*risky.args, *about.args],
    )
    return int(number)


_EVERYBODY = "crm_customer AS t LEFT JOIN analytics_customer AS f ON f.customer_id = t.id"


async def _conditions(asked: Question, at: datetime) -> list[Fragment]:
    """Who has a reason: one condition for each of our own, and for each plugin that has signals."""
    told = await asked.info.context.signalled()
    return [*_own(asked, at).values(), *told.conditions.values()]


def _own(asked: Question, at: datetime) -> dict[str, Fragment]:
    return own_reasons(day_in(at, asked.state.zone), at, asked.reader.dialect)


def standing_of(last_day: Any, gap: float | None, unhappy: Any, zone: str | None) -> Standing:
    return Standing(
        None if last_day is None else as_day(last_day),
        gap,
        None if unhappy is None else parse_time(unhappy),
        zone or "UTC",
    )


async def standings(info: Info, keys: Sequence[str]) -> dict[str, Standing]:
    reader = info.context.reader
    where = among("customer_id", keys, reader.dialect)
    rows = await reader.rows(
        "SELECT CAST(customer_id AS TEXT), last_day, gap_median, unhappy_at, zone FROM analytics_customer"
        f" WHERE {where.sql}",
        where.args,
    )
    found = {key: standing_of(*values) for key, *values in rows}
    return {key: found.get(key, Standing(None, None, None)) for key in keys}
