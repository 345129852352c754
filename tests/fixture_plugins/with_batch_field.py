"""Adds a field to Customer that is read for all customers of a page in one statement."""

from strawberry import Info

from crm_framework import Batch, Customer, Plugin, SchemaParts, among, batch, hookimpl

plugin = Plugin(name="with_batch_field", requires_api="1.0", summary="Counts interactions.")


@batch(needs=("id",), permission="interactions.read")
async def interaction_count(customers: Batch[Customer], info: Info) -> list[int]:
    """How many interactions are recorded."""
    reader = info.context.reader
    where = among("customer_id", customers.ids, reader.dialect)
    rows = await reader.fetch(
        f"SELECT customer_id, COUNT(*) AS count FROM crm_interaction WHERE {where.sql} GROUP BY customer_id",
        where.args,
    )
    counts = {row["customer_id"]: row["count"] for row in rows}
    return [counts.get(key, 0) for key in customers.ids]


@hookimpl
def schema() -> SchemaParts:
    return SchemaParts(extend={Customer: [interaction_count]})
