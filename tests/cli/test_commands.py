"""The command as a whole: its start, its errors, and the commands around the database."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from .conftest import Crm

LAZY = """
import sys
from crm_framework.cli import crm
try:
    crm(["--help"])
except SystemExit:
    pass
heavy = {"strawberry", "graphql", "tortoise", "asyncpg", "rich", "starlette", "msgspec"} & set(sys.modules)
assert not heavy, heavy
"""


def test_help_loads_nothing_heavy() -> None:
    ran = subprocess.run([sys.executable, "-c", LAZY], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "Serve the GraphQL API." in ran.stdout


def test_a_database_is_migrated_once(crm_at: Callable[[str], Crm], empty_database_url: str) -> None:
    command = crm_at(empty_database_url)
    ran = command("token", "list")
    assert (ran.code, ran.output) == (1, "")
    assert (
        "The database lacks 1 migration(s), the first of them crm.0001_initial. Run `crm migrate`."
        in ran.errors
    )
    assert command("migrate", "--check").code == 1
    assert command("migrate").output == "[1/1] crm.0001_initial\n1 migration(s) applied.\n"
    assert command("migrate").output == "Nothing to migrate.\n"
    assert command("migrate", "--check").code == 0


def test_models_and_migrations_agree(crm_command: Crm) -> None:
    assert crm_command("makemigrations", "crm", "--check").code == 0


def test_the_demo_is_loaded_once_and_only_where_it_may(crm_command: Crm) -> None:
    first = crm_command("demo", "--if-empty")
    assert first.output == "Loaded the demo company: 24 customers, all with the tag and the source 'demo'.\n"
    assert crm_command("demo", "--if-empty").output == ""
    assert crm_command("demo").output == "The demo company is there already.\n"


def test_the_doctor_finds_what_is_wrong(
    crm_command: Crm, crm_at: Callable[[str], Crm], tmp_path: Path
) -> None:
    sound = crm_command("doctor")
    assert sound.code == 0
    assert "0 customer(s)" in sound.output
    new = crm_at(f"sqlite:///{tmp_path / 'new.sqlite3'}")("doctor")
    assert new.code == 1
    assert "migration(s) pending: run `crm migrate`." in new.output
    Path("crm.toml").write_text("prot = 8000\n")
    broken = crm_command("doctor")
    assert broken.code == 1
    assert "unknown key prot. Did you mean port?" in broken.output


def test_a_plugin_that_is_not_installed_cannot_be_enabled(crm_command: Crm) -> None:
    ran = crm_command("plugins", "enable", "nothing_like_it")
    assert ran.code == 1
    assert ran.errors.startswith("crm: No plugin 'nothing_like_it' is installed.")
    assert not Path("crm.toml").exists()


CLASHING = """
from crm_framework import Customer, Plugin, SchemaParts, computed, hookimpl

plugin = Plugin(name="clashing", requires_api="1.0", summary="Clashes.")


@computed()
def email(name: str) -> str:
    "Not the one that is there already."
    return name


@hookimpl
def schema() -> SchemaParts:
    return SchemaParts(extend={Customer: [email]})
"""
CLASH = "It adds Customer.email, which belongs to the type Customer itself already."


def test_a_plugin_that_does_not_fit_into_the_schema_is_reported_by_every_command(
    crm_command: Crm, tmp_path: Path
) -> None:
    (tmp_path / "clashing.py").write_text(CLASHING)
    file = tmp_path / "crm.toml"
    file.write_text('plugin_dir = "."\n')
    refused = crm_command("plugins", "enable", "clashing")
    assert refused.code == 1
    assert CLASH in refused.errors
    assert file.read_text() == 'plugin_dir = "."\n'

    file.write_text('plugin_dir = "."\nplugins = ["clashing"]\n')
    assert CLASH in crm_command("plugins", "list").output
    sick = crm_command("doctor")
    assert sick.code == 1
    assert f"✗ plugin clashing: {CLASH}" in sick.output


def test_enabling_a_plugin_enables_those_that_it_requires(crm_command: Crm, tmp_path: Path) -> None:
    for name, requires in (("first", []), ("second", ["first"]), ("third", ["second"])):
        (tmp_path / f"{name}.py").write_text(
            "from crm_framework import Plugin\n"
            f'plugin = Plugin(name="{name}", requires_api="1.0", summary="S.", requires={requires})\n'
        )
    file = tmp_path / "crm.toml"
    file.write_text('plugin_dir = "."\n')
    assert crm_command("plugins", "enable", "third").code == 0
    assert 'plugins = ["first", "second", "third"]\n' in file.read_text()
