"""Holds a plugin's declaration, hooks, tables and names against the contract."""

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import ModuleType
from typing import Any

import pluggy

from crm_framework.errors import CrmError
from crm_framework.settings import FIELDS, nearest

from .cron import check_cron
from .loaded import PluginFault, PluginStatus
from .routes import Route, fault_of, twice
from .specs import (
    PROJECT,
    Channel,
    Handling,
    Hooks,
    InteractionKind,
    Job,
    Permission,
    Plugin,
    PluginSettings,
)

NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
CUSTOMER = "crm.Customer"
JOB_NAME_LIMIT = 140
PRIVACY_HOOKS = ("merge_customers", "export_customer", "erase_customer")
RESERVED = frozenset(
    {
        "crm",
        "customers",
        "interactions",
        "staff",
        "tokens",
        "audit",
        "jobs",
        "message",
        "messages",
        "schema",
        "purchase",
        "refund",
        "setting",
    }
)
"""Prefixes of the core's tables, permissions and events."""

COMMANDS = frozenset(
    {
        "serve",
        "worker",
        "migrate",
        "makemigrations",
        "import",
        "export",
        "demo",
        "jobs",
        "webhooks",
        "roles",
        "token",
        "events",
        "audit",
        "plugins",
        "new_plugin",
        "persist",
        "schema",
        "explain",
        "doctor",
    }
)
"""The core's commands, as they would be called as plugins."""

_pluggy = pluggy.PluginManager(PROJECT)
SPECS: dict[str, Callable[..., Any]] = {
    name: function
    for name, function in inspect.getmembers(Hooks, inspect.isfunction)
    if _pluggy.parse_hookspec_opts(Hooks, name) is not None
}


def check_api(plugin: Plugin, provided: str) -> None:
    """The contract's version: the same major number, and no newer than ours."""
    match = re.fullmatch(r"(\d+)\.(\d+)", plugin.requires_api)
    if match is None:
        raise _broken(
            f"requires_api is {plugin.requires_api!r}, which is no version.",
            f'Write the version of the contract, such as requires_api="{provided}".',
        )
    major, minor = (int(part) for part in match.groups())
    our_major, our_minor = (int(part) for part in provided.split("."))
    if (major, minor) > (our_major, our_minor):
        hint = "Upgrade crm-framework, or install an older version of the plugin."
    elif major < our_major:
        hint = "Install a newer version of the plugin."
    else:
        return
    raise PluginFault(
        PluginStatus.INCOMPATIBLE,
        f"It was written for version {plugin.requires_api} of the plugin contract; this is {provided}.",
        hint,
    )


def check_declaration(module: ModuleType, name: str) -> Plugin:
    """The module's `plugin`, every part of the type that it should have and named as it should be."""
    plugin = getattr(module, "plugin", None)
    if not isinstance(plugin, Plugin):
        found = "has no attribute plugin" if plugin is None else f"has a {type(plugin).__name__} as plugin"
        raise _broken(f"The module {module.__name__} {found}.", "Write plugin = Plugin(name=…) in it.")
    for attribute in ("name", "requires_api", "summary"):
        _typed(attribute, getattr(plugin, attribute), str)
    for attribute in ("models", "migrations", "commands"):
        if getattr(plugin, attribute) is not None:
            _typed(attribute, getattr(plugin, attribute), str)
    _items("requires", plugin.requires, str)
    _items("uses", plugin.uses, str)
    _items("permissions", plugin.permissions, Permission)
    _items("kinds", plugin.kinds, InteractionKind)
    _items("channels", plugin.channels, Channel)
    _items("events", plugin.events, type)
    _items("jobs", plugin.jobs, Job)
    _items("routes", plugin.routes, Route)
    _typed("handling", plugin.handling, Handling)
    if plugin.handling.wanted is not None and not callable(plugin.handling.wanted):
        raise _broken("handling.wanted is no function.", "Name one that takes an event and answers a bool.")
    if not (isinstance(plugin.settings, type) and issubclass(plugin.settings, PluginSettings)):
        raise _broken("settings is no subclass of PluginSettings.", "Name the class, not an object of it.")
    if plugin.name != name:
        raise _broken(
            f"It calls itself {plugin.name}, but is installed as {name}.",
            f'Give the entry point or file and Plugin(name="{plugin.name}") the same name.',
        )
    if not NAME.fullmatch(name) or name in RESERVED or name in FIELDS:
        raise _broken(
            f"The name {name} cannot be used.",
            "Take lower-case letters, digits and single underscores, and no name of the core's own.",
        )
    if name in COMMANDS:
        raise PluginFault(
            PluginStatus.REFUSED,
            f"Its name is that of a command of the core: crm {name.replace('_', '-')}.",
            "Its own commands could not be reached, so no plugin may be called so: take another name.",
        )
    if bool(plugin.models) != bool(plugin.migrations):
        raise _broken("It names only one of models and migrations.", "Tables need both; give both or none.")
    _check_names(plugin)
    return plugin


def check_hooks(module: ModuleType) -> None:
    """Every marked function is a hook that exists, takes parameters that it has, and waits where it may."""
    seen: dict[str, str] = {}
    for attribute in sorted(dir(module)):
        options = _pluggy.parse_hookimpl_opts(module, attribute)
        if options is None:
            continue
        name = options.get("specname") or attribute
        function = getattr(module, attribute)
        if name not in SPECS:
            raise _unknown(f"There is no hook {name}", name, SPECS)
        if name in seen:
            raise _broken(
                f"Hook {name} is implemented twice: {seen[name]} and {attribute}.", "Keep one of them."
            )
        seen[name] = attribute
        _check_options(name, options)
        _check_signature(name, function)


def check_models(plugin: Plugin, models: ModuleType, module: ModuleType) -> None:
    """Tables carry the plugin's prefix, and whoever keeps a customer's id answers for it."""
    missing = [hook for hook in PRIVACY_HOOKS if not _implements(module, hook)]
    for model in _models(models):
        table = model._meta.db_table or model.__name__.lower()
        if not table.startswith(f"{plugin.name}_"):
            raise _broken(
                f"The table {table} of {model.__name__} does not begin with {plugin.name}_.",
                f'Set Meta.table = "{plugin.name}_…".',
            )
        if missing and _keeps_customer(model):
            raise _broken(
                f"The table {table} keeps a customer's id, but there is no {', '.join(missing)}.",
                "Implement merge_customers, export_customer and erase_customer.",
            )


def _keeps_customer(model: Any) -> bool:
    fields = model._meta.fields_map
    return "customer_id" in fields or any(
        getattr(field, "model_name", None) == CUSTOMER for field in fields.values()
    )


def _models(module: ModuleType) -> Iterator[Any]:
    """The plugin's own models in it: those that it imports from others belong to them."""
    package = module.__name__.partition(".")[0]
    for value in vars(module).values():
        meta = getattr(value, "_meta", None) if isinstance(value, type) else None
        if meta is not None and not meta.abstract and value.__module__.partition(".")[0] == package:
            yield value


def _implements(module: ModuleType, hook: str) -> bool:
    return any(
        options is not None and (options.get("specname") or attribute) == hook
        for attribute in dir(module)
        for options in [_pluggy.parse_hookimpl_opts(module, attribute)]
    )


def _check_names(plugin: Plugin) -> None:
    from crm_framework.events import Event

    prefix = f"{plugin.name}."
    for permission in plugin.permissions:
        if not permission.name.startswith(prefix):
            raise _broken(
                f"The permission {permission.name} does not begin with {prefix}", f"Call it {prefix}…"
            )
    for event in plugin.events:
        type_name = getattr(event, "type", None)
        if not (issubclass(event, Event) and dataclasses.is_dataclass(event) and isinstance(type_name, str)):
            raise _broken(
                f"{event.__name__} is no event class.",
                "Derive it from crm_framework.Event, as a frozen keyword-only dataclass with a type.",
            )
        if not type_name.startswith(prefix):
            raise _broken(
                f"The type {type_name} of {event.__name__} does not begin with {prefix}",
                f'Set type = "{prefix}…".',
            )
    words: list[InteractionKind | Channel] = [*plugin.kinds, *plugin.channels]
    for word in words:
        if not NAME.fullmatch(word.name) or len(word.name) > 40:
            raise _broken(
                f"{word.name!r} cannot be the name of a kind or channel.",
                "Take lower-case letters, digits and single underscores, 40 at most.",
            )
    for job in plugin.jobs:
        _check_job(job, prefix)
    for route in plugin.routes:
        if fault := fault_of(route):
            raise _broken(*fault)
    if again := twice(plugin.routes):
        raise _broken(f"It declares the route {' '.join(again)} twice.", "Keep one of them.")
    named: list[Permission | InteractionKind | Channel | Job] = [*plugin.permissions, *words, *plugin.jobs]
    for thing in named:
        if not thing.description.strip():
            raise _broken(f"{thing.name} has no description.", "Say in a sentence what it is for.")
    for group in (plugin.permissions, plugin.kinds, plugin.channels, plugin.jobs):
        names = [thing.name for thing in group]
        for name in names:
            if names.count(name) > 1:
                raise _broken(f"It declares {name} twice.", "Keep one of them.")


def _check_job(job: Job, prefix: str) -> None:
    if not job.name.startswith(prefix) or not NAME.fullmatch(job.name.removeprefix(prefix)):
        raise _broken(
            f"The job {job.name!r} is not named as it should be.",
            f'Call it "{prefix}…", such as {prefix}tidy_up.',
        )
    if len(job.name) > JOB_NAME_LIMIT:
        raise _broken(
            f"The name of the job {job.name} is too long.", f"Take {JOB_NAME_LIMIT} characters at most."
        )
    if not inspect.iscoroutinefunction(job.run):
        raise _broken(
            f"run of the job {job.name} is no function made with async def.", "Write async def run(job)."
        )
    if len(inspect.signature(job.run).parameters) != 1:
        raise _broken(f"run of the job {job.name} takes not just the run.", "Write async def run(job).")
    if job.attempts < 1 or not job.timeout_s > 0:
        raise _broken(
            f"The job {job.name} could never run.", "Allow at least one attempt, and a timeout_s above 0."
        )
    try:
        check_cron(job.cron, job.time_zone)
    except CrmError as error:
        raise _broken(f"The job {job.name}: {error.message}", error.hint or "Correct it.") from None


def _check_options(name: str, options: Any) -> None:
    for option in ("wrapper", "hookwrapper", "tryfirst", "trylast", "optionalhook"):
        if options.get(option):
            raise _broken(
                f"Hook {name} is marked with {option}.",
                "Plugins are called in the order of their dependencies: use requires or uses.",
            )


def _check_signature(name: str, function: Callable[..., Any]) -> None:
    spec = SPECS[name]
    known = [parameter for parameter in inspect.signature(spec).parameters if parameter != "self"]
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise _broken(
                f"Hook {name} takes {parameter}, which hooks cannot.", f"Take some of: {', '.join(known)}."
            )
        if parameter.name not in known:
            raise _unknown(f"Hook {name} has no parameter {parameter.name}", parameter.name, known)
    if inspect.iscoroutinefunction(spec) != inspect.iscoroutinefunction(function):
        wanted = "async def" if inspect.iscoroutinefunction(spec) else "def"
        raise _broken(f"Hook {name} must be a function made with {wanted}.", f"Write {wanted} {name}(…).")


def _typed(attribute: str, value: object, wanted: type) -> None:
    if not isinstance(value, wanted) or (wanted is str and not value):
        raise _broken(
            f"{attribute} is {value!r}.", f"Make it a {'text' if wanted is str else wanted.__name__}."
        )


def _items(attribute: str, values: object, wanted: type) -> None:
    noun = {str: "text", type: "class"}.get(wanted, wanted.__name__)
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise _broken(f"{attribute} is no list.", f"Make it a list or tuple of {noun}.")
    for value in values:
        if not isinstance(value, wanted):
            raise _broken(f"{attribute} holds {value!r}.", f"Make it a list or tuple of {noun}.")


def _unknown(what: str, word: str, known: Iterable[str]) -> PluginFault:
    close = nearest(word, known)
    return _broken(f"{what}.", f"Did you mean {close}?" if close else f"There are: {', '.join(known)}.")


def _broken(reason: str, hint: str) -> PluginFault:
    return PluginFault(PluginStatus.BROKEN, reason, hint)
