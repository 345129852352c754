from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from crm_framework.hooks.discovery import load_plugins
from crm_framework.hooks.dispatch import PluginHost
from crm_framework.settings import Settings

HEAD = """
from crm_framework import *
plugin = Plugin(name="{name}", requires_api="1.0", summary="For a test.", {arguments})
"""


class PluginFolder(Protocol):
    """Writes single-file plugins and loads them."""

    def write(self, name: str, text: str = "", arguments: str = "") -> None: ...
    def load(self, *enabled: str, **settings: Any) -> PluginHost: ...


@pytest.fixture
def folder(tmp_path: Path) -> PluginFolder:
    class Folder:
        def write(self, name: str, text: str = "", arguments: str = "") -> None:
            head = "" if "plugin = " in text else HEAD.format(name=name, arguments=arguments)
            (tmp_path / f"{name}.py").write_text(head + text)

        def load(self, *enabled: str, **settings: Any) -> PluginHost:
            return load_plugins(Settings(plugin_dir=str(tmp_path), plugins=enabled, **settings))

    return Folder()


@pytest.fixture
def distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Installs a distribution with one module and one entry point, for the time of the test."""
    made: list[str] = []

    def install(name: str, *, module: str, entry_point: str, text: str) -> Path:
        place = tmp_path / f"site-{name}"
        information = place / f"{name.replace('-', '_')}-1.2.dist-info"
        information.mkdir(parents=True)
        (information / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\nSummary: Of {name}.\n"
        )
        (information / "entry_points.txt").write_text(f"[crm_framework.plugins]\n{entry_point}\n")
        (place / f"{module}.py").write_text(text)
        monkeypatch.syspath_prepend(str(place))
        made.append(module)
        return place

    yield install
    import sys

    for module in made:
        sys.modules.pop(module, None)
