"""What purchases and refunds add up to: by day, by month, by product, altogether. Pure functions.

Values are named tuples: a rebuild has millions of them, and they are made, compared and written in half the
time that dataclasses take.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple

from crm_analytics.metrics.gaps import gaps
from crm_analytics.windows import day_in, month_of

DayKey = tuple[date, str, str]
"""Day, channel, currency; of months the first day."""
ProductKey = tuple[date, str, str]
"""Month, SKU, currency."""
CohortKey = tuple[str, date, date]
"""Basis, month of the cohort, month."""


class Sale(NamedTuple):
    """A purchase, or with a `minor` below zero (or `refund`) what went back."""

    at: datetime
    channel: str
    currency: str
    minor: int
    refund: bool


class Line(NamedTuple):
    """A line of a purchase."""

    purchase: str
    at: datetime
    sku: str
    currency: str
    quantity: int
    minor: int


class DaySums(NamedTuple):
    """Numbers, minor units, and when the first and the last purchase was."""

    purchases: int
    refunds: int
    revenue_minor: int
    refunded_minor: int
    first_at: datetime | None
    last_at: datetime | None

    @property
    def numbers(self) -> tuple[int, int, int, int]:
        return self.purchases, self.refunds, self.revenue_minor, self.refunded_minor

    def plus(self, other: "DaySums") -> "DaySums":
        first = [at for at in (self.first_at, other.first_at) if at is not None]
        last = [at for at in (self.last_at, other.last_at) if at is not None]
        return DaySums(
            self.purchases + other.purchases,
            self.refunds + other.refunds,
            self.revenue_minor + other.revenue_minor,
            self.refunded_minor + other.refunded_minor,
            min(first, default=None),
            max(last, default=None),
        )


class MonthSums(NamedTuple):
    purchases: int = 0
    refunds: int = 0
    purchased_minor: int = 0
    refunded_minor: int = 0

    @property
    def numbers(self) -> tuple[int, int, int, int]:
        return self.purchases, self.refunds, self.purchased_minor, self.refunded_minor


class CurrencySums(NamedTuple):
    purchases: int
    purchase_days: int
    purchased_minor: int
    refunded_minor: int

    @property
    def numbers(self) -> tuple[int, int, int, int]:
        return self.purchases, self.purchase_days, self.purchased_minor, self.refunded_minor


class Together(NamedTuple):
    """All of a customer's days. See `analytics_customer`."""

    purchases: int = 0
    refunds: int = 0
    purchase_days: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    last_day: date | None = None
    first_month: date | None = None
    last_month: date | None = None
    currency: str | None = None
    net_minor: int = 0
    gap_median: float | None = None
    gap_mean: float | None = None
    expected_on: date | None = None


def days_of(sales: Iterable[Sale], zone: str) -> dict[DayKey, DaySums]:
    found: dict[DayKey, DaySums] = {}
    for sale in sales:
        key = (day_in(sale.at, zone), sale.channel, sale.currency)
        at = None if sale.refund else sale.at
        one = DaySums(
            0 if sale.refund else 1,
            1 if sale.refund else 0,
            sale.minor,
            -sale.minor if sale.refund else 0,
            at,
            at,
        )
        found[key] = found[key].plus(one) if key in found else one
    return found


def months_of(days: Mapping[DayKey, DaySums]) -> dict[DayKey, MonthSums]:
    sums: dict[DayKey, list[int]] = {}
    for (day, channel, currency), one in days.items():
        key = (month_of(day), channel, currency)
        sum_ = sums.get(key)
        if sum_ is None:
            sum_ = sums[key] = [0, 0, 0, 0]
        sum_[0] += one.purchases
        sum_[1] += one.refunds
        sum_[2] += one.revenue_minor + one.refunded_minor
        sum_[3] += one.refunded_minor
    return {key: MonthSums(*numbers) for key, numbers in sums.items()}


def bought_in(months: Mapping[DayKey, MonthSums]) -> set[date]:
    """The months with a purchase."""
    return {month for (month, _, _), sums in months.items() if sums.purchases}


def currencies_of(days: Mapping[DayKey, DaySums]) -> dict[str, CurrencySums]:
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    bought: dict[str, set[date]] = defaultdict(set)
    for (day, _, currency), one in days.items():
        sum_ = sums[currency]
        sum_[0] += one.purchases
        sum_[1] += one.revenue_minor + one.refunded_minor
        sum_[2] += one.refunded_minor
        if one.purchases:
            bought[currency].add(day)
    return {
        currency: CurrencySums(purchases, len(bought[currency]), purchased, refunded)
        for currency, (purchases, purchased, refunded) in sums.items()
    }


def together(days: Mapping[DayKey, DaySums], currencies: Mapping[str, CurrencySums]) -> Together:
    bought = {day for (day, _, _), one in days.items() if one.purchases}
    firsts = [one.first_at for one in days.values() if one.first_at is not None]
    lasts = [one.last_at for one in days.values() if one.last_at is not None]
    between = gaps(bought)
    main = min(
        (currency for currency, sums in currencies.items() if sums.purchases),
        key=lambda currency: (-currencies[currency].purchases, currency),
        default=None,
    )
    net = currencies[main].purchased_minor - currencies[main].refunded_minor if main else 0
    return Together(
        sum(one.purchases for one in days.values()),
        sum(one.refunds for one in days.values()),
        len(bought),
        min(firsts, default=None),
        max(lasts, default=None),
        max(bought, default=None),
        month_of(min(bought)) if bought else None,
        month_of(max(bought)) if bought else None,
        main,
        net,
        between.median if between else None,
        between.mean if between else None,
        between.expected if between else None,
    )


def cohorts_of(months: Mapping[DayKey, MonthSums], signup_month: date | None) -> Counter[CohortKey]:
    """Where a customer counts who signed up in that month."""
    active = sorted(bought_in(months))
    found: Counter[CohortKey] = Counter()
    if not active:
        return found
    for basis, cohort in (("purchase", active[0]), ("signup", signup_month)):
        if cohort is None:
            continue
        for month in active:
            found[basis, cohort, month] += 1
        found[f"{basis}_last", cohort, active[-1]] += 1
    return found


def products_of(lines: Iterable[Line], zone: str) -> dict[ProductKey, tuple[int, int, int]]:
    """Quantity, minor units, and number of purchases."""
    sums: dict[ProductKey, list[int]] = defaultdict(lambda: [0, 0])
    purchases: dict[ProductKey, set[str]] = defaultdict(set)
    for line in lines:
        key = (month_of(day_in(line.at, zone)), line.sku, line.currency)
        sums[key][0] += line.quantity
        sums[key][1] += line.minor
        purchases[key].add(line.purchase)
    return {key: (quantity, minor, len(purchases[key])) for key, (quantity, minor) in sums.items()}


def sales_differences(
    before: Mapping[DayKey, DaySums], after: Mapping[DayKey, DaySums]
) -> list[tuple[DayKey, tuple[int, ...]]]:
    """What is to be added to the sums over all customers."""
    return _differences(
        {key: one.numbers for key, one in before.items()}, {key: one.numbers for key, one in after.items()}
    )


def product_differences(
    before: Mapping[ProductKey, tuple[int, int, int]], after: Mapping[ProductKey, tuple[int, int, int]]
) -> list[tuple[ProductKey, tuple[int, ...]]]:
    """The same for products; the fourth number is that of buyers."""
    return _differences(
        {key: (*one, 1) for key, one in before.items()}, {key: (*one, 1) for key, one in after.items()}
    )


def cohort_differences(
    before: Counter[CohortKey], after: Counter[CohortKey]
) -> list[tuple[CohortKey, tuple[int, ...]]]:
    """The same for cohorts."""
    return [(key, (after[key] - before[key],)) for key in {**before, **after} if after[key] != before[key]]


def _differences(
    before: Mapping[DayKey, Sequence[int]], after: Mapping[DayKey, Sequence[int]]
) -> list[tuple[DayKey, tuple[int, ...]]]:
    found = []
    for key in {**before, **after}:
        old, new = before.get(key), after.get(key)
        if old != new:
            width = len(old or new or ())
            pairs = zip(new or (0,) * width, old or (0,) * width, strict=True)
            found.append((key, tuple(one - other for one, other in pairs)))
    return found
