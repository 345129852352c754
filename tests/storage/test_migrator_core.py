"""The core's own tables, as its migrations make them."""

from typing import Any

import pytest

from crm_framework.storage.migration.connection import schema_connection
from crm_framework.storage.migration.migrator import CORE, AppliedMigration, migrate, pending

CORE_MIGRATIONS = [AppliedMigration("crm", "0001_initial")]
CUSTOMER = (
    "INSERT INTO crm_customer (id, version, kind, stage, name, sort_name, attributes, confidential,"
    " search_text, created_at, updated_at) VALUES ('{id}', 1, 'PERSON', 'PROSPECT', '{name}', '{name}',"
    " '{{}}', {false}, '{text}', '2024-01-01 00:00:00+00:00', '2024-01-01 00:00:00+00:00')"
)
ANN = "01900000-0000-7000-8000-000000000001"
BEN = "01900000-0000-7000-8000-000000000002"


def customer(url: str, key: str, name: str, text: str) -> str:
    return CUSTOMER.format(id=key, name=name, text=text, false="0" if url.startswith("sqlite") else "FALSE")


async def run(url: str, *statements: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    async with schema_connection(url) as connection:
        for statement in statements:
            rows = await connection.client.execute_query_dict(statement)
    return rows


async def test_an_empty_database_gets_the_core(empty_database_url: str) -> None:
    assert await pending(empty_database_url, [CORE]) == CORE_MIGRATIONS
    assert await migrate(empty_database_url, [CORE]) == CORE_MIGRATIONS
    assert await pending(empty_database_url, [CORE]) == []
    assert await migrate(empty_database_url, [CORE]) == []


async def search(url: str, prefix: str) -> list[str]:
    if url.startswith("sqlite"):
        rows = await run(
            url,
            "SELECT k.customer_id AS id FROM crm_customer_search s"
            " JOIN crm_customer_search_key k ON k.number = s.rowid"
            f" WHERE crm_customer_search MATCH '\"{prefix}\"*' ORDER BY k.customer_id",
        )
    else:
        rows = await run(
            url,
            "SELECT id FROM crm_customer WHERE to_tsvector('simple', search_text)"
            f" @@ to_tsquery('simple', '{prefix}:*') ORDER BY id",
        )
    return [str(row["id"]) for row in rows]


async def test_search_follows_every_change(database_url: str) -> None:
    url = database_url
    await run(url, customer(url, ANN, "ann", "ann archer"), customer(url, BEN, "ben", "ben arden"))
    assert await search(url, "ar") == [ANN, BEN]
    await run(url, f"UPDATE crm_customer SET search_text = 'ann baker' WHERE id = '{ANN}'")
    assert await search(url, "ar") == [BEN]
    assert await search(url, "bak") == [ANN]
    await run(url, f"UPDATE crm_customer SET city = 'york' WHERE id = '{ANN}'")
    assert await search(url, "bak") == [ANN]
    await run(url, f"DELETE FROM crm_customer WHERE id = '{BEN}'")
    assert await search(url, "ar") == []
    assert await search(url, "be") == []


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_search_outlives_vacuum(database_url: str) -> None:
    url = database_url
    await run(url, *(customer(url, f"{ANN[:-2]}{n:02}", f"n{n}", f"name{n:02}") for n in range(20)))
    await run(url, f"DELETE FROM crm_customer WHERE id < '{ANN[:-2]}10'", "VACUUM")
    assert await search(url, "name15") == [f"{ANN[:-2]}15"]
    await run(url, f"UPDATE crm_customer SET search_text = 'other' WHERE id = '{ANN[:-2]}15'")
    assert await search(url, "name15") == []
    assert await search(url, "oth") == [f"{ANN[:-2]}15"]
    await run(url, "INSERT INTO crm_customer_search (crm_customer_search) VALUES ('integrity-check')")


POINT = (
    "INSERT INTO crm_contact_point (id, customer_id, channel, value, normalized, is_primary,"
    " consent, created_at) VALUES ('{id}', '{customer}', '{channel}', '{value}', '{value}', {primary},"
    " 'UNKNOWN', '2024-01-01 00:00:00+00:00')"
)


async def test_a_customer_has_one_primary_contact_point_per_channel(database_url: str) -> None:
    url = database_url

    def point(number: int, channel: str, primary: bool) -> str:
        return POINT.format(
            id=f"01900000-0000-7000-8000-0000000001{number:02}",
            customer=ANN,
            channel=channel,
            value=f"v{number}",
            primary=("1" if primary else "0") if url.startswith("sqlite") else str(primary).upper(),
        )

    await run(url, customer(url, ANN, "ann", "ann"))
    await run(url, point(1, "email", True), point(2, "phone", True), point(3, "email", False))
    with pytest.raises(Exception, match=r"(?i)unique"):
        await run(url, point(4, "email", True))
    await run(url, point(5, "email", False))
    assert await run(url, "SELECT COUNT(*) AS n FROM crm_contact_point") == [{"n": 4}]


async def test_both_databases_order_text_alike(database_url: str) -> None:
    url = database_url
    names = ["Zoe", "adam", "Émile", "émile", "zoe", "a b", "ab", "a-b", "ß", "Adam"]
    await run(url, *(customer(url, f"{ANN[:-2]}{n:02}", name, "") for n, name in enumerate(names)))
    rows = await run(url, "SELECT sort_name FROM crm_customer ORDER BY sort_name")
    assert [row["sort_name"] for row in rows] == sorted(names, key=str.encode)


@pytest.mark.parametrize("database_kind", ["postgres"])
async def test_every_text_column_compares_bytes(database_url: str) -> None:
    rows = await run(
        database_url,
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
        " AND data_type IN ('text', 'character varying', 'character')"
        " AND collation_name IS DISTINCT FROM 'C'",
    )
    assert rows == []


async def test_every_foreign_key_has_an_index(database_url: str) -> None:
    if database_url.startswith("sqlite"):
        bare = await run(
            database_url,
            "SELECT m.name || '.' || f.\"from\" AS name FROM sqlite_master m,"
            " pragma_foreign_key_list(m.name) f"
            " WHERE m.type = 'table' AND NOT EXISTS (SELECT 1 FROM pragma_index_list(m.name) l,"
            ' pragma_index_info(l.name) i WHERE i.seqno = 0 AND i.name = f."from" AND NOT l.partial)',
        )
    else:
        bare = await run(
            database_url,
            "SELECT con.conrelid::regclass || '.' || att.attname AS name FROM pg_constraint con"
            " JOIN pg_attribute att ON att.attrelid = con.conrelid AND att.attnum = con.conkey[1]"
            " WHERE con.contype = 'f' AND NOT EXISTS (SELECT 1 FROM pg_index i"
            " WHERE i.indrelid = con.conrelid AND i.indkey[0] = con.conkey[1] AND i.indpred IS NULL)",
        )
    # that one is partial, on purpose: see below
    assert bare == [{"name": "crm_customer.merged_into_id"}]


@pytest.mark.parametrize("database_kind", ["sqlite"])
@pytest.mark.parametrize(
    ("condition", "index"),
    [
        ("id IN ('a') AND merged_into_id IS NULL", "sqlite_autoindex_crm_customer_1 (id=?)"),
        ("merged_into_id IS NULL ORDER BY sort_name, id LIMIT 51", "_sort_na_"),
        ("merged_into_id IN ('a')", "crm_customer_merged_into (merged_into_id=?)"),
    ],
)
async def test_customers_are_not_looked_for_among_those_that_nobody_merged(
    database_url: str, condition: str, index: str
) -> None:
    """SQLite has no frequencies unless somebody asks for them, and nearly every customer is one of those."""
    (step,) = await run(database_url, f"EXPLAIN QUERY PLAN SELECT * FROM crm_customer WHERE {condition}")
    assert index in step["detail"]
