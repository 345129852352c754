"""What a command of a plugin works with: the open CRM, in the name of the command."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.security.actors import Actor
from crm_framework.storage.clock import now
from crm_framework.storage.database import Database
from crm_framework.storage.unit_of_work import UnitOfWork

from .of_plugins import PLUGIN

if TYPE_CHECKING:
    from crm_framework.engine.context import Reader
    from crm_framework.hooks.answers import Figures, Signalled, Signals
    from crm_framework.hooks.dispatch import PluginHost
    from crm_framework.hooks.specs import Window
    from crm_framework.runtime import Runtime

T = TypeVar("T")

NAME_LIMIT = 140


class CommandRun:
    """One call of a plugin's command, which its function gets from `run_command`."""

    def __init__(self, database: Database, host: "PluginHost", settings: Any, name: str) -> None:
        self._database = database
        self._host = host
        self._actor = Actor.system(name[:NAME_LIMIT])
        self.name = name
        """The command, such as `crm parcels track`; the audit log has it as the actor's name."""
        self.settings = settings
        """The plugin's settings."""
        self.reader: Reader = database
        """Reads outside a transaction."""

    @property
    def now(self) -> datetime:
        """The current moment, in UTC."""
        return now()

    @asynccontextmanager
    async def unit_of_work(self) -> AsyncIterator[UnitOfWork]:
        """A transaction in the name of this command, with every right: whoever may run `crm` holds the
        database. A command may have several, one after the other.
        """
        async with self._database.unit_of_work(self._actor) as tx:
            yield tx

    async def figures(self, window: "Window", group_by: str | None = None) -> "Figures":
        """What all plugins tell of a window in numbers, by their hook `figures`."""
        return await self._host.figures(window, group_by, self.reader)

    async def signals(self, customer_ids: Iterable[str]) -> "Signals":
        """What stands out about these customers, by the plugins' hook `signals`."""
        return await self._host.signals(customer_ids, self.reader)

    async def signalled(self) -> "Signalled":
        """Of whom `signals` would tell something, by the plugins' hook `signalled`."""
        return await self._host.signalled(self.reader)


def run_command(context: click.Context, work: Callable[[CommandRun], Awaitable[T]]) -> T:
    """What `work` returns, on the database and the plugins of the settings of this call of `crm`.

    All enabled plugins take part in what it changes, as in the server. Raises `CrmError`, which `crm` shows
    in one line: CONFIGURATION where migrations are pending or the plugin does not fit into the schema, and
    whatever `work` raises.
    """
    from .in_runtime import in_runtime

    plugin = context.meta.get(PLUGIN)
    if plugin is None:
        raise CrmError(
            ErrorCode.INTERNAL,
            "A command of a plugin was called past `crm`.",
            hint="Call it as `crm NAME …`; in a test, by `await client.command(NAME, …)`.",
        )
    name = " ".join(["crm", *_words(context)])

    async def worked(runtime: "Runtime") -> T:
        entry = runtime.host.get(plugin)
        if entry is None or entry.reason is not None:
            wrong = entry.reason if entry is not None else "It is gone."
            raise CrmError(
                ErrorCode.CONFIGURATION,
                f"The plugin {plugin} cannot work: {wrong}",
                hint=entry.hint if entry is not None else None,
            )
        try:
            return await work(CommandRun(runtime.database, runtime.host, entry.settings, name))
        except Exception as error:
            if not isinstance(error, CrmError | click.ClickException | click.exceptions.Exit | click.Abort):
                error.add_note(f"This is a fault in the command `{name}` of the plugin {plugin}.")
            raise

    return in_runtime(context, worked)


def _words(context: click.Context) -> list[str]:
    """The names of the group and the command, without the arguments between them."""
    found: list[str] = []
    at: click.Context | None = context
    while at is not None and at.parent is not None:
        found.insert(0, at.info_name or "")
        at = at.parent
    return found
