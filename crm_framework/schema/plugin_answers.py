"""What plugins tell each other in the name of one actor: of those alone whose records the actor may see."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from crm_framework.engine.sql import Fragment, among
from crm_framework.hooks.answers import Figures, Signalled, Signals
from crm_framework.hooks.specs import Window
from crm_framework.security.actors import ALL, INTERNAL, SEE_CUSTOMERS, WITHIN

if TYPE_CHECKING:
    from .context import RequestContext


def unreadable(context: "RequestContext") -> set[str]:
    """The plugins whose records the actor may not see on as many customers as they see."""
    return {
        name
        for name, permission in _readings(context).items()
        if not (context.may(permission) and context.may(f"{WITHIN}{permission}:{SEE_CUSTOMERS}"))
    }


async def figures(context: "RequestContext", window: Window, group_by: str | None) -> Figures:
    """Of plugins without a permission of their own: for who sees all customers. Figures tell of all."""
    readings = _readings(context)
    without = {
        plugin.name
        for plugin in context.host.declarations
        if not context.may(ALL + readings.get(plugin.name, SEE_CUSTOMERS))
    }
    return await context.host.figures(window, group_by, context.reader, without=without)


async def signals(context: "RequestContext", customer_ids: Iterable[str]) -> Signals:
    """Nothing about customers out of the actor's reach, and nothing for customers' own tokens."""
    keys = tuple(dict.fromkeys(customer_ids))
    seen = await _within_reach(context, keys) if context.may(INTERNAL) else ()
    found = await context.host.signals(seen, context.reader, without=unreadable(context))
    return Signals(by_customer={key: found.by_customer.get(key, ()) for key in keys}, failures=found.failures)


async def signalled(context: "RequestContext") -> Signalled:
    """Of the customers within the actor's reach; nobody for customers' own tokens."""
    if not context.may(INTERNAL):
        return Signalled(conditions={}, failures={})
    found = await context.host.signalled(context.reader, without=unreadable(context))
    reach = context.actor.reach(SEE_CUSTOMERS)
    if reach is None:
        return found
    within = Fragment(*reach.of_row("t"))
    return Signalled(
        conditions={
            name: Fragment(f"({within.sql}) AND ({one.sql})", (*within.args, *one.args))
            for name, one in found.conditions.items()
        },
        failures=found.failures,
    )


def _readings(context: "RequestContext") -> dict[str, str]:
    """The permission to see the records of a plugin, for those that declare one."""
    return {
        plugin.name: permission.name
        for plugin in context.host.declarations
        for permission in plugin.permissions
        if permission.name == f"{plugin.name}.read"
    }


async def _within_reach(context: "RequestContext", keys: tuple[str, ...]) -> tuple[str, ...]:
    reach = context.actor.reach(SEE_CUSTOMERS)
    if reach is None or not keys:
        return keys
    named, within = among("t.id", keys, context.reader.dialect), Fragment(*reach.of_row("t"))
    rows = await context.reader.fetch(
        f"SELECT t.id FROM crm_customer AS t WHERE {named.sql} AND ({within.sql})",
        (*named.args, *within.args),
    )
    seen = {str(row["id"]) for row in rows}
    return tuple(key for key in keys if key in seen)
