import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from crm_framework.domain.customers.changes import CustomerChange, create_customer, update_customer
from crm_framework.domain.customers.draft import NewCustomer
from crm_framework.domain.customers.tags import tag_customers
from crm_framework.domain.idempotency import recall, remember
from crm_framework.domain.interactions.purchase_lines import NewLine
from crm_framework.domain.interactions.purchases import NewPurchase, record_purchase
from crm_framework.domain.interactions.refunds import NewRefund, record_refund
from crm_framework.domain.interactions.touches import NewInteraction, log_interaction, update_interaction
from crm_framework.domain.privacy.erasure import ErasureReport, erase_customer
from crm_framework.domain.privacy.merge import merge_customers
from crm_framework.domain.rows import insert
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.security.actors import Actor, ActorKind
from crm_framework.storage.clock import frozen, parse_time
from crm_framework.storage.database import Database
from crm_framework.storage.ids import new_id
from crm_framework.storage.unit_of_work import UnitOfWork

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Plugins:
    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.calls: list[str] = []

    async def erase_customer(self, customer_id: str, tx: UnitOfWork) -> Mapping[str, Mapping[str, int]]:
        self.calls.append(customer_id)
        if self.failure is not None:
            raise self.failure
        return {"loyalty": {"loyalty_account": 1}}


async def erase(database: Database, key: str, **options: Any) -> ErasureReport:
    with frozen(NOW):
        async with database.unit_of_work() as tx:
            return await erase_customer(tx, key, **options)


async def known_person(database: Database) -> tuple[str, str, str]:
    """A person with traces everywhere: its key, the key of a merged record, and the key of a purchase."""
    async with database.unit_of_work() as tx:
        made = await create_customer(
            tx,
            NewCustomer(
                name="Zerelda Quixworth",
                company="Quixworth Vellum",
                email="zerelda@example.com",
                phone="+442071234567",
                city="Penzance",
                country="GB",
                source="erp",
                reference="cust-zq-77",
                tags=["vellumlover"],
                time_zone="Europe/London",
            ),
        )
        other = await create_customer(
            tx, NewCustomer(name="Zelda Quix", email="zq@example.org", source="web", reference="visitor-zq")
        )
        await update_customer(tx, made.id, CustomerChange(company="Quixworth Parchment"))
        await tag_customers(tx, [made.id], add=["parchmentlover"])
        call = await log_interaction(
            tx,
            NewInteraction(
                customer_id=made.id,
                kind="call",
                subject="Zerelda rang",
                body="Her sister Ottoline moved",
                outcome="called back at Pendennis",
                source="pbx",
                reference="rec-zq-1",
            ),
        )
        await update_interaction(tx, call, {"subject": "Zerelda rang twice"})
        bought = await record_purchase(
            tx,
            NewPurchase(
                customer_id=made.id,
                currency="GBP",
                lines=[NewLine(sku="VEL-1", name="Vellum", quantity=2, unit_price_minor=450)],
                subject="For Zerelda",
                source="shop",
                reference="order-1001",
            ),
        )
        await record_purchase(
            tx,
            NewPurchase(
                customer_id=other.id, currency="GBP", total_minor=100, source="shop", reference="zelda/1002"
            ),
        )
        await record_refund(tx, NewRefund(purchase_id=bought, amount_minor=300, body="Zerelda was sad"))
        await recall(tx, "create_customer", "create-zerelda@example.com", "f" * 64)
        await recall(tx, "create_customer", "k1", "f" * 64)
        await remember(tx, "create_customer", "k1", "f" * 64, {"customer_id": made.id})
        await recall(tx, "create_customer", "k2", "f" * 64)
        token = {"id": new_id(), "name": "Zerelda's portal", "digest": "d", "hint": "crm_abc"}
        more = {"kind": "CUSTOMER", "permissions": "[]", "customer_id": made.id, "created_at": NOW}
        await insert(tx, "crm_token", token | more)
        await merge_customers(tx, made.id, [other.id])
    actor = Actor(
        kind=ActorKind.CUSTOMER,
        id=made.id,
        name="Zerelda Quixworth",
        permissions=frozenset(),
        token_id=token["id"],
        customer_id=made.id,
    )
    async with database.unit_of_work(actor) as tx:
        await update_customer(tx, made.id, CustomerChange(city="Pendennis"))
        events = await tx.fetch("SELECT id, customer_id FROM crm_event ORDER BY id LIMIT 1")
        owed = {
            "id": new_id(),
            "event_id": events[0]["id"],
            "customer_id": events[0]["customer_id"],
            "handler": "h",
            "status": "PENDING",
            "attempts": 1,
        }
        await insert(tx, "crm_delivery", {**owed, "next_at": NOW, "error": "Zerelda is no number"})
    return made.id, other.id, bought


PERSONAL = (
    *("zerelda", "quix", "zelda", "442071234567", "penzance", "pendennis", "cust-zq", "visitor-zq"),
    *("parchment", "vellumlover", "ottoline", "rec-zq", "example.com", "example.org"),
)


async def places_that_name(database: Database, words: tuple[str, ...]) -> list[str]:
    """`table.column: value` of every column of every table of the database that holds one of the words."""
    if database.dialect == "sqlite":
        tables = await database.fetch("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
    else:
        tables = await database.fetch(
            "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'"
        )
    assert len(tables) > 15
    places = []
    for table in tables:
        for row in await database.fetch(f"SELECT * FROM {table['name']}"):
            for column, value in row.items():
                text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
                places += [f"{table['name']}.{column}: {text}" for word in words if word in text.casefold()]
    return places


async def test_no_column_of_any_table_names_the_person(database: Database, records: Any) -> None:
    bystander = await records.customer("Charles Babbage", email="charles@example.net")
    await records.interaction(bystander, subject="About engines")
    key, _, _ = await known_person(database)
    before = await places_that_name(database, PERSONAL)
    assert {place.split(".")[0] for place in before} >= {
        *("crm_customer", "crm_contact_point", "crm_customer_tag", "crm_interaction", "crm_token"),
        *("crm_event", "crm_audit", "crm_delivery", "crm_idempotency"),
        *(["crm_customer_search_data"] if database.dialect == "sqlite" else []),
    }
    plugins = Plugins()
    report = await erase(database, key, reason="asked for", plugins=plugins)
    assert await places_that_name(database, PERSONAL) == []
    assert report.counts == {
        "core": {
            "crm_contact_point": 4,
            "crm_customer_tag": 2,
            "crm_interaction": 4,
            "crm_token": 1,
            "crm_audit": 13,
            "crm_event": 13,
            "crm_idempotency": 2,
            "crm_customer": 2,
        },
        "loyalty": {"loyalty_account": 2},
    }
    assert (await records.row("crm_customer", bystander))["name"] == "Charles Babbage"
    assert [
        row["subject"] for row in await records.rows("crm_interaction", "customer_id = ?", bystander)
    ] == ["About engines"]
    assert [row["key_text"] for row in await records.rows("crm_idempotency")] == ["k2"]


async def test_sums_order_numbers_and_the_trail_stay(database: Database, records: Any) -> None:
    key, other, bought = await known_person(database)
    events = await records.count("crm_event")
    report = await erase(database, other, reason="asked for", plugins=Plugins())
    assert (report.customer_id, report.erased_before) == (key, False)
    money = [
        (row["kind"], row["total_minor"]) for row in await records.rows("crm_interaction", "currency = 'GBP'")
    ]
    assert sorted(money) == [("purchase", 100), ("purchase", 900), ("refund", -300)]
    row = await records.row("crm_interaction", bought)
    assert (row["source"], row["reference"]) == ("shop", "order-1001")
    assert await records.count("crm_purchase_line") == 1
    for customer in (key, other):
        row = await records.row("crm_customer", customer)
        assert (row["name"], row["reference"], parse_time(row["erased_at"])) == ("Erased", None, NOW)
    assert (await records.row("crm_customer", key))["stage"] == "CUSTOMER"
    (receipt,) = await records.rows("crm_erasure")
    assert (receipt["id"], receipt["customer_id"], receipt["actor_name"], receipt["reason"]) == (
        report.receipt_id,
        key,
        "system",
        "asked for",
    )
    (token,) = await records.rows("crm_token")
    assert (token["name"], parse_time(token["revoked_at"])) == ("Erased", NOW)
    told = await records.events()
    assert len(told) == events + 1
    name, said = told[-1]
    digest = said["changes"].pop("auditDigest")
    assert (name, said) == (
        "customer.erased",
        {
            "customer_id": key,
            "changes": {"receipt": [None, report.receipt_id], "auditEntries": [None, events]},
        },
    )
    assert (digest[0], len(digest[1])) == (None, 64)
    (recorded,) = [fields for type_, fields in told if fields.get("interaction_id") == bought]
    assert (recorded["total_minor"], recorded["currency"], recorded["kind"]) == (900, "GBP", "purchase")
    assert recorded["changes"]["subject"] == [None, None]
    audit = await records.rows("crm_audit")
    assert len(audit) == len(told)
    assert {row["actor_name"] for row in audit} == {"system", "Erased"}


async def test_a_resend_of_an_erased_purchase_adds_nothing(database: Database, records: Any) -> None:
    key, _, bought = await known_person(database)
    await erase(database, key)
    async with database.unit_of_work() as tx:
        again = await record_purchase(
            tx,
            NewPurchase(
                customer_id=key, currency="GBP", total_minor=900, source="shop", reference="order-1001"
            ),
        )
    assert again == bought


async def test_again_changes_nothing_and_returns_the_receipt(database: Database, records: Any) -> None:
    key, other, _ = await known_person(database)
    first = await erase(database, key, plugins=Plugins())
    before = await records.everything()
    plugins = Plugins()
    again = await erase(database, other, plugins=plugins)
    assert (again.receipt_id, again.counts, again.erased_at) == (first.receipt_id, first.counts, NOW)
    assert (again.erased_before, plugins.calls) == (True, [])
    assert await records.everything() == before


async def test_at_the_same_moment_it_happens_once(database: Database, records: Any) -> None:
    key, _, _ = await known_person(database)
    reports = await asyncio.gather(*(erase(database, key) for _ in range(3)))
    assert len({report.receipt_id for report in reports}) == 1
    assert sorted(report.erased_before for report in reports) == [False, True, True]
    assert await records.count("crm_erasure") == 1


async def test_a_plugin_that_fails_aborts_all(database: Database, records: Any) -> None:
    key, _, _ = await known_person(database)
    before = await records.everything()
    with pytest.raises(CrmError) as refused:
        await erase(database, key, plugins=Plugins(CrmError(ErrorCode.REFUSED, "Not yet.")))
    assert refused.value.message == "Not yet."
    assert await records.everything() == before


async def test_an_unknown_customer_is_not_found(database: Database) -> None:
    for key in (new_id(), "x"):
        with pytest.raises(CrmError) as refused:
            await erase(database, key)
        assert (refused.value.code, refused.value.path) == (ErrorCode.NOT_FOUND, ("id",))
