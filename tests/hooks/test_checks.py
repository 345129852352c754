import pytest

from crm_framework.hooks.checks import PRIVACY_HOOKS, SPECS
from crm_framework.hooks.loaded import PluginStatus

from .conftest import PluginFolder

EVENT = """
from dataclasses import dataclass
from crm_framework.events import Event
@dataclass(frozen=True, kw_only=True)
class Happened(Event):
    type = "{type}"
plugin = Plugin(name="one", requires_api="1.0", summary="S.", events=[Happened])
"""

MODELS = """
from tortoise import fields
from tortoise.models import Model
class Thing(Model):
    id = fields.UUIDField(primary_key=True)
    {field}
    class Meta:
        table = "{table}"
plugin = Plugin(name="one", requires_api="1.0", summary="S.", models=__name__, migrations="m")
"""


def check(folder: PluginFolder, text: str = "", arguments: str = "") -> tuple[str, str | None, str | None]:
    folder.write("one", "from crm_framework import *\n" + text if "plugin = " in text else text, arguments)
    entry = folder.load("one").get("one")
    assert entry is not None
    return entry.status, entry.reason, entry.hint


@pytest.mark.parametrize("version", ["1.0"])
def test_a_version_of_the_contract_that_fits(folder: PluginFolder, version: str) -> None:
    text = f'plugin = Plugin(name="one", requires_api="{version}", summary="S.")'
    assert check(folder, text) == (PluginStatus.ENABLED, None, None)


@pytest.mark.parametrize(
    ("version", "hint"),
    [
        ("1.1", "Upgrade crm-framework, or install an older version of the plugin."),
        ("2.0", "Upgrade crm-framework, or install an older version of the plugin."),
        ("0.9", "Install a newer version of the plugin."),
    ],
)
def test_a_version_of_the_contract_that_does_not_fit(folder: PluginFolder, version: str, hint: str) -> None:
    text = f'plugin = Plugin(name="one", requires_api="{version}", summary="S.")'
    assert check(folder, text) == (
        PluginStatus.INCOMPATIBLE,
        f"It was written for version {version} of the plugin contract; this is 1.0.",
        hint,
    )


@pytest.mark.parametrize(
    ("text", "reason", "hint"),
    [
        (
            "plugin = None",
            "The module crm_plugin_file_one has no attribute plugin.",
            "Write plugin = Plugin(name=…) in it.",
        ),
        (
            "plugin = 1",
            "The module crm_plugin_file_one has a int as plugin.",
            "Write plugin = Plugin(name=…) in it.",
        ),
        (
            'plugin = Plugin(name="two", requires_api="1.0", summary="S.")',
            "It calls itself two, but is installed as one.",
            'Give the entry point or file and Plugin(name="two") the same name.',
        ),
        (
            'plugin = Plugin(name="one", requires_api="1", summary="S.")',
            "requires_api is '1', which is no version.",
            'Write the version of the contract, such as requires_api="1.0".',
        ),
        (
            'plugin = Plugin(name="one", requires_api=1.0, summary="S.")',
            "requires_api is 1.0.",
            "Make it a text.",
        ),
        ('plugin = Plugin(name="one", requires_api="1.0", summary="")', "summary is ''.", "Make it a text."),
    ],
)
def test_a_faulty_declaration(folder: PluginFolder, text: str, reason: str, hint: str) -> None:
    assert check(folder, text) == (PluginStatus.BROKEN, reason, hint)


@pytest.mark.parametrize(
    ("arguments", "reason", "hint"),
    [
        ('requires="two"', "requires is no list.", "Make it a list or tuple of text."),
        ("uses=[1]", "uses holds 1.", "Make it a list or tuple of text."),
        ('permissions=["one.see"]', "permissions holds 'one.see'.", "Make it a list or tuple of Permission."),
        (
            "settings=PluginSettings()",
            "settings is no subclass of PluginSettings.",
            "Name the class, not an object of it.",
        ),
        (
            'models="m"',
            "It names only one of models and migrations.",
            "Tables need both; give both or none.",
        ),
        (
            'permissions=[Permission("see", "See it.")]',
            "The permission see does not begin with one.",
            "Call it one.…",
        ),
        (
            'permissions=[Permission("one.see", " ")]',
            "one.see has no description.",
            "Say in a sentence what it is for.",
        ),
        (
            'kinds=[InteractionKind("Big Day", "D.")]',
            "'Big Day' cannot be the name of a kind or channel.",
            "Take lower-case letters, digits and single underscores, 40 at most.",
        ),
        ('channels=[Channel("pigeon", "P.")] * 2', "It declares pigeon twice.", "Keep one of them."),
    ],
)
def test_a_faulty_part_of_a_declaration(folder: PluginFolder, arguments: str, reason: str, hint: str) -> None:
    assert check(folder, arguments=arguments) == (PluginStatus.BROKEN, reason, hint)


@pytest.mark.parametrize("name", ["crm", "customers", "debug", "two__words", "Big", "1st"])
def test_names_that_cannot_be_used(folder: PluginFolder, name: str) -> None:
    folder.write(name)
    entry = folder.load(name).get(name)
    assert entry is not None
    assert (entry.status, entry.reason) == (PluginStatus.BROKEN, f"The name {name} cannot be used.")


@pytest.mark.parametrize(
    ("text", "reason", "hint"),
    [
        (
            "@hookimpl\ndef scheme(settings): ...",
            "There is no hook scheme.",
            "Did you mean schema?",
        ),
        (
            "@hookimpl\nasync def on_events(events, txn): ...",
            "Hook on_events has no parameter txn.",
            "Did you mean tx?",
        ),
        (
            "@hookimpl\nasync def on_events(*events): ...",
            "Hook on_events takes *events, which hooks cannot.",
            "Take some of: events, tx, settings.",
        ),
        (
            "@hookimpl\ndef on_events(events): ...",
            "Hook on_events must be a function made with async def.",
            "Write async def on_events(…).",
        ),
        (
            "@hookimpl\nasync def on_events(events): yield 1",
            "Hook on_events must be a function made with async def.",
            "Write async def on_events(…).",
        ),
        (
            "@hookimpl\nasync def schema(): ...",
            "Hook schema must be a function made with def.",
            "Write def schema(…).",
        ),
        (
            "@hookimpl(tryfirst=True)\ndef schema(): ...",
            "Hook schema is marked with tryfirst.",
            "Plugins are called in the order of their dependencies: use requires or uses.",
        ),
        (
            "@hookimpl\ndef schema(): ...\n@hookimpl(specname='schema')\ndef more(): ...",
            "Hook schema is implemented twice: more and schema.",
            "Keep one of them.",
        ),
    ],
)
def test_a_faulty_hook(folder: PluginFolder, text: str, reason: str, hint: str) -> None:
    assert check(folder, text) == (PluginStatus.BROKEN, reason, hint)


def test_hooks_may_take_any_of_their_parameters_in_any_order(folder: PluginFolder) -> None:
    text = "@hookimpl\nasync def on_events(settings, events): ...\n@hookimpl\ndef schema(): ..."
    assert check(folder, text) == (PluginStatus.ENABLED, None, None)


@pytest.mark.parametrize(
    ("type_name", "expected"),
    [
        ("one.happened", (PluginStatus.ENABLED, None, None)),
        (
            "happened",
            (
                PluginStatus.BROKEN,
                "The type happened of Happened does not begin with one.",
                'Set type = "one.…".',
            ),
        ),
    ],
)
def test_event_types_carry_the_prefix(
    folder: PluginFolder, type_name: str, expected: tuple[object, ...]
) -> None:
    assert check(folder, EVENT.format(type=type_name)) == expected


def test_a_class_that_is_no_event(folder: PluginFolder) -> None:
    assert check(folder, arguments="events=[int]") == (
        PluginStatus.BROKEN,
        "int is no event class.",
        "Derive it from crm_framework.Event, as a frozen keyword-only dataclass with a type.",
    )


PRIVACY = "".join(f"\n@hookimpl\nasync def {hook}(): ..." for hook in PRIVACY_HOOKS)


@pytest.mark.parametrize(
    ("table", "field", "hooks", "expected"),
    [
        ("one_thing", "", "", (PluginStatus.ENABLED, None, None)),
        (
            "thing",
            "",
            "",
            (
                PluginStatus.BROKEN,
                "The table thing of Thing does not begin with one_.",
                'Set Meta.table = "one_…".',
            ),
        ),
        (
            "one_thing",
            'customer = fields.ForeignKeyField("crm.Customer")',
            "",
            (
                PluginStatus.BROKEN,
                "The table one_thing keeps a customer's id, but there is no "
                "merge_customers, export_customer, erase_customer.",
                "Implement merge_customers, export_customer and erase_customer.",
            ),
        ),
        (
            "one_thing",
            "customer_id = fields.UUIDField()",
            "\n@hookimpl\nasync def merge_customers(): ...",
            (
                PluginStatus.BROKEN,
                "The table one_thing keeps a customer's id, but there is no export_customer, erase_customer.",
                "Implement merge_customers, export_customer and erase_customer.",
            ),
        ),
        ("one_thing", "customer_id = fields.UUIDField()", PRIVACY, (PluginStatus.ENABLED, None, None)),
    ],
)
def test_tables(
    folder: PluginFolder, table: str, field: str, hooks: str, expected: tuple[object, ...]
) -> None:
    assert check(folder, MODELS.format(table=table, field=field) + hooks) == expected


def test_the_specifications_are_these() -> None:
    assert sorted(SPECS) == [
        "before_change",
        "demo",
        "erase_customer",
        "export_customer",
        "figures",
        "merge_customers",
        "on_events",
        "schema",
        "send",
        "signalled",
        "signals",
        "timeline",
    ]


JOBS = """
async def run(job): ...
async def two(job, more): ...
def plain(job): ...
plugin = Plugin(name="one", requires_api="1.0", summary="S.", jobs=[{job}])
"""


@pytest.mark.parametrize(
    ("job", "reason"),
    [
        ('"one.run"', "jobs holds 'one.run'."),
        ('Job("other.run", "D.", run)', "The job 'other.run' is not named as it should be."),
        ('Job("one.", "D.", run)', "The job 'one.' is not named as it should be."),
        ('Job("one.Run now", "D.", run)', "The job 'one.Run now' is not named as it should be."),
        ('Job("one." + "x" * 140, "D.", run)', f"The name of the job one.{'x' * 140} is too long."),
        ('Job("one.run", " ", run)', "one.run has no description."),
        ('Job("one.run", "D.", run), Job("one.run", "D.", run)', "It declares one.run twice."),
        ('Job("one.run", "D.", plain)', "run of the job one.run is no function made with async def."),
        ('Job("one.run", "D.", two)', "run of the job one.run takes not just the run."),
        ('Job("one.run", "D.", run, attempts=0)', "The job one.run could never run."),
        ('Job("one.run", "D.", run, timeout_s=0)', "The job one.run could never run."),
        (
            'Job("one.run", "D.", run, cron="daily")',
            "The job one.run: 'daily' is no cron expression: it has not five fields.",
        ),
        (
            'Job("one.run", "D.", run, cron="0 0 * * *", time_zone="Mars")',
            "The job one.run: 'Mars' is no time zone.",
        ),
    ],
)
def test_jobs_that_are_not_as_they_should_be(folder: PluginFolder, job: str, reason: str) -> None:
    status, found, hint = check(folder, JOBS.format(job=job))
    assert (status, found) == (PluginStatus.BROKEN, reason)
    assert hint


def test_a_job_as_it_should_be(folder: PluginFolder) -> None:
    job = 'Job("one.run", "D.", run, cron="*/5 * * * MON-FRI", time_zone="Asia/Tokyo", attempts=1)'
    assert check(folder, JOBS.format(job=job)) == (PluginStatus.ENABLED, None, None)
