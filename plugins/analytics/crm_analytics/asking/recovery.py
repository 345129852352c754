"""`analytics { serviceRecovery }`: retention and spend of customers whose tickets were solved, were not,
or had none."""

import strawberry
from strawberry import Info

from crm_analytics import charts
from crm_analytics.metrics.recovery import DEFINITION, KINDS, recovered
from crm_analytics.tables import as_csv
from crm_framework import Batch, Fragment, Money, batch, computed

from .analytics import Analytics
from .grouped import Source, rows
from .question import Question

JSON = strawberry.scalars.JSON


@strawberry.type(description="Customers of one kind.")
class RecoveryGroup:
    label: str = strawberry.field(description="solved, unsolved, or none.")
    customers: int = strawberry.field(description="How many had bought before the window.")
    buying: int = strawberry.field(description="Of these, those who bought in it.")
    value: float | None = strawberry.field(description="Their share in percent; null where it is undefined.")
    reason: str | None = strawberry.field(description="Why there is no value.")
    spend: list[Money] = strawberry.field(
        description="What one of these customers spent in the window on average, per currency."
    )


@strawberry.type(description="What follows on complaints. It is an association, not a cause.")
class ServiceRecovery:
    name: str = strawberry.field(description="What it is called.")
    unit: str = strawberry.field(description="The unit of the values.")
    definition: str = strawberry.field(description="What it means.")
    definition_version: int = strawberry.field(description="Grows when the definition changes.")
    groups: list[RecoveryGroup] = strawberry.field(description="Customers by what became of their tickets.")

    @computed()
    @staticmethod
    def chart(name: str, unit: str, groups: list[RecoveryGroup]) -> JSON:
        """A Vega-Lite specification (version 5) with the data inline, that renders as it is."""
        return charts.bars(name, [{"label": one.label, "value": one.value} for one in groups], unit)

    @computed()
    @staticmethod
    def csv(groups: list[RecoveryGroup]) -> str:
        """The groups as CSV."""
        header = ("tickets", "customers", "buying", "value", "spend")
        return as_csv(
            header,
            [
                (
                    *(one.label, one.customers, one.buying, one.value),
                    " ".join(f"{money.amount} {money.currency}" for money in one.spend),
                )
                for one in groups
            ],
        )


@batch(needs=("asked",), also="ticketing.read", name="serviceRecovery")
async def recovery_field(each: Batch[Analytics], info: Info) -> list[ServiceRecovery]:
    """Retention and spend of customers whose tickets were solved, were not, or who had none."""
    return [await _recovery(asked) for asked in each.column("asked")]


_KIND = (
    "(SELECT CASE WHEN COALESCE(k.tickets, 0) = 0 THEN 'none' WHEN COALESCE(k.solved, 0) >= k.tickets"
    " THEN 'solved' ELSE 'unsolved' END FROM analytics_customer AS k WHERE k.customer_id = f.customer_id)"
)


async def _recovery(asked: Question) -> ServiceRecovery:
    asked.not_converted("serviceRecovery")
    first, last = asked.window.first, asked.window.last
    buying = Fragment(
        "(SELECT d.customer_id, MAX(CASE WHEN d.day >= ? THEN 1 ELSE 0 END) AS kept FROM analytics_daily AS d"
        " WHERE d.day <= ? AND d.purchases > 0 GROUP BY d.customer_id HAVING MIN(d.day) < ?) AS f",
        (first, last, first),
    )
    counts = {
        kind: (int(customers), int(kept))
        for _, kind, customers, kept in await rows(
            asked, None, "COUNT(*), SUM(f.kept)", Source(buying), keys=(_KIND,)
        )
    }
    spent = Source(
        Fragment("analytics_daily AS f"),
        Fragment(
            "f.day BETWEEN ? AND ? AND EXISTS (SELECT 1 FROM analytics_customer AS b"
            " WHERE b.customer_id = f.customer_id AND b.first_purchase_at < ?)",
            (first, last, asked.window.bounds(asked.zone)[0]),
        ),
    )
    spend: dict[str, list[Money]] = {kind: [] for kind in KINDS}
    for _, kind, currency, minor in await rows(
        asked, None, "SUM(f.revenue_minor)", spent, keys=(_KIND, "f.currency")
    ):
        customers = counts.get(kind, (0, 0))[0]
        if customers:
            spend[kind].append(Money.of(round(int(minor) / customers), currency))
    return ServiceRecovery(
        name=DEFINITION.name,
        unit=DEFINITION.unit,
        definition=DEFINITION.text,
        definition_version=DEFINITION.version,
        groups=[_group(asked, kind, *counts.get(kind, (0, 0)), spend[kind]) for kind in KINDS],
    )


def _group(asked: Question, kind: str, customers: int, buying: int, spend: list[Money]) -> RecoveryGroup:
    measured = recovered(customers, buying)
    if asked.undefined is not None:
        measured = measured.because(asked.undefined)
    return RecoveryGroup(
        label=kind,
        customers=customers,
        buying=buying,
        value=measured.value,
        reason=measured.reason,
        spend=sorted(spend, key=lambda money: money.currency),
    )
