"""Everything that the worker does, in one list: a new kind of owed work is hung in here."""

from crm_framework.hooks.dispatch import PluginHost
from crm_framework.settings import Settings
from crm_framework.storage.database import Database

from .deliveries import deliveries
from .loop import Chore


def all_chores(database: Database, host: PluginHost, settings: Settings) -> list[Chore]:
    """The chores of a process with these plugins."""
    return [deliveries(database, settings.worker_width)]
