"""The statements of each shape of a query over the CRM, word by word, and their plans."""

import re
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from crm_framework.engine import encode_cursor, encode_id
from crm_framework.engine.execute import execute
from crm_framework.engine.trace import Trace
from crm_framework.hooks.dispatch import PluginHost
from crm_framework.schema.compose import ComposedSchema
from crm_framework.storage.database import Database
from crm_framework.storage.migration.migrator import CORE, migrate
from crm_framework.testing.fixtures import CORE_APPS
from crm_framework.testing.templates import TestDatabases
from tests.golden import Shape, check_plan, compare, written

from .conftest import Api

HERE = Path(__file__).parent / "golden"
CUSTOMERS = 3_000
LOSERS = range(99, CUSTOMERS, 100)
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)


def key(table: int, number: int) -> str:
    """The n-th key of a table."""
    return str(uuid.UUID(int=(0x0190_0000_0000_7000_8000 << 48) + (table << 32) + number))


def customer(number: int) -> str:
    """The global id of a customer."""
    return encode_id("Customer", key(1, number))


FEW = "the few rows that a condition selects are sorted"
EACH = "sorts the few rows that were read, of all parents together"
PASSED = "what comes after has two ranges, values and NULLs: rows before the cursor are passed over"
COUNTED = "all customers are counted; on SQLite along an index that has no others"
SMALL = "the whole table is one page of the database"
HASHED = "of so few customers all are compared with those of the tags"
UNION = "sorts one page of members for each segment"

OWNER = encode_id("Staff", key(2, 3))
NAMED = ["name 01500", key(1, 1500)]


def list_of(arguments: str, cursor: str | None = None, *values: Any) -> tuple[str, Mapping[str, Any]]:
    """A page of customers with these arguments, perhaps after a row of these values in an order."""
    if cursor is None:
        return f"{{ customers(first: 10, {arguments}) {{ nodes {{ name }} }} }}", {}
    page = f"customers(first: 10, after: $after, {arguments})"
    text = f"query ($after: String) {{ {page} {{ nodes {{ name }} }} }}"
    return text, {"after": encode_cursor(cursor, values)}


SHAPES: dict[str, Shape] = {
    "customer": Shape("query ($id: ID!) { customer(id: $id) { name email } }", {"id": customer(7)}),
    "customer_by_reference": Shape('{ customer(source: "shop", reference: "r7") { name } }'),
    "node": Shape("query ($id: ID!) { node(id: $id) { id ... on Customer { name } } }", {"id": customer(7)}),
    "nodes": Shape(
        "query ($ids: [ID!]!) { nodes(ids: $ids) { id ... on Customer { name } ... on Staff { name } } }",
        {"ids": [customer(7), encode_id("Staff", key(2, 3)), customer(8)]},
    ),
    "customers": Shape("{ customers(first: 10) { nodes { name email } } }"),
    "customers_after_name": Shape(*list_of("orderBy: [{field: NAME}]", "NAME,id", *NAMED)),
    "customers_before_name": Shape(
        """query ($before: String) { customers(last: 10, before: $before) {
  nodes { name } pageInfo { hasPreviousPage startCursor } } }""",
        {"before": encode_cursor("NAME,id", NAMED)},
    ),
    "customers_by_city": Shape(*list_of("orderBy: [{field: CITY}]")),
    "customers_after_city": Shape(*list_of("orderBy: [{field: CITY}]", "CITY,id", "City 20", key(1, 1500))),
    "customers_after_stage": Shape(
        *list_of("orderBy: [{field: STAGE}]", "STAGE,id", "PROSPECT", key(1, 1500))
    ),
    "customers_after_created_at": Shape(
        *list_of(
            "orderBy: [{field: CREATED_AT, direction: DESC}]",
            "-CREATED_AT,-id",
            BEGIN + timedelta(1500),
            key(1, 1500),
        )
    ),
    "customers_after_updated_at": Shape(
        *list_of(
            "orderBy: [{field: UPDATED_AT, direction: DESC}]",
            "-UPDATED_AT,-id",
            BEGIN + timedelta(1500),
            key(1, 1500),
        )
    ),
    "customers_by_converted_at": Shape(*list_of("orderBy: [{field: CONVERTED_AT, direction: DESC}]")),
    "customers_of_city_by_name": Shape(*list_of('filter: {city: {eq: "City 20"}}')),
    "customers_of_stage_by_name": Shape(*list_of("filter: {stage: {eq: CUSTOMER}}")),
    "customers_by_email": Shape(*list_of('filter: {email: {eq: "c7@example.com"}}')),
    "customers_with_tag": Shape(*list_of('filter: {tags: {any: ["tag 7"]}}')),
    "customers_with_any_tag": Shape(*list_of('filter: {tags: {any: ["tag 7", "tag 8"]}}')),
    "customers_of_owner": Shape(*list_of(f'filter: {{owner: {{eq: "{OWNER}"}}}}')),
    "customers_searched": Shape(*list_of('search: "name 01500"')),
    "customers_searched_and_filtered": Shape(*list_of('search: "01500", filter: {stage: {eq: PROSPECT}}')),
    "customers_counted": Shape("{ customers { totalCount } }"),
    "customers_counted_filtered": Shape('{ customers(filter: {city: {eq: "City 20"}}) { totalCount } }'),
    "owner": Shape("{ customers(first: 10) { nodes { owner { name } } } }"),
    "owner_twice": Shape("{ customers(first: 10) { nodes { a: owner { name } b: owner { email } } } }"),
    "contact_points": Shape("{ customers(first: 10) { nodes { contactPoints { channel value } tags } } }"),
    "interactions_of_each": Shape(
        "{ customers(first: 10) { nodes { interactions(first: 3) { nodes { kind occurredAt } } } } }"
    ),
    "interactions_of_each_counted": Shape(
        "{ customers(first: 10) { nodes { interactions { totalCount } } } }"
    ),
    "interactions": Shape("{ interactions(first: 10) { nodes { kind customer { name } } } }"),
    "interactions_of_kind": Shape(
        '{ interactions(first: 10, filter: {kind: {eq: "call"}}) { nodes { subject } } }'
    ),
    "interactions_by_kind": Shape(
        "{ interactions(first: 10, orderBy: [{field: KIND}]) { nodes { subject } } }"
    ),
    "interactions_by_created_at": Shape(
        "{ interactions(first: 10, orderBy: [{field: CREATED_AT}]) { nodes { subject } } }"
    ),
    "interactions_by_follow_up_at": Shape(
        "{ interactions(first: 10, orderBy: [{field: FOLLOW_UP_AT}]) { nodes { subject } } }"
    ),
    "purchase_lines": Shape("{ interactions(first: 10) { nodes { lines { sku amount { amount } } } } }"),
    "segment_members": Shape(
        "query ($id: ID!) { node(id: $id) { ... on Segment { members(first: 5) { nodes { name } } } } }",
        {"id": encode_id("Segment", key(5, 1))},
    ),
    "segment_members_counted": Shape(
        "query ($id: ID!) { node(id: $id) { ... on Segment { members { totalCount } } } }",
        {"id": encode_id("Segment", key(5, 1))},
    ),
    "timeline": Shape(
        "{ customers(first: 10) { nodes { timeline(first: 3) { nodes { title interaction { kind } } } } } }"
    ),
    "audit_log": Shape("{ auditLog(first: 10) { nodes { action } } }"),
    "audit_log_of_customer": Shape(
        "query ($id: ID!) { auditLog(first: 10, filter: {customer: {eq: $id}}) { nodes { action } } }",
        {"id": customer(7)},
    ),
    "audit_log_of_merged": Shape(
        "query ($id: ID!) { auditLog(first: 10, filter: {customer: {eq: $id}}) { nodes { action } } }",
        {"id": customer(99)},
    ),
}


EXCEPTIONS = {
    "audit_log_of_customer": {
        "sqlite: SORT": "the order ends with the key, which it has already: groups of one"
    },
    "audit_log_of_merged": {"SORT": "sorts the entries of one customer under its keys"},
    "customers_after_city": {"WALK crm_customer": PASSED},
    "customers_by_email": {"SORT": FEW},
    "customers_with_tag": {"SORT": FEW},
    "customers_with_any_tag": {"postgres: SORT": FEW, "postgres: SCAN crm_customer": HASHED},
    "customers_of_owner": {"SORT": FEW},
    "customers_searched": {"SORT": FEW},
    "customers_searched_and_filtered": {"SORT": FEW},
    "customers_counted": {"SCAN crm_customer": COUNTED},
    "customer_by_reference": {"postgres: SORT": FEW},
    "nodes": {"postgres: SCAN crm_staff": SMALL},
    "owner": {"postgres: SCAN crm_staff": SMALL},
    "owner_twice": {"postgres: SCAN crm_staff": SMALL},
    "contact_points": {"SORT": EACH},
    "interactions_of_each": {"SORT": EACH},
    "segment_members": {"sqlite: SORT": UNION, "postgres: SCAN crm_segment": SMALL},
    "segment_members_counted": {"postgres: SCAN crm_segment": SMALL},
}
"""What the plans of these shapes may have in spite of the rule."""

INDEXES = {
    "customer": {"primary key"},
    "node": {"primary key"},
    "nodes": {"primary key"},
    "customers": {"idx_crm_custome_sort_na_1da974"},
    "customers_after_name": {"idx_crm_custome_sort_na_1da974"},
    "customers_before_name": {"idx_crm_custome_sort_na_1da974"},
    "customers_by_city": {"idx_crm_custome_city_253781"},
    "customers_after_city": {"idx_crm_custome_city_253781"},
    "customers_after_stage": {"idx_crm_custome_stage_9265a8"},
    "customers_after_created_at": {"idx_crm_custome_created_f6647e"},
    "customers_after_updated_at": {"idx_crm_custome_updated_398857"},
    "customers_by_converted_at": {"crm_customer_converted"},
    "customers_of_city_by_name": {"idx_crm_custome_city_ff78ae"},
    "customers_by_email": {"idx_crm_custome_email_d98bf3"},
    "customers_counted_filtered": {"idx_crm_custome_city_253781"},
    "owner": {"idx_crm_custome_sort_na_1da974"},
    "owner_twice": {"idx_crm_custome_sort_na_1da974"},
    "contact_points": {"idx_crm_custome_sort_na_1da974"},
    "interactions_of_each": {"idx_crm_custome_sort_na_1da974", "idx_crm_interac_custome_1350a3"},
    "interactions_of_each_counted": {"idx_crm_custome_sort_na_1da974", "idx_crm_interac_custome_1350a3"},
    "interactions": {"idx_crm_interac_occurre_255e01", "primary key"},
    "interactions_by_kind": {"idx_crm_interac_kind_223fe8"},
    "interactions_by_created_at": {"idx_crm_interac_created_bd7d2f"},
    "interactions_by_follow_up_at": {"idx_crm_interac_follow__2a2dad"},
    "purchase_lines": {"idx_crm_interac_occurre_255e01"},
    "segment_members": {"idx_crm_custome_city_ff78ae"},
    "segment_members_counted": {"idx_crm_custome_city_253781"},
    "timeline": {"idx_crm_custome_sort_na_1da974", "primary key"},
    "audit_log": {"primary key"},
    "audit_log_of_customer": {"primary key", "crm_customer_merged_into"},
    "audit_log_of_merged": {"primary key", "crm_customer_merged_into"},
}
"""What the plans of each shape must go by, on both databases."""


async def _fill(url: str) -> None:
    """3,000 customers, each with three interactions, a contact point and a tag."""
    await migrate(url, [CORE])
    database = await Database.open(url, apps=CORE_APPS)
    try:
        async with database.unit_of_work() as tx:
            for number in range(20):
                tx.insert("crm_staff", _staff(number))
            for number in range(CUSTOMERS):
                tx.insert("crm_customer", _customer(number))
                if number in LOSERS:
                    continue
                tx.insert("crm_contact_point", _point(number))
                tx.insert(
                    "crm_customer_tag",
                    {"id": key(4, number), "customer_id": key(1, number), "tag": f"tag {number % 300}"},
                )
                tx.insert("crm_interaction", *(_interaction(number, n) for n in range(3)))
                tx.insert("crm_purchase_line", _line(number))
                tx.insert("crm_audit", _entry(number))
            tx.insert("crm_segment", _segment())
        if database.dialect == "postgres":
            async with database.unit_of_work() as tx:
                await tx.execute("ANALYZE")
    finally:
        await database.close()


def _moment(days: int) -> datetime:
    return BEGIN + timedelta(days)


def _staff(number: int) -> dict[str, object]:
    return {
        "id": key(2, number),
        "version": 1,
        "name": f"Staff {number}",
        "active": True,
        "email": f"s{number}@example.com",
        "created_at": BEGIN,
        "updated_at": BEGIN,
    }


def _customer(number: int) -> dict[str, object]:
    return {
        "id": key(1, number),
        "version": 1,
        "kind": "PERSON",
        "stage": ("PROSPECT", "CUSTOMER", "FORMER")[number % 3],
        "name": f"Name {number:05}",
        "sort_name": f"name {number:05}",
        "email": f"c{number}@example.com",
        "city": None if number % 10 == 9 else f"City {number % 50}",
        "owner_id": key(2, number % 20),
        "attributes": "{}",
        "source": "shop",
        "reference": f"r{number}",
        "confidential": False,
        "search_text": f"name {number:05}",
        "created_at": _moment(number),
        "updated_at": _moment(number),
        "converted_at": _moment(number) if number % 3 else None,
        "merged_into_id": key(1, number - 1) if number in LOSERS else None,
    }


def _point(number: int) -> dict[str, object]:
    value = f"c{number}@example.com"
    return {
        "id": key(3, number),
        "customer_id": key(1, number),
        "channel": "email",
        "value": value,
        "normalized": value,
        "position": 0,
        "is_primary": True,
        "consent": "UNKNOWN",
        "created_at": BEGIN,
    }


def _interaction(number: int, index: int) -> dict[str, object]:
    at = _moment(number + index)
    return {
        "id": key(6, 3 * number + index),
        "version": 1,
        "customer_id": key(1, number),
        "kind": ("call", "note", "purchase")[index],
        "subject": f"Subject {number}",
        "occurred_at": at,
        "created_at": at,
        "follow_up_at": at if number % 4 == 0 else None,
    }


def _line(number: int) -> dict[str, object]:
    return {
        "id": key(7, number),
        "interaction_id": key(6, 3 * number + 2),
        "position": 1,
        "sku": f"sku {number % 100}",
        "quantity": 1,
        "amount_minor": 100,
    }


def _entry(number: int) -> dict[str, object]:
    return {
        "id": key(8, number),
        "at": _moment(number),
        "actor_kind": "SYSTEM",
        "actor_name": "tests",
        "action": "customer.created",
        "subject_type": "Customer",
        "subject_id": key(1, number),
        "customer_id": key(1, number),
        "changes": "{}",
        "salt": bytes(16),
        "digest": bytes(32),
    }


def _segment() -> dict[str, object]:
    return {
        "id": key(5, 1),
        "version": 1,
        "name": "Twenty",
        "condition": '{"city": {"eq": "City 20"}}',
        "created_at": BEGIN,
        "updated_at": BEGIN,
    }


@pytest.fixture
async def full(
    core_schema: ComposedSchema, test_databases: TestDatabases, database_kind: Any
) -> AsyncIterator[Api]:
    url = test_databases.copy(database_kind, "golden-crm", _fill)
    database = await Database.open(url, apps=CORE_APPS)
    try:
        yield Api(core_schema, database, PluginHost())
    finally:
        await database.close()
        test_databases.drop(url)


@pytest.mark.parametrize("name", SHAPES)
async def test_the_statements_are_these_and_their_plans_are_good(full: Api, name: str) -> None:
    shape, database = SHAPES[name], full.database
    dialect = database.dialect
    context = full.context()
    context.trace = Trace()
    with database.counting() as counted:
        result = await execute(full.schema.schema, shape.text, dict(shape.variables), None, context)
    assert result.errors == []
    assert context.trace is not None
    statements = [one for step in context.trace.steps for one in step.statements]
    text = written(shape, context.trace)
    others = [re.sub(r"\$\d+", "?", sql) for sql in counted]
    for one in statements:
        others.remove(one.sql)  # what is left was not read through the context
    if others:
        text += "".join(f"\n-- past the engine\n{sql};\n" for sql in others)
    compare(HERE / f"{name}.{dialect}.sql", text)
    explain = "EXPLAIN" if dialect == "postgres" else "EXPLAIN QUERY PLAN"
    for statistics in (False, True) if dialect == "sqlite" else (True,):
        if statistics and dialect == "sqlite":
            async with database.unit_of_work() as tx:
                await tx.execute("ANALYZE")
        plans = {}
        for one in statements:
            rows = await database.rows(f"{explain} {one.sql}", one.arguments)
            plans[one.sql] = [str(row[-1]) for row in rows]
        check_plan(
            replace(shape, indexes=frozenset(INDEXES.get(name, ())), exceptions=EXCEPTIONS.get(name, {})),
            dialect,
            plans,
        )


def test_each_file_is_of_a_shape() -> None:
    expected = {f"{name}.{dialect}.sql" for name in SHAPES for dialect in ("sqlite", "postgres")}
    assert {file.name for file in HERE.iterdir()} == expected
