"""Counts customers that a filter selects: a field of Query that takes the filter of customers."""

from collections.abc import Mapping
from typing import Any

from strawberry import Info

from crm_framework import (
    CUSTOMER_FILTER,
    Plugin,
    SchemaParts,
    hookimpl,
    matching_customers,
    root,
)

plugin = Plugin(name="with_customer_figure", requires_api="1.0", summary="Counts customers.")


@root(permission="customers.read", restricted=True, filter=CUSTOMER_FILTER)
async def customer_figure(info: Info, filter: Mapping[str, Any] | None = None) -> int:
    """How many customers there are."""
    [where] = await matching_customers(info, [filter or {}])
    rows = await info.context.reader.fetch(
        f"SELECT COUNT(*) AS number FROM crm_customer AS t WHERE {where.sql}", where.args
    )
    return int(rows[0]["number"])


@hookimpl
def schema() -> SchemaParts:
    return SchemaParts(query=[customer_figure])
