import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_framework.domain.customers.bulk import ImportReport
from crm_framework.domain.interactions import bulk, lookup
from crm_framework.domain.interactions.bulk import import_interactions
from crm_framework.domain.interactions.lookup import recorded
from crm_framework.domain.interactions.purchase_lines import NewLine
from crm_framework.domain.interactions.rows import InteractionRow
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.clock import frozen, parse_time
from crm_framework.storage.database import Database
from crm_framework.storage.ids import new_id

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


async def bring(database: Database, rows: list[dict[str, Any]], **options: Any) -> ImportReport:
    with frozen(NOW):
        async with database.unit_of_work() as tx:
            return await import_interactions(tx, [InteractionRow(**row) for row in rows], **options)


def purchase(reference: str | None = None, **fields: Any) -> dict[str, Any]:
    given = {"source": "shop", "reference": reference} if reference else {}
    return {"kind": "purchase", "currency": "USD", "total_minor": 100, **given, **fields}


async def test_rows_of_every_kind_go_in(database: Database, records: Any) -> None:
    customer = await records.customer(source="erp", reference="7")
    prospect = await records.customer("Charles", stage="PROSPECT")
    staff = await records.staff()
    asked = await records.interaction(customer, direction="INBOUND", kind="message")
    report = await bring(
        database,
        [
            {"kind": "call", "customer_id": customer, "outcome": "reached", "staff_id": staff},
            {"kind": "message", "customer_source": "erp", "customer_reference": "7", "reply_to_id": asked},
            {
                "kind": "refund",
                "source": "shop",
                "reference": "r1",
                "refund_of_reference": "p1",
                "total_minor": 30,
            },
            purchase(
                "p1",
                customer_id=prospect,
                occurred_at=NOW - DAY,
                total_minor=None,
                lines=[NewLine(sku="A", quantity=2, unit_price_minor=25), NewLine(sku="B", amount_minor=50)],
            ),
            purchase(customer_id=prospect, total_minor=5, occurred_at=NOW - 3 * DAY),
        ],
    )
    assert (report.created, report.existing, report.errors, report.dry_run) == (5, 0, (), False)
    keys = [row.id for row in report.rows]
    stored = {row["id"]: row for row in await records.rows("crm_interaction")}
    assert [stored[key]["kind"] for key in keys] == ["call", "message", "refund", "purchase", "purchase"]
    assert [stored[key]["customer_id"] for key in keys] == [customer, customer, prospect, prospect, prospect]
    assert (stored[keys[0]]["staff_id"], stored[keys[0]]["channel"]) == (staff, "phone")
    assert stored[keys[1]]["reply_to_id"] == asked
    assert (stored[keys[2]]["total_minor"], stored[keys[2]]["refund_of_id"]) == (-30, keys[3])
    assert [(line["sku"], line["amount_minor"]) for line in await records.rows("crm_purchase_line")] == [
        ("A", 50),
        ("B", 50),
    ]
    row = await records.row("crm_customer", prospect)
    assert (row["stage"], parse_time(row["converted_at"])) == ("CUSTOMER", NOW - 3 * DAY)
    assert [(type_, told.get("interaction_id")) for type_, told in await records.events()] == [
        ("interaction.logged", keys[0]),
        ("interaction.logged", keys[1]),
        ("refund.recorded", keys[2]),
        ("purchase.recorded", keys[3]),
        ("purchase.recorded", keys[4]),
        ("customer.converted", None),
    ]


async def test_bad_rows_are_reported_by_index_and_the_good_ones_go_in(
    database: Database, records: Any
) -> None:
    customer = await records.customer()
    erased = await records.customer("gone", erased_at=NOW)
    nowhere = new_id()
    rows = [
        {"kind": "call", "customer_id": customer},
        {"kind": "cal", "customer_id": customer},
        {"kind": "call"},
        {"kind": "call", "customer_id": nowhere},
        {"kind": "call", "customer_id": erased},
        {"kind": "call", "customer_source": "erp", "customer_reference": "9"},
        {"kind": "call", "customer_id": customer, "total_minor": 5},
        {"kind": "call", "customer_id": customer, "staff_id": nowhere},
        {"kind": "call", "customer_id": customer, "reply_to_id": nowhere},
        purchase(customer_id=customer, lines=[NewLine(sku="A", quantity=-1, amount_minor=100)]),
        purchase(customer_id=customer, currency=None),
        {"kind": "refund", "refund_of_id": nowhere, "total_minor": 5},
        {"kind": "refund", "total_minor": 5},
        {"kind": "note", "customer_id": customer},
    ]
    report = await bring(database, rows)
    assert [(row.index, row.error.code, row.error.path[2:]) for row in report.errors if row.error] == [
        (1, ErrorCode.BAD_INPUT, ("kind",)),
        (2, ErrorCode.BAD_INPUT, ("customer",)),
        (3, ErrorCode.NOT_FOUND, ("customerId",)),
        (4, ErrorCode.REFUSED, ("customerId",)),
        (5, ErrorCode.NOT_FOUND, ("customerReference",)),
        (6, ErrorCode.BAD_INPUT, ("total",)),
        (7, ErrorCode.NOT_FOUND, ("staffId",)),
        (8, ErrorCode.NOT_FOUND, ("replyToId",)),
        (9, ErrorCode.BAD_INPUT, ("lines", "0", "quantity")),
        (10, ErrorCode.BAD_INPUT, ("currency",)),
        (11, ErrorCode.NOT_FOUND, ("refundOf",)),
        (12, ErrorCode.BAD_INPUT, ("refundOf",)),
    ]
    assert all(row.error.path[:2] == ("rows", str(row.index)) for row in report.errors if row.error)
    assert [row.created for row in report.rows if row.error is None] == [True, True]
    assert (await records.count("crm_interaction"), await records.count("crm_event")) == (2, 2)


async def test_a_second_run_changes_nothing(database: Database, records: Any) -> None:
    rows = [
        purchase(f"p{n}", customer_source="shop", customer_reference=f"c{n % 3}", occurred_at=NOW - n * DAY)
        for n in range(12)
    ]
    first = await bring(database, rows, create_missing_customers=True)
    assert (first.created, first.existing) == (12, 0)
    before = await records.everything()
    again = await bring(database, rows, create_missing_customers=True)
    assert (again.created, again.existing, again.errors) == (0, 12, ())
    assert [row.id for row in again.rows] == [row.id for row in first.rows]
    assert await records.everything() == before


async def test_missing_customers_are_created_when_asked(database: Database, records: Any) -> None:
    rows = [
        purchase("p1", customer_reference="c1", customer_name="Ada Lovelace", occurred_at=NOW - DAY),
        purchase("p2", customer_reference="c1", occurred_at=NOW - 2 * DAY),
        {"kind": "note", "customer_source": "erp", "customer_reference": "77"},
        purchase("p3", customer_reference="c2", lines=[NewLine(sku=" ", amount_minor=100)]),
    ]
    refused = await bring(database, rows)
    assert [row.index for row in refused.errors] == [0, 1, 2, 3]
    assert await records.count("crm_customer") == 0
    report = await bring(database, rows, create_missing_customers=True)
    assert [row.index for row in report.errors] == [3]
    customers = await records.rows("crm_customer")
    assert {
        (row["source"], row["reference"]): (row["name"], row["sort_name"], row["stage"]) for row in customers
    } == {
        ("shop", "c1"): ("Ada Lovelace", "ada lovelace", "CUSTOMER"),
        ("erp", "77"): ("77", "77", "PROSPECT"),
    }
    (buyer,) = [row for row in customers if row["reference"] == "c1"]
    assert parse_time(buyer["converted_at"]) == NOW - 2 * DAY
    assert [type_ for type_, _ in await records.events()] == [
        "customer.created",
        "customer.created",
        "purchase.recorded",
        "purchase.recorded",
        "interaction.logged",
        "customer.converted",
    ]


async def test_a_dry_run_reports_the_same_and_writes_nothing(database: Database, records: Any) -> None:
    customer = await records.customer()
    known = await records.interaction(customer, source="shop", reference="p0")
    rows = [
        purchase("p0", customer_reference="c0"),
        purchase("p1", customer_reference="c1"),
        purchase("p2", customer_reference="c2", total_minor=-1),
        {
            "kind": "refund",
            "source": "shop",
            "refund_of_reference": "p1",
            "reference": "r",
            "total_minor": 101,
        },
    ]
    before = await records.everything()
    report = await bring(database, rows, create_missing_customers=True, dry_run=True)
    assert await records.everything() == before
    assert [(row.id, row.created, row.error and row.error.path[2:]) for row in report.rows] == [
        (known, False, None),
        (None, True, None),
        (None, False, ("total",)),
        (None, False, ("total",)),
    ]
    assert report.dry_run


async def test_repeats_inside_one_import_are_one_record(database: Database, records: Any) -> None:
    customer = await records.customer()
    rows = [
        purchase("p1", customer_id=customer),
        purchase("p1", customer_id=customer),
        purchase("p2", customer_id=new_id()),
        purchase("p2", customer_id=customer),
    ]
    report = await bring(database, rows)
    assert [(row.created, row.error and row.error.path) for row in report.rows] == [
        (True, None),
        (False, None),
        (False, ("rows", "2", "customerId")),
        (False, ("rows", "3", "customerId")),
    ]
    assert report.rows[0].id == report.rows[1].id
    assert await records.count("crm_interaction") == 1


async def test_refunds_count_together_with_those_before_them(database: Database, records: Any) -> None:
    customer = await records.customer()
    bought = await records.interaction(
        customer, kind="purchase", total_minor=100, currency="USD", occurred_at=NOW - DAY
    )
    await records.interaction(customer, kind="refund", total_minor=-20, currency="USD", refund_of_id=bought)
    report = await bring(
        database,
        [
            {"kind": "refund", "refund_of_id": bought, "total_minor": 50},
            {"kind": "refund", "refund_of_id": bought, "total_minor": 31},
            {"kind": "refund", "refund_of_id": bought, "total_minor": -30, "currency": "USD"},
            {"kind": "refund", "refund_of_id": bought, "total_minor": 0, "currency": "USD"},
        ],
    )
    assert [row.error and row.error.message for row in report.rows] == [
        None,
        "A refund of 0.31 USD exceeds the 0.30 USD that are left of 1.00 USD.",
        None,
        "The amount of a refund must be positive, not 0.00 USD.",
    ]


async def test_merged_references_lead_to_the_winner(database: Database, records: Any) -> None:
    winner = await records.customer()
    await records.customer("A. Lovelace", source="erp", reference="7", merged_into_id=winner)
    report = await bring(
        database,
        [{"kind": "call", "customer_source": "erp", "customer_reference": "7"}],
        create_missing_customers=True,
    )
    assert (await records.row("crm_interaction", report.rows[0].id))["customer_id"] == winner
    assert await records.count("crm_customer") == 2


async def test_the_same_file_twice_at_the_same_moment_goes_in_once(database: Database, records: Any) -> None:
    rows = [
        purchase(f"p{n}", customer_reference=f"c{n % 5}", lines=[NewLine(sku="A", amount_minor=100)])
        for n in range(40)
    ]
    reports = await asyncio.gather(
        *(bring(database, rows[::step], create_missing_customers=True) for step in (1, -1, 1))
    )
    assert sum(report.created for report in reports) == 40
    assert sum(report.existing for report in reports) == 80
    assert await records.count("crm_customer") == 5
    assert (await records.count("crm_interaction"), await records.count("crm_purchase_line")) == (40, 40)
    types = [type_ for type_, _ in await records.events()]
    assert (types.count("purchase.recorded"), types.count("customer.converted")) == (40, 5)


async def test_the_number_of_statements_does_not_grow_with_the_rows(database: Database, records: Any) -> None:
    customers = [await records.customer(str(n)) for n in range(6)]
    counts = []
    for many in (6, 600):
        rows = [purchase(f"{many}-{n}", customer_id=customers[n % 6]) for n in range(many)]
        with database.counting() as statements:
            assert (await bring(database, rows)).created == many
        counts.append(len(statements))
    assert counts[0] == counts[1]
    assert counts[0] <= 10


async def test_more_rows_than_allowed_are_refused(database: Database) -> None:
    with pytest.raises(CrmError) as refused:
        await bring(database, [{"kind": "note", "customer_id": ""}] * 10_001)
    assert (refused.value.code, refused.value.path) == (ErrorCode.BAD_INPUT, ("rows",))


@pytest.mark.parametrize("database_kind", ["postgres"], indirect=True)
async def test_references_that_another_import_takes_meanwhile_are_left_out(
    database: Database, records: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = await records.customer()
    rows = [
        {"kind": "call", "customer_id": customer, "source": "erp", "reference": f"{n}", "body": "S\tT"}
        for n in range(300)
    ]
    first = await bring(database, rows[100:101])
    looked = 0

    async def too_early(tx: Any, checked: Any) -> Any:
        """The first look comes before the other import's commit."""
        nonlocal looked
        looked += 1
        return {} if looked == 1 else await recorded(tx, checked)

    monkeypatch.setattr(lookup, "recorded", too_early)
    monkeypatch.setattr(bulk, "recorded", too_early)
    report = await bring(database, rows)
    assert (report.created, report.existing, report.errors) == (299, 1, ())
    assert report.rows[100].id == first.rows[0].id
    (kept,) = await database.fetch(
        "SELECT COUNT(*) AS n FROM crm_interaction WHERE source = ? AND body = ?", ["erp", "S\tT"]
    )
    (told,) = await database.fetch("SELECT COUNT(*) AS n FROM crm_event WHERE type = 'interaction.logged'")
    assert (kept["n"], told["n"]) == (300, 300)
