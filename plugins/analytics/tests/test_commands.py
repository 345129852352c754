"""`crm analytics rebuild|verify|report`, each in a process of its own beside the application."""

import asyncio
import os
import sys
from pathlib import Path

from crm_framework.testing import CrmClient

from .test_proof import Company, forget, tables


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
    assert output.splitlines()[-1].endswith("is what was recorded.")


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
