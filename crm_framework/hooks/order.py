"""The order of plugins: dependencies first, else by name. It does not depend on how they were installed."""

from collections.abc import Iterable, Mapping

from .loaded import PluginFault, PluginStatus
from .specs import Plugin


def in_order(plugins: Mapping[str, Plugin]) -> tuple[list[str], dict[str, PluginFault]]:
    """Names in the order of loading, and for those in a circle of dependencies what is wrong with them."""
    before = {
        name: {other for other in (*plugin.requires, *plugin.uses) if other in plugins}
        for name, plugin in plugins.items()
    }
    order: list[str] = []
    waiting = dict(before)
    while waiting:
        ready = min((name for name, others in waiting.items() if others <= set(order)), default=None)
        if ready is None:
            break
        order.append(ready)
        del waiting[ready]
    faults: dict[str, PluginFault] = {}
    for name in sorted(waiting):
        circle = _circle(name, waiting)
        if circle:
            faults[name] = PluginFault(
                PluginStatus.BLOCKED,
                f"Plugins depend on each other in a circle: {' → '.join(circle)}.",
                f"Remove one of them from plugins, or one of these names from requires or uses of {name}.",
            )
    if faults:
        rest, more = in_order({name: plugin for name, plugin in plugins.items() if name not in faults})
        return rest, faults | more
    return order, faults


def missing_requirement(
    plugin: Plugin, enabled: Iterable[str], statuses: Mapping[str, tuple[PluginStatus, str | None]]
) -> PluginFault | None:
    """What is wrong where something that the plugin requires is not among the enabled ones."""
    present = set(enabled)
    for name in plugin.requires:
        if name in present:
            continue
        status, reason = statuses.get(name, (PluginStatus.MISSING, None))
        if status is PluginStatus.MISSING:
            why, hint = "which is not installed", f"Install {name} and enable it."
        elif status is PluginStatus.DISABLED:
            why, hint = "which is not enabled", f"Enable it: crm plugins enable {name}."
        else:
            why, hint = f"which is {status.lower()}", f"Mend {name} first: {reason}"
        return PluginFault(PluginStatus.BLOCKED, f"It requires {name}, {why}.", hint)
    return None


def _circle(start: str, others: Mapping[str, set[str]]) -> list[str]:
    """A shortest way from a name back to itself."""
    ways = [[start]]
    seen: set[str] = set()
    while ways:
        way = ways.pop(0)
        for name in sorted(others.get(way[-1], ())):
            if name == start:
                return [*way, start]
            if name not in seen:
                seen.add(name)
                ways.append([*way, name])
    return []
