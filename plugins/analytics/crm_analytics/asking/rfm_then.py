"""RFM of everybody as of the end of a day, from the days until then."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import date

from crm_analytics.rollups.quintiles import MEASURES

from .question import Question
from .scores import Scores
from .then import customers


async def scores_then(asked: Question, as_of: date) -> Mapping[str, Counter[Scores]]:
    """By main currency, how many customers have each three scores. The quintiles are those of all who had
    bought by then."""
    known, about = customers(as_of), asked.about("p.customer_id")
    places = ", ".join(
        f"ROW_NUMBER() OVER (PARTITION BY k.currency ORDER BY k.{column}) AS {measure}_place"
        for measure, column in MEASURES.items()
    )
    # the largest value of each fifth: where there is one, at the same place as `ranks` counts from 0
    bounds = ", ".join(
        f"MAX(CASE WHEN p.{measure}_place = ({fifth} * p.n + 4) / 5 THEN p.{column} END) AS {measure}_{fifth}"
        for measure, column in MEASURES.items()
        for fifth in range(1, 5)
    )
    scores = ", ".join(
        "1"
        + "".join(
            f" + (CASE WHEN p.{column} > b.{measure}_{fifth} THEN 1 ELSE 0 END)" for fifth in range(1, 5)
        )
        for measure, column in MEASURES.items()
    )
    rows = await asked.reader.rows(
        f"WITH placed AS MATERIALIZED (SELECT k.*, {places}, COUNT(*) OVER (PARTITION BY k.currency) AS n"
        f" FROM {known.sql} AS k), bounds AS MATERIALIZED (SELECT p.currency, {bounds} FROM placed AS p"
        f" GROUP BY p.currency) SELECT p.currency, {scores}, COUNT(*) FROM placed AS p"
        f" JOIN bounds AS b ON b.currency = p.currency WHERE {about.sql}"
        " GROUP BY 1, 2, 3, 4 ORDER BY 1",
        [*known.args, *about.args],
    )
    found: dict[str, Counter[Scores]] = defaultdict(Counter)
    for currency, *cell in rows:
        recency, frequency, monetary, number = map(int, cell)
        found[currency][recency, frequency, monetary] = number
    return found
