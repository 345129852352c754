"""Tells other plugins what stands out about customers, and about which of them."""

from collections.abc import Sequence

from crm_framework import Fragment, Permission, Plugin, Reader, Signal, among, encode_id, hookimpl, parse_time

plugin = Plugin(
    name="with_signals",
    requires_api="1.0",
    summary="Points out what annoyed customers.",
    permissions=[Permission("with_signals.read", "See what annoyed customers.")],
)


@hookimpl
async def signals(customer_ids: Sequence[str], reader: Reader) -> Sequence[Signal]:
    where = among("customer_id", customer_ids, reader.dialect)
    rows = await reader.fetch(
        "SELECT id, customer_id, occurred_at, subject FROM crm_interaction"
        f" WHERE sentiment = 'NEGATIVE' AND {where.sql} ORDER BY occurred_at DESC",
        where.args,
    )
    return [
        Signal(
            customer_id=row["customer_id"],
            kind="annoyed",
            at=parse_time(row["occurred_at"]),
            text=row["subject"] or "Annoyed",
            reference_id=encode_id("Interaction", row["id"]),
        )
        for row in rows
    ]


@hookimpl
async def signalled() -> Fragment:
    return Fragment(
        "t.id IN (SELECT i.customer_id FROM crm_interaction AS i WHERE i.sentiment = ?)", ("NEGATIVE",)
    )
