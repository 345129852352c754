"""Everything that the worker does, in one list: a new kind of owed work is hung in here."""

from crm_framework.domain.core_jobs import core_jobs
from crm_framework.domain.webhooks.passing import Api
from crm_framework.hooks.dispatch import PluginHost
from crm_framework.outgoing.client import webhook_client
from crm_framework.settings import Settings
from crm_framework.storage.database import Database

from .deliveries import deliveries
from .jobs import Jobs
from .loop import Chore
from .schedules import Schedules
from .webhooks import Sender, passing_on


def all_chores(database: Database, host: PluginHost, settings: Settings, api: Api) -> list[Chore]:
    """The chores of a process with these plugins. `api` is the schema's `webhook_api`."""
    declared = [*core_jobs(host, settings), *host.jobs]
    return [
        deliveries(database, settings.worker_width),
        Schedules(database, declared).chore(),
        Jobs(database, declared, host).chore(settings.worker_width),
        passing_on(database, api),
        Sender(database, api, webhook_client(settings)).chore(settings.webhook_width),
    ]
