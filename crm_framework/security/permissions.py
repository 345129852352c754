"""The permissions that exist: those of the core and of the enabled plugins."""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cached_property

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.hooks.specs import Permission, Plugin

from .actors import EVERYTHING

CORE_PERMISSIONS = (
    Permission(
        "customers.read", "See customers, their contact points, tags and attributes.", self_service=True
    ),
    Permission("customers.write", "Create and change customers, their contact points, tags and consent."),
    Permission("customers.confidential", "See, and mark, customers that are confidential."),
    Permission("customers.merge", "Merge customers that are the same."),
    Permission("customers.erase", "Erase what is held on a person, for good."),
    Permission("customers.export", "Export everything held on a person."),
    Permission("interactions.read", "See interactions, purchases and timelines.", self_service=True),
    Permission("interactions.write", "Log interactions and record purchases and refunds."),
    Permission("staff.read", "See members of staff."),
    Permission("staff.write", "Create and change members of staff."),
    Permission("settings.read", "See attribute definitions, segments and contact rules."),
    Permission("settings.write", "Change attribute definitions, segments and contact rules."),
    Permission("tokens.manage", "Create, list and revoke tokens."),
    Permission("tokens.impersonate", "Create tokens that act in the name of somebody else."),
    Permission("roles.read", "See roles and who has them."),
    Permission("roles.manage", "Create and change roles, and give them to members of staff."),
    Permission("audit.read", "See who changed what."),
    Permission("events.read", "See events with all that they hold, and what plugins still owe to them."),
    Permission("events.manage", "Have parked events tried again, and past ones handed to a plugin anew."),
    Permission("plugins.read", "See the plugins and their state."),
    Permission("jobs.read", "See jobs and schedules, with what they were asked for with."),
    Permission("jobs.manage", "Have failed jobs run again."),
    Permission("messages.read", "See what was sent to customers and others, or is to be."),
    Permission("metrics.read", "Read the figures of the running processes at /metrics."),
    Permission("webhooks.read", "See webhooks, what was sent to them and what they answered."),
    Permission("webhooks.manage", "Have events, with all that they hold, sent to addresses outside."),
    Permission("schema.introspect", "Read the schema of the API."),
)


class Permissions:
    """A read-only table of permissions by name, in the order core, then plugins."""

    def __init__(self, permissions: Iterable[Permission], absent: Iterable[str] = ()) -> None:
        self._by_name = {permission.name: permission for permission in permissions}
        self._absent = frozenset(absent)

    @classmethod
    def of(cls, plugins: Iterable[Plugin]) -> "Permissions":
        """Those of the core and of `plugins`, whose names must begin with `<plugin name>.`."""
        collected = list(CORE_PERMISSIONS)
        used: set[str] = set()
        names: set[str] = set()
        for plugin in plugins:
            names.add(plugin.name)
            used.update(plugin.uses)
            for permission in plugin.permissions:
                if not permission.name.startswith(f"{plugin.name}."):
                    raise CrmError(
                        ErrorCode.CONFIGURATION,
                        f"Plugin {plugin.name} declares the permission {permission.name!r}.",
                        hint=f"The names of its permissions must begin with '{plugin.name}.'.",
                    )
            collected.extend(plugin.permissions)
        return cls(collected, used - names)

    @cached_property
    def self_service(self) -> frozenset[str]:
        """What every customer may do on their own data."""
        return frozenset(permission.name for permission in self if permission.self_service)

    def of_absent(self, name: str) -> bool:
        """Whether it is of a plugin that another one `uses` and that is off: then only `*` grants it."""
        return name.partition(".")[0] in self._absent

    @property
    def by_name(self) -> Mapping[str, Permission]:
        return self._by_name

    def __iter__(self) -> Iterator[Permission]:
        return iter(self._by_name.values())

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def checked(self, names: Iterable[str]) -> tuple[str, ...]:
        """`names` sorted and without doubles; an unknown one raises BAD_INPUT and names the nearest known."""
        wanted = sorted(set(names))
        groups = {name.partition(".")[0] for name in self._by_name}
        for name in wanted:
            group, _, right = name.partition(".")
            if name == EVERYTHING or name in self._by_name or (right == EVERYTHING and group in groups):
                continue
            close = get_close_matches(name, self._by_name, n=1)
            known = f"Did you mean {close[0]!r}?" if close else f"Known are: {', '.join(self._by_name)}."
            raise CrmError(
                ErrorCode.BAD_INPUT,
                f"There is no permission {name!r}.",
                path=("permissions",),
                hint=known,
            )
        return tuple(wanted)
