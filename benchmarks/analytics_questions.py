"""What `python -m benchmarks.analytics` asks: metrics, the scans that answer the same, and the segments."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from benchmarks.analytics_company import KEPT_SEGMENTS, vacuumed
from crm_framework import decode_key
from crm_framework.testing import CrmClient

WINDOW = 'window: {first: "2023-01-01", last: "2024-12-31"}'
FREEZE_DAY = date(2024, 7, 1)
HALF = 'window: {first: "2024-07-01", last: "2024-12-31"}'


@dataclass(frozen=True)
class Question:
    """A metric as a client asks for it, and the scan that answers the same in DuckDB."""

    name: str
    graphql: str
    scan: str


QUESTIONS = (
    Question(
        "revenue by month",
        f"{{ analytics({WINDOW}) {{"
        " revenue(groupBy: {by: PERIOD}) { value groups { label value n } } } }",
        "SELECT date_trunc('month', moment) AS month, currency, SUM(minor), COUNT(*) FROM sale"
        " GROUP BY ALL ORDER BY ALL",
    ),
    Question(
        "cohort matrix",
        f"{{ analytics({WINDOW}) {{"
        " cohorts(periods: 24) { rows { month size periods { value } } } } }",
        "WITH active AS (SELECT DISTINCT customer,"
        " date_trunc('month', moment) AS month FROM sale WHERE minor > 0),"
        " first AS (SELECT customer, MIN(month) AS cohort FROM active GROUP BY 1)"
        " SELECT cohort, month, COUNT(*) FROM active JOIN first USING (customer)"
        " GROUP BY ALL ORDER BY ALL",
    ),
    Question(
        "RFM of everyone",
        f"{{ analytics({WINDOW}) {{ rfm {{ cells {{ recency frequency monetary customers }} }} }} }}",
        "WITH f AS (SELECT customer, MAX(moment) AS r, COUNT(*) AS n, SUM(minor) AS m FROM sale GROUP BY 1),"
        " s AS (SELECT NTILE(5) OVER (ORDER BY r) AS r, NTILE(5) OVER (ORDER BY n) AS n,"
        " NTILE(5) OVER (ORDER BY m) AS m FROM f)"
        " SELECT r, n, m, COUNT(*) FROM s GROUP BY ALL ORDER BY ALL",
    ),
    Question(
        "retention by tag",
        f"{{ analytics({HALF}) {{ retention(groupBy: {{by: TAG}}) {{ groups {{ label value n }} }} }} }}",
        "WITH active AS (SELECT customer, MAX(CASE WHEN moment >= '2024-07-01' THEN 1 ELSE 0 END) AS kept"
        " FROM sale WHERE moment >= '2023-07-01' AND moment < '2025-01-01' AND minor > 0 GROUP BY 1"
        " HAVING MIN(moment) < '2024-07-01')"
        " SELECT tag, COUNT(*), SUM(kept) FROM active JOIN tag USING (customer)"
        " GROUP BY ALL ORDER BY ALL",
    ),
    Question(
        "retention by segment, kept",
        f"query ($frozen: [ID!]!) {{ analytics({HALF}) {{"
        " retentionBySegment(segments: $frozen) { value groups { label value n } } } }",
        "WITH active AS (SELECT customer, MAX(CASE WHEN moment >= '2024-07-01' THEN 1 ELSE 0 END) AS kept"
        " FROM sale WHERE moment >= '2023-07-01' AND moment < '2025-01-01' AND minor > 0 GROUP BY 1"
        " HAVING MIN(moment) < '2024-07-01')"
        " SELECT '', COUNT(*), SUM(kept) FROM active UNION ALL"
        " SELECT segment, COUNT(*), SUM(kept) FROM active JOIN member USING (customer) GROUP BY segment",
    ),
    Question(
        "retention by segment as of now",
        f"query ($segments: [ID!]) {{ analytics({HALF}) {{"
        " retention(groupBy: {by: SEGMENT, segments: $segments}) { value groups { label value n } } } }",
        "WITH active AS (SELECT customer, MAX(CASE WHEN moment >= '2024-07-01' THEN 1 ELSE 0 END) AS kept"
        " FROM sale WHERE moment >= '2023-07-01' AND moment < '2025-01-01' AND minor > 0 GROUP BY 1"
        " HAVING MIN(moment) < '2024-07-01'),"
        " f AS (SELECT customer, MAX(moment) AS r, COUNT(*) AS n, SUM(minor) AS m FROM sale GROUP BY 1),"
        " s AS (SELECT customer, NTILE(5) OVER (ORDER BY r) AS r, NTILE(5) OVER (ORDER BY n) AS n,"
        " NTILE(5) OVER (ORDER BY m) AS m FROM f),"
        " c AS (SELECT kept, stage = 'CUSTOMER' AS standing, tier = 'gold' AND customer IN"
        " (SELECT customer FROM tag WHERE tag IN ('segment 3', 'segment 4')) AS tagged,"
        " r >= 4 AND (n + m + 1) // 2 >= 4 AS best FROM active JOIN customer USING (customer)"
        " JOIN s USING (customer))"
        " SELECT COUNT(*), SUM(kept), COUNT(*) FILTER (standing), SUM(kept) FILTER (standing),"
        " COUNT(*) FILTER (tagged), SUM(kept) FILTER (tagged),"
        " COUNT(*) FILTER (best), SUM(kept) FILTER (best) FROM c",
    ),
)
SEGMENTS: dict[str, dict[str, Any]] = {
    "standing": {"stage": {"eq": "CUSTOMER"}},
    "tagged": {"tags": {"any": ["segment 3", "segment 4"]}, "attributes": [{"name": "tier", "eq": "gold"}]},
    "best": {"rfmSegment": {"eq": "champion"}},
}
"""What `retention by segment as of now` is asked of."""
FROZEN: dict[str, dict[str, Any]] = {
    name: {
        "tags": {"any": [f"segment {number}" for number in range(tags)]},
        **({"attributes": [{"name": "tier", "eq": tier}]} if tier else {}),
    }
    for name, (tags, tier) in KEPT_SEGMENTS.items()
}
"""The same for `retention by segment, kept`, of those who belonged to them when the half year began."""
SAVE = """mutation ($input: CreateSegmentInput!) { createSegment(input: $input) {
  segment { id } errors { message } } }"""


async def saved_segments(client: CrmClient) -> dict[str, list[str]]:
    """The ids of `SEGMENTS` and `FROZEN`, which are saved, and frozen, where they are not."""
    wanted = {**SEGMENTS, **FROZEN}
    answer = await client.data("{ segments(first: 100) { nodes { id name } } }")
    saved = {one["name"]: one["id"] for one in answer["segments"]["nodes"]}
    for name in wanted.keys() - saved:
        made = await client.data(SAVE, input={"name": name, "filter": wanted[name]})
        saved[name] = made["createSegment"]["segment"]["id"]
    await frozen([saved[name] for name in FROZEN], client)
    return {
        "segments": [saved[name] for name in SEGMENTS],
        "frozen": [saved[name] for name in FROZEN],
    }


async def frozen(segments: Sequence[str], client: CrmClient) -> None:
    from crm_analytics.segments.freezing import freeze_some, latest, mark

    keys, database = [decode_key(one, "Segment") for one in segments], client.service.database
    if await latest(keys, FREEZE_DAY, database):
        return
    customers = [str(row["id"]) for row in await database.fetch("SELECT id FROM crm_customer ORDER BY id")]
    for place in range(0, len(customers), 500):
        async with database.unit_of_work() as tx:
            await freeze_some(keys, customers[place : place + 500], FREEZE_DAY, tx)
    async with database.unit_of_work() as tx:
        await mark(keys, FREEZE_DAY, tx)
    if database.dialect == "postgres":
        await vacuumed(client.service.settings.database_url)
