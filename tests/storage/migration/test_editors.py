"""Changes of tables that are filled and referred to: nothing is lost, on either database."""

from collections.abc import Callable
from typing import Any

import pytest

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.migration.migrator import AppliedMigration, migrate
from tests.storage.plugin_apps import Holdings, PluginApps, customer, fill, holdings, key, run

Change = Callable[[Holdings], Holdings]


async def changed(url: str, apps: PluginApps, operations: str) -> tuple[Holdings, Holdings]:
    """What the filled database holds before and after one more migration of the core."""
    core = apps.core()
    await fill(url)
    before = await holdings(url)
    apps.migration(core, "0002_change", operations)
    assert await migrate(url, [core]) == [AppliedMigration("crm", "0002_change")]
    return before, await holdings(url)


def plus_record(rows: dict[str, int]) -> dict[str, int]:
    return rows | {"crm_migration": 2}


KEEPING = {
    "longer": 'AlterField("Customer", "name", fields.CharField(max_length=400))',
    "text": 'AlterField("Customer", "name", fields.TextField())',
    "optional": 'AlterField("Customer", "sort_name", fields.CharField(max_length=300, null=True))',
    "filled": 'AlterField("Customer", "city", fields.CharField(max_length=200, db_default="none"))',
    "added": 'AddField("Customer", "rating", fields.IntField(null=True))',
    "added required": 'AddField("Customer", "rating", fields.IntField(db_default=3))',
    "added required text": 'AddField("Customer", "note",'
    """ fields.CharField(max_length=9, db_default="a'b;c"))""",
    "added required truth": 'AddField("Customer", "vip", fields.BooleanField(db_default=True))',
    "removed": 'RemoveField("Customer", "company")',
    "parent of interactions": 'AlterField("Interaction", "subject", fields.TextField(null=True))',
    "removed and added": 'RemoveField("Customer", "company"),'
    ' AddField("Customer", "firm", fields.TextField(null=True))',
    "checked": 'AddConstraint("Customer", CheckConstraint(check="version > 0", name="crm_version"))',
    "check removed again": 'AddConstraint("Customer",'
    ' CheckConstraint(check="version > 0", name="crm_version")),'
    ' RemoveConstraint("Customer", name="crm_version")',
}


@pytest.mark.parametrize("operations", KEEPING.values(), ids=KEEPING.keys())
async def test_rows_indexes_triggers_and_references_stay(
    database_url: str, apps: PluginApps, operations: str
) -> None:
    before, after = await changed(database_url, apps, operations)
    assert after.rows == plus_record(before.rows)
    assert after.indexes == before.indexes
    assert after.triggers == before.triggers
    assert after.references == before.references
    assert before.rows["crm_interaction"] == 5


async def test_what_hangs_on_a_changed_table_works_on(database_url: str, apps: PluginApps) -> None:
    url = database_url
    await changed(url, apps, KEEPING["longer"])
    with pytest.raises(Exception, match=r"(?i)unique"):
        await run(url, customer(url, 1, "again"))
    await run(url, customer(url, 9, "nine", "ninth"))
    if url.startswith("sqlite"):
        found = await run(
            url, "SELECT rowid FROM crm_customer_search WHERE crm_customer_search MATCH 'ninth'"
        )
        assert len(found) == 1
        await run(url, "INSERT INTO crm_customer_search (crm_customer_search) VALUES ('integrity-check')")


async def test_a_column_that_becomes_required_is_filled(database_url: str, apps: PluginApps) -> None:
    await changed(database_url, apps, KEEPING["filled"])
    rows = await run(database_url, "SELECT city FROM crm_customer ORDER BY id")
    assert [row["city"] for row in rows] == ["york", "none", "none"]
    with pytest.raises(Exception, match=r"(?i)not.null"):
        await run(database_url, "UPDATE crm_customer SET city = NULL")


async def test_a_new_required_column_has_its_default(database_url: str, apps: PluginApps) -> None:
    await changed(database_url, apps, KEEPING["added required text"])
    assert await run(database_url, "SELECT DISTINCT note FROM crm_customer") == [{"note": "a'b;c"}]


async def test_a_new_column_may_have_a_computed_default(database_url: str, apps: PluginApps) -> None:
    operation = (
        'AddField("Customer", "seen", fields.DatetimeField('
        "db_default=__import__('tortoise.fields.db_defaults', fromlist=['Now']).Now()))"
    )
    before, after = await changed(database_url, apps, operation)
    assert after == Holdings(plus_record(before.rows), before.indexes, before.triggers, before.references)
    assert await run(database_url, "SELECT id FROM crm_customer WHERE seen IS NULL") == []


async def test_a_required_column_without_default_is_refused_and_nothing_changes(
    database_url: str, apps: PluginApps
) -> None:
    core = apps.core()
    await fill(database_url)
    before = await holdings(database_url)
    apps.migration(core, "0002_change", 'AddField("Customer", "rating", fields.IntField(default=3))')
    with pytest.raises(CrmError, match=r"Migration crm\.0002_change failed and was undone") as refused:
        await migrate(database_url, [core])
    assert refused.value.code is ErrorCode.CONFIGURATION
    assert await holdings(database_url) == before


NEW_LINK = (
    'AddField("Customer", "guide", fields.ForeignKeyField("crm.Staff", null=True, db_index=True,'
    ' related_name="guided", on_delete=fields.RESTRICT))'
)


async def test_a_new_foreign_key_has_its_index(database_url: str, apps: PluginApps) -> None:
    before, after = await changed(database_url, apps, NEW_LINK)
    assert [index[2:] for index in after.indexes - before.indexes] == [("guide_id",)]
    (link,) = after.references - before.references
    assert "crm_staff" in " ".join(link)
    assert "RESTRICT" in " ".join(link)
    assert after.rows == plus_record(before.rows)


async def test_a_removed_foreign_key_takes_its_index_along(database_url: str, apps: PluginApps) -> None:
    before, after = await changed(database_url, apps, 'RemoveField("Customer", "backup")')
    assert {index[2:] for index in before.indexes - after.indexes} == {("backup_id",)}
    assert len(before.references - after.references) == 1
    assert after.rows == plus_record(before.rows)


async def test_what_deleting_does_can_be_changed(database_url: str, apps: PluginApps) -> None:
    operation = (
        'AlterField("Interaction", "staff", fields.ForeignKeyField("crm.Staff", null=True, db_index=True,'
        ' related_name="interactions", on_delete=fields.SET_NULL))'
    )
    before, after = await changed(database_url, apps, operation)
    assert len(after.references) == len(before.references)
    (link,) = after.references - before.references
    assert "SET NULL" in " ".join(link)
    assert after.indexes == before.indexes


async def test_an_index_can_come_and_go(database_url: str, apps: PluginApps) -> None:
    on = 'AlterField("Customer", "country", fields.CharField(max_length=2, null=True, db_index=True))'
    before, after = await changed(database_url, apps, on)
    assert [index[2:] for index in after.indexes - before.indexes] == [("country",)]
    off = on.replace(", db_index=True", "")
    core = apps.core()
    apps.migration(core, "0002_change", on)
    apps.migration(core, "0003_change", off)
    await migrate(database_url, [core])
    assert (await holdings(database_url)).indexes == before.indexes


async def test_uniqueness_can_come_and_go(database_url: str, apps: PluginApps) -> None:
    on = (
        'AddConstraint("Customer", UniqueConstraint(fields=("name", "phone"))),'
        'AlterField("Customer", "email", fields.CharField(max_length=320, null=True, unique=True)),'
    )
    before, after = await changed(database_url, apps, on + KEEPING["longer"])
    assert sorted(index[2:] for index in after.indexes - before.indexes) == [("email",), ("name", "phone")]
    off = (
        'RemoveConstraint("Customer", fields=["name", "phone"]),'
        'AlterField("Customer", "email", fields.CharField(max_length=320, null=True)),'
    )
    core = apps.core()
    apps.migration(core, "0002_change", on + KEEPING["longer"])
    apps.migration(core, "0003_change", off)
    await migrate(database_url, [core])
    after = await holdings(database_url)
    assert after.indexes == before.indexes
    assert after.rows == plus_record(before.rows) | {"crm_migration": 3}


async def test_a_renamed_column_keeps_its_values(database_url: str, apps: PluginApps) -> None:
    operations = 'RenameField("Customer", "company", "firm"), RenameField("Customer", "owner", "keeper")'
    before, after = await changed(database_url, apps, operations)
    assert after.rows == plus_record(before.rows)
    assert [row["firm"] for row in await run(database_url, "SELECT firm FROM crm_customer")] == ["Acme"] * 3
    kept = await run(database_url, "SELECT id FROM crm_customer WHERE keeper_id IS NOT NULL")
    assert [str(row["id"]) for row in kept] == [key(1)]
    assert {index[2:] for index in after.indexes ^ before.indexes} == {("owner_id",), ("keeper_id",)}


PARTIAL = 'UniqueConstraint(fields=("customer_id",), name="{name}", condition="open = {true}")'


async def test_constraints_of_a_new_model_are_made(database_url: str, apps: PluginApps) -> None:
    url = database_url
    true = "1" if url.startswith("sqlite") else "TRUE"
    app = apps.new("tickets")
    options = (
        '{"table": "tickets_ticket", "constraints": [CheckConstraint(check="size < 10", name="small"), '
        + PARTIAL.format(name="tickets_one_open", true=true)
        + "]}"
    )
    apps.migration(
        app,
        "0001_initial",
        'CreateModel("Ticket", [("id", fields.IntField(primary_key=True)), ("size", fields.IntField()),'
        ' ("open", fields.BooleanField(db_default=True)),'
        ' ("customer", fields.ForeignKeyField("crm.Customer"))],'
        f" {options})",
    )
    await fill(url)
    await migrate(url, [app])
    insert = "INSERT INTO tickets_ticket (size, open, customer_id) VALUES "
    await run(url, f"{insert} (1, {true}, '{key(1)}')", f"{insert} (1, NOT {true}, '{key(1)}')")
    with pytest.raises(Exception, match=r"(?i)unique"):
        await run(url, f"{insert} (1, {true}, '{key(1)}')")
    with pytest.raises(Exception, match=r"(?i)check"):
        await run(url, f"{insert} (10, {true}, '{key(2)}')")
    # The table is made anew on SQLite, with a counter that must not run backwards.
    await run(url, f"{insert} (2, {true}, '{key(2)}')", "DELETE FROM tickets_ticket WHERE size = 2")
    before = await holdings(url)
    apps.migration(app, "0002_change", 'AlterField("Ticket", "size", fields.IntField(null=True))')
    await migrate(url, [app])
    after = await holdings(url)
    assert after.indexes == before.indexes
    assert ("tickets_ticket", 2) in after.rows.items()
    await run(url, f"{insert} (3, {true}, '{key(3)}')")
    (new,) = await run(url, "SELECT id FROM tickets_ticket WHERE size = 3")
    (old,) = await run(url, "SELECT MAX(id) AS id FROM tickets_ticket WHERE size < 3")
    assert new["id"] >= old["id"] + 2
    with pytest.raises(Exception, match=r"(?i)check"):
        await run(url, f"{insert} (10, {true}, '{key(2)}')")


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_a_column_that_no_model_knows_is_not_lost(database_url: str, apps: PluginApps) -> None:
    core = apps.core()
    await fill(database_url)
    await run(database_url, "ALTER TABLE crm_customer ADD COLUMN by_hand TEXT")
    before = await holdings(database_url)
    apps.migration(core, "0002_change", KEEPING["longer"])
    with pytest.raises(CrmError, match="has columns that no model knows: by_hand"):
        await migrate(database_url, [core])
    assert await holdings(database_url) == before


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_a_trigger_on_a_removed_column_is_refused(database_url: str, apps: PluginApps) -> None:
    core = apps.core()
    await fill(database_url)
    await run(
        database_url,
        "CREATE TRIGGER shout AFTER UPDATE ON crm_customer BEGIN"
        " UPDATE crm_staff SET name = new.company; SELECT 1; END",
    )
    before = await holdings(database_url)
    apps.migration(core, "0002_change", KEEPING["removed"])
    with pytest.raises(CrmError, match="A trigger of table crm_customer does not fit") as refused:
        await migrate(database_url, [core])
    assert refused.value.hint is not None
    assert await holdings(database_url) == before


@pytest.mark.parametrize("database_kind", ["postgres"])
async def test_changed_text_still_compares_bytes(database_url: str, apps: PluginApps) -> None:
    await changed(database_url, apps, KEEPING["longer"] + ", " + KEEPING["added required text"])
    rows: list[dict[str, Any]] = await run(
        database_url,
        "SELECT column_name, collation_name, character_maximum_length AS n FROM information_schema.columns"
        " WHERE table_name = 'crm_customer' AND column_name IN ('name', 'note') ORDER BY 1",
    )
    assert [tuple(row.values()) for row in rows] == [("name", "C", 400), ("note", "C", 9)]


SCRIPT = (
    "CREATE TABLE crm_extra (id INTEGER PRIMARY KEY, note TEXT DEFAULT 'a;b'); -- a; comment\n"
    "CREATE INDEX crm_extra_note ON crm_extra (note);"
)
TRIGGER = (
    "CREATE TRIGGER crm_extra_trigger AFTER INSERT ON crm_extra BEGIN"
    " UPDATE crm_extra SET note = 'x;y'; UPDATE crm_extra SET note = 'z'; END"
)


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_semicolons_end_no_statement(database_url: str, apps: PluginApps) -> None:
    other = TRIGGER.replace("_t", "_u")
    operations = f"RunSQL({SCRIPT!r}), RunSQL({TRIGGER!r}), DialectSQL(sqlite=[{other!r}], postgres=[])"
    _, after = await changed(database_url, apps, operations)
    assert {"crm_extra_trigger", "crm_extra_urigger"} <= after.triggers
    await run(database_url, "INSERT INTO crm_extra (id) VALUES (1)")
    assert await run(database_url, "SELECT note FROM crm_extra") == [{"note": "z"}]


async def test_one_statement_per_entry(database_url: str, apps: PluginApps) -> None:
    core = apps.core()
    two = "CREATE TABLE crm_a (id INT); CREATE TABLE crm_b (id INT)"
    apps.migration(core, "0002_change", f"DialectSQL(sqlite=[{two!r}], postgres=[{two!r}])")
    before = await holdings(database_url)
    with pytest.raises(CrmError, match=r"crm\.0002_change"):
        await migrate(database_url, [core])
    assert await holdings(database_url) == before


async def test_rows_can_be_moved_through_the_models_of_that_time(database_url: str, apps: PluginApps) -> None:
    core = apps.core()
    await fill(database_url)
    code = (
        "async def move(apps, editor):\n"
        "    Customer = apps.get_model('crm.Customer')\n"
        "    for customer in await Customer.filter(company='Acme'):\n"
        "        customer.company = customer.name.upper()\n"
        "        await customer.save()\n"
    )
    apps.migration(core, "0002_change", "RunPython(move)")
    file = apps.file(core, "0002_change")
    file.write_text(file.read_text().replace("class Migration", code + "\nclass Migration"))
    await migrate(database_url, [core])
    rows = await run(database_url, "SELECT company FROM crm_customer ORDER BY id")
    assert [row["company"] for row in rows] == ["NAME1", "NAME2", "NAME3"]


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_rows_that_would_refer_to_nothing_are_refused(database_url: str, apps: PluginApps) -> None:
    core = apps.core()
    await fill(database_url)
    before = await holdings(database_url)
    delete = f"DELETE FROM crm_customer WHERE id = '{key(2)}'"
    apps.migration(core, "0002_change", f"DialectSQL(sqlite=[{delete!r}], postgres=[])")
    with pytest.raises(CrmError, match="2 in crm_interaction to crm_customer") as refused:
        await migrate(database_url, [core])
    assert "1 in crm_customer_tag to crm_customer" in refused.value.message
    assert await holdings(database_url) == before
