"""`crm analytics rebuild|verify|report`, each in a process of its own beside the application."""

import asyncio
import os
import sys
from pathlib import Path

from crm_framework.testing import CrmClient, deliver_events

from .random_company import Company, tables
from .shop import Shop
from .test_rebuild import forget


async def crm(client: CrmClient, folder: Path, *arguments: str) -> tuple[int | None, str]:
    """How it ended, and what it said."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CRM_")}
    environment |= {"CRM_DATABASE_URL": client.service.settings.database_url, "CRM_PLUGINS": "analytics"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "crm_framework.cli", "analytics", *arguments),
        env=environment,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()


async def test_figures_are_counted_anew_and_proved(client: CrmClient, tmp_path: Path) -> None:
    company = Company(client, 3)
    for _ in range(40):
        await company.step()
    kept = await tables(client)
    await forget(client)
    code, output = await crm(client, tmp_path, "verify")
    assert code == 1
    assert "was recorded" in output
    code, output = await crm(client, tmp_path, "rebuild")
    assert (code, output.splitlines()[-1].endswith("customers are counted, and the sums over all.")) == (
        0,
        True,
    )
    assert await tables(client) == kept
    code, output = await crm(client, tmp_path, "verify")
    assert code == 0, output
    assert output.splitlines()[-1].endswith(
        " customers is what was recorded. Tickets, solved and points are not compared: they are what other"
        " plugins told."
    )


async def test_what_is_not_proved_is_left_alone_and_told(client: CrmClient) -> None:
    """Sums of what other plugins told have no record here that they could be compared with or made of."""
    company = Company(client, 4)
    await company.join()
    await company.buy()
    await deliver_events(client)
    async with client.service.database.unit_of_work() as tx:
        await tx.execute("UPDATE analytics_customer SET tickets = 7, solved = 5, points = 300")
    assert (await client.command("analytics", "rebuild")).code == 0
    told = await client.command("analytics", "verify")
    assert told.code == 0
    assert "Tickets, solved and points are not compared" in told.output
    rows = await client.service.database.fetch("SELECT tickets, solved, points FROM analytics_customer")
    assert {tuple(row.values()) for row in map(dict, rows)} == {(7, 5, 300)}
    for command in ("rebuild", "verify"):
        text = " ".join((await client.command("analytics", command, "--help")).output.split())
        assert "The columns tickets, solved and points" in text


async def test_a_rebuild_goes_on_after_a_key_alone(client: CrmClient) -> None:
    done = await client.command("analytics", "rebuild", "--after", "01a2253a-5be3-73a5-8031-b3da1764c7b7")
    assert (done.code, done.output.splitlines()[-1]) == (0, "0 customers are counted, and the sums over all.")
    done = await client.command("analytics", "rebuild", "--after", "Ann")
    assert done.code == 2
    assert "'--after': 'Ann' is not a valid UUID" in done.errors


async def test_the_report_is_written_whole_or_told_not_to_be(client: CrmClient, tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    folder.mkdir()
    file = folder / "report.html"
    code, output = await crm(client, tmp_path, "report", "--html", str(file))
    assert (code, output) == (0, f"Wrote {file}.\n")
    page = file.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert page.endswith("</html>\n")
    for where, why in ((tmp_path / "none" / "x.html", "No such file"), (file / "x.html", "Not a directory")):
        code, output = await crm(client, tmp_path, "report", "--html", str(where))
        [told] = output.splitlines()
        assert code == 1
        assert f"{where} cannot be written: {why}" in told
    assert os.listdir(folder) == ["report.html"]


def lines_of(folder: Path) -> dict[str, list[str]]:
    return {file.stem: file.read_text().splitlines() for file in folder.glob("*.csv")}


async def test_all_tables_are_exported(shop: Shop, tmp_path: Path) -> None:
    ada = await shop.customer()
    bought = await shop.buy(ada, "2024-01-03", 1000, channel="web")
    await shop.buy(ada, "2024-02-05", 500, "JPY")
    await shop.refund(bought, "2024-02-06", 150)
    await shop.touch(ada, "survey", "2024-02-07T09:30:00+02:00", outcome="nps 9")
    result = await shop.client.command("analytics", "export", str(tmp_path))
    assert result.code == 0
    assert f"3 rows are written to {tmp_path / 'sales.csv'}." in result.output
    found = lines_of(tmp_path)
    assert found["sales"] == [
        "day,channel,currency,purchases,refunds,revenue,refunded",
        "2024-01-03,web,EUR,1,0,10.00,0.00",
        "2024-02-05,,JPY,1,0,500,0",
        "2024-02-06,web,EUR,0,1,-1.50,1.50",
    ]
    assert found["products"][1:] == ["2024-01-01,A,EUR,1,10.00,1,1", "2024-02-01,A,JPY,1,500,1,1"]
    assert found["cohorts"][1:3] == ["purchase,2024-01-01,2024-01-01,1", "purchase,2024-01-01,2024-02-01,1"]
    assert found["customers"][1].startswith(
        f"{ada},2,1,2,2024-01-03T00:00:00+00:00,2024-02-05T00:00:00+00:00,2024-02-05,"
    )
    assert found["answers"][1:] == ["2024-02-07T07:30:00+00:00,,nps,9,10"]
    assert (found["predictions"][1:], found["rules"][1:]) == ([], [])
    result = await shop.client.command("analytics", "export", str(tmp_path / "none"))
    assert (result.code, "cannot be written: No such file" in result.errors) == (1, True)
