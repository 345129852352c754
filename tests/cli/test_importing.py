"""The import on real purchases, on both databases, repeated and killed half-way."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest

from crm_framework.app import create_app, open_service
from crm_framework.settings import Settings
from crm_framework.storage.database import Database
from crm_framework.testing.client import CrmClient, issue_token

from .conftest import Crm

CDNOW = (
    *("--source", "cdnow", "--create-customers"),
    *("--map", "customerReference=customer", "--map", "occurredAt=date"),
    *("--map", "total=dollars", "--map", "quantity=cds"),
    *("--set", "kind=purchase", "--set", "currency=USD", "--set", "sku=CD"),
)
TOTALS = {"rows": 6919, "customers": 2357, "total": 24409194}


def fetch(url: str, sql: str) -> list[dict[str, Any]]:
    async def work() -> list[dict[str, Any]]:
        async with await Database.open(url, apps={"crm": "crm_framework.domain.models"}) as database:
            return await database.fetch(sql)

    return asyncio.run(work())


def totals(url: str) -> dict[str, int]:
    (row,) = fetch(
        url,
        "SELECT COUNT(*) AS rows, COUNT(DISTINCT customer_id) AS customers,"
        " CAST(SUM(total_minor) AS BIGINT) AS total FROM crm_interaction",
    )
    return row


def test_real_purchases_are_imported_once(crm_command: Crm, cdnow: Path, database_url: str) -> None:
    first = crm_command("import", "interactions", str(cdnow), *CDNOW)
    assert first.output == "6919 interaction(s) imported, 0 known already, 0 refused.\n"
    assert first.code == 0
    assert totals(database_url) == TOTALS
    again = crm_command("import", "interactions", str(cdnow), *CDNOW)
    assert again.output == "0 interaction(s) imported, 6919 known already, 0 refused.\n"
    assert totals(database_url) == TOTALS
    (events,) = fetch(database_url, "SELECT COUNT(*) AS rows FROM crm_event WHERE type = 'purchase.recorded'")
    assert events["rows"] == 6919


PAGE = """
query($after: String) {
  interactions(first: 100, after: $after, filter: {kind: {eq: "purchase"}}, orderBy: [{field: OCCURRED_AT}]) {
    totalCount
    nodes { customer { id } total { amount currency } lines { sku quantity } }
    pageInfo { hasNextPage endCursor }
  }
}
"""


async def read_purchases(url: str) -> list[dict[str, Any]]:
    """Every purchase, over the API of a server without plugins."""
    nodes: list[dict[str, Any]] = []
    async with open_service(Settings(database_url=url)) as service:
        app = create_app(service=service)
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://crm.test") as http:
            client = CrmClient(app, http, await issue_token(service, "*"))
            after = None
            while True:
                page = (await client.data(PAGE, after=after))["interactions"]
                assert page["totalCount"] == 6919
                nodes += page["nodes"]
                if not page["pageInfo"]["hasNextPage"]:
                    return nodes
                after = page["pageInfo"]["endCursor"]


def test_real_purchases_are_read_back_over_graphql(crm_command: Crm, cdnow: Path, database_url: str) -> None:
    assert crm_command("import", "interactions", str(cdnow), *CDNOW).code == 0
    purchases = asyncio.run(read_purchases(database_url))
    assert len(purchases) == 6919
    assert len({purchase["customer"]["id"] for purchase in purchases}) == 2357
    assert {purchase["total"]["currency"] for purchase in purchases} == {"USD"}
    assert sum(Decimal(purchase["total"]["amount"]) for purchase in purchases) == Decimal("244091.94")
    discs = sum(line["quantity"] for purchase in purchases for line in purchase["lines"])
    with cdnow.open() as file:
        assert discs == sum(int(line.split(",")[2]) for line in list(file)[1:])


def test_an_import_killed_half_way_is_taken_up_again(
    crm_command: Crm, cdnow: Path, database_url: str
) -> None:
    arguments = [sys.executable, "-m", "crm_framework.cli", "import", "interactions", str(cdnow), *CDNOW]
    environment = {**os.environ, "CRM_DATABASE_URL": database_url}
    started = subprocess.Popen(
        [*arguments, "--batch", "100"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while totals(database_url)["rows"] < 300:
        assert started.poll() is None, "the import ended before it could be killed"
        assert time.monotonic() < deadline
    started.send_signal(signal.SIGKILL)
    started.wait(20)
    half = totals(database_url)["rows"]
    assert 0 < half < 6919
    assert half % 100 == 0, "a part is imported whole or not at all"
    rest = crm_command("import", "interactions", str(cdnow), *CDNOW)
    assert rest.output == f"{6919 - half} interaction(s) imported, {half} known already, 0 refused.\n"
    assert totals(database_url) == TOTALS


def test_a_dry_run_changes_nothing(crm_command: Crm, cdnow: Path, database_url: str) -> None:
    ran = crm_command("import", "interactions", str(cdnow), *CDNOW, "--dry-run")
    assert ran.output == "6919 interaction(s) would be imported, 0 known already, 0 refused.\n"
    assert totals(database_url)["rows"] == 0
    assert fetch(database_url, "SELECT COUNT(*) AS rows FROM crm_customer") == [{"rows": 0}]


def test_broken_lines_are_reported_and_the_others_imported(
    crm_command: Crm, database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "people.csv"
    file.write_text(
        "name,email,phone,attributes.size\n"
        "Ann Lee,ann@example.com,+49 30 1234567,\n"
        '"Bob the broken,bob@example.com,,\n'
        "Cy Young,not-an-address,,\n"
        "Di Moor,di@example.com,12,\n"
        "Ed Hall,ed@example.com,,XL\n"
        "Flo Dean,flo@example.com\n"
        "Gus Ray,gus@example.com,,\n"
    )
    ran = crm_command("import", "customers", str(file), "--report", "refused.ndjson")
    assert ran.code == 1
    assert ran.output == "2 customer(s) imported, 0 known already, 5 refused.\n"
    names = fetch(database_url, "SELECT name FROM crm_customer ORDER BY name")
    assert [row["name"] for row in names] == ["Ann Lee", "Gus Ray"]
    report = [json.loads(line) for line in (tmp_path / "refused.ndjson").read_text().splitlines()]
    assert [entry["line"] for entry in report] == [3, 4, 5, 6, 7]
    assert report[0]["reason"] == "has an open or misplaced quote"
    assert "at email" in report[1]["reason"]
    assert "at phone" in report[2]["reason"]
    assert "at attributes.size" in report[3]["reason"]
    assert report[4]["reason"] == "has 2 values where the header names 4 columns"


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("purchase,c1,2024-13-01,1.00,EUR,A,1", "(at occurredAt)"),
        ("purchase,c1,2024-01-01,1.001,EUR,A,1", "(at total)"),
        ("purchase,c1,2024-01-01,1.00,XYZ,A,1", "(at currency)"),
        ("purchase,c1,2024-01-01,1.00,,A,1", "without a currency"),
        ("purchase,c1,2024-01-01,1.00,EUR,A,-2", "(at lines.0.quantity)"),
        ("purchase,c1,2024-01-01,1.00,EUR,A,two", "(at quantity)"),
        ("purchace,c1,2024-01-01,1.00,EUR,A,1", "Did you mean 'purchase'?"),
        ("purchase,,2024-01-01,1.00,EUR,A,1", "(at customer)"),
        ("purchase,c2,2024-01-01,1.00,EUR,A,1", "(at customer"),
        ("purchase,c1,2999-01-01,1.00,EUR,A,1", "(at occurredAt)"),
    ],
)
def test_a_wrong_value_names_its_field(
    crm_at: Callable[[str], Crm], tmp_path: Path, row: str, fault: str
) -> None:
    command = crm_at(f"sqlite:///{tmp_path / 'one.sqlite3'}")
    command("migrate")
    (tmp_path / "c.csv").write_text("name,source,reference\nAnn,shop,c1\n")
    assert command("import", "customers", "c.csv").code == 0
    (tmp_path / "p.csv").write_text(f"kind,customerReference,occurredAt,total,currency,sku,quantity\n{row}\n")
    ran = command("import", "interactions", "p.csv", "--source", "shop")
    assert (ran.code, ran.output) == (1, "0 interaction(s) imported, 0 known already, 1 refused.\n")
    assert ran.errors.startswith("line 2: ")
    assert fault in ran.errors.replace("\n", " ")


def test_a_column_that_is_not_there_is_named(crm_command: Crm, cdnow: Path) -> None:
    ran = crm_command("import", "interactions", str(cdnow), "--map", "total=euros")
    assert ran.code == 1
    assert "has no column 'euros'. Its columns are: customer, date, cds, dollars." in ran.errors


def test_what_is_exported_is_imported_again(
    crm_command: Crm, crm_at: Callable[[str], Crm], tmp_path: Path
) -> None:
    assert crm_command("demo").code == 0
    crm_command("export", "customers", "customers.ndjson")
    crm_command("export", "interactions", "interactions.ndjson")
    other = crm_at(f"sqlite:///{tmp_path / 'other.sqlite3'}")
    other("migrate")
    assert other("import", "customers", "customers.ndjson").output.startswith(
        "24 customer(s) imported, 0 known"
    )
    assert other("import", "interactions", "interactions.ndjson").code == 0
    other("export", "customers", "again.ndjson")
    assert Path("again.ndjson").read_text() == Path("customers.ndjson").read_text()
    other("export", "interactions", "again.ndjson")
    assert Path("again.ndjson").read_text() == Path("interactions.ndjson").read_text()


def test_an_export_that_cannot_be_written_leaves_nothing(crm_command: Crm, tmp_path: Path) -> None:
    ran = crm_command("export", "customers", str(tmp_path / "nowhere" / "file.csv"))
    assert "cannot be written: No such file or directory" in ran.errors
