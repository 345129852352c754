"""Which address belongs to which plugin's route, and what its parameters are."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from starlette.types import Scope

from crm_framework.hooks.dispatch import DeclaredRoute
from crm_framework.hooks.routes import PARAMETER

PREFIX = "/plugins/"
PLACE = "crm_framework.place"
"""Key of the scope: the address as it was declared. Its parameters may be secrets, such as a signed link."""


@dataclass(frozen=True)
class Served:
    """A route with the address that it has in the whole application."""

    declared: DeclaredRoute
    place: str
    pattern: re.Pattern[str]
    methods: frozenset[str]


class Found(NamedTuple):
    """What a path below that of a plugin leads to: by method, and the values of its parameters."""

    path: str
    served: Sequence[Served]
    args: Mapping[str, str]

    @property
    def place(self) -> str:
        return self.served[0].place

    @property
    def methods(self) -> list[str]:
        """What may be sent there."""
        return sorted({method for one in self.served for method in one.methods})

    def of(self, method: str) -> Served | None:
        return next((one for one in self.served if method in one.methods), None)


class RouteTable:
    """The routes of the enabled plugins."""

    def __init__(self, declared: Iterable[DeclaredRoute] = ()) -> None:
        self._served: dict[str, list[Served]] = {}
        for one in declared:
            path = one.route.path
            methods = frozenset(one.route.methods)
            served = Served(
                declared=one,
                place=f"{PREFIX}{one.plugin}{path}",
                pattern=_pattern(path),
                methods=methods | {"HEAD"} if "GET" in methods else methods,
            )
            self._served.setdefault(one.plugin, []).append(served)
        for each in self._served.values():
            # an address that is written out comes before one with parameters
            each.sort(key=lambda served: served.declared.route.path.count("{"))

    @property
    def places(self) -> frozenset[str]:
        """All addresses, as they were declared."""
        return frozenset(served.place for each in self._served.values() for served in each)

    def find(self, plugin: str, path: str) -> Found | None:
        """What a path below that of the plugin leads to."""
        first: Served | None = None
        alike: list[Served] = []
        args: dict[str, str] = {}
        for served in self._served.get(plugin, ()):
            if first is None and (matched := served.pattern.fullmatch(path)):
                first, args = served, matched.groupdict()
            if first is not None and served.declared.route.path == first.declared.route.path:
                alike.append(served)
        return Found(path, alike, args) if first is not None else None

    def note(self, scope: Scope) -> Found | None:
        """What a request's address leads to; the scope then knows what to call it."""
        path: str = scope["path"].removeprefix(scope.get("root_path", ""))
        if not path.startswith(PREFIX):
            return None
        plugin, slash, rest = path.removeprefix(PREFIX).partition("/")
        found = self.find(plugin, slash + rest)
        scope[PLACE] = found.place if found is not None else f"{PREFIX}…"
        return found


def place_of(scope: Scope) -> str:
    """What to call a request's address in the log, in figures and traces."""
    place: str = scope[PLACE] if PLACE in scope else scope["path"]
    return place


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(PARAMETER, path)  # texts and names in turn
    return re.compile(
        "".join(f"(?P<{part}>[^/]+)" if number % 2 else re.escape(part) for number, part in enumerate(parts))
    )
