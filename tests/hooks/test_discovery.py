import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crm_framework import CrmError
from crm_framework.hooks.discovery import load_plugins
from crm_framework.hooks.dispatch import PluginHost
from crm_framework.hooks.loaded import PluginStatus
from crm_framework.settings import Settings

from .conftest import HEAD, PluginFolder


def outcome(host: PluginHost, name: str) -> tuple[PluginStatus, str | None, str | None]:
    entry = host.get(name)
    assert entry is not None
    return entry.status, entry.reason, entry.hint


def test_only_enabled_plugins_run(folder: PluginFolder) -> None:
    folder.write("first", "import sys\nsys.first_ran = True\n")
    folder.write("second", "import sys\nsys.second_ran = True\n")
    host = folder.load("first")
    assert host.plugins[0].name == "first"
    assert outcome(host, "first")[0] is PluginStatus.ENABLED
    assert outcome(host, "second")[0] is PluginStatus.DISABLED
    assert hasattr(sys, "first_ran")
    assert not hasattr(sys, "second_ran")
    del sys.first_ran


def test_an_installed_distribution(distribution: Callable[..., Path]) -> None:
    text = HEAD.format(name="parcels", arguments="")
    distribution("crm-parcels", module="crm_parcels", entry_point="parcels = crm_parcels", text=text)
    disabled = load_plugins(Settings()).get("parcels")
    assert disabled is not None
    assert (disabled.status, disabled.origin, disabled.version, disabled.summary, disabled.module) == (
        PluginStatus.DISABLED,
        "crm-parcels 1.2",
        "1.2",
        "Of crm-parcels.",
        None,
    )
    assert "crm_parcels" not in sys.modules
    enabled = load_plugins(Settings(plugins=("parcels",))).get("parcels")
    assert enabled is not None
    assert (enabled.status, enabled.summary) == (PluginStatus.ENABLED, "For a test.")


def test_two_distributions_of_one_name(distribution: Callable[..., Path]) -> None:
    for number in ("one", "two"):
        distribution(
            f"crm-{number}", module=f"crm_{number}", entry_point=f"parcels = crm_{number}", text="1 / 0"
        )
    host = load_plugins(Settings(plugins=("parcels",)))
    assert outcome(host, "parcels") == (
        PluginStatus.REFUSED,
        "There are 2 plugins of this name: crm-two 1.2 and crm-one 1.2.",
        "Uninstall all but one of them.",
    )


def test_one_distribution_found_twice_on_the_path_is_one(
    distribution: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = HEAD.format(name="parcels", arguments="")
    place = distribution("crm-parcels", module="crm_parcels", entry_point="parcels = crm_parcels", text=text)
    copy = place.with_name("copy")
    (copy / "CRM_Parcels-1.2.dist-info").mkdir(parents=True)
    for file in (place / "crm_parcels-1.2.dist-info").iterdir():
        (copy / "CRM_Parcels-1.2.dist-info" / file.name).write_text(file.read_text())
    monkeypatch.syspath_prepend(str(copy))
    assert outcome(load_plugins(Settings(plugins=("parcels",))), "parcels")[0] is PluginStatus.ENABLED


def test_an_entry_point_must_name_a_module(distribution: Callable[..., Path]) -> None:
    distribution("crm-parcels", module="crm_parcels", entry_point="parcels = crm_parcels:plugin", text="")
    assert outcome(load_plugins(Settings(plugins=("parcels",))), "parcels") == (
        PluginStatus.BROKEN,
        "The entry point parcels = crm_parcels:plugin names something in a module.",
        'Name the module alone: parcels = "crm_parcels".',
    )


@pytest.mark.parametrize(
    ("text", "status", "reason", "hint"),
    [
        (
            "plugin = 1 / 0",
            PluginStatus.BROKEN,
            "It cannot be imported: ZeroDivisionError: division by zero (bad.py, line 1).",
            "Run with the log level debug to see where.",
        ),
        (
            "plugin = exit(3)",
            PluginStatus.BROKEN,
            "It cannot be imported: SystemExit: 3 (bad.py, line 1).",
            "Run with the log level debug to see where.",
        ),
        (
            "class Odd(BaseException): pass\nplugin = 1\nraise Odd('first\\nsecond')",
            PluginStatus.BROKEN,
            "It cannot be imported: Odd: first (bad.py, line 3).",
            "Run with the log level debug to see where.",
        ),
        (
            "plugin = = 1",
            PluginStatus.BROKEN,
            "It cannot be imported: SyntaxError: invalid syntax (bad.py, line 1).",
            "Run with the log level debug to see where.",
        ),
        (
            "import not_there.at_all\nplugin = 1",
            PluginStatus.BROKEN,
            "It cannot be imported: ModuleNotFoundError: No module named 'not_there' (bad.py, line 1).",
            "Install what provides not_there, or correct the import.",
        ),
        (
            "from crm_framework import Hologram\nplugin = 1",
            PluginStatus.INCOMPATIBLE,
            "It cannot be imported: cannot import name 'Hologram' from 'crm_framework'.",
            "It was written for another version of crm-framework: upgrade the one or the other.",
        ),
    ],
)
def test_a_plugin_that_cannot_be_imported(
    folder: PluginFolder, text: str, status: PluginStatus, reason: str, hint: str
) -> None:
    folder.write("bad", text)
    folder.write("good")
    host = folder.load("bad", "good")
    assert outcome(host, "bad") == (status, reason, hint)
    assert [entry.name for entry in host.enabled] == ["good"]
    assert "crm_plugin_file_bad" not in sys.modules


def test_ctrl_c_during_an_import_is_the_users(folder: PluginFolder) -> None:
    folder.write("bad", "plugin = 1\nraise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        folder.load("bad")


def test_the_log_has_one_line_and_the_traceback_only_when_debugging(
    folder: PluginFolder, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.write("bad", "print('loud')\nplugin = 1 / 0")
    caplog.set_level(logging.DEBUG, "crm_framework.hooks")
    folder.load("bad")
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [(record.message, record.exc_info) for record in warnings] == [
        (
            "plugin bad is broken: It cannot be imported: ZeroDivisionError: division by zero "
            "(bad.py, line 2). Run with the log level debug to see where.",
            None,
        )
    ]
    debug = [record for record in caplog.records if record.levelno == logging.DEBUG]
    assert [(record.message, bool(record.exc_info)) for record in debug] == [
        ("import failed", True),
        ("printed on import: loud\n", False),
    ]
    assert capsys.readouterr() == ("", "")


def test_an_enabled_plugin_that_is_not_installed(folder: PluginFolder) -> None:
    folder.write("loyal")
    host = folder.load("loyl", "xyz")
    assert outcome(host, "loyl") == (
        PluginStatus.MISSING,
        "It is enabled, but not installed.",
        "Did you mean loyal?",
    )
    assert outcome(host, "xyz")[2] == "Install it, or take xyz out of plugins."


def test_the_folder_must_exist(tmp_path: Path) -> None:
    with pytest.raises(CrmError, match="which is no folder"):
        load_plugins(Settings(plugin_dir=str(tmp_path / "none")))


def test_settings_are_the_plugins_own_type(folder: PluginFolder) -> None:
    text = "class Own(PluginSettings, frozen=True):\n    unit: int = 1\n"
    text += 'plugin = Plugin(name="one", requires_api="1.0", summary="S.", settings=Own)\n'
    folder.write("one", "from crm_framework import *\n" + text)
    entry = folder.load("one", sections={"one": {"unit": 5}}).get("one")
    assert entry is not None
    assert entry.settings == entry.module.Own(unit=5)  # type: ignore[union-attr]  # an enabled one has a module


@pytest.mark.parametrize(
    ("sections", "reason", "hint"),
    [
        ({"units": 5}, "settings, section [one]: unknown key units.", "There is nothing to set."),
    ],
)
def test_settings_that_do_not_fit_cost_only_that_plugin(
    folder: PluginFolder, sections: dict[str, Any], reason: str, hint: str
) -> None:
    folder.write("one")
    folder.write("two")
    host = folder.load("one", "two", sections={"one": sections})
    assert outcome(host, "one") == (PluginStatus.MISCONFIGURED, reason, hint)
    assert [entry.name for entry in host.enabled] == ["two"]


def test_sections_that_nobody_reads_are_reported(folder: PluginFolder) -> None:
    folder.write("loyalty")
    host = folder.load(sections={"loyalti": {}, "loyalty": {}})
    assert host.problems == ("settings: no plugin reads section [loyalti]. Did you mean [loyalty]?",)


def test_two_plugins_may_not_claim_one_kind(folder: PluginFolder) -> None:
    for name in ("one", "two"):
        folder.write(name, arguments='kinds=[InteractionKind("demo", "A demonstration.")]')
    host = folder.load("two", "one")
    assert [entry.name for entry in host.enabled] == ["one"]
    assert outcome(host, "two") == (
        PluginStatus.REFUSED,
        "The interaction kind demo belongs to the plugin one.",
        "Disable one of one and two, or rename it in one of them.",
    )
