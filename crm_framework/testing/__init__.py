"""What plugin authors import in their tests. The fixtures come by themselves: see `fixtures.py`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOME = {
    "CommandResult": "commands",
    "CrmClient": "client",
    "PluginConformance": "conformance",
    "deliver_events": "jobs",
    "frozen": "clock",
    "queued_messages": "messages",
    "run_jobs": "jobs",
    "waiting": "locks",
}

__all__ = [
    "CommandResult",
    "CrmClient",
    "PluginConformance",
    "deliver_events",
    "frozen",
    "queued_messages",
    "run_jobs",
    "waiting",
]

if TYPE_CHECKING:
    from .client import CrmClient
    from .clock import frozen
    from .commands import CommandResult
    from .conformance import PluginConformance
    from .jobs import deliver_events, run_jobs
    from .locks import waiting
    from .messages import queued_messages


def __getattr__(name: str) -> Any:
    # Loaded when asked for: pytest imports this package in every run, for its fixtures.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
