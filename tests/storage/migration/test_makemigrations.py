"""Migrations written from models, in a process of their own: model classes belong to the whole process."""

import json
from typing import Any

import pytest

from crm_framework.errors import CrmError
from crm_framework.storage.migration.makemigrations import missing_migrations
from crm_framework.storage.migration.migrator import CORE, AppliedMigration, AppMigrations, migrate
from tests.storage.plugin_apps import PluginApps, fill, holdings, key, run

MAKE = """
import json
apps = [AppMigrations(*entry) for entry in {apps!r}]
notes = []
try:
    path = makemigrations(apps, {label!r}, {name!r}, report=notes.append)
    missing = missing_migrations(apps, {label!r})
    print(json.dumps(dict(path=path and path.name, notes=notes, missing=missing)))
except CrmError as error:
    print(json.dumps(dict(code=error.code, message=error.message, hint=error.hint)))
"""
NOTE = """
class Note(Model):
    id = fields.IntField(primary_key=True)
    text = fields.CharField(max_length=50)
    customer = fields.ForeignKeyField("crm.Customer", related_name="notes")
    class Meta:
        table = "notes_note"
"""


def make(apps: PluginApps, *given: AppMigrations, name: str | None = None) -> dict[str, Any]:
    """What happens for the last of the apps."""
    listed = [(app.label, app.models, app.migrations, list(app.depends_on)) for app in given]
    said: dict[str, Any] = json.loads(apps.output(MAKE.format(apps=listed, label=given[-1].label, name=name)))
    return said


def notes(apps: PluginApps, text: str = NOTE, label: str = "notes") -> AppMigrations:
    app = apps.new(label)
    apps.models(app, text)
    assert make(apps, app) == {"path": "0001_initial.py", "notes": [], "missing": []}
    return app


def changed(apps: PluginApps, app: AppMigrations, old: str, new: str, text: str = NOTE) -> dict[str, Any]:
    assert old in text
    apps.models(app, text.replace(old, new))
    return make(apps, app)


def test_the_core_has_a_migration_for_each_of_its_models() -> None:
    assert missing_migrations([CORE], "crm") == []


def test_a_plugin_alone_gets_its_first_migration(apps: PluginApps) -> None:
    app = notes(apps)
    assert apps.file(app, "0001_initial").read_text() == (
        "from tortoise import fields, migrations\n"
        "from tortoise.migrations import operations as ops\n"
        "\n"
        "\n"
        "class Migration(migrations.Migration):\n"
        "    initial = True\n"
        "\n"
        '    dependencies = [("crm", "0001_initial")]\n'
        "\n"
        "    operations = [\n"
        "        ops.CreateModel(\n"
        '            name="Note",\n'
        "            fields=[\n"
        '                ("id", fields.IntField(generated=True, primary_key=True)),\n'
        '                ("text", fields.CharField(max_length=50)),\n'
        '                ("customer", fields.ForeignKeyField("crm.Customer", db_index=True,'
        " on_delete=fields.CASCADE)),\n"
        "            ],\n"
        '            options={"table": "notes_note"},\n'
        "        ),\n"
        "    ]\n"
    )
    assert make(apps, app) == {"path": None, "notes": [], "missing": []}


def test_words_make_no_migration(apps: PluginApps) -> None:
    app = notes(apps)
    said = changed(
        apps, app, "max_length=50", "max_length=50, default='x', description='What was said; when'"
    )
    assert said == {"path": None, "notes": [], "missing": []}
    said = changed(apps, app, 'related_name="notes"', 'related_name="remarks"')
    assert said == {"path": None, "notes": [], "missing": []}


def test_enumerations_are_texts(apps: PluginApps) -> None:
    text = "from enum import StrEnum\nclass Kind(StrEnum):\n    A = 'A'\n" + NOTE.replace(
        "    class Meta",
        "    kind = fields.CharEnumField(Kind, max_length=9, db_default=Kind.A)\n    class Meta",
    )
    app = notes(apps, text)
    written = apps.file(app, "0001_initial").read_text()
    assert '("kind", fields.CharField(db_default="A", max_length=9))' in written
    assert app.models not in written
    assert changed(apps, app, "A = 'A'", "A = 'A'\n    B = 'B'", text)["path"] is None


async def test_what_is_written_runs_on_filled_tables(database_url: str, apps: PluginApps) -> None:
    app = notes(apps)
    await fill(database_url)
    await migrate(database_url, [app])
    await run(database_url, f"INSERT INTO notes_note (text, customer_id) VALUES ('kept', '{key(1)}')")
    said = changed(
        apps,
        app,
        "    class Meta:",
        "    stars = fields.IntField(default=1, db_default=1)\n"
        "    author = fields.ForeignKeyField('crm.Staff', null=True, related_name=False)\n"
        "    class Meta:\n        indexes = [('stars', 'id')]",
    )
    assert said == {"path": "0002_auto.py", "notes": [], "missing": []}
    before = await holdings(database_url)
    assert await migrate(database_url, [app]) == [AppliedMigration("notes", "0002_auto")]
    after = await holdings(database_url)
    assert after.rows == before.rows | {"crm_migration": 3}
    assert sorted(index[2:] for index in after.indexes - before.indexes) == [("author_id",), ("stars", "id")]
    assert await run(database_url, "SELECT text, stars FROM notes_note") == [{"text": "kept", "stars": 1}]
    dependencies = 'dependencies = [("notes", "0001_initial"), ("crm", "0001_initial")]'
    assert dependencies in apps.file(app, "0002_auto").read_text()


def test_a_name_may_be_given_and_is_found_otherwise(apps: PluginApps) -> None:
    app = notes(apps)
    assert changed(apps, app, "max_length=50", "max_length=60")["path"] == "0002_alter_field_text_on_note.py"
    apps.models(app, NOTE.replace("max_length=50", "max_length=70"))
    assert make(apps, app, name="Even longer!")["path"] == "0003_even_longer.py"


def test_a_plugin_depends_on_those_it_refers_to(apps: PluginApps) -> None:
    first = notes(apps)
    second = apps.new("analytics", depends_on=["notes"])
    apps.models(
        second,
        "class Count(Model):\n"
        "    id = fields.IntField(primary_key=True)\n"
        "    note = fields.OneToOneField('notes.Note', related_name='count')\n"
        "    class Meta:\n        table = 'analytics_count'\n",
    )
    assert make(apps, first, second)["path"] == "0001_initial.py"
    written = apps.file(second, "0001_initial").read_text()
    assert 'dependencies = [("crm", "0001_initial"), ("notes", "0001_initial")]' in written


REFUSED = {
    "required": (
        "    class Meta",
        "    stars = fields.IntField(default=1)\n    class Meta",
        "Note.stars is required, but rows that exist would have no value for it. "
        "A Python default is not known to the database.",
        "Give the field a db_default too, or null=True.",
    ),
    "another type": (
        "text = fields.CharField(max_length=50)",
        "text = fields.IntField()",
        "Note.text changes from CharField to IntField; values are not converted automatically.",
        "Add a field of the new type, fill it with DialectSQL, and remove the old one.",
    ),
    "another model": (
        "crm.Customer",
        "crm.Staff",
        "Note.customer refers to another model now; its keys mean nothing there.",
        "Add a field for the new relation, fill it with DialectSQL, and remove the old one.",
    ),
    "another table": (
        "notes_note",
        "notes_remark",
        "The table of Note was notes_note and is now notes_remark; tables are not renamed automatically.",
        'Keep Meta.table = "notes_note": the model may have any name.',
    ),
    "a foreign name": (
        "notes_note",
        "note",
        "The table of Note is named note; tables of notes begin with notes_.",
        'Set Meta.table = "notes_…" in the model.',
    ),
}


@pytest.mark.parametrize(("old", "new", "message", "hint"), REFUSED.values(), ids=REFUSED.keys())
def test_a_change_that_would_fail_or_lose_rows_is_refused(
    apps: PluginApps, old: str, new: str, message: str, hint: str
) -> None:
    app = notes(apps)
    assert changed(apps, app, old, new) == {"code": "CONFIGURATION", "message": message, "hint": hint}
    assert [path.name for path in apps.file(app, "x").parent.glob("0*.py")] == ["0001_initial.py"]


def test_becoming_required_needs_a_default(apps: PluginApps) -> None:
    text = NOTE.replace("max_length=50", "max_length=50, null=True")
    app = notes(apps, text)
    assert changed(apps, app, ", null=True", "", text)["message"].startswith("Note.text is required")
    assert changed(apps, app, "null=True", "db_default='none'", text)["path"] is not None


def test_a_removal_that_may_be_a_rename_is_told(apps: PluginApps) -> None:
    app = notes(apps)
    said = changed(
        apps,
        app,
        "text = fields.CharField(max_length=50)",
        "body = fields.CharField(max_length=60, null=True)",
    )
    note = "All values of Note.text are deleted. If it was renamed to body, write RenameField instead."
    assert said == {"path": "0002_auto.py", "notes": [note], "missing": []}
    assert f"# {note}\nclass Migration" in apps.file(app, "0002_auto").read_text()


def test_what_is_taken_as_a_rename_is_told(apps: PluginApps) -> None:
    app = notes(apps)
    said = changed(apps, app, "text =", "body =")
    assert said["notes"] == [
        "Taken as a rename of Note.text to body, values kept."
        " If they are different things, write RemoveField and AddField instead."
    ]
    assert 'ops.RenameField(model_name="Note", old_name="text", new_name="body")' in (
        apps.file(app, said["path"].removesuffix(".py")).read_text()
    )


def test_models_that_refer_to_each_other_are_refused(apps: PluginApps) -> None:
    app = apps.new("notes")
    apps.models(
        app,
        NOTE.replace("crm.Customer", "notes.Reply")
        + NOTE.replace("Note(", "Reply(").replace("crm.Customer", "notes.Note").replace("_note", "_reply"),
    )
    said = make(apps, app)
    assert said["message"] == "Note.customer and notes.Reply refer to each other."


async def test_models_go_in_an_order_that_works(database_url: str, apps: PluginApps) -> None:
    text = NOTE + NOTE.replace("Note(", "Answer(").replace("crm.Customer", "notes.Note").replace(
        "notes_note", "notes_answer"
    )
    app = notes(apps, text)
    await migrate(database_url, [app])
    apps.models(app, NOTE.replace("Note(", "Other(").replace("_note", "_other").replace("text", "words"))
    said = make(apps, app)
    assert said.get("missing") == [], said
    assert "All rows of Note are deleted. If it was renamed, write RenameModel instead." in said["notes"]
    await migrate(database_url, [app])
    rows = (await holdings(database_url)).rows
    assert {name for name in rows if name.startswith("notes_")} == {"notes_other"}


def test_a_folder_that_cannot_be_written_is_named(apps: PluginApps) -> None:
    app = apps.new("notes")
    apps.models(app, NOTE)
    apps.file(app, "__init__").write_text("__path__ = ['/nowhere']")
    said = make(apps, app)
    assert said["code"] == "CONFIGURATION"
    assert said["message"] == (
        "The migration cannot be written to /nowhere/0001_initial.py: No such file or directory."
    )


def test_models_that_cannot_be_imported_are_named(apps: PluginApps) -> None:
    app = apps.new("notes")
    apps.models(app, "import nothing_of_that_name")
    assert "No module named 'nothing_of_that_name'" in make(apps, app)["message"]


EVERYTHING = """
import datetime
from decimal import Decimal
from enum import IntEnum
from tortoise.fields.db_defaults import Now, SqlDefault
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
class Grade(IntEnum):
    ONE = 1
class Thing(Model):
    id = fields.UUIDField(primary_key=True)
    amount = fields.DecimalField(max_digits=10, decimal_places=2, db_default=Decimal("1.50"))
    at = fields.DatetimeField(db_default=Now())
    grade = fields.IntEnumField(Grade, db_default=Grade.ONE)
    extra = fields.JSONField(default=dict, db_default={})
    day = fields.DateField(db_default=datetime.date(2024, 1, 2))
    word = fields.TextField(db_default=SqlDefault("'x'"))
    share = fields.FloatField(db_default=1.5)
    said = fields.CharField(max_length=20, db_default="it's; \\"so\\"")
    spent = fields.TimeDeltaField(null=True)
    blob = fields.BinaryField(null=True)
    rank = fields.SmallIntField(db_default=0)
    friends = fields.ManyToManyField("notes.Thing", through="notes_friend", related_name="befriended")
    class Meta:
        table = "notes_thing"
        indexes = [Index(fields=("day", "at"), name="notes_by_day")]
        constraints = [
            UniqueConstraint(fields=("rank",), name="notes_rank", condition="rank > 0"),
            CheckConstraint(check="share > 0", name="notes_share"),
        ]
"""


async def test_every_kind_of_field_comes_back_as_it_was(database_url: str, apps: PluginApps) -> None:
    app = notes(apps, EVERYTHING)
    await migrate(database_url, [app])
    insert = f"INSERT INTO notes_thing (id, rank) VALUES ('{key(1)}', 1)"
    await run(database_url, insert)
    (row,) = await run(database_url, "SELECT grade, word, share, said, rank FROM notes_thing")
    assert row == {"grade": 1, "word": "x", "share": 1.5, "said": 'it\'s; "so"', "rank": 1}
    with pytest.raises(Exception, match=r"(?i)unique"):
        await run(database_url, insert.replace(key(1), key(2)))
    with pytest.raises(Exception, match=r"(?i)check"):
        await run(database_url, "UPDATE notes_thing SET share = 0")
    indexes = {index[2:] for index in (await holdings(database_url)).indexes if index[0] == "notes_thing"}
    assert indexes == {("id",), ("day", "at"), ("rank",)}


KEYED = """
class Shelf(Model):
    number = fields.IntField(primary_key=True)
    id = fields.CharField(max_length=20, unique=True)
    class Meta:
        table = "notes_shelf"
class Box(Model):
    id = fields.IntField(primary_key=True)
    shelf = fields.ForeignKeyField("notes.Shelf", related_name="boxes", to_field="id")
    place = fields.ForeignKeyField("notes.Shelf", related_name="places", to_field="number")
    class Meta:
        table = "notes_box"
"""


async def test_a_foreign_key_to_another_column_keeps_it(apps: PluginApps, database_url: str) -> None:
    """Also where that column is called `id` and is not the primary key."""
    app = notes(apps, KEYED)
    text = apps.file(app, "0001_initial").read_text()
    assert text.count("to_field=") == 1
    assert 'to_field="id"' in text
    await migrate(database_url, [app])
    await run(database_url, "INSERT INTO notes_shelf (number, id) VALUES (7, 'north')")
    await run(database_url, "INSERT INTO notes_box (shelf_id, place_id) VALUES ('north', 7)")
    heeding = ["PRAGMA foreign_keys=ON"] if database_url.startswith("sqlite") else []
    with pytest.raises(CrmError, match=r"(?i)foreign key"):
        await run(database_url, *heeding, "INSERT INTO notes_box (shelf_id, place_id) VALUES ('south', 7)")
