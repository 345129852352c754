from typing import Any

import orjson

from benchmarks.company import SPAN, START, Size, customer_key, tables
from crm_framework.domain.customers.draft import NewCustomer, draft
from crm_framework.domain.customers.record import row_of
from crm_framework.storage.ids import is_key

SIZE = Size(customers=40, interactions=400)


def company() -> dict[str, list[dict[str, Any]]]:
    """Table → its rows."""
    return {
        table.name: [dict(zip(table.columns, row, strict=True)) for row in table.rows]
        for table in tables(SIZE)
    }


def test_it_is_as_large_as_it_says_and_the_same_each_time() -> None:
    made = company()
    assert {name: len(rows) for name, rows in made.items()} == {
        "crm_customer": 40,
        "crm_contact_point": 120,
        "crm_interaction": 400,
    }
    assert {table.name: table.total for table in tables(SIZE)} == {
        name: len(rows) for name, rows in made.items()
    }
    assert company() == made


def test_keys_are_keys_that_grow() -> None:
    for rows in company().values():
        keys = [row["id"] for row in rows]
        assert all(map(is_key, keys))
        assert keys == sorted(set(keys))


def test_interactions_belong_to_customers() -> None:
    known = {customer_key(number) for number in range(SIZE.customers)}
    assert {row["customer_id"] for row in company()["crm_interaction"]} <= known


def test_customers_are_as_the_product_would_have_made_them() -> None:
    made = company()
    for row in made["crm_customer"]:
        points = [point for point in made["crm_contact_point"] if point["customer_id"] == row["id"]]
        email, phone, address = points
        expected = draft(
            NewCustomer(
                name=row["name"],
                company=row["company"],
                stage=row["stage"],
                email=email["value"],
                phone=phone["value"],
                **orjson.loads(address["address"]),
                converted_at=row["converted_at"],
                former_at=row["former_at"],
            ),
            key=row["id"],
            now=START + SPAN + SPAN,
            definitions={},
            active_staff=(),
        )
        dates = {name: row[name] for name in ("created_at", "updated_at")}
        assert row == row_of(expected.record) | dates
        assert [
            (point["channel"], point["value"], point["normalized"], point["is_primary"]) for point in points
        ] == [(point.channel, point.value, point.normalized, point.primary) for point in expected.points]
