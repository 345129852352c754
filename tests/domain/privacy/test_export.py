import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from crm_framework.domain.customers.changes import create_customer
from crm_framework.domain.customers.draft import NewCustomer
from crm_framework.domain.interactions.purchase_lines import NewLine
from crm_framework.domain.interactions.purchases import NewPurchase, record_purchase
from crm_framework.domain.interactions.touches import NewInteraction, log_interaction
from crm_framework.domain.privacy.erasure import erase_customer
from crm_framework.domain.privacy.export import export_customer
from crm_framework.domain.privacy.merge import merge_customers
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.clock import frozen
from crm_framework.storage.database import Database
from crm_framework.storage.ids import new_id
from crm_framework.storage.unit_of_work import UnitOfWork

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Plugins:
    async def export_customer(self, customer_id: str, tx: UnitOfWork) -> Mapping[str, Any]:
        return {"loyalty": {"accounts": [customer_id]}}


async def export(database: Database, key: str) -> dict[str, Any]:
    with frozen(NOW):
        async with database.unit_of_work() as tx:
            exported = await export_customer(tx, key, plugins=Plugins())
    assert json.loads(json.dumps(exported)) == exported
    return exported


async def test_everything_held_is_told(database: Database, records: Any) -> None:
    with frozen(NOW):
        async with database.unit_of_work() as tx:
            made = await create_customer(
                tx,
                NewCustomer(
                    name="Ada Lovelace", email="ada@example.com", tags=["vip"], city="London", country="GB"
                ),
            )
            call = await log_interaction(tx, NewInteraction(customer_id=made.id, kind="call", body="Hello"))
            bought = await record_purchase(
                tx,
                NewPurchase(customer_id=made.id, currency="USD", lines=[NewLine(sku="A", amount_minor=5)]),
            )
            other = await create_customer(tx, NewCustomer(name="A. Lovelace", source="erp", reference="7"))
            await merge_customers(tx, made.id, [other.id])
    exported = await export(database, other.id)
    assert list(exported) == [
        "format",
        "exported_at",
        "erased",
        "customer",
        "merged_customers",
        "contact_points",
        "tags",
        "interactions",
        "messages",
        "tokens",
        "events",
        "audit",
        "erasures",
        "plugins",
    ]
    assert (exported["exported_at"], exported["erased"]) == ("2026-03-01T12:00:00Z", False)
    customer = exported["customer"]
    assert (customer["id"], customer["name"], customer["attributes"], customer["converted_at"]) == (
        made.id,
        "Ada Lovelace",
        {},
        "2026-03-01T12:00:00Z",
    )
    assert [(row["id"], row["reference"]) for row in exported["merged_customers"]] == [(other.id, "7")]
    points = {point["channel"]: point for point in exported["contact_points"]}
    assert (points["email"]["value"], points["email"]["is_primary"]) == ("ada@example.com", True)
    assert points["address"]["address"] == {"city": "London", "country": "GB"}
    assert exported["tags"] == ["vip"]
    assert {row["id"]: [line["sku"] for line in row["lines"]] for row in exported["interactions"]} == {
        call: [],
        bought: ["A"],
    }
    types = [
        "customer.created",
        "interaction.logged",
        "purchase.recorded",
        "customer.converted",
        "customer.created",
        "customer.merged",
    ]
    assert [row["type"] for row in exported["events"]] == types
    assert [row["action"] for row in exported["audit"]] == types
    assert exported["audit"][0]["changes"]["name"] == [None, "Ada Lovelace"]
    assert exported["plugins"] == {
        "loyalty": {"accounts": [made.id]},
        f"loyalty ({other.id})": {"accounts": [other.id]},
    }


async def test_what_an_erasure_leaves_is_said_to_be_that(database: Database, records: Any) -> None:
    customer = await records.customer()
    with frozen(NOW):
        async with database.unit_of_work() as tx:
            await erase_customer(tx, customer, reason="asked for")
    exported = await export(database, customer)
    assert (exported["erased"], exported["customer"]["name"]) == (True, "Erased")
    assert [(row["reason"], row["counts"]) for row in exported["erasures"]] == [
        ("asked for", {"core": {"crm_customer": 1}})
    ]


async def test_an_unknown_customer_is_not_found(database: Database) -> None:
    for key in (new_id(), "x"):
        with pytest.raises(CrmError) as refused:
            await export(database, key)
        assert (refused.value.code, refused.value.path) == (ErrorCode.NOT_FOUND, ("id",))
