"""`crm plugins`: what is installed, what each adds, and which are enabled."""

from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
from rich.table import Table

from crm_framework.cli.of_plugins import load_commands
from crm_framework.cli.running import console, run, settings_of
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.hooks.discovery import load_plugins
from crm_framework.hooks.dispatch import PluginHost
from crm_framework.hooks.loaded import LoadedPlugin, PluginStatus
from crm_framework.hooks.routes import Route
from crm_framework.runtime import migrations_of
from crm_framework.settings import DEFAULT_CONFIG, Settings, config_path, nearest, set_plugins


@click.group("plugins")
def command() -> None:
    """Plugins are installed with pip and enabled by name, in crm.toml or CRM_PLUGINS."""


@command.command("list")
@click.pass_context
def list_plugins(context: click.Context) -> None:
    """Every plugin that is installed or enabled, and whether it works."""
    host = checked_plugins(settings_of(context))
    if not host.plugins:
        console.print("No plugin is installed. `pip install` one, or make one: crm new-plugin NAME.")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "version", "status", "what it is, or what is wrong"):
        table.add_column(heading)
    for plugin in host.plugins:
        said = _wrong(plugin) if plugin.reason else plugin.summary
        table.add_row(plugin.name, plugin.version or "", plugin.status.lower(), said or "")
    console.print(table)
    for problem in host.problems:
        console.print(problem, markup=False)


@command.command("info")
@click.argument("name")
@click.pass_context
def info(context: click.Context, name: str) -> None:
    """One plugin: where it comes from, what it declares, which settings it has."""
    settings = settings_of(context)
    enabled = name in settings.plugins
    plugin, _ = _with(settings, name)
    status = plugin.status.lower() if enabled or plugin.reason else "disabled"
    console.print(f"{plugin.name} {plugin.version or ''} ({status})", style="bold", markup=False)
    for label, value in _facts(plugin):
        console.print(f"  {label:12} {value}", markup=False)


@command.command("plan")
@click.argument("name")
@click.pass_context
def plan(context: click.Context, name: str) -> None:
    """What enabling a plugin would add, from fields of the schema to migrations. Changes nothing."""
    from crm_framework.schema.core import compose_schema
    from crm_framework.storage.migration.migrator import pending

    settings = settings_of(context)
    plugin, host = _with(settings, name)
    schema = compose_schema(host)
    if plugin.status is not PluginStatus.ENABLED:
        raise CrmError(ErrorCode.CONFIGURATION, f"{name} cannot be enabled: {_wrong(plugin)}")
    assert plugin.plugin is not None
    for element in schema.added_by(name):
        console.print(f"schema      + {element}", markup=False)
    for permission in plugin.plugin.permissions:
        console.print(f"permission  + {permission.name}: {permission.description}", markup=False)
    for route in plugin.plugin.routes:
        console.print(_route(name, route), markup=False)
    for line in _commands(plugin):
        console.print(line, markup=False)
    for migration in run(pending(settings.database_url, migrations_of(host))):
        if migration.app == name:
            console.print(f"migration   + {migration}", markup=False)


@command.command("enable")
@click.argument("name")
@click.pass_context
def enable(context: click.Context, name: str) -> None:
    """Puts a plugin into `plugins` of the settings file, with those that it requires, once it is sound."""
    settings = settings_of(context)
    needed = _required(settings, name)
    plugin, _ = _with(settings, name, *needed)
    if plugin.status is not PluginStatus.ENABLED:
        raise CrmError(ErrorCode.CONFIGURATION, f"{name} cannot be enabled: {_wrong(plugin)}")
    file = _file(context)
    enabled = _in_file(file)
    if name in enabled:
        console.print(f"{name} is enabled already.")
        return
    set_plugins(file, [*dict.fromkeys([*enabled, *needed, name])])
    if needed:
        console.print(f"{name} requires {', '.join(needed)}, enabled too.")
    console.print(f"{name} is enabled in {file}. Run `crm migrate`, then start the server anew.")
    _warn_of_environment(settings, enabled)


@command.command("disable")
@click.argument("name")
@click.pass_context
def disable(context: click.Context, name: str) -> None:
    """Takes a plugin out of the settings file. Its schema goes, its tables stay as they are."""
    file = _file(context)
    enabled = _in_file(file)
    if name not in enabled:
        raise CrmError(ErrorCode.BAD_INPUT, f"{name} is not enabled in {file}.")
    host = load_plugins(settings_of(context))
    users = [other.name for other in host.plugins if other.plugin and name in other.plugin.requires]
    if users:
        raise CrmError(
            ErrorCode.CONFIGURATION,
            f"{', '.join(users)} require(s) {name}.",
            hint=f"Disable {users[0]} first.",
        )
    set_plugins(file, [other for other in enabled if other != name])
    console.print(f"{name} is disabled; its data is kept. Start the server anew.")
    _warn_of_environment(settings_of(context), enabled)


@command.command("uninstall")
@click.argument("name")
@click.option("--drop-data", is_flag=True, help="Drop the plugin's tables and all that is in them, for good.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def uninstall(context: click.Context, name: str, drop_data: bool, yes: bool) -> None:
    """Removes the data of a disabled plugin; without --drop-data, tells what would go."""
    from crm_framework.storage.migration.uninstall import uninstall as remove

    settings = settings_of(context)
    if name in settings.plugins:
        raise CrmError(
            ErrorCode.CONFIGURATION, f"{name} is enabled.", hint=f"Run `crm plugins disable {name}` first."
        )
    others = [plugin.name for plugin in load_plugins(settings).plugins if plugin.name != name]
    found = run(remove(settings.database_url, name, others=others))
    if not found.tables:
        console.print(f"The database holds nothing of {name}.")
        return
    for table, rows in found.tables.items():
        console.print(f"{table:40} {rows:>10} row(s)", markup=False)
    if not drop_data:
        console.print("Nothing was removed. With --drop-data these tables go, for good.")
        return
    if not yes:
        click.confirm(f"Drop {len(found.tables)} table(s) of {name}?", abort=True)
    run(remove(settings.database_url, name, drop_data=True, others=others))
    console.print(f"Removed. `pip uninstall` takes the program of {name} away too.")


def checked_plugins(settings: Settings) -> PluginHost:
    """The plugins as a server would have them: also those are named that do not fit into the schema."""
    from crm_framework.schema.core import compose_schema

    host = load_plugins(settings)
    if host.enabled:
        compose_schema(host)
    return host


def _required(settings: Settings, name: str) -> list[str]:
    """Plugins that are installed, not enabled, and needed for this one, each before those that require it."""
    needed: list[str] = []
    at = [name]
    while at:
        host = load_plugins(msgspec.structs.replace(settings, plugins=(*settings.plugins, *needed, name)))
        entry = host.get(at.pop())
        for other in entry.plugin.requires if entry and entry.plugin else ():
            if other not in (*settings.plugins, *needed, name) and host.get(other):
                needed.insert(0, other)
                at.append(other)
    return needed


def _with(settings: Settings, *names: str) -> tuple[LoadedPlugin, PluginHost]:
    """The first of the plugins as it would be if they were enabled too, and its host."""
    name = names[0]
    host = checked_plugins(
        msgspec.structs.replace(settings, plugins=tuple(dict.fromkeys([*settings.plugins, *names])))
    )
    plugin = host.get(name)
    assert plugin is not None
    if plugin.status is PluginStatus.MISSING:
        close = nearest(name, [other.name for other in host.plugins if other.name != name])
        raise CrmError(
            ErrorCode.NOT_FOUND,
            f"No plugin {name!r} is installed.",
            hint=f"Did you mean {close}?"
            if close
            else "Install it with pip first; `crm plugins list` shows all.",
        )
    return plugin, host


def _wrong(plugin: LoadedPlugin) -> str:
    return f"{plugin.reason or ''} {plugin.hint or ''}".strip()


def _route(plugin: str, route: Route) -> str:
    methods = ", ".join(route.methods)
    needs = route.permission or "without a token"
    most = f", {route.most_bytes:,} bytes at most" if route.most_bytes is not None else ""
    return f"route       + {methods} /plugins/{plugin}{route.path} ({needs}{most}): {route.description}"


def _commands(entry: LoadedPlugin) -> Iterator[str]:
    """A line for each command of the plugin; why there are none, where they cannot be loaded."""
    if entry.plugin is None or entry.plugin.commands is None:
        return
    try:
        group = load_commands(entry)
    except CrmError as error:
        yield f"command     ! {error}"
        return
    for name, each in sorted(group.commands.items()):
        yield f"command     + crm {entry.name} {name}: {each.get_short_help_str(200)}"


def _facts(entry: LoadedPlugin) -> Iterator[tuple[str, str]]:
    yield "from", entry.origin
    if entry.reason:
        yield "wrong", _wrong(entry)
    plugin = entry.plugin
    if plugin is None:
        return
    yield "what", plugin.summary
    yield "API", plugin.requires_api
    for label, names in (
        ("requires", plugin.requires),
        ("uses", plugin.uses),
        ("permissions", [permission.name for permission in plugin.permissions]),
        ("kinds", [kind.name for kind in plugin.kinds]),
        ("channels", [channel.name for channel in plugin.channels]),
        ("events", [event.type for event in plugin.events]),
        ("jobs", [job.name for job in plugin.jobs]),
        ("routes", [f"/plugins/{plugin.name}{route.path}" for route in plugin.routes]),
        ("commands", [f"crm {plugin.name}"] if plugin.commands else []),
        ("settings", [field.name for field in msgspec.structs.fields(plugin.settings)]),
    ):
        if names:
            yield label, ", ".join(names)


def _file(context: click.Context) -> Path:
    return config_path(context.find_root().obj) or Path(DEFAULT_CONFIG)


def _in_file(file: Path) -> list[str]:
    import tomllib

    return list(tomllib.loads(file.read_text()).get("plugins", [])) if file.exists() else []


def _warn_of_environment(settings: Settings, in_file: list[str]) -> None:
    if set(settings.plugins) != set(in_file):
        console.print("Note: CRM_PLUGINS is set and wins over the file.")
