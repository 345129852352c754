"""A plugin whose tables cannot be loaded is left out by name; everything else runs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from crm_framework.testing.apps import OpenClient, TemporaryPlugin

PLUGIN = """
    from crm_framework import Plugin

    plugin = Plugin(
        name="{name}",
        requires_api="1.0",
        summary="For a test.",
        models="{name}_kit.models",
        migrations="{name}_kit.migrations",
        requires={requires},
    )
"""

MODELS = """
from tortoise import fields
from tortoise.models import Model

class Thing(Model):
    id = fields.UUIDField(primary_key=True)
    {field}

    class Meta:
        table = "{name}_thing"
"""

MIGRATION = """
from tortoise import fields, migrations
from tortoise.migrations import operations as ops

class Migration(migrations.Migration):
    dependencies = [("crm", "0001_initial")]
    operations = [
        ops.CreateModel(
            name="Thing",
            fields=[("id", fields.UUIDField(primary_key=True))],
            options={{"table": "{name}_thing", "app": "{name}", "pk_attr": "id"}},
            bases=["Model"],
        )
    ]
"""

Kit = Callable[..., None]


@pytest.fixture
def kit(tmp_path: Path, temporary_plugin: TemporaryPlugin, monkeypatch: pytest.MonkeyPatch) -> Kit:
    """Makes a plugin with one table."""
    monkeypatch.syspath_prepend(str(tmp_path / "kits"))

    def make(
        name: str, *, field: str = "pass", migration: str = MIGRATION, requires: tuple[str, ...] = ()
    ) -> None:
        package = tmp_path / "kits" / f"{name}_kit"
        (package / "migrations").mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "models.py").write_text(MODELS.format(name=name, field=field))
        (package / "migrations" / "__init__.py").touch()
        (package / "migrations" / "0001_initial.py").write_text(migration.format(name=name))
        temporary_plugin(name, PLUGIN.format(name=name, requires=requires))

    return make


async def statuses(open_client: OpenClient, *plugins: str) -> dict[str, tuple[str, str | None]]:
    client = await open_client(*plugins)
    assert await client.data("{ __typename }") == {"__typename": "Query"}
    hosted = client.service.host.plugins
    # Other plugins may be installed where the tests run, and are off.
    return {one.name: (one.status.value, one.reason) for one in hosted if one.status != "DISABLED"}


async def test_migrations_that_cannot_be_read(open_client: OpenClient, kit: Kit) -> None:
    kit("unreadable", migration="import nothing_of_this_name")
    kit("readable")
    found = await statuses(open_client, "unreadable", "readable")
    assert found == {
        "readable": ("ENABLED", None),
        "unreadable": (
            "BROKEN",
            "The migrations of unreadable cannot be read: unreadable_kit.migrations.0001_initial: "
            "ModuleNotFoundError: No module named 'nothing_of_this_name'",
        ),
    }


async def test_models_that_refer_to_nothing(open_client: OpenClient, kit: Kit) -> None:
    """Twice, because Tortoise complains of a model once per process."""
    kit("dangling", field='other = fields.ForeignKeyField("crm.Nothing", related_name="things")')
    for _ in range(2):
        found = await statuses(open_client, "dangling")
        assert found == {"dangling": ("BROKEN", "Thing.other refers to crm.Nothing, which is no model.")}


async def test_those_that_require_it_are_left_out_too(open_client: OpenClient, kit: Kit) -> None:
    kit("bottom", migration="raise ValueError('no')")
    kit("top", requires=("bottom",))
    found = await statuses(open_client, "bottom", "top")
    assert {name: status for name, (status, _) in found.items()} == {"bottom": "BROKEN", "top": "BLOCKED"}
