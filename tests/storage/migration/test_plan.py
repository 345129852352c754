"""What is refused before a database is touched."""

import pytest

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.migration.plan import CORE, order_apps, read_plan
from tests.storage.plugin_apps import PluginApps

FIRST = [("crm", "0001_initial")]


def refusal(apps: PluginApps, **files: list[tuple[str, str]]) -> str:
    """The message for a plugin `notes` with these migrations and their dependencies."""
    app = apps.new("notes")
    for name, dependencies in files.items():
        apps.migration(app, name, "", dependencies)
    with pytest.raises(CrmError) as refused:
        read_plan([app])
    assert refused.value.code is ErrorCode.CONFIGURATION
    assert refused.value.hint
    return refused.value.message


def test_two_that_follow_the_same_one(apps: PluginApps) -> None:
    message = refusal(apps, a=FIRST, b=[("notes", "a")], c=[("notes", "a")])
    assert message == "Migration notes.c cannot be used: b and c both follow a."


def test_two_first_ones(apps: PluginApps) -> None:
    message = refusal(apps, a=FIRST, b=FIRST)
    assert message == "Migration notes.b cannot be used: a and b both follow no other one."


def test_a_gap(apps: PluginApps) -> None:
    message = refusal(apps, a=FIRST, c=[("notes", "b")])
    assert message == "Migration notes.c cannot be used: it follows notes.b, which is not there."


def test_a_circle(apps: PluginApps) -> None:
    message = refusal(apps, a=FIRST, b=[("notes", "c")], c=[("notes", "b")])
    assert message == "Migration notes.b cannot be used: its dependencies form a circle."


def test_an_older_core(apps: PluginApps) -> None:
    message = refusal(apps, a=[("crm", "9999_later")])
    assert message == (
        "Migration notes.a cannot be used: it needs crm.9999_later, "
        "which the installed version of crm does not have."
    )


def test_a_plugin_that_is_not_there(apps: PluginApps) -> None:
    message = refusal(apps, a=[*FIRST, ("other", "0001_initial")])
    assert message == (
        "Migration notes.a cannot be used: it needs other.0001_initial, whose plugin is not enabled."
    )


def test_a_plugin_that_is_not_declared(apps: PluginApps) -> None:
    app, other = apps.new("notes"), apps.new("other")
    apps.migration(other, "0001_initial", "")
    apps.migration(app, "0001_initial", "", [*FIRST, ("other", "0001_initial")])
    with pytest.raises(CrmError, match="does not say that it depends on other"):
        read_plan([app, other])


@pytest.mark.parametrize(
    "line", ["run_before = [('crm', '0001_initial')]", "replaces = [('x', 'y')]", "atomic = False"]
)
def test_what_cannot_be_kept_safe(apps: PluginApps, line: str) -> None:
    app = apps.new("notes")
    apps.migration(app, "0001_initial", "", FIRST)
    file = apps.file(app, "0001_initial")
    file.write_text(f"{file.read_text()}\n    {line}\n")
    with pytest.raises(CrmError, match=f"`{line.split()[0]}") as refused:
        read_plan([app])
    assert "is not supported" in refused.value.message


def test_a_broken_file_is_named(apps: PluginApps) -> None:
    app = apps.new("notes")
    apps.file(app, "0001_initial").write_text("import nothing_of_that_name")
    with pytest.raises(CrmError, match=r"migrations\.0001_initial: ModuleNotFoundError"):
        read_plan([app])


def test_apps_come_after_what_they_depend_on(apps: PluginApps) -> None:
    a, b, c = apps.new("a", depends_on=["c"]), apps.new("b"), apps.new("c", depends_on=["b"])
    assert [app.label for app in order_apps([a, b, c])] == ["crm", "b", "c", "a"]
    assert order_apps([]) == [CORE]


def test_a_circle_of_plugins(apps: PluginApps) -> None:
    with pytest.raises(CrmError, match="depend on each other in a circle"):
        order_apps([apps.new("a", depends_on=["b"]), apps.new("b", depends_on=["a"])])


def test_a_missing_plugin(apps: PluginApps) -> None:
    with pytest.raises(CrmError, match="The tables of a refer to those of b, which is not enabled"):
        order_apps([apps.new("a", depends_on=["b"])])
