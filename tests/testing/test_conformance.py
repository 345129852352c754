"""The conformance tests fail for plugins that do not conform: each check, with a plugin that breaks it."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crm_framework import CrmError
from crm_framework.hooks.discovery import load_plugins
from crm_framework.runtime import migrations_of
from crm_framework.settings import Settings
from crm_framework.storage.migration.makemigrations import makemigrations
from crm_framework.testing import PluginConformance
from crm_framework.testing.apps import OpenClient
from crm_framework.testing.imports import network_uses, private_imports

HEAD = """
from crm_framework import *
plugin = Plugin(name="{name}", requires_api="1.0", summary="For a test."{arguments})
"""

TABLE = """
from tortoise import fields
from tortoise.models import Model
class Note(Model):
    id = fields.UUIDField(primary_key=True)
    customer_id = fields.UUIDField()
    text = fields.TextField()
    class Meta:
        app = "{name}"
        table = "{name}_note"
"""

PRIVACY = """
@hookimpl
async def merge_customers(winner, losers, tx):
    {merge}
    return {{"{name}_note": 0}}
@hookimpl
async def export_customer(customer_id, tx):
    rows = await tx.fetch("SELECT text FROM {name}_note WHERE customer_id = ?", [customer_id])
    return {{"notes": [row["text"] for row in rows]}} if rows else {{}}
@hookimpl
async def erase_customer(customer_id, tx):
    {erase}
    return {erased}
"""

MERGE = (
    'await tx.execute("UPDATE {name}_note SET customer_id = ? WHERE customer_id = ?", [winner, losers[0]])'
)
ERASE = 'await tx.execute("DELETE FROM {name}_note WHERE customer_id = ?", [customer_id])'


@pytest.fixture
def database_kind() -> str:
    """The checks run on both databases in the plugins' own tests; here it is about what they find."""
    return "sqlite"


Install = Callable[..., PluginConformance]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a plugin in this process; answers its conformance tests."""
    made: list[str] = []

    def write(name: str, text: str, arguments: str = "", models: str = "") -> PluginConformance:
        folder = tmp_path / f"crm_{name}"
        (folder / "migrations").mkdir(parents=True)
        (folder / "migrations" / "__init__.py").write_text("")
        (folder / "__init__.py").write_text(HEAD.format(name=name, arguments=arguments) + text)
        if models:
            (folder / "models.py").write_text(models)
        information = tmp_path / f"crm_{name}-1.0.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: crm-{name}\nVersion: 1.0\n")
        (information / "entry_points.txt").write_text(f"[crm_framework.plugins]\n{name} = crm_{name}\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        made.append(f"crm_{name}")

        class Conformance(PluginConformance):
            module = f"crm_{name}"

        return Conformance()

    yield write
    for name in [module for module in sys.modules if module.partition(".")[0] in made]:
        del sys.modules[name]


def with_table(install: Install, name: str, **parts: str) -> PluginConformance:
    """A plugin that keeps notes on customers, with one of its answers replaced."""
    answers = {"merge": MERGE, "erase": ERASE, "erased": '{{"{name}_note": 1}}'} | parts
    text = PRIVACY.format(name=name, **{key: part.format(name=name) for key, part in answers.items()})
    arguments = f', models="crm_{name}.models", migrations="crm_{name}.migrations"'
    made = install(name, text, arguments, models=TABLE.format(name=name))
    makemigrations(migrations_of(load_plugins(Settings(plugins=(name,)))), name)
    return made


def added(field: str) -> str:
    return f"{field}\n@hookimpl\ndef schema():\n    return SchemaParts(extend={{Customer: [made]}})\n"


async def test_a_plugin_that_conforms_passes(
    install: Install, open_client: OpenClient, tmp_path: Path
) -> None:
    checks = with_table(install, "conforming")
    checks.test_loads()
    await checks.test_merging_leaves_nothing_with_the_loser(open_client)
    await checks.test_export_and_erase_answer_for_every_table(open_client)


def test_one_that_does_not_load(install: Install) -> None:
    with pytest.raises(AssertionError, match="There is no hook scheme"):
        install("unloadable", "@hookimpl\ndef scheme(): ...").test_loads()


def test_private_imports_are_found(install: Install) -> None:
    text = "import crm_framework.errors\nfrom crm_framework.storage.ids import new_id as other\n"
    checks = install("curious", text + "from crm_framework import settings\n")
    assert private_imports(importlib.import_module("crm_curious")) == [
        "__init__.py:4 crm_framework.errors",
        "__init__.py:5 crm_framework.storage.ids",
        "__init__.py:6 crm_framework.settings",
    ]
    with pytest.raises(AssertionError, match=r"crm_framework\.storage\.ids"):
        checks.test_imports_only_public_names()


CALL = """
import socket
try:
    socket.create_connection(("127.0.0.1", 9), timeout=0.1)
except OSError:
    pass
"""


def test_network_uses_are_found(install: Install) -> None:
    checks = install("chatty", CALL)
    assert [use.partition(" ")[0] for use in network_uses("crm_chatty")] == [
        "socket.getaddrinfo",
        "socket.connect",
    ]
    with pytest.raises(AssertionError, match=r"socket\.connect"):
        checks.test_uses_no_network_when_imported()


def test_what_is_not_described_is_found(install: Install) -> None:
    field = """
@batch()
async def made(customers: Batch[Customer], length: int = 1) -> list[int]:
    "Described."
    return []
"""
    with pytest.raises(AssertionError, match=r"Customer\.made\(length:\)"):
        install("silent", added(field)).test_everything_is_described()


def test_permissions_that_nobody_declared_are_found(install: Install) -> None:
    field = (
        '@computed(permission="secret.see")\ndef made(name: str) -> str:\n    "Described."\n    return name'
    )
    with pytest.raises(AssertionError, match=r"secret\.see"):
        install("locked", added(field)).test_everything_is_permitted()


async def test_a_merge_that_leaves_rows_behind_is_found(install: Install, open_client: OpenClient) -> None:
    with pytest.raises(AssertionError):
        await with_table(install, "lazy", merge="pass").test_merging_leaves_nothing_with_the_loser(
            open_client
        )


@pytest.mark.parametrize(
    ("name", "parts"), [("forgetful", {"erased": "{{}}"}), ("careless", {"erase": "pass"})]
)
async def test_an_erasure_that_leaves_words_or_says_nothing_is_found(
    install: Install, open_client: OpenClient, name: str, parts: dict[str, str]
) -> None:
    checks = with_table(install, name, **parts)
    with pytest.raises(AssertionError):
        await checks.test_export_and_erase_answer_for_every_table(open_client)


async def test_a_query_per_row_is_found(install: Install, open_client: OpenClient) -> None:
    field = """
@batch()
async def made(customers: Batch[Customer], info: Any) -> list[int]:
    "Described."
    for key in customers.ids:
        await info.context.reader.fetch("SELECT 1 AS one")
    return [1] * len(customers)
"""
    with pytest.raises(AssertionError, match="customers"):
        await install("slow", "from typing import Any\n" + added(field)).test_no_query_per_row(open_client)


async def test_a_model_without_its_migration_is_found(
    install: Install, empty_database_url: str, tmp_path: Path
) -> None:
    checks: Any = with_table(install, "late")
    file = tmp_path / "crm_late" / "models.py"
    file.write_text(file.read_text().replace("text = ", "more = fields.TextField(null=True)\n    text = "))
    for name in ("crm_late.models", "crm_late"):
        sys.modules.pop(name)
    (tmp_path / "steps").mkdir()
    with pytest.raises(AssertionError):
        await checks.test_migrates_a_filled_database(empty_database_url, tmp_path / "steps")


COMMANDS = """
import click
@click.group()
def command():
    {help}
@command.command(help="Counts.")
@click.option("--most", help="At most.")
@click.option("--least"{option})
def count(most, least): ...
"""


def test_commands_without_a_help_are_found(install: Install) -> None:
    arguments = ", commands=__name__"
    sound = COMMANDS.format(help='"Counts things."', option=', help="At least."')
    install("helpful", sound, arguments).test_commands_are_found_and_described()
    checks = install("terse", COMMANDS.format(help="...", option=""), arguments)
    with pytest.raises(AssertionError, match="help: crm terse, crm terse count --least"):
        checks.test_commands_are_found_and_described()
    with pytest.raises(CrmError, match=r"has no click\.Group named command"):
        install("mute", "", arguments).test_commands_are_found_and_described()


def test_commands_that_the_help_cannot_tell_of_are_found(install: Install) -> None:
    text = COMMANDS.format(help='"Counts."', option=', help="."') + "word = 'For a test.'\n"
    text += 'plugin = Plugin(name="computed", requires_api="1.0", summary=word, commands=__name__)\n'
    with pytest.raises(AssertionError, match="as plain texts"):
        install("computed", text).test_commands_are_found_and_described()


ROUTES = """
async def handle(request):
    {body}
plugin = Plugin(
    name="{name}", requires_api="1.0", summary="For a test.",
    routes=[Route("/x/{{y}}", handle, methods=("GET", "POST"), permission=PUBLIC, description="X.")],
)
"""


async def test_a_route_that_senseless_requests_break_is_found(
    install: Install, open_client: OpenClient
) -> None:
    sound = ROUTES.format(name="patient", body='return RouteAnswer(body=request.args["y"])')
    await install("patient", sound).test_routes_refuse_what_they_should(open_client)
    nervous = ROUTES.format(name="nervous", body="return RouteAnswer(status=int(request.body))")
    with pytest.raises(AssertionError, match="GET /plugins/nervous/x/senseless answered 500"):
        await install("nervous", nervous).test_routes_refuse_what_they_should(open_client)
