"""A new plugin passes its own tests as it is made, and goes through its whole life."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from crm_framework.cli.new_plugin import create_plugin
from crm_framework.errors import CrmError

from .test_importing import fetch

Call = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Runs Python in an environment where the plugin `web_stamps` is installed, as pip would have left it."""
    folder = create_plugin("web_stamps", tmp_path)
    record = tmp_path / "installed" / "crm_web_stamps-0.1.0.dist-info"
    record.mkdir(parents=True)
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: crm-web-stamps\nVersion: 0.1.0\n")
    (record / "entry_points.txt").write_text("[crm_framework.plugins]\nweb_stamps = crm_web_stamps\n")
    monkeypatch.chdir(tmp_path)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CRM_")}
    path = os.pathsep.join([str(folder), str(record.parent), os.environ.get("PYTHONPATH", "")])

    def run(*arguments: str, url: str = "") -> "subprocess.CompletedProcess[str]":
        environment = {**clean, "PYTHONPATH": path, "CRM_DATABASE_URL": url, "COLUMNS": "240"}
        return subprocess.run(
            [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False
        )

    return run


def test_its_own_tests_pass(call: Call) -> None:
    ran = call("-m", "pytest", "-q", "-p", "no:cacheprovider", "crm-web-stamps")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " passed" in ran.stdout
    assert "skipped" not in ran.stdout


def test_it_is_enabled_disabled_and_uninstalled(call: Call, database_url: str) -> None:
    def crm(*arguments: str) -> str:
        ran = call("-m", "crm_framework.cli", *arguments, url=database_url)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    assert "web_stamps  0.1.0    disabled" in crm("plugins", "list")
    plan = crm("plugins", "plan", "web_stamps").splitlines()
    assert "schema      + Customer.webStampsNotes" in plan
    assert "schema      + Mutation.addWebStampsNote" in plan
    assert "permission  + web_stamps.read: See notes." in plan
    assert "migration   + web_stamps.0001_initial" in plan
    assert not Path("crm.toml").exists()

    assert crm("plugins", "enable", "web_stamps").startswith("web_stamps is enabled in crm.toml.")
    assert Path("crm.toml").read_text() == 'plugins = ["web_stamps"]\n'
    assert crm("migrate") == "[1/1] web_stamps.0001_initial\n1 migration(s) applied.\n"
    assert "webStampsNotes" in crm("schema", "print")
    assert crm("doctor").count("✗") == 0
    refused = call("-m", "crm_framework.cli", "plugins", "uninstall", "web_stamps", url=database_url)
    assert refused.returncode == 1
    assert refused.stderr == "crm: web_stamps is enabled. Run `crm plugins disable web_stamps` first.\n"

    assert crm("plugins", "disable", "web_stamps").startswith("web_stamps is disabled; its data is kept.")
    assert "webStampsNotes" not in crm("schema", "print")
    assert fetch(database_url, "SELECT COUNT(*) AS rows FROM web_stamps_note") == [{"rows": 0}]
    assert "Nothing was removed." in crm("plugins", "uninstall", "web_stamps")
    assert fetch(database_url, "SELECT COUNT(*) AS rows FROM web_stamps_note") == [{"rows": 0}]
    assert "Removed." in crm("plugins", "uninstall", "web_stamps", "--drop-data", "--yes")
    assert crm("plugins", "uninstall", "web_stamps") == "The database holds nothing of web_stamps.\n"


@pytest.mark.parametrize("name", ["Stamps", "crm", "2fast", "a-b", "a__b", "port", ""])
def test_a_name_that_no_plugin_may_have_makes_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(CrmError, match="cannot be the name of a plugin"):
        create_plugin(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "crm-stamps").mkdir()
    with pytest.raises(CrmError, match="is there already"):
        create_plugin("stamps", tmp_path)
    assert list((tmp_path / "crm-stamps").iterdir()) == []
