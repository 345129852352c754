"""What the host knows of each plugin that was found or asked for."""

from dataclasses import dataclass
from enum import StrEnum
from types import ModuleType

from crm_framework.hiding import without_secrets

from .specs import Plugin, PluginSettings


class PluginStatus(StrEnum):
    """Whether a plugin works, and if not, why."""

    ENABLED = "ENABLED"
    """It is enabled and in order."""
    DISABLED = "DISABLED"
    """It is installed and not enabled; none of its code ran."""
    MISSING = "MISSING"
    """It is enabled and not installed."""
    INCOMPATIBLE = "INCOMPATIBLE"
    """It was written for another version of the contract."""
    BROKEN = "BROKEN"
    """It cannot be imported, or does not keep to the contract."""
    MISCONFIGURED = "MISCONFIGURED"
    """Its section of the settings does not fit."""
    BLOCKED = "BLOCKED"
    """A plugin that it requires is not there."""
    REFUSED = "REFUSED"
    """It clashes with another plugin or with the core."""


@dataclass(frozen=True, kw_only=True)
class LoadedPlugin:
    """A plugin and its status. `plugin`, `settings` and `module` are there once they could be read.

    `origin` is the distribution (`crm-loyalty 1.0`) or the file that it comes from. Where the status is
    neither ENABLED nor DISABLED, `reason` says what is wrong and `hint` what to do, each in one line. They
    may hold what the plugin's code said, with asterisks for secrets that look like some: not for
    everyone's eyes.
    """

    name: str
    status: PluginStatus
    origin: str = ""
    version: str | None = None
    summary: str | None = None
    plugin: Plugin | None = None
    settings: PluginSettings | None = None
    module: ModuleType | None = None
    reason: str | None = None
    hint: str | None = None

    @property
    def told(self) -> str:
        """What anyone may read of its status, in a sentence."""
        return _TOLD[self.status]


_TOLD = {
    PluginStatus.ENABLED: "It is in order.",
    PluginStatus.DISABLED: "It is not enabled.",
    PluginStatus.MISSING: "It is enabled, but not installed.",
    PluginStatus.INCOMPATIBLE: "It was written for another version of the contract.",
    PluginStatus.BROKEN: "It cannot be imported, or does not keep to the contract.",
    PluginStatus.MISCONFIGURED: "Its section of the settings does not fit.",
    PluginStatus.BLOCKED: "A plugin that it requires is not there.",
    PluginStatus.REFUSED: "It clashes with another plugin or with the core.",
}


class PluginFault(Exception):
    """Why a plugin is skipped; turned into the status of its `LoadedPlugin`."""

    def __init__(self, status: PluginStatus, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = without_secrets(" ".join(reason.split()))
        self.hint = without_secrets(hint)
