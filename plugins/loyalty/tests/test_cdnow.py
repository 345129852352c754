"""The purchases of a real shop: the file's own sums are the ledger's."""

import csv
from collections import defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from crm_loyalty.ledger.verify import verify
from crm_loyalty.moments import add_months

from crm_framework.testing import CrmClient

FILE = Path(__file__).parents[3] / "tests" / "data" / "cdnow.csv"
PROGRAM = """mutation ($input: CreateLoyaltyProgramInput!) {
  createLoyaltyProgram(input: $input) { program { id } errors { message } } }"""
TIER = "mutation ($input: CreateTierInput!) { createTier(input: $input) { errors { message } } }"
IMPORT = """mutation ($rows: [InteractionRowInput!]!) {
  importInteractions(input: {rows: $rows, createMissingCustomers: true}) {
    created failed errors { message } } }"""
LIABILITY = """query ($program: ID!, $at: DateTime) {
  pointsLiability(program: $program, by: MONTH, at: $at) { month points } }"""
CUSTOMERS = """query ($after: String, $at: DateTime!) { customers(first: 100, after: $after) {
  nodes { reference loyalty { lifetime asOf(at: $at) { balance tier { name } } } }
  pageInfo { endCursor hasNextPage } } }"""
TIERS = (("Bronze", 0), ("Silver", 10_000), ("Gold", 50_000))
CHUNK = 2_000
THEN = datetime(1998, 3, 31, 12, tzinfo=UTC)


def purchases() -> list[dict[str, Any]]:
    with FILE.open(newline="") as file:
        return [
            {
                "customer": row["customer"],
                "at": datetime.fromisoformat(row["date"]).replace(tzinfo=UTC),
                "minor": int(Decimal(row["dollars"]) * 100),
            }
            for row in csv.DictReader(file)
        ]


def row_of(number: int, bought: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": "purchase",
        "source": "cdnow",
        "reference": str(number),
        "customerReference": bought["customer"],
        "occurredAt": bought["at"].isoformat(),
        "total": {"amount": f"{Decimal(bought['minor']) / 100:.2f}", "currency": "USD"},
    }


async def bring(client: CrmClient, rows: list[dict[str, Any]]) -> int:
    created = 0
    for start in range(0, len(rows), CHUNK):
        answer = (await client.data(IMPORT, rows=rows[start : start + CHUNK]))["importInteractions"]
        assert (answer["failed"], answer["errors"]) == (0, [])
        created += answer["created"]
    return created


async def test_the_ledger_has_the_sums_of_the_file(open_client: Any) -> None:
    client = await open_client("loyalty", handler_budget_ms=120_000)
    input = {
        "name": "Discs", "currency": "USD", "pointsPerUnit": 1, "expiryMonths": 12,
        "tierPeriod": "ROLLING_12_MONTHS", "tierBasis": "SPEND",
    }  # fmt: skip
    program = (await client.data(PROGRAM, input=input))["createLoyaltyProgram"]["program"]["id"]
    for name, threshold in TIERS:
        await client.data(TIER, input={"program": program, "name": name, "threshold": threshold})
    bought = purchases()
    rows = [row_of(number, each) for number, each in enumerate(bought)]
    assert await bring(client, rows) == len(bought) == 6_919

    database = client.service.database
    [sums] = await database.fetch(
        "SELECT COUNT(*) AS entries, SUM(points) AS points FROM loyalty_entry WHERE kind = 'EARNED'"
    )
    assert (sums["entries"], int(sums["points"])) == (6_919, sum(each["minor"] // 100 for each in bought))
    await check_liability(client, program, bought)
    await check_customers(client, bought)
    async with database.unit_of_work() as tx:
        proof = await verify(tx)
        assert (proof.accounts, proof.differences) == (len({each["customer"] for each in bought}), [])

    assert await bring(client, rows) == 0
    [again] = await database.fetch("SELECT COUNT(*) AS entries FROM loyalty_entry WHERE kind = 'EARNED'")
    assert again["entries"] == 6_919


async def check_liability(client: CrmClient, program: str, bought: list[dict[str, Any]]) -> None:
    """All has expired by now; then, each point was owed until a year after it was earned."""
    assert (await client.data(LIABILITY, program=program))["pointsLiability"] == []
    wanted: dict[date, int] = defaultdict(int)
    for each in bought:
        end = add_months(each["at"], 12, ZoneInfo("UTC"))
        if each["at"] <= THEN < end:
            wanted[end.date().replace(day=1)] += each["minor"] // 100
    found = await client.data(LIABILITY, program=program, at=THEN.isoformat())
    assert found["pointsLiability"] == [
        {"month": month.isoformat(), "points": points} for month, points in sorted(wanted.items()) if points
    ]


async def check_customers(client: CrmClient, bought: list[dict[str, Any]]) -> None:
    """Each one's points, and the tier by what was spent in the twelve months before."""
    earned: dict[str, int] = defaultdict(int)
    balance: dict[str, int] = defaultdict(int)
    spent: dict[str, int] = defaultdict(int)
    for each in bought:
        earned[each["customer"]] += each["minor"] // 100
        if each["at"] <= THEN < add_months(each["at"], 12, ZoneInfo("UTC")):
            balance[each["customer"]] += each["minor"] // 100
            spent[each["customer"]] += each["minor"]
    after, seen = None, 0
    while True:
        page = (await client.data(CUSTOMERS, after=after, at=THEN.isoformat()))["customers"]
        for node in page["nodes"]:
            name = [name for name, threshold in TIERS if threshold <= spent[node["reference"]]][-1]
            assert node["loyalty"] == {
                "lifetime": earned[node["reference"]],
                "asOf": {"balance": balance[node["reference"]], "tier": {"name": name}},
            }
            seen += 1
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            assert seen == len(earned)
            return
