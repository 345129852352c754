"""Finds plugins, imports the enabled ones, checks and orders them. Whatever is wrong with one never gets out:
the plugin is skipped, with a status, a reason and a hint."""

import contextlib
import importlib
import importlib.util
import io
import logging
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

import crm_framework
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.hiding import without_secrets
from crm_framework.settings import Settings, nearest, plugin_settings

from .checks import check_api, check_declaration, check_hooks, check_models
from .dispatch import PluginHost
from .loaded import LoadedPlugin, PluginFault, PluginStatus
from .order import in_order, missing_requirement
from .specs import Plugin

GROUP = "crm_framework.plugins"

log = logging.getLogger("crm_framework.hooks")


@dataclass(frozen=True, kw_only=True)
class Found:
    """A plugin that could be loaded: an entry point of a distribution, or a file."""

    name: str
    origin: str
    load: Callable[[], ModuleType]
    version: str | None = None
    summary: str | None = None


def load_plugins(settings: Settings) -> PluginHost:
    """The host with every plugin that is installed, lies in `plugin_dir` or is asked for in `plugins`.

    Only enabled plugins are imported. Raises `CrmError` only where `plugin_dir` is no folder.
    """
    found = [*_installed(tuple(sys.path)), *_files(settings.plugin_dir)]
    wanted = dict.fromkeys(settings.plugins)
    loaded: dict[str, LoadedPlugin] = {}
    for name in sorted({plugin.name for plugin in found} | set(wanted)):
        candidates = [plugin for plugin in found if plugin.name == name]
        loaded[name] = _load(name, candidates, settings) if name in wanted else _disabled(name, candidates)
    for name in wanted:
        if loaded[name].status is PluginStatus.MISSING:
            close = nearest(name, {plugin.name for plugin in found})
            hint = f"Did you mean {close}?" if close else f"Install it, or take {name} out of plugins."
            loaded[name] = replace(loaded[name], hint=hint)
    ordered = _ordered(loaded)
    problems = _unknown_sections(settings, loaded)
    for name, plugin in ordered.items():
        if plugin.reason:
            log.warning("plugin %s is %s: %s %s", name, plugin.status.lower(), plugin.reason, plugin.hint)
    for problem in problems:
        log.warning("%s", problem)
    return PluginHost(list(ordered.values()), problems)


@lru_cache(maxsize=1)
def _installed(path: tuple[str, ...]) -> list[Found]:
    """Each distribution once, although one may be found in several places of the path.

    Looked for once a process: it reads the files of every distribution that is installed.
    """
    return [_of_entry_point(entry) for entry in entry_points(group=GROUP)]


def _of_entry_point(entry: EntryPoint) -> Found:
    assert entry.dist is not None  # it is not only for entry points that were made by hand
    known = entry.dist.metadata  # parsed anew each time that it is asked for
    summaries: list[str] = known.get_all("Summary", [])
    return Found(
        name=entry.name,
        origin=f"{known['Name']} {known['Version']}",
        load=_entry_point_loader(entry),
        version=known["Version"],
        summary=summaries[0] if summaries else None,
    )


def _entry_point_loader(entry: EntryPoint) -> Callable[[], ModuleType]:
    def load() -> ModuleType:
        if entry.attr:
            raise PluginFault(
                PluginStatus.BROKEN,
                f"The entry point {entry.name} = {entry.value} names something in a module.",
                f'Name the module alone: {entry.name} = "{entry.module}".',
            )
        return importlib.import_module(entry.module)

    return load


def _files(folder: str | None) -> Iterable[Found]:
    if folder is None:
        return
    path = Path(folder)
    if not path.is_dir():
        raise CrmError(
            ErrorCode.CONFIGURATION,
            f"plugin_dir is {folder}, which is no folder.",
            hint="Make it or change it.",
        )
    for file in sorted(path.glob("*.py")):
        if not file.name.startswith("_"):
            yield Found(name=file.stem, origin=str(file), load=_file_loader(file))


def _file_loader(file: Path) -> Callable[[], ModuleType]:
    def load() -> ModuleType:
        # Registered under a name of its own: annotations and Tortoise look modules up in sys.modules.
        name = f"crm_plugin_file_{file.stem}"
        loaded = sys.modules.get(name)
        if loaded is not None and loaded.__file__ == str(file):
            return loaded  # run once like any module: its models are known to the ORM for good
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
        return module

    return load


def _disabled(name: str, candidates: list[Found]) -> LoadedPlugin:
    first = candidates[0]
    return LoadedPlugin(
        name=name,
        status=PluginStatus.DISABLED,
        origin=first.origin,
        version=first.version,
        summary=first.summary,
    )


def _load(name: str, candidates: list[Found], settings: Settings) -> LoadedPlugin:
    if not candidates:
        return LoadedPlugin(
            name=name, status=PluginStatus.MISSING, reason="It is enabled, but not installed."
        )
    first = candidates[0]
    known = replace(_disabled(name, candidates), status=PluginStatus.ENABLED)
    if len(candidates) > 1:
        origins = " and ".join(candidate.origin for candidate in candidates)
        return replace(
            known,
            status=PluginStatus.REFUSED,
            reason=f"There are {len(candidates)} plugins of this name: {origins}.",
            hint="Uninstall all but one of them.",
        )
    try:
        module = _import(first.load)
        known = replace(known, module=module)
        plugin = check_declaration(module, name)
        known = replace(known, plugin=plugin, summary=plugin.summary)
        check_api(plugin, crm_framework.API_VERSION)
        check_hooks(module)
        if plugin.models:
            models = plugin.models
            check_models(plugin, _import(lambda: importlib.import_module(models)), module)
        return replace(known, settings=plugin_settings(settings, name, plugin.settings))
    except PluginFault as fault:
        return replace(known, status=fault.status, reason=fault.reason, hint=fault.hint)
    except CrmError as error:
        return replace(
            known,
            status=PluginStatus.MISCONFIGURED,
            reason=without_secrets(error.message),
            hint=without_secrets(error.hint or "Correct its section of the settings."),
        )


def import_part(name: str) -> ModuleType:
    """A module of a plugin, when it is wanted. Raises `PluginFault`, whatever goes wrong in it."""
    return _import(lambda: importlib.import_module(name))


def _import(load: Callable[[], ModuleType]) -> ModuleType:
    """Runs the plugin's code; nothing that it raises or prints gets out."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            return load()
    except (KeyboardInterrupt, PluginFault):
        raise
    except BaseException as error:  # a plugin may call sys.exit()
        log.debug("import failed", exc_info=True)
        raise _import_fault(error) from None
    finally:
        if printed.getvalue():
            log.debug("printed on import: %s", printed.getvalue())


def _import_fault(error: BaseException) -> PluginFault:
    if isinstance(error, ImportError) and error.name == "crm_framework":
        return PluginFault(
            PluginStatus.INCOMPATIBLE,
            f"It cannot be imported: {error.msg.partition(' (')[0]}.",
            "It was written for another version of crm-framework: upgrade the one or the other.",
        )
    hint = "Run with the log level debug to see where."
    if isinstance(error, ModuleNotFoundError) and error.name:
        hint = f"Install what provides {error.name.partition('.')[0]}, or correct the import."
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "importlib" not in frame.filename and not frame.filename.startswith("<")
    ]
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if len(frames) > 2 else ""
    text = str(error).partition("\n")[0]
    return PluginFault(
        PluginStatus.BROKEN,
        f"It cannot be imported: {type(error).__name__}{f': {text}' if text else ''}{place}.",
        hint,
    )


def _ordered(loaded: dict[str, LoadedPlugin]) -> dict[str, LoadedPlugin]:
    """Enabled plugins in the order of their dependencies, then the others by name."""
    working: dict[str, Plugin] = {
        name: entry.plugin
        for name, entry in loaded.items()
        if entry.status is PluginStatus.ENABLED and entry.plugin
    }
    order, circular = in_order(working)
    result = dict(loaded)
    for name, fault in circular.items():
        result[name] = _faulty(result[name], fault)
    enabled: list[str] = []
    words: dict[tuple[str, str], str] = {}
    for name in order:
        plugin = working[name]
        statuses = {other: (entry.status, entry.reason) for other, entry in result.items()}
        wrong = missing_requirement(plugin, enabled, statuses) or _clash(plugin, words)
        if wrong:
            result[name] = _faulty(result[name], wrong)
            continue
        enabled.append(name)
        words |= dict.fromkeys(_words(plugin), name)
    rest = sorted(set(result) - set(enabled))
    return {name: result[name] for name in (*enabled, *rest)}


def _words(plugin: Plugin) -> list[tuple[str, str]]:
    return [
        *(("interaction kind", kind.name) for kind in plugin.kinds),
        *(("channel", channel.name) for channel in plugin.channels),
    ]


def _clash(plugin: Plugin, words: dict[tuple[str, str], str]) -> PluginFault | None:
    for what, name in _words(plugin):
        owner = words.get((what, name))
        if owner:
            return PluginFault(
                PluginStatus.REFUSED,
                f"The {what} {name} belongs to the plugin {owner}.",
                f"Disable one of {owner} and {plugin.name}, or rename it in one of them.",
            )
    return None


def _faulty(entry: LoadedPlugin, fault: PluginFault) -> LoadedPlugin:
    return replace(entry, status=fault.status, reason=fault.reason, hint=fault.hint)


def _unknown_sections(settings: Settings, loaded: dict[str, LoadedPlugin]) -> list[str]:
    """Sections of the file that no plugin reads. Variables of the environment may be someone else's."""
    problems = []
    for section in sorted(set(settings.sections) - set(loaded)):
        close = nearest(section, loaded)
        todo = f"Did you mean [{close}]?" if close else "Install that plugin, or remove the section."
        problems.append(f"{settings.config_path or 'settings'}: no plugin reads section [{section}]. {todo}")
    return problems
