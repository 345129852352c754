"""Lines of purchases of the very days of a window, as rows by customer and product: what the kept months do
not tell."""

from collections.abc import Sequence
from datetime import date, timedelta

from crm_analytics.windows import Period, midnight
from crm_framework import Fragment

from .question import Question

_MOMENT = {"sqlite": "TEXT", "postgres": "TIMESTAMPTZ"}


def sold(asked: Question, period: Period, more: Fragment) -> Fragment:
    """A query in brackets: `customer_id`, `period` (its first day as text), `channel`, `sku`, `currency`,
    `quantity`, `amount_minor` and the number of `purchases`. `more` is a condition on interactions `i` and
    lines `l`.

    The customer is null of those whose data was erased: as in the kept months, what they bought stays in the
    sums, and they are nobody's customers any more.
    """
    spans = _spans(asked, period)
    kind = _MOMENT[asked.reader.dialect]
    values = ", ".join(f"(CAST(? AS TEXT), CAST(? AS {kind}), CAST(? AS {kind}))" for _ in spans)
    return Fragment(
        "(SELECT CASE WHEN i.customer_id NOT IN (SELECT id FROM crm_customer WHERE erased_at IS NOT NULL)"
        " THEN i.customer_id END AS customer_id,"
        " p.column1 AS period, COALESCE(i.channel, '') AS channel, l.sku, i.currency,"
        " SUM(l.quantity) AS quantity, SUM(l.amount_minor) AS amount_minor,"
        f" COUNT(DISTINCT i.id) AS purchases FROM (VALUES {values}) AS p"
        " JOIN crm_interaction AS i ON i.occurred_at >= p.column2 AND i.occurred_at < p.column3"
        " JOIN crm_purchase_line AS l ON l.interaction_id = i.id"
        f" WHERE i.kind = 'purchase' AND {more.sql} GROUP BY 1, 2, 3, 4, 5)",
        (*(part for span in spans for part in span), *more.args),
    )


def _spans(asked: Question, period: Period) -> Sequence[tuple[object, ...]]:
    """The first day of each period that the window touches, and from when until when it is within it."""
    window = asked.window
    found = []
    for start in window.periods(period):
        begins: date = max(start, window.first)
        ends = min(period.next(start), window.last + timedelta(days=1))
        found.append((start.isoformat(), midnight(begins, asked.zone), midnight(ends, asked.zone)))
    return found
