"""Keeps something about customers, and answers for it when they are merged, exported and erased."""

from collections.abc import Mapping, Sequence
from typing import Any

from tortoise import fields
from tortoise.models import Model

from crm_framework import Plugin, UnitOfWork, among, hookimpl


class Note(Model):
    id = fields.UUIDField(primary_key=True)
    customer: Any = fields.ForeignKeyField("crm.Customer", on_delete=fields.RESTRICT, db_index=True)
    text = fields.TextField()

    class Meta:
        app = "with_privacy"
        table = "with_privacy_note"


plugin = Plugin(
    name="with_privacy",
    requires_api="1.0",
    summary="Keeps notes.",
    models=__name__,
    migrations="with_privacy_tables.migrations",
)


@hookimpl
async def merge_customers(winner: str, losers: Sequence[str], tx: UnitOfWork) -> Mapping[str, int]:
    where = among("customer_id", losers, tx.dialect)
    moved = await tx.execute(
        f"UPDATE with_privacy_note SET customer_id = ? WHERE {where.sql}", [winner, *where.args]
    )
    return {"with_privacy_note": moved}


@hookimpl
async def export_customer(customer_id: str, tx: UnitOfWork) -> Mapping[str, Any]:
    rows = await tx.fetch(
        "SELECT text FROM with_privacy_note WHERE customer_id = ? ORDER BY id", [customer_id]
    )
    return {"notes": [row["text"] for row in rows]}


@hookimpl
async def erase_customer(customer_id: str, tx: UnitOfWork) -> Mapping[str, int]:
    removed = await tx.execute("DELETE FROM with_privacy_note WHERE customer_id = ?", [customer_id])
    return {"with_privacy_note": removed}
