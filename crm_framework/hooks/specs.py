"""The contract between the core and a plugin: one declaration, `Plugin`, and seven hooks.

A plugin is a module with an attribute `plugin = Plugin(...)` and functions marked `@hookimpl`. What is known
before the plugin runs is data in `Plugin`; what it does is a hook. Hooks are called once per batch or event,
never once per row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import pluggy

if TYPE_CHECKING:
    from crm_framework.domain.events import Event
    from crm_framework.engine.parts import SchemaParts
    from crm_framework.storage.unit_of_work import UnitOfWork

PROJECT = "crm_framework"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function of a plugin as the implementation of the hook of the same name."""


class PluginSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of a plugin's typed settings: the section `[<name>]` of crm.toml. Unknown keys are refused."""


@dataclass(frozen=True)
class Permission:
    """A right that a token may carry; a plugin's begin with `<plugin name>.`."""

    name: str
    description: str


@dataclass(frozen=True)
class InteractionKind:
    """A kind of touch that interactions may have, such as `visit` or `call`.

    `support_case` marks touches of a support case: the contact policy's rest period runs from the last one.
    """

    name: str
    description: str
    support_case: bool = False


@dataclass(frozen=True)
class Channel:
    """A way to reach a customer, such as `email` or `phone`."""

    name: str
    description: str


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """What a plugin is, readable before any of its code runs.

    `name` is also the entry point, the settings section, the app label and the prefix of its tables and
    permissions. `requires_api` is the version of the contract it was written for ("1.0": 1.0 or a later 1.x).
    `models` names the module with its Tortoise models; `migrations` the package with their migrations.
    `requires` must be enabled too and come first; `uses` come first when they are there.
    """

    name: str
    requires_api: str
    summary: str
    requires: Sequence[str] = ()
    uses: Sequence[str] = ()
    settings: type[PluginSettings] = PluginSettings
    models: str | None = None
    migrations: str | None = None
    permissions: Sequence[Permission] = ()
    kinds: Sequence[InteractionKind] = ()
    channels: Sequence[Channel] = ()
    events: Sequence[type["Event"]] = ()


@dataclass(frozen=True, kw_only=True)
class TimelineEntry:
    """One line of a customer's timeline that is not an interaction."""

    id: str
    customer_id: str
    at: datetime
    kind: str
    title: str
    detail: Mapping[str, Any] = field(default_factory=dict)


class Hooks(Protocol):
    """The hook specifications. `settings` is the plugin's own settings object everywhere."""

    @hookspec
    def schema(self, settings: Any) -> "SchemaParts":
        """What the plugin adds to the GraphQL schema: fields of existing types, filters, types of its own."""

    @hookspec
    async def before_change(self, events: "Sequence[Event]", tx: "UnitOfWork") -> None:
        """May refuse what is about to be committed by raising `CrmError`: everything is rolled back."""

    @hookspec
    async def on_events(self, events: "Sequence[Event]", tx: "UnitOfWork", settings: Any) -> None:
        """Reacts to what happened, inside the transaction of the change. Touches the database only."""

    @hookspec
    async def timeline(
        self,
        customer_ids: Sequence[str],
        before: datetime | None,
        limit: int,
        kinds: Sequence[str] | None,
        reader: Any,
    ) -> Sequence[TimelineEntry]:
        """The newest `limit` entries per customer at or before `before`, newest first, of `kinds` if given.

        Entries of one instant come in the order of their ids, the greatest first; ids are unique over all
        kinds of the plugin.
        """

    @hookspec
    async def merge_customers(
        self, winner: str, losers: Sequence[str], tx: "UnitOfWork"
    ) -> Mapping[str, int]:
        """Moves all that belongs to the losers to the winner. Returns rows moved, by table."""

    @hookspec
    async def export_customer(self, customer_id: str, tx: "UnitOfWork") -> Mapping[str, Any]:
        """Everything held on the customer, JSON-able."""

    @hookspec
    async def erase_customer(self, customer_id: str, tx: "UnitOfWork") -> Mapping[str, int]:
        """Removes or anonymises what is held on the customer. Returns rows touched, by table."""
