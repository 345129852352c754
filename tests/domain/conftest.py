"""Records to start a test from, written straight into the tables, and looks at what a call left there."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from crm_framework.domain.rows import insert
from crm_framework.domain.values.text import fold
from crm_framework.storage.database import Database
from crm_framework.storage.ids import new_id

THEN = datetime(2026, 1, 1, 9, tzinfo=UTC)


@dataclass
class Records:
    database: Database

    async def customer(self, name: str = "Ada Lovelace", **columns: Any) -> str:
        key = new_id()
        columns = {
            name: orjson.dumps(v).decode() if isinstance(v, dict) else v for name, v in columns.items()
        }
        row = {
            "id": key,
            "version": 1,
            "kind": "PERSON",
            "stage": "CUSTOMER",
            "name": name,
            "sort_name": fold(name),
            "attributes": "{}",
            "search_text": fold(name),
            "confidential": False,
            "created_at": THEN,
            "updated_at": THEN,
            **columns,
        }
        return await self._insert("crm_customer", row)

    async def contact_point(self, customer_id: str, channel: str, value: str, **columns: Any) -> str:
        row = {
            "id": new_id(),
            "customer_id": customer_id,
            "channel": channel,
            "value": value,
            "normalized": fold(value),
            "position": 0,
            "is_primary": False,
            "consent": "UNKNOWN",
            "created_at": THEN,
            **columns,
        }
        return await self._insert("crm_contact_point", row)

    async def staff(self, name: str = "Grace") -> str:
        row = {
            "id": new_id(),
            "version": 1,
            "name": name,
            "active": True,
            "created_at": THEN,
            "updated_at": THEN,
        }
        return await self._insert("crm_staff", row)

    async def interaction(self, customer_id: str, **columns: Any) -> str:
        row = {
            "id": new_id(),
            "customer_id": customer_id,
            "kind": "call",
            "occurred_at": THEN,
            "created_at": THEN,
            "version": 1,
            **columns,
        }
        return await self._insert("crm_interaction", row)

    async def row(self, table: str, key: str) -> dict[str, Any]:
        """The row of `table` with this key."""
        (row,) = await self.database.fetch(f"SELECT * FROM {table} WHERE id = ?", [key])
        return row

    async def rows(self, table: str, where: str = "1 = 1", *args: object) -> list[dict[str, Any]]:
        return await self.database.fetch(f"SELECT * FROM {table} WHERE {where} ORDER BY id", args)

    async def count(self, table: str) -> int:
        (row,) = await self.database.fetch(f"SELECT COUNT(*) AS n FROM {table}")
        return int(row["n"])

    async def events(self) -> list[tuple[str, dict[str, Any]]]:
        """Type and fields of all events so far, in their order."""
        rows = await self.database.fetch("SELECT type, payload FROM crm_event ORDER BY id")
        return [(row["type"], orjson.loads(row["payload"])) for row in rows]

    async def everything(self) -> dict[str, list[dict[str, Any]]]:
        """All rows of the core's tables: equal before and after what changed nothing."""
        return {table: await self.rows(table) for table in CORE_TABLES}

    async def _insert(self, table: str, row: dict[str, Any]) -> str:
        async with self.database.unit_of_work() as tx:
            await insert(tx, table, row)
        return str(row["id"])


CORE_TABLES = (
    "crm_staff",
    "crm_customer",
    "crm_contact_point",
    "crm_customer_tag",
    "crm_interaction",
    "crm_purchase_line",
    "crm_contact_rule",
    "crm_token",
    "crm_event",
    "crm_delivery",
    "crm_audit",
    "crm_idempotency",
    "crm_erasure",
)


@pytest.fixture
def records(database: Database) -> Records:
    return Records(database)
