"""Order, records, concurrency, and databases that do not fit, on filled databases of both kinds."""

import asyncio
import os
import signal
import sqlite3
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tortoise.migrations.schema_generator.state import ModelState

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.migration.connection import schema_connection
from crm_framework.storage.migration.migrator import CORE, AppliedMigration, AppMigrations, migrate, pending
from tests.storage.plugin_apps import PluginApps, fill, holdings, key, run

NOTE = """CreateModel("Note", [
    ("id", fields.IntField(primary_key=True)),
    ("text", fields.CharField(max_length=50)),
    ("customer", fields.ForeignKeyField("crm.Customer", related_name="notes_{label}", db_index=True)),
], {{"table": "{label}_note"}})"""


def with_note(apps: PluginApps, label: str) -> AppMigrations:
    app = apps.new(label)
    apps.migration(app, "0001_initial", NOTE.format(label=label))
    return app


async def note(url: str, label: str, text: str) -> None:
    await run(url, f"INSERT INTO {label}_note (text, customer_id) VALUES ('{text}', '{key(1)}')")


@pytest.mark.parametrize("label", ["analytics", "zebra"])
async def test_the_core_goes_first_whatever_the_label(
    empty_database_url: str, apps: PluginApps, label: str
) -> None:
    app = with_note(apps, label)
    done = [AppliedMigration("crm", "0001_initial"), AppliedMigration(label, "0001_initial")]
    seen: list[tuple[AppliedMigration, int, int]] = []
    applied = await migrate(empty_database_url, [app], progress=lambda *step: seen.append(step))
    assert applied == done
    assert seen == [(done[0], 1, 2), (done[1], 2, 2)]
    assert await migrate(empty_database_url, [app, CORE]) == []


async def test_a_plugin_follows_those_it_depends_on(empty_database_url: str, apps: PluginApps) -> None:
    base = with_note(apps, "zoo")
    above = apps.new("ape", depends_on=["zoo"])
    link = '("note", fields.ForeignKeyField("zoo.Note", related_name="apes", db_index=True))'
    apps.migration(
        above,
        "0001_initial",
        f'CreateModel("Ape", [("id", fields.IntField(primary_key=True)), {link}], {{"table": "ape_ape"}})',
        [("crm", "0001_initial"), ("zoo", "0001_initial")],
    )
    applied = await migrate(empty_database_url, [above, base])
    assert [step.app for step in applied] == ["crm", "zoo", "ape"]


async def test_models_that_are_made_together_are_loaded_once(
    empty_database_url: str, apps: PluginApps, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, loaded, render = apps.new("notes"), Counter[str](), ModelState.render

    def counted(self: ModelState, *args: Any, **kwargs: Any) -> Any:
        loaded[self.name] += self.app == "notes"
        return render(self, *args, **kwargs)

    monkeypatch.setattr(ModelState, "render", counted)
    number = '("id", fields.IntField(primary_key=True))'
    models = [f'CreateModel("A", [{number}], {{"table": "notes_a"}})'] + [
        f'CreateModel("{name}", [{number}, ("of", ForeignKeyField("notes.{of}", related_name="{name}"))],'
        f' {{"table": "notes_{name.lower()}"}})'
        for name, of in (("B", "A"), ("C", "B"), ("D", "A"))
    ]
    apps.migration(app, "0001_initial", ", ".join(models), [("crm", "0001_initial")])
    await migrate(empty_database_url, [app])
    assert +loaded == {"A": 1, "B": 1, "C": 1, "D": 1}
    await run(empty_database_url, "INSERT INTO notes_a (id) VALUES (1)")
    await run(empty_database_url, "INSERT INTO notes_b (id, of_id) VALUES (1, 1)")
    await run(empty_database_url, "INSERT INTO notes_c (id, of_id) VALUES (1, 1)")


async def test_a_second_version_keeps_the_rows_of_the_first(database_url: str, apps: PluginApps) -> None:
    url, app = database_url, with_note(apps, "notes")
    await fill(url)
    await migrate(url, [app])
    await note(url, "notes", "kept")
    apps.migration(app, "0002_more", 'AddField("Note", "stars", fields.IntField(db_default=1))')
    apps.migration(app, "0003_more", 'AlterField("Note", "text", fields.TextField())')
    assert await pending(url, [app]) == [AppliedMigration("notes", n) for n in ("0002_more", "0003_more")]
    before = await holdings(url)
    await migrate(url, [app])
    after = await holdings(url)
    assert after.rows == before.rows | {"crm_migration": 4}
    assert after.indexes == before.indexes
    assert await run(url, "SELECT text, stars FROM notes_note") == [{"text": "kept", "stars": 1}]


async def test_off_and_on_again_keeps_the_rows(database_url: str, apps: PluginApps) -> None:
    url, app = database_url, with_note(apps, "notes")
    core = apps.core()
    await fill(url)
    await migrate(url, [app])
    await note(url, "notes", "kept")
    # While it is off, the core changes a table that it refers to.
    apps.migration(core, "0002_change", 'AlterField("Customer", "name", fields.CharField(max_length=400))')
    assert await migrate(url, [core]) == [AppliedMigration("crm", "0002_change")]
    assert await pending(url, [core, app]) == []
    assert await migrate(url, [core, app]) == []
    assert (await holdings(url)).rows["notes_note"] == 1
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        await note_to_nobody(url)


async def note_to_nobody(url: str) -> None:
    insert = f"INSERT INTO notes_note (text, customer_id) VALUES ('x', '{key(999)}')"
    if not url.startswith("sqlite"):
        await run(url, insert)
        return
    with sqlite3.connect(url.removeprefix("sqlite://")) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(insert)


async def test_a_newer_database_is_refused_but_not_a_disabled_plugin(
    database_url: str, apps: PluginApps
) -> None:
    url, app, other = database_url, with_note(apps, "notes"), with_note(apps, "other")
    apps.migration(app, "0002_more", 'AddField("Note", "stars", fields.IntField(db_default=1))')
    await fill(url)
    await migrate(url, [app, other])
    before = await holdings(url)
    apps.file(app, "0002_more").unlink()
    apps.migration(app, "0002_else", 'AddField("Note", "moons", fields.IntField(db_default=1))')
    for refuse in (migrate, pending):
        with pytest.raises(CrmError, match=r"newer than this program: it has notes\.0002_more") as refused:
            await refuse(url, [app])
        assert refused.value.code is ErrorCode.CONFIGURATION
        assert (
            refused.value.hint == "Install the version of the plugin notes that migrated it, or a later one."
        )
    assert await holdings(url) == before
    assert await migrate(url, [CORE]) == []


async def test_the_first_migration_of_a_plugin_depends_on_the_core(
    database_url: str, apps: PluginApps
) -> None:
    app = apps.new("notes")
    apps.migration(app, "0001_initial", NOTE.format(label="notes"), [])
    before = await holdings(database_url)
    with pytest.raises(CrmError, match="must depend on one of the core") as refused:
        await migrate(database_url, [app])
    assert refused.value.hint == 'Add dependencies = [("crm", "0001_initial")] to it.'
    assert await holdings(database_url) == before


async def test_a_failure_keeps_what_came_before_it(empty_database_url: str, apps: PluginApps) -> None:
    url, app = empty_database_url, with_note(apps, "notes")
    good = "CREATE TABLE notes_x (id INT)"
    bad = f'DialectSQL(sqlite=["{good}", "BAD"], postgres=["{good}", "BAD"])'
    apps.migration(app, "0002_bad", bad)
    with pytest.raises(CrmError, match=r'notes\.0002_bad failed and was undone: .*near "BAD"'):
        await migrate(url, [app])
    assert await pending(url, [app]) == [AppliedMigration("notes", "0002_bad")]
    assert "notes_x" not in (await holdings(url)).rows
    apps.file(app, "0002_bad").unlink()
    apps.migration(app, "0002_good", bad.replace("BAD", "CREATE TABLE notes_y (id INT)"))
    assert await migrate(url, [app]) == [AppliedMigration("notes", "0002_good")]


MIGRATE = """
apps = [AppMigrations("notes", "{models}", "{migrations}")]
done = asyncio.run(migrate("{url}", apps))
print(*done)
"""


async def test_four_at_once_apply_each_migration_once(empty_database_url: str, apps: PluginApps) -> None:
    url, app = empty_database_url, with_note(apps, "notes")
    for number in range(2, 8):
        apps.migration(
            app,
            f"{number:04d}_more",
            f'AddField("Note", "n{number}", fields.IntField(db_default=1, null=True))',
        )
    apps.migration(app, "0008_last", 'AlterField("Note", "text", fields.TextField(null=True))')
    code = MIGRATE.format(models=app.models, migrations=app.migrations, url=url)
    processes = [apps.python(code, wait=False) for _ in range(4)]
    said = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, said
    applied = sorted(word for out, _ in said for word in out.split())
    added = [f"notes.{number:04d}_more" for number in range(2, 8)]
    assert applied == ["crm.0001_initial", "notes.0001_initial", *added, "notes.0008_last"]
    assert await pending(url, [app]) == []
    assert (await holdings(url)).rows["crm_migration"] == 9


SLOW = """
import asyncio, pathlib
async def wait(apps, editor):
    pathlib.Path({flag!r}).touch()
    while pathlib.Path({flag!r}).exists():
        await asyncio.sleep(0.01)
"""


async def test_killed_half_way_it_is_undone_and_can_run_again(
    database_url: str, apps: PluginApps, tmp_path: Path
) -> None:
    url, app = database_url, with_note(apps, "notes")
    flag = tmp_path / "flag"
    await fill(url)
    await migrate(url, [app])
    await note(url, "notes", "kept")
    steps = 'AlterField("Note", "text", fields.TextField(null=True)), RunPython(wait)'
    apps.migration(app, "0002_slow", steps)
    file = apps.file(app, "0002_slow")
    file.write_text(
        file.read_text().replace("class Migration", SLOW.format(flag=str(flag)) + "class Migration")
    )
    before = await holdings(url)
    code = MIGRATE.format(models=app.models, migrations=app.migrations, url=url)
    process = apps.python(code, wait=False)
    until = time.monotonic() + 60
    while not flag.exists():
        assert time.monotonic() < until
        assert process.poll() is None, process.communicate()
        await asyncio.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    flag.unlink()
    assert await holdings(url) == before
    assert await pending(url, [app]) == [AppliedMigration("notes", "0002_slow")]
    file.write_text(file.read_text().replace(", RunPython(wait)", ""))
    assert await _in_new_process(apps, code) == "notes.0002_slow"
    after = await holdings(url)
    assert after.rows == before.rows | {"crm_migration": 3}
    assert after.indexes == before.indexes


async def _in_new_process(apps: PluginApps, code: str) -> str:
    return (await asyncio.to_thread(apps.output, code)).strip()


async def test_waiting_has_an_end(database_url: str, apps: PluginApps) -> None:
    app = with_note(apps, "notes")
    async with schema_connection(database_url) as other, other.transaction():
        with pytest.raises(CrmError) as refused:
            await migrate(database_url, [app], lock_seconds=0.2)
    assert refused.value.code is ErrorCode.UNAVAILABLE
    assert await migrate(database_url, [app]) == [AppliedMigration("notes", "0001_initial")]


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_asking_makes_no_file(tmp_path: Path, database_kind: str) -> None:
    file = tmp_path / "folder" / "crm.sqlite3"
    assert await pending(f"sqlite://{file}", [CORE]) == [AppliedMigration("crm", "0001_initial")]
    assert not file.parent.exists()
    await migrate(f"sqlite://{file}", [CORE])
    assert await pending(f"sqlite://{file}", [CORE]) == []


async def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    file = tmp_path / "crm.sqlite3"
    file.write_text("not a database, " * 100)
    with pytest.raises(CrmError, match="is not an SQLite database") as refused:
        await migrate(f"sqlite://{file}", [CORE])
    assert refused.value.code is ErrorCode.CONFIGURATION
    assert file.read_text() == "not a database, " * 100


@pytest.mark.parametrize("database_kind", ["postgres"])
async def test_a_wrong_password_is_named_without_it(empty_database_url: str) -> None:
    url = empty_database_url.replace("//crm:", "//crm:wrong", 1)
    with pytest.raises(CrmError, match="refuses this user or password") as refused:
        await migrate(url, [CORE])
    assert "wrong" not in str(refused.value)


@pytest.mark.parametrize("database_kind", ["postgres"])
async def test_a_user_without_rights_is_told_what_is_missing(empty_database_url: str) -> None:
    name = empty_database_url.rsplit("/", 1)[1]
    await run(
        empty_database_url,
        f"CREATE ROLE {name} LOGIN PASSWORD 'p'",
        f'GRANT CREATE ON SCHEMA public TO "{name}"',
        f'REVOKE CREATE ON DATABASE "{name}" FROM PUBLIC',
    )
    host = empty_database_url.split("@")[1]
    try:
        with pytest.raises(
            CrmError, match="The extension pg_trgm is missing and this user may not"
        ) as refused:
            await migrate(f"postgres://{name}:p@{host}", [CORE])
        assert refused.value.hint is not None
        assert "CREATE EXTENSION pg_trgm" in refused.value.hint
        assert (
            await run(empty_database_url, "SELECT tablename FROM pg_tables WHERE schemaname='public'") == []
        )
    finally:
        await run(empty_database_url, f'REVOKE CREATE ON SCHEMA public FROM "{name}"', f"DROP ROLE {name}")
