"""Revenue: purchases less refunds, each on its own day and in its own currency."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Context, Decimal

from .measured import Definition, Measured

DEFINITION = Definition(
    "revenue",
    "money",
    "Purchases less refunds of the window, each on the day it took place; one figure for each currency, or"
    " one in all, converted day by day by the rates that the company entered. n is the number of purchases.",
)
NOTHING = "nothing was bought or given back"


_WIDE = Context(prec=60)
"""Of whatever was sold, at the greatest rate."""


@dataclass(frozen=True)
class Sum:
    """Of one day and currency: minor units and number of purchases."""

    day: date
    currency: str
    minor: int
    purchases: int


def revenue(sums: Sequence[Sum], digits: int) -> Measured:
    """Of sums in one currency, which has so many decimals. Over nothing it is 0: a sum is defined then."""
    value = sum(one.minor for one in sums) / 10**digits
    return Measured(value, value, None, sum(one.purchases for one in sums))


@dataclass(frozen=True)
class Rates:
    """Currency → (first day, units of the base for one of it), the oldest first."""

    base: str
    rates: Mapping[str, Sequence[tuple[date, Decimal]]]

    def on(self, currency: str, day: date) -> Decimal | None:
        """None where none is known for that day."""
        if currency == self.base:
            return Decimal(1)
        found = None
        for since, rate in self.rates.get(currency, ()):
            if since <= day:
                found = rate
        return found


def converted(sums: Sequence[Sum], rates: Rates, digits: Mapping[str, int]) -> Measured:
    """Of sums in any currencies. Undefined, with the first day without one, where a rate is missing."""
    total = Decimal(0)
    for one in sorted(sums, key=lambda each: (each.day, each.currency)):
        rate = rates.on(one.currency, one.day)
        if rate is None:
            return Measured(
                None, None, None, 0, f"no rate from {one.currency} to {rates.base} was entered for {one.day}"
            )
        total += rate * one.minor / 10 ** digits[one.currency]
    exact = total.quantize(Decimal(1).scaleb(-digits[rates.base]), ROUND_HALF_EVEN, _WIDE)
    return Measured(float(exact), float(exact), None, sum(one.purchases for one in sums))
