"""Historic customer lifetime value."""

from dataclasses import dataclass
from datetime import date

from crm_analytics.windows import months_between

from .measured import Definition, Measured

DEFINITION = Definition(
    "clvHistoric",
    "money",
    "Average revenue of a customer's month (purchases less refunds) × months of the relationship, from the"
    " first purchase on − acquisition cost − service cost. The metric is its mean over customers; each counts"
    " in the main currency, that of most of the purchases.",
)
NOTHING = "no customer has bought in this currency"


@dataclass(frozen=True)
class Costs:
    """What a customer costs, in minor units of `currency`: once, and for each ticket that was opened."""

    currency: str | None = None
    acquisition_minor: int = 0
    ticket_minor: int = 0

    def of(self, currency: str, tickets: int) -> int:
        return self.acquisition_minor + tickets * self.ticket_minor if currency == self.currency else 0


@dataclass(frozen=True)
class Relationship:
    """A customer's months from the first purchase to `through`, and what they brought, minor units."""

    first: date
    through: date
    net_minor: int
    cost_minor: int = 0

    @property
    def months(self) -> int:
        return max(1, months_between(self.first, self.through) + 1)

    @property
    def value_minor(self) -> int:
        # the average of a month times the months: exactly what they brought
        return self.net_minor - self.cost_minor


def mean_clv(total_minor: int, customers: int, digits: int) -> Measured:
    """Over customers whose values add up to `total_minor`."""
    total = total_minor / 10**digits
    if not customers:
        return Measured(None, total, 0, 0, NOTHING)
    return Measured(total / customers, total, customers, customers)
