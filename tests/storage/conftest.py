from pathlib import Path

import pytest

from .plugin_apps import PluginApps


@pytest.fixture
def apps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PluginApps:
    monkeypatch.syspath_prepend(str(tmp_path))
    return PluginApps(tmp_path)
