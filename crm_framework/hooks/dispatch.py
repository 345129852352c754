"""The host of the loaded plugins: one typed method or property per hook. Callers never touch pluggy.

Plugins are called one after another in the order of their dependencies. What a plugin raises is put down to
it by name; whether it ends the operation is the hook's contract.
"""

import contextlib
import io
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, TypeVar

import pluggy

from crm_framework.errors import CrmError, ErrorCode, PluginCrash, Undelivered, contained, cut

from .answers import Figures, Signalled, Signals, Timeline, own_entries, own_figures, own_signals
from .apps import AppMigrations
from .loaded import LoadedPlugin, PluginStatus
from .routes import Route
from .specs import (
    PROJECT,
    Channel,
    Figure,
    Handling,
    Hooks,
    InteractionKind,
    Job,
    Permission,
    Plugin,
    Signal,
    TimelineEntry,
    Window,
)
from .trace import traced

if TYPE_CHECKING:
    from crm_framework.engine.context import Reader
    from crm_framework.engine.parts import SchemaParts
    from crm_framework.engine.sql import Fragment
    from crm_framework.events import Event
    from crm_framework.storage.unit_of_work import UnitOfWork

    from .messages import OutgoingMessage

log = logging.getLogger("crm_framework.hooks")

A = TypeVar("A", TimelineEntry, Figure, Signal)


@dataclass(frozen=True)
class EventsHook:
    """One plugin's `before_change` or `on_events`, as the storage calls it. `name` is the plugin's."""

    name: str
    call: Callable[["Sequence[Event]", "UnitOfWork"], Awaitable[None]]

    async def __call__(self, events: "Sequence[Event]", tx: "UnitOfWork") -> None:
        await self.call(events, tx)


@dataclass(frozen=True)
class DeclaredJob:
    """A job, and the settings that its runs find."""

    job: Job
    settings: Any = None


@dataclass(frozen=True)
class DeclaredRoute:
    """A route, whose it is, and the settings that its requests find."""

    plugin: str
    route: Route
    settings: Any = None


class PluginHost:
    """Every plugin that was found, and the way to call those that work.

    `problems` are faults of the settings that concern no plugin in particular, one line each.
    """

    def __init__(self, plugins: Iterable[LoadedPlugin] = (), problems: Iterable[str] = ()) -> None:
        self.problems = tuple(problems)
        self._plugins = {plugin.name: plugin for plugin in plugins}
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(Hooks)
        for plugin in self.enabled:
            self._manager.register(plugin.module, plugin.name)

    @property
    def plugins(self) -> tuple[LoadedPlugin, ...]:
        """All of them, the enabled ones first and in the order in which they are called."""
        return tuple(self._plugins.values())

    @property
    def enabled(self) -> tuple[LoadedPlugin, ...]:
        """Those that work, dependencies first."""
        return tuple(plugin for plugin in self.plugins if plugin.status is PluginStatus.ENABLED)

    def get(self, name: str) -> LoadedPlugin | None:
        """The plugin of that name, whatever its status."""
        return self._plugins.get(name)

    def refuse(self, name: str, reason: str, hint: str, status: PluginStatus = PluginStatus.REFUSED) -> None:
        """Takes an enabled plugin out, and with it those that require it."""
        plugin = self._plugins[name]
        if plugin.status is not PluginStatus.ENABLED:
            return
        self._plugins[name] = replace(plugin, status=status, reason=reason, hint=hint)
        self._manager.unregister(name=name)
        log.warning("plugin %s is %s: %s %s", name, status.lower(), reason, hint)
        for other in self.enabled:
            if other.plugin and name in other.plugin.requires:
                self.refuse(
                    other.name,
                    f"It requires {name}, which is {status.lower()}.",
                    f"Mend {name} first: {reason}",
                    PluginStatus.BLOCKED,
                )

    @property
    def declarations(self) -> tuple[Plugin, ...]:
        """What the enabled plugins declare, dependencies first."""
        return tuple(entry.plugin for entry in self.enabled if entry.plugin)

    @property
    def kinds(self) -> tuple[InteractionKind, ...]:
        """Kinds of interactions that plugins add."""
        return tuple(kind for plugin in self.declarations for kind in plugin.kinds)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Channels that plugins add."""
        return tuple(channel for plugin in self.declarations for channel in plugin.channels)

    @property
    def permissions(self) -> tuple[Permission, ...]:
        """Permissions that plugins add."""
        return tuple(permission for plugin in self.declarations for permission in plugin.permissions)

    @property
    def events(self) -> "tuple[type[Event], ...]":
        """Event classes that plugins add."""
        return tuple(event for plugin in self.declarations for event in plugin.events)

    @property
    def jobs(self) -> "tuple[DeclaredJob, ...]":
        """Jobs of the plugins, each with the settings of its plugin."""
        return tuple(
            DeclaredJob(job, entry.settings)
            for entry in self.enabled
            if entry.plugin
            for job in entry.plugin.jobs
        )

    @property
    def routes(self) -> tuple[DeclaredRoute, ...]:
        """Addresses of the plugins, each with the settings of its plugin."""
        return tuple(
            DeclaredRoute(entry.name, route, entry.settings)
            for entry in self.enabled
            if entry.plugin
            for route in entry.plugin.routes
        )

    def app_migrations(self) -> tuple[AppMigrations, ...]:
        """The tables of the enabled plugins, dependencies first."""
        apps: dict[str, AppMigrations] = {}
        for plugin in self.declarations:
            if plugin.models and plugin.migrations:
                others = tuple(name for name in (*plugin.requires, *plugin.uses) if name in apps)
                apps[plugin.name] = AppMigrations(
                    label=plugin.name,
                    models=plugin.models,
                    migrations=plugin.migrations,
                    depends_on=others,
                )
        return tuple(apps.values())

    def schema_parts(self) -> "tuple[tuple[str, SchemaParts], ...]":
        """What each plugin adds to the schema, by its name. A plugin that fails here is taken out."""
        parts: dict[str, SchemaParts] = {}
        for impl in self._implementations("schema"):
            if self._plugins[impl.plugin_name].status is not PluginStatus.ENABLED:
                continue
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    parts[impl.plugin_name] = self._call(impl, "schema", {})
            except Exception as error:
                log.debug("schema of %s failed", impl.plugin_name, exc_info=True)
                self.refuse(
                    impl.plugin_name,
                    f"Its hook schema failed: {_one_line(error)}.",
                    "Run with the log level debug to see where.",
                    PluginStatus.BROKEN,
                )
        return tuple(
            (name, part) for name, part in parts.items() if self._plugins[name].status is PluginStatus.ENABLED
        )

    @property
    def guards(self) -> tuple[EventsHook, ...]:
        """`before_change` of each plugin. A `CrmError` refuses the change; a crash does so too, masked."""
        return tuple(self._guard(impl) for impl in self._implementations("before_change"))

    @property
    def handlers(self) -> tuple[EventsHook, ...]:
        """`on_events` of each plugin. What one raises gets out, for the storage to deliver again later."""
        return tuple(self._handler(impl) for impl in self._implementations("on_events"))

    @property
    def handling(self) -> Mapping[str, Handling]:
        """Which events the handlers get, and when, by the plugins' names."""
        return {plugin.name: plugin.handling for plugin in self.declarations}

    async def timeline(
        self,
        customer_ids: Sequence[str],
        before: datetime | None,
        limit: int,
        kinds: Sequence[str] | None,
        reader: "Reader",
        *,
        without: Collection[str] = (),
    ) -> Timeline:
        """The newest `limit` entries of each customer. A plugin that fails is named; the others' stay.

        Plugins named in `without` are not asked.
        """
        arguments = {
            "customer_ids": customer_ids,
            "before": before,
            "limit": limit,
            "kinds": kinds,
            "reader": reader,
        }
        customers = set(customer_ids)
        entries, failures = await self._each(
            "timeline", arguments, without, "entries", lambda given: own_entries(given, customers, limit)
        )
        entries.sort(key=lambda entry: (entry.at, entry.id), reverse=True)
        return Timeline(entries=tuple(entries), failures=failures)

    async def figures(
        self, window: Window, group_by: str | None, reader: "Reader", *, without: Collection[str] = ()
    ) -> Figures:
        """The figures of all plugins. One that fails is named; the others' stay."""
        arguments = {"window": window, "group_by": group_by, "reader": reader}
        found, failures = await self._each("figures", arguments, without, "figures", own_figures)
        return Figures(found=tuple(found), failures=failures)

    async def signals(
        self, customer_ids: Iterable[str], reader: "Reader", *, without: Collection[str] = ()
    ) -> Signals:
        """What stands out about each customer. A plugin that fails is named; the others' stay."""
        keys = tuple(dict.fromkeys(customer_ids))
        if not keys:
            return Signals(by_customer={}, failures={})
        arguments = {"customer_ids": keys, "reader": reader}
        customers = set(keys)
        found, failures = await self._each(
            "signals", arguments, without, "signals", lambda given: own_signals(given, customers)
        )
        return Signals.of(keys, found, failures)

    async def signalled(self, reader: "Reader", *, without: Collection[str] = ()) -> Signalled:
        """Whom each plugin has signals about. A plugin that fails is named; the others' stay."""
        conditions: dict[str, Fragment] = {}
        failures: dict[str, str] = {}
        for impl in self._implementations("signalled"):
            name = impl.plugin_name
            if name in without:
                continue
            try:
                answer = await self._call(impl, "signalled", {"reader": reader})
                if answer is not None:
                    if not isinstance(getattr(answer, "sql", None), str):
                        raise TypeError(f"{cut(answer, 40)} is no Fragment")
                    conditions[name] = answer
            except Exception:
                log.exception("signalled of plugin %s failed", name)
                failures[name] = f"The signals of the plugin {name} are missing: it failed."
        return Signalled(conditions=conditions, failures=failures)

    async def send(self, message: "OutgoingMessage") -> str | None:
        """The plugin that sent it; None if none serves its channel. Raises `Undelivered`."""
        for impl in self._implementations("send"):
            name = impl.plugin_name
            try:
                sent = await self._call(impl, "send", {"message": message})
            except CrmError as error:
                raise Undelivered(
                    f"The plugin {name} did not send it ({error.code}).",
                    detail=str(error),
                    lasting=error.code in (ErrorCode.REFUSED, ErrorCode.BAD_INPUT),
                ) from error
            except Exception as error:
                raise Undelivered(
                    f"The plugin {name} failed ({type(error).__name__}).", detail=_one_line(error)
                ) from error
            if sent is True:
                return name
            if sent is not False:  # it may have sent it: again and again would be worse than not
                raise Undelivered(
                    f"The plugin {name} answered {cut(sent, 40)} instead of True or False.", lasting=True
                )
        return None

    async def demo(
        self, customer_ids: Sequence[str], staff_ids: Sequence[str], tx: "UnitOfWork"
    ) -> dict[str, dict[str, int]]:
        """What was added, by plugin and name. Raises `CrmError` naming the plugin that failed."""
        return await self._counted("demo", {"customer_ids": customer_ids, "staff_ids": staff_ids, "tx": tx})

    async def merge_customers(
        self, winner: str, losers: Sequence[str], tx: "UnitOfWork"
    ) -> dict[str, dict[str, int]]:
        """Rows moved, by plugin and table. Raises `CrmError` naming the plugin that failed."""
        return await self._counted("merge_customers", {"winner": winner, "losers": losers, "tx": tx})

    async def export_customer(self, customer_id: str, tx: "UnitOfWork") -> dict[str, dict[str, Any]]:
        """What each plugin holds on the customer. Raises `CrmError` naming the plugin that failed."""
        arguments = {"customer_id": customer_id, "tx": tx}
        return {
            impl.plugin_name: await self._answer(impl, "export_customer", arguments)
            for impl in self._implementations("export_customer")
        }

    async def erase_customer(self, customer_id: str, tx: "UnitOfWork") -> dict[str, dict[str, int]]:
        """Rows touched, by plugin and table. Raises `CrmError` naming the plugin that failed."""
        return await self._counted("erase_customer", {"customer_id": customer_id, "tx": tx})

    async def _each(
        self,
        hook: str,
        arguments: Mapping[str, Any],
        without: Collection[str],
        what: str,
        own: Callable[[list[A]], list[A]],
    ) -> tuple[list[A], dict[str, str]]:
        """What every plugin answers, under its name, and a message for each that failed.

        `own` looks through a plugin's answer, and raises for one that is at fault.
        """
        found: list[A] = []
        failures: dict[str, str] = {}
        for impl in self._implementations(hook):
            name = impl.plugin_name
            if name in without:
                continue
            try:
                answers = own(list(await self._call(impl, hook, arguments)))
                found += [replace(answer, plugin=name) for answer in answers]
            except Exception:
                log.exception("%s of plugin %s failed", hook, name)
                failures[name] = f"The {what} of the plugin {name} are missing: it failed."
        return found, failures

    def _implementations(self, hook: str) -> list[pluggy.HookImpl]:
        caller: pluggy.HookCaller = getattr(self._manager.hook, hook)
        return caller.get_hookimpls()

    def _call(self, impl: pluggy.HookImpl, hook: str, arguments: Mapping[str, Any]) -> Any:
        given = {**arguments, "settings": self._plugins[impl.plugin_name].settings}
        names = (*impl.argnames, *impl.kwargnames)
        with contained():
            answer = traced(hook, impl.plugin_name, impl.function, {name: given[name] for name in names})
        return _awaited(answer) if isawaitable(answer) else answer

    def _handler(self, impl: pluggy.HookImpl) -> EventsHook:
        async def call(events: "Sequence[Event]", tx: "UnitOfWork") -> None:
            await self._call(impl, "on_events", {"events": events, "tx": tx})

        return EventsHook(impl.plugin_name, call)

    def _guard(self, impl: pluggy.HookImpl) -> EventsHook:
        async def call(events: "Sequence[Event]", tx: "UnitOfWork") -> None:
            try:
                await self._call(impl, "before_change", {"events": events, "tx": tx})
            except CrmError:
                raise
            except Exception as error:
                raise _crash(impl.plugin_name, "before_change", error) from error

        return EventsHook(impl.plugin_name, call)

    async def _counted(self, hook: str, arguments: Mapping[str, Any]) -> dict[str, dict[str, int]]:
        counts: dict[str, dict[str, int]] = {}
        for impl in self._implementations(hook):
            answer = await self._answer(impl, hook, arguments)
            if not all(isinstance(count, int) for count in answer.values()):
                raise _wrong_answer(impl.plugin_name, hook, answer)
            counts[impl.plugin_name] = answer
        return counts

    async def _answer(self, impl: pluggy.HookImpl, hook: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        name = impl.plugin_name
        try:
            answer = await self._call(impl, hook, arguments)
        except CrmError as error:
            message = f"The plugin {name} refused: {error.message}"
            raise CrmError(error.code, message, path=error.path, hint=error.hint) from error
        except Exception as error:
            raise _crash(name, hook, error) from error
        if not isinstance(answer, Mapping):
            raise _wrong_answer(name, hook, answer)
        return dict(answer)


async def _awaited(answer: Awaitable[Any]) -> Any:
    with contained():
        return await answer


def _crash(plugin: str, hook: str, error: Exception) -> CrmError:
    """The fault of a plugin, without its text: that may hold what a client must not see."""
    log.error("hook %s of plugin %s failed", hook, plugin, exc_info=error)
    return PluginCrash(
        ErrorCode.INTERNAL,
        f"The plugin {plugin} failed in {hook}; nothing was changed.",
        hint="The log has the cause. Disabling the plugin lets the operation through without it.",
    )


def _wrong_answer(plugin: str, hook: str, answer: object) -> CrmError:
    wanted = {"export_customer": "what it holds by name", "demo": "how much it added, by name"}.get(
        hook, "the number of rows by table"
    )
    log.error("hook %s of plugin %s answered %r instead of %s", hook, plugin, answer, wanted)
    return PluginCrash(
        ErrorCode.INTERNAL,
        f"The plugin {plugin} did not answer {hook} as it should; nothing was changed.",
        hint=f"It should answer {wanted}: tell its makers.",
    )


def _one_line(error: Exception) -> str:
    text = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
