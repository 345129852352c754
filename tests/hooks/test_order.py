import itertools

import pytest

from crm_framework.hooks.dispatch import PluginHost
from crm_framework.hooks.loaded import PluginStatus

from .conftest import PluginFolder


def enabled(host: PluginHost) -> list[str]:
    return [entry.name for entry in host.enabled]


def blocked(host: PluginHost) -> dict[str, tuple[str | None, str | None]]:
    return {
        entry.name: (entry.reason, entry.hint)
        for entry in host.plugins
        if entry.status is PluginStatus.BLOCKED
    }


@pytest.mark.parametrize("asked", list(itertools.permutations(["alpha", "beta", "gamma", "omega"])))
def test_the_order_is_that_of_dependencies_then_names(folder: PluginFolder, asked: tuple[str, ...]) -> None:
    folder.write("alpha", arguments='requires=["omega"]')
    folder.write("beta", arguments='uses=["gamma", "not_there"]')
    folder.write("gamma")
    folder.write("omega")
    assert enabled(folder.load(*asked)) == ["gamma", "beta", "omega", "alpha"]


def test_used_plugins_need_not_be_there(folder: PluginFolder) -> None:
    folder.write("beta", arguments='uses=["gamma", "not_there"]')
    folder.write("gamma")
    assert enabled(folder.load("beta")) == ["beta"]


def test_required_plugins_must_be_there(folder: PluginFolder) -> None:
    folder.write("off")
    folder.write("broken", "plugin = 1 / 0")
    folder.write("one", arguments='requires=["off"]')
    folder.write("two", arguments='requires=["not_there"]')
    folder.write("three", arguments='requires=["broken"]')
    folder.write("four", arguments='requires=["one"]')
    host = folder.load("broken", "one", "two", "three", "four")
    assert enabled(host) == []
    assert blocked(host) == {
        "one": ("It requires off, which is not enabled.", "Enable it: crm plugins enable off."),
        "two": (
            "It requires not_there, which is not installed.",
            "Install not_there and enable it.",
        ),
        "three": (
            "It requires broken, which is broken.",
            "Mend broken first: It cannot be imported: ZeroDivisionError: division by zero "
            "(broken.py, line 1).",
        ),
        "four": (
            "It requires one, which is blocked.",
            "Mend one first: It requires off, which is not enabled.",
        ),
    }


def test_a_circle_is_reported_and_costs_only_those_in_it(folder: PluginFolder) -> None:
    folder.write("one", arguments='requires=["two"]')
    folder.write("two", arguments='uses=["three"]')
    folder.write("three", arguments='requires=["one"]')
    folder.write("after", arguments='uses=["one"]')
    folder.write("needy", arguments='requires=["three"]')
    host = folder.load("one", "two", "three", "after", "needy")
    assert enabled(host) == ["after"]
    reasons = blocked(host)
    assert reasons["one"] == (
        "Plugins depend on each other in a circle: one → two → three → one.",
        "Remove one of them from plugins, or one of these names from requires or uses of one.",
    )
    assert reasons["two"][0] == "Plugins depend on each other in a circle: two → three → one → two."
    assert reasons["needy"][0] == "It requires three, which is blocked."
    assert set(reasons) == {"one", "two", "three", "needy"}


def test_a_plugin_that_requires_itself(folder: PluginFolder) -> None:
    folder.write("one", arguments='requires=["one"]')
    assert blocked(folder.load("one"))["one"][0] == ("Plugins depend on each other in a circle: one → one.")
