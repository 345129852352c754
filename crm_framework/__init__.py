"""A plugin-based CRM framework with a GraphQL API.

Every name that a plugin may import is listed here and nowhere else. Names load on first use, so that
`import crm_framework` (and with it `crm --help`) costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

API_VERSION = "1.0"
"""Version of the contract between core and plugins; see `Plugin.requires_api`."""

_HOME = {
    "Channel": "hooks.specs",
    "CrmError": "errors",
    "DialectSQL": "storage.migration_operations",
    "ErrorCode": "errors",
    "InteractionKind": "hooks.specs",
    "Permission": "hooks.specs",
    "Plugin": "hooks.specs",
    "PluginSettings": "hooks.specs",
    "Settings": "settings",
    "TimelineEntry": "hooks.specs",
    "hookimpl": "hooks.specs",
    "load_settings": "settings",
}

__all__ = [
    "API_VERSION",
    "Channel",
    "CrmError",
    "DialectSQL",
    "ErrorCode",
    "InteractionKind",
    "Permission",
    "Plugin",
    "PluginSettings",
    "Settings",
    "TimelineEntry",
    "hookimpl",
    "load_settings",
]

if TYPE_CHECKING:
    from .errors import CrmError, ErrorCode
    from .hooks.specs import (
        Channel,
        InteractionKind,
        Permission,
        Plugin,
        PluginSettings,
        TimelineEntry,
        hookimpl,
    )
    from .settings import Settings, load_settings
    from .storage.migration_operations import DialectSQL


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
