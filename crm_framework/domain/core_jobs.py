"""All jobs of the core, with what their runs find as settings."""

from typing import TYPE_CHECKING

from crm_framework.hooks.dispatch import DeclaredJob, PluginHost

from .event_retention import retention_job
from .messages.sending import sending_job
from .upkeep import UPKEEP

if TYPE_CHECKING:
    from crm_framework.settings import Settings


def core_jobs(host: PluginHost, settings: "Settings") -> tuple[DeclaredJob, ...]:
    """The jobs of a process with these plugins and settings."""
    return (*UPKEEP, retention_job(settings), sending_job(host, settings))
