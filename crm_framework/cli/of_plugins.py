"""Commands that plugins bring: what `crm --help` says of them, and how one is found when it is called.

For the help nothing of a plugin runs, and nothing heavy loads: the call `Plugin(…)` is read as text.
"""

import ast
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from crm_framework.hooks.loaded import LoadedPlugin

GROUP = "crm_framework.plugins"
PLUGIN = "crm_framework.plugin"
"""Where the context of a call keeps whose command it is."""


class Announced(NamedTuple):
    """A group of commands of an enabled plugin, as its declaration says."""

    name: str
    summary: str


def announced(config: str | None, environ: Mapping[str, str] | None = None) -> list[Announced]:
    """The groups of the enabled plugins. What cannot be read has none: `crm plugins list` says why."""
    enabled, folder = _enabled(config, os.environ if environ is None else environ)
    if not enabled:
        return []
    places = dict(_files(folder)) | dict(_modules(enabled))
    found = [_declared(name, places[name]) for name in sorted(set(enabled)) if name in places]
    return [one for one in found if one is not None]


def command_of(context: click.Context, name: str) -> click.Command | None:
    """The commands of a plugin; None where there is no such plugin.

    Raises `CrmError` naming the plugin where it is not enabled, does not work, or has no commands.
    """
    from crm_framework.errors import CrmError, ErrorCode
    from crm_framework.hooks.discovery import load_plugins
    from crm_framework.hooks.loaded import PluginStatus

    from .running import settings_of

    plugin = name.replace("-", "_")
    entry = load_plugins(settings_of(context)).get(plugin)
    if entry is None:
        return None
    if entry.status is PluginStatus.DISABLED:
        raise CrmError(
            ErrorCode.CONFIGURATION,
            f"The plugin {plugin} is not enabled, so it has no commands.",
            hint=f"Enable it: crm plugins enable {plugin}.",
        )
    if entry.status is not PluginStatus.ENABLED:
        raise CrmError(
            ErrorCode.CONFIGURATION,
            f"The plugin {plugin} is {entry.status.lower()}, so its commands cannot run: {entry.reason}",
            hint=entry.hint,
        )
    command = load_commands(entry)
    context.meta[PLUGIN] = plugin
    return command


def load_commands(entry: "LoadedPlugin") -> click.Group:
    """The group of an enabled plugin. Raises `CrmError` where it has none that can be loaded."""
    from crm_framework.errors import CrmError, ErrorCode
    from crm_framework.hooks.discovery import import_part
    from crm_framework.hooks.loaded import PluginFault

    module = entry.plugin.commands if entry.plugin is not None else None
    if module is None:
        raise CrmError(ErrorCode.CONFIGURATION, f"The plugin {entry.name} has no commands.")
    try:
        command = getattr(import_part(module), "command", None)
    except PluginFault as fault:
        raise CrmError(
            ErrorCode.CONFIGURATION,
            f"The commands of the plugin {entry.name} cannot be loaded. {fault.reason}",
            hint=fault.hint,
        ) from None
    if not isinstance(command, click.Group):
        raise CrmError(
            ErrorCode.CONFIGURATION,
            f"The plugin {entry.name} has no commands: {module} has no click.Group named command.",
            hint="Tell its makers; all other commands work.",
        )
    return command


def _enabled(config: str | None, environ: Mapping[str, str]) -> tuple[list[str], str | None]:
    """The names in `plugins`, and `plugin_dir`, from where the settings take them."""
    values: dict[str, Any] = {}
    with suppress(OSError, ValueError):
        values = tomllib.loads(Path(config or environ.get("CRM_CONFIG") or "crm.toml").read_text("utf-8"))
    names, folder = values.get("plugins", []), values.get("plugin_dir")
    if "CRM_PLUGINS" in environ:
        names = [name.strip() for name in environ["CRM_PLUGINS"].split(",")]
    folder = environ.get("CRM_PLUGIN_DIR", folder)
    enabled = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    return enabled, folder if isinstance(folder, str) else None


def _files(folder: str | None) -> Iterator[tuple[str, Path]]:
    for file in Path(folder).glob("*.py") if folder else ():
        yield file.stem, file


def _modules(enabled: list[str]) -> Iterator[tuple[str, Path]]:
    """Where the modules of the installed plugins lie. Finding one inside a package would run that."""
    from importlib.metadata import entry_points

    for entry in entry_points(group=GROUP):
        if entry.name in enabled and "." not in entry.module:
            try:
                spec = find_spec(entry.module)
            except (ImportError, ValueError):
                continue
            if spec is not None and spec.origin is not None:
                yield entry.name, Path(spec.origin)


def _declared(name: str, place: Path) -> Announced | None:
    try:
        tree = ast.parse(place.read_text("utf-8"))
    except (OSError, ValueError, SyntaxError, RecursionError):
        return None
    for node in reversed(tree.body):
        if not (isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Call)):
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if any(isinstance(target, ast.Name) and target.id == "plugin" for target in targets):
            given = {one.arg: one.value for one in node.value.keywords}
            if "commands" not in given or _text(given["commands"]) == "":
                return None
            return Announced(name, re.sub(r"\s+", " ", _text(given.get("summary"))))
    return None


def _text(node: ast.expr | None) -> str:
    """A text that is written as one; for None nothing, and for what is computed its source."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    return "" if node is None else ast.unparse(node)
