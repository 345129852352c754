"""A plugin-based CRM framework with a GraphQL API.

Every name that a plugin may import is listed here and nowhere else. Names load on first use, so that
`import crm_framework` (and with it `crm --help`) costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

API_VERSION = "1.0"
"""Version of the contract between core and plugins; see `Plugin.requires_api`."""

_HOME = {
    "CrmError": "errors",
    "ErrorCode": "errors",
}

__all__ = ["API_VERSION", "CrmError", "ErrorCode"]

if TYPE_CHECKING:
    from .errors import CrmError, ErrorCode


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
