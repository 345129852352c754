"""What the README shows is what happens."""

import json
import re
import shlex
import subprocess
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from crm_framework.cli import crm
from crm_framework.cli.demo import load_demo
from crm_framework.testing.client import CrmClient

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)


def examples() -> list[tuple[str, Any]]:
    """Each query with the answer below it."""
    pairs = pairwise(BLOCKS)
    return [(query, json.loads(answer)) for (kind, query), (_, answer) in pairs if kind == "graphql"]


async def test_queries_give_the_answers_shown(
    open_client: Callable[..., Awaitable[CrmClient]],
) -> None:
    """Which shows the demo of each plugin too: there as a whole, once, and in agreement with itself."""
    client = await open_client("analytics", "loyalty", "ticketing")
    loaded = await load_demo(client.service.database, client.service.host)
    assert loaded.added == {
        "loyalty": {"members": 20, "rewards taken": 5},
        "ticketing": {"tickets": 50},
    }
    for query, answer in examples():
        assert await client.data(query) == answer
    for command in ("ticketing", "loyalty"):
        ran = await client.command(command, "verify")
        assert ran.code == 0, ran.output
    again = await load_demo(client.service.database, client.service.host)
    assert not again.anything


def test_the_import_prints_what_is_shown(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    (command,) = (text for kind, text in BLOCKS if kind == "sh" and text.startswith("crm import"))
    (shown,) = (text for kind, text in BLOCKS if not kind)
    ran = CliRunner().invoke(
        crm,
        shlex.split(command.replace("\\\n", " "))[1:],
        env={"CRM_DATABASE_URL": database_url, "CRM_PLUGINS": ""},
    )
    assert ran.stdout == shown


async def test_the_plugin_of_ten_lines_works(
    temporary_plugin: Callable[[str, str], Path], open_client: Callable[..., Awaitable[CrmClient]]
) -> None:
    (source,) = (text for kind, text in BLOCKS if kind == "python")
    # Under another name, as the example itself is installed where the tests run.
    temporary_plugin("greeter", source.replace('name="hello"', 'name="greeter"'))
    client = await open_client("greeter")
    made = await client.data('mutation { createCustomer(input: {name: "Ann"}) { customer { greeting } } }')
    assert made == {"createCustomer": {"customer": {"greeting": "Hello, Ann!"}}}


def test_the_plugin_of_ten_lines_is_the_example() -> None:
    (source,) = (text for kind, text in BLOCKS if kind == "python")
    assert source == (ROOT / "examples/hello/crm_hello/__init__.py").read_text()


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_make_run_enables_the_plugins_for_every_command_in_the_folder() -> None:
    planned = subprocess.run(["make", "-n", "run"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert """echo 'plugins = ["analytics", "loyalty", "ticketing"]' > crm.toml""" in planned.stdout
    assert "export" not in (ROOT / "Makefile").read_text()
