"""Days between days with a purchase, in SQL: their median and mean for each customer, or for each
and product."""

from collections.abc import Sequence

from crm_framework import Fragment


def days_between(days: Fragment, keys: Sequence[str], dialect: str) -> Fragment:
    """A query in brackets of `keys`, `gap_median`, `gap_mean`, the latest `day` and the number of `gaps`.

    `days` is a query of `keys` and `day`, each once. Those with one day only have no gap and are left out.
    """
    each = ", ".join(keys)
    before = f"LAG(b.day) OVER (PARTITION BY {each} ORDER BY b.day)"
    gap = (
        f"b.day - {before}"
        if dialect == "postgres"
        else f"CAST(julianday(b.day) - julianday({before}) AS INTEGER)"
    )
    number = "CAST(p.gap AS DOUBLE PRECISION)"
    return Fragment(
        f"(SELECT {each}, {middle('p.place', 'p.n', number)} AS gap_median, AVG({number}) AS gap_mean,"
        f" MAX(p.day) AS day, COUNT(*) AS gaps FROM (SELECT g.*,"
        f" ROW_NUMBER() OVER (PARTITION BY {each} ORDER BY g.gap) AS place,"
        f" COUNT(*) OVER (PARTITION BY {each}) AS n"
        f" FROM (SELECT b.*, {gap} AS gap FROM ({days.sql}) AS b) AS g WHERE g.gap IS NOT NULL) AS p"
        f" GROUP BY {each})",
        days.args,
    )


def middle(place: str, of: str, number: str) -> str:
    """The median of `number` over rows that know their place in its order, from 1 on, and their number."""
    return f"AVG(CASE WHEN {place} IN (({of} + 1) / 2, ({of} + 2) / 2) THEN {number} END)"
