"""A plugin's tables go only when asked for by name, all of them, and nothing else does."""

import pytest

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.migration.migrator import AppliedMigration, AppMigrations, migrate, pending
from crm_framework.storage.migration.uninstall import Uninstalled, uninstall
from tests.storage.plugin_apps import PluginApps, fill, holdings, key, run

TABLES = """
CreateModel("Note", [
    ("id", fields.IntField(primary_key=True)),
    ("customer", fields.ForeignKeyField("crm.Customer", related_name="{label}_notes")),
], {{"table": "{label}_note"}}),
CreateModel("Reply", [
    ("id", fields.IntField(primary_key=True)),
    ("note", fields.ForeignKeyField("{label}.Note", related_name="replies")),
], {{"table": "{label}_reply"}}),
"""
SQLITE = [
    "CREATE VIRTUAL TABLE notes_search USING fts5(text)",
    "CREATE VIEW notes_view AS SELECT * FROM notes_note",
    "CREATE TRIGGER notes_customer AFTER INSERT ON crm_customer"
    " BEGIN INSERT INTO notes_search VALUES ('x'); END",
]
POSTGRES = [
    "CREATE TABLE notes_search (text TEXT)",
    "CREATE VIEW notes_view AS SELECT * FROM notes_note",
    "CREATE FUNCTION notes_insert() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN INSERT INTO notes_search VALUES ('x'); RETURN NEW; END $$",
    "CREATE TRIGGER notes_customer AFTER INSERT ON crm_customer FOR EACH ROW EXECUTE FUNCTION notes_insert()",
]


def plugin(apps: PluginApps, label: str) -> AppMigrations:
    app = apps.new(label)
    more = f"DialectSQL(sqlite={SQLITE!r}, postgres={POSTGRES!r})" if label == "notes" else ""
    apps.migration(app, "0001_initial", TABLES.format(label=label) + more)
    return app


FIRST = (AppliedMigration("notes", "0001_initial"),)


async def test_without_being_told_to_it_only_counts(database_url: str, apps: PluginApps) -> None:
    await migrate(database_url, [plugin(apps, "notes")])
    await fill(database_url)
    await run(database_url, f"INSERT INTO notes_note (customer_id) VALUES ('{key(1)}')")
    before = await holdings(database_url)
    counts = {"notes_note": 1, "notes_reply": 0, "notes_search": 3}
    assert await uninstall(database_url, "notes") == Uninstalled(counts, FIRST, dropped=False)
    assert await holdings(database_url) == before


async def test_it_takes_all_that_is_its_own_and_nothing_else(database_url: str, apps: PluginApps) -> None:
    url, app, longer = database_url, plugin(apps, "notes"), plugin(apps, "notes_plus")
    await fill(url)
    bare = await holdings(url)
    await migrate(url, [longer])
    with_longer = await holdings(url)
    await migrate(url, [app, longer])
    for label in ("notes", "notes_plus"):
        await run(url, f"INSERT INTO {label}_note (customer_id) VALUES ('{key(1)}')")
    done = await uninstall(url, "notes", drop_data=True)
    assert done == Uninstalled({"notes_note": 1, "notes_reply": 0, "notes_search": 0}, FIRST, dropped=True)
    after = await holdings(url)
    assert after.rows == with_longer.rows | {"notes_plus_note": 1}
    assert (after.indexes, after.triggers) == (with_longer.indexes, with_longer.triggers)
    await run(url, f"UPDATE crm_customer SET name = 'still works' WHERE id = '{key(1)}'")
    assert await pending(url, [app, longer]) == list(FIRST)
    # It may come back, empty; and when both are gone, the core is as it was.
    assert await migrate(url, [app, longer]) == list(FIRST)
    for label in ("notes", "notes_plus"):
        await uninstall(url, label, drop_data=True)
    assert await holdings(url) == bare


async def test_a_table_that_another_plugin_refers_to_stays(database_url: str, apps: PluginApps) -> None:
    app = plugin(apps, "notes")
    other = apps.new("other", depends_on=["notes"])
    link = '("note", fields.ForeignKeyField("notes.Note", related_name="others"))'
    apps.migration(
        other,
        "0001_initial",
        f'CreateModel("Other", [("id", fields.IntField(primary_key=True)), {link}],'
        ' {"table": "other_other"})',
    )
    await migrate(database_url, [app, other])
    before = await holdings(database_url)
    with pytest.raises(CrmError, match="cannot be dropped: other_other refer to them") as refused:
        await uninstall(database_url, "notes", drop_data=True)
    assert refused.value.code is ErrorCode.REFUSED
    assert await holdings(database_url) == before


@pytest.mark.parametrize("label", ["crm", "", "x%", "Notes"])
async def test_the_core_and_nonsense_are_refused(database_url: str, label: str) -> None:
    before = await holdings(database_url)
    with pytest.raises(CrmError, match="is not a plugin that can be uninstalled"):
        await uninstall(database_url, label, drop_data=True)
    assert await holdings(database_url) == before


async def test_a_plugin_without_tables_has_nothing_to_lose(database_url: str) -> None:
    assert await uninstall(database_url, "notes", drop_data=True) == Uninstalled({}, (), dropped=True)
