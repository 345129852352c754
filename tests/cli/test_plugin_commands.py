"""Commands that plugins bring: found by its name, run in its name, and never in the way of others."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from crm_framework.cli import COMMANDS, crm
from crm_framework.cli.of_plugins import Announced, announced
from crm_framework.hooks import checks

from .conftest import Crm

FIXTURES = Path(__file__).parents[1] / "fixture_plugins"
HEAD = """from crm_framework import Plugin
plugin = Plugin(name="{name}", requires_api="1.0", summary="S.", {rest})
"""
EMPTY = "import click\n@click.group()\ndef command() -> None:\n    'Does nothing.'\n"
HEAVY = """
import sys
from crm_framework.cli import crm
try:
    crm({arguments!r})
except SystemExit:
    pass
heavy = {{"strawberry", "graphql", "tortoise", "asyncpg", "rich", "starlette", "msgspec"}} & set(sys.modules)
heavy |= {{name for name in sys.modules if name.startswith("crm_plugin_file_")}}
assert not heavy, heavy
"""


@pytest.fixture
def configured(crm_command: Crm, tmp_path: Path) -> Crm:
    (tmp_path / "crm.toml").write_text(
        f'plugin_dir = "{FIXTURES}"\nplugins = ["with_commands", "with_job"]\n'
    )
    return crm_command


def write(folder: Path, name: str, text: str = "", rest: str = "") -> None:
    (folder / f"{name}.py").write_text(HEAD.format(name=name, rest=rest) + text)


def enable(folder: Path, *names: str) -> None:
    (folder / "crm.toml").write_text(f'plugin_dir = "{folder}"\nplugins = {list(names)}\n'.replace("'", '"'))


def test_a_command_changes_and_reads_in_its_own_name(configured: Crm, tmp_path: Path) -> None:
    rows = "name,city\nAda,Lyon\nBen,Berlin\nCem,Lyon\n"
    (tmp_path / "customers.csv").write_text(rows)
    assert configured("import", "customers", "customers.csv").code == 0
    assert configured("with_commands", "mark", "Lyon").output == "2 marked\n"
    assert configured("with-commands", "count").output == "2\n"
    audit = configured("audit", "list", "--action", "customer.tagged").output
    assert audit.count("crm with_commands mark (system)") == 2
    assert "crm-framework" not in configured("with_commands", "count").errors


def test_what_the_plugin_refuses_is_one_line_and_changes_nothing(configured: Crm, tmp_path: Path) -> None:
    (tmp_path / "customers.csv").write_text("name,city\nAda,Lyon\n")
    assert configured("import", "customers", "customers.csv").code == 0
    file = tmp_path / "crm.toml"
    file.write_text(file.read_text() + '[with_commands]\ntag = ""\n')
    ran = configured("with_commands", "mark", "Lyon")
    assert (ran.code, ran.output, ran.errors.startswith("crm: ")) == (1, "", True)
    assert configured("audit", "list", "--json", "--action", "customer.tagged").output == ""


def test_the_help_lists_the_groups_of_enabled_plugins(configured: Crm) -> None:
    shown = configured("--help").output
    assert "with_commands  Marks customers from the command line." in shown
    assert "with_job" not in shown
    group = configured("with_commands", "--help").output
    assert "Usage: crm with_commands [OPTIONS] COMMAND" in group
    assert "Marks the customers of a CITY." in group


@pytest.mark.parametrize("arguments", [["--help"], ["--config", "crm.toml", "--help"], ["token", "--help"]])
def test_the_help_runs_nothing_of_a_plugin(tmp_path: Path, arguments: Sequence[str]) -> None:
    write(tmp_path, "loud", "raise SystemExit('it ran')\n", "commands='no_such_module'")
    enable(tmp_path, "loud")
    program = HEAVY.format(arguments=arguments)
    if "token" in arguments:
        program = program.partition("heavy =")[0]  # a command of the core brings its own
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CRM_")}
    ran = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environment,
    )
    assert ran.returncode == 0, ran.stderr
    assert "token" in arguments or "loud  S." in ran.stdout


def test_what_is_announced_is_read_as_text(tmp_path: Path) -> None:
    write(tmp_path, "one", rest="commands=__name__")
    write(tmp_path, "none")
    write(tmp_path, "never", rest="commands=None")
    (tmp_path / "spoilt.py").write_text("plugin = Plugin(")
    (tmp_path / "other.py").write_text("thing = Plugin(commands='x')\nplugin: Plugin = make()\n")
    enable(tmp_path, "one", "none", "never", "spoilt", "other", "missing")
    config = str(tmp_path / "crm.toml")
    assert announced(config, {}) == [Announced("one", "S.")]
    assert announced(None, {"CRM_CONFIG": config}) == [Announced("one", "S.")]
    assert announced(config, {"CRM_PLUGINS": "none"}) == []
    assert announced(None, {"CRM_PLUGIN_DIR": str(tmp_path), "CRM_PLUGINS": "none, one"})[0].name == "one"
    assert announced(str(tmp_path / "nowhere.toml"), {}) == []


def test_a_plugin_that_is_off_says_how_to_have_its_commands(crm_command: Crm, tmp_path: Path) -> None:
    write(tmp_path, "sleeping", EMPTY, "commands=__name__")
    enable(tmp_path)
    assert crm_command("sleeping", "x").errors == (
        "crm: The plugin sleeping is not enabled, so it has no commands."
        " Enable it: crm plugins enable sleeping."
    )
    assert "No such command 'nonsense'" in crm_command("nonsense").errors


@pytest.mark.parametrize(
    ("text", "rest", "said"),
    [
        ("", "commands='no_such_module'", "cannot be loaded. It cannot be imported: ModuleNotFoundError"),
        ("", "commands=__name__", "has no click.Group named command."),
        ("command = 1\n", "commands=__name__", "has no click.Group named command."),
        ("", "", "The plugin broken has no commands."),
        ("1 / 0\n", "commands=__name__", "is broken, so its commands cannot run: It cannot be imported"),
        (EMPTY, "commands=''", "is broken, so its commands cannot run: commands is ''."),
    ],
)
def test_commands_that_are_broken_are_one_line_and_break_nothing_else(
    crm_command: Crm, tmp_path: Path, text: str, rest: str, said: str
) -> None:
    write(tmp_path, "broken", text, rest)
    enable(tmp_path, "broken")
    ran = crm_command("broken", "x")
    assert (ran.code, ran.output) == (1, "")
    assert "The plugin broken" in ran.errors or "the plugin broken" in ran.errors
    assert said in ran.errors
    assert "\n" not in ran.errors
    for others in (("--help",), ("token", "list"), ("plugins", "list")):
        assert crm_command(*others).code == 0
    assert completions("")[: len(COMMANDS)] == list(COMMANDS)


def completions(start: str) -> list[str]:
    """What the shell offers after `crm`."""
    context = crm.make_context("crm", [], resilient_parsing=True)
    return [item.value for item in crm.shell_complete(context, start)]


def test_a_fault_in_a_command_names_the_plugin(crm_command: Crm, tmp_path: Path) -> None:
    text = EMPTY + (
        "@command.command()\n@click.pass_context\ndef fail(context):\n"
        "    from crm_framework import run_command\n"
        "    async def work(run):\n        raise KeyError('lost')\n"
        "    run_command(context, work)\n"
    )
    write(tmp_path, "faulty", text, "commands=__name__")
    enable(tmp_path, "faulty")
    with pytest.raises(KeyError) as caught:
        crm_command("faulty", "fail")
    assert caught.value.__notes__ == [
        "This is a fault in the command `crm faulty fail` of the plugin faulty."
    ]


def test_a_command_does_not_run_for_a_plugin_that_does_not_fit_into_the_schema(
    crm_command: Crm, tmp_path: Path
) -> None:
    text = EMPTY + (
        "from crm_framework import hookimpl, run_command\n"
        "@hookimpl\ndef schema():\n    return 1\n"
        "@command.command()\n@click.pass_context\ndef go(context):\n"
        "    async def work(run):\n        print('it ran')\n"
        "    run_command(context, work)\n"
    )
    write(tmp_path, "unfit", text, "commands=__name__")
    enable(tmp_path, "unfit")
    ran = crm_command("unfit", "go")
    assert (ran.code, ran.output) == (1, "")
    assert ran.errors.startswith("crm: The plugin unfit cannot work: Its hook schema returned 1.")


def test_the_names_of_commands_are_reserved(crm_command: Crm, tmp_path: Path) -> None:
    assert {name.replace("_", "-") for name in checks.COMMANDS} == set(COMMANDS)
    write(tmp_path, "demo", EMPTY, "commands=__name__")
    enable(tmp_path, "demo")
    listed = crm_command("plugins", "list").output
    assert "Its name is that of a command of the core: crm demo." in listed
    assert "cannot be the name of a plugin" in crm_command("new-plugin", "demo").errors


def test_the_plan_and_the_facts_of_a_plugin_tell_its_commands(crm_command: Crm, tmp_path: Path) -> None:
    (tmp_path / "crm.toml").write_text(f'plugin_dir = "{FIXTURES}"\n')
    plan = crm_command("plugins", "plan", "with_commands").output
    assert "command     + crm with_commands mark: Marks the customers of a CITY.\n" in plan
    assert "command     + crm with_commands count: Says how many are marked.\n" in plan
    assert "crm with_commands" in crm_command("plugins", "info", "with_commands").output
