"""Adds to what `crm demo` shows: a letter to each invented customer, a month ago."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from crm_framework import NewInteraction, Plugin, UnitOfWork, hookimpl, log_interaction

plugin = Plugin(name="with_demo", requires_api="1.0", summary="Sends letters.")


@hookimpl
async def demo(customer_ids: Sequence[str], tx: UnitOfWork) -> Mapping[str, int]:
    if await tx.fetch("SELECT 1 AS one FROM crm_interaction WHERE source = 'with_demo' LIMIT 1"):
        return {}
    with tx.dated(tx.now - timedelta(days=30)):
        for key in customer_ids:
            letter = NewInteraction(
                customer_id=key, kind="letter", subject="Welcome", source="with_demo", reference=key
            )
            await log_interaction(tx, letter)
    return {"letters": len(customer_ids)}
