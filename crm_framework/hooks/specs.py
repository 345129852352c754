"""The contract between the core and a plugin: one declaration, `Plugin`, and its hooks.

A plugin is a module with an attribute `plugin = Plugin(...)` and functions marked `@hookimpl`. What is known
before the plugin runs is data in `Plugin`; what it does is a hook. Hooks are called once per batch or event,
never once per row. An implementation takes those of the hook's parameters that it needs, by name.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import pluggy

from crm_framework.errors import CrmError, ErrorCode, cut
from crm_framework.zones import is_time_zone

from .routes import Route

if TYPE_CHECKING:
    from crm_framework.engine.context import Reader
    from crm_framework.engine.parts import SchemaParts
    from crm_framework.engine.sql import Fragment
    from crm_framework.events import Event
    from crm_framework.storage.unit_of_work import UnitOfWork
    from crm_framework.worker.runs import JobRun

    from .messages import OutgoingMessage

PROJECT = "crm_framework"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function of a plugin as the implementation of the hook of the same name."""


class PluginSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of a plugin's typed settings, its section of crm.toml: `class X(PluginSettings, frozen=True)`.

    Unknown keys are refused. A field without a default must be set before the plugin can work.
    """


@dataclass(frozen=True)
class Permission:
    """A right that a token or a role may carry; a plugin's begin with `<plugin name>.`.

    `self_service` gives it to every customer's own token too, on the rows that are theirs.
    """

    name: str
    description: str
    self_service: bool = False


@dataclass(frozen=True)
class InteractionKind:
    """A kind of touch that interactions may have, such as `visit` or `call`. 40 characters at most.

    `support_case` marks touches of a support case: the contact policy's rest period runs from the last one.
    """

    name: str
    description: str
    support_case: bool = False


@dataclass(frozen=True)
class Channel:
    """A way to reach a customer, such as `email` or `phone`. 40 characters at most."""

    name: str
    description: str


@dataclass(frozen=True)
class Job:
    """Work that is done later, by the worker: `tx.defer(name, payload)` asks for it, or `cron` does.

    A plugin's names begin with `<plugin name>.`. `run` is an `async def` that takes the `JobRun`. `cron` has
    five fields (`"30 2 * * *"`) and goes by the wall clock of `time_zone`, an IANA name. A run that fails is
    repeated later and later, until there were `attempts`; one that takes longer than `timeout_s` seconds is
    cut short and counts as failed.
    """

    name: str
    description: str
    run: Callable[["JobRun"], Awaitable[None]]
    cron: str | None = None
    time_zone: str = "UTC"
    attempts: int = 5
    timeout_s: float = 300.0


@dataclass(frozen=True, kw_only=True)
class Handling:
    """Which events a plugin's `on_events` gets, and when.

    `wanted` says it of each event by a look at nothing else, as it is asked inside the change; the others
    cost nothing. None wants all. With `later` the change leaves the events to the worker, which hands over
    up to 50 of different customers at once, about a second after the commit: exactly once and in the order
    of each customer, like those that a handler failed on.
    """

    wanted: Callable[["Event"], bool] | None = None
    later: bool = False


AT_ONCE = Handling()


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """What a plugin is, readable before any of its code runs.

    `name` is also the entry point, the settings section, the app label and the prefix of its tables,
    permissions and event types. `requires_api` is the version of the contract that it was written for ("1.0":
    1.0 or a later 1.x). `models` names the module with its Tortoise models; `migrations` the package with
    their migrations.
    `requires` must be enabled too and come first; `uses` come first when they are there.
    `commands` names the module with a `click.Group` called `command`, which is `crm <name> …`. It is imported
    when it is called; `crm --help` reads the summary from the text of this call, without running it. `routes`
    are addresses below `/plugins/<name>`. `handling` says which events `on_events` gets, and when; all and at
    once, if left out.
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
    jobs: Sequence[Job] = ()
    commands: str | None = None
    routes: Sequence[Route] = ()
    handling: Handling = AT_ONCE


@dataclass(frozen=True, kw_only=True)
class TimelineEntry:
    """One line of a customer's timeline that is not an interaction.

    `id` is a key and, with `at`, orders the timeline; `plugin` is filled in by the host.
    """

    id: str
    customer_id: str
    at: datetime
    kind: str
    title: str
    detail: Mapping[str, Any] = field(default_factory=dict)
    plugin: str = ""


@dataclass(frozen=True)
class Window:
    """A span of time that figures are asked for: `start` is included, `end` is not.

    Both are aware. `time_zone`, an IANA name, is where days, weeks and months begin. A window that is none
    raises CrmError BAD_INPUT.
    """

    start: datetime
    end: datetime
    time_zone: str = "UTC"

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            if getattr(self, name).tzinfo is None:
                raise _no_window(name, f"{name} carries no time zone.", "Pass an aware datetime.")
        if self.end <= self.start:
            raise _no_window("end", "end is not after start.", "end itself is not part of the window.")
        if not is_time_zone(self.time_zone):
            hint = "Name one of the IANA database, such as Europe/Berlin."
            raise _no_window("timeZone", f"{cut(self.time_zone, 40)} is no time zone.", hint)


def _no_window(name: str, message: str, hint: str) -> CrmError:
    return CrmError(ErrorCode.BAD_INPUT, message, path=("window", name), hint=hint)


@dataclass(frozen=True)
class Figure:
    """One number of a plugin about a window, for other plugins to show and compare.

    `name` is the plugin's own word (`first_answer_in_time`), `description` a sentence. `value` is None where
    there is nothing to tell, as of a mean over no cases. A share was computed from `numerator` and
    `denominator`; `n` is how many cases went in. `unit` is `share` (0 to 1), `count`, `seconds`, or a
    currency for minor units of it. `group` is the value of what was grouped by, None for the whole. `plugin`
    is filled in by the host.
    """

    name: str
    description: str
    value: float | Decimal | None
    numerator: float | Decimal | None = None
    denominator: float | Decimal | None = None
    n: int | None = None
    unit: str = "count"
    group: str | None = None
    plugin: str = ""


@dataclass(frozen=True)
class Signal:
    """What a plugin knows of a customer that others should take note of, such as an open complaint.

    `kind` is the plugin's own word, `text` one line for staff. `reference_id` is the id of the record in the
    API (`encode_id`), if there is one. `plugin` is filled in by the host.
    """

    customer_id: str
    kind: str
    at: datetime
    text: str
    reference_id: str | None = None
    plugin: str = ""


class Hooks(Protocol):
    """The hook specifications. `settings` is the plugin's own settings object everywhere."""

    @hookspec
    def schema(self, settings: Any) -> "SchemaParts":
        """What the plugin adds to the GraphQL schema: fields of existing types, filters, types of its own.

        Called once, when the schema is composed.
        """

    @hookspec
    async def before_change(self, events: "Sequence[Event]", tx: "UnitOfWork", settings: Any) -> None:
        """May refuse what is about to be committed by raising `CrmError`: everything is rolled back.

        Called once per unit of work, with all its events, before the first of them is stored.
        """

    @hookspec
    async def on_events(self, events: "Sequence[Event]", tx: "UnitOfWork", settings: Any) -> None:
        """Reacts to what happened, inside the transaction of the change. Touches the database only.

        Called once per unit of work, with all its events. When it fails or takes too long, what it wrote is
        rolled back, the change stands, and the events are delivered again later: each takes effect once.
        `Plugin(handling=…)` chooses among the events, or has all of them delivered after the change.
        """

    @hookspec
    async def timeline(
        self,
        customer_ids: Sequence[str],
        before: datetime | None,
        limit: int,
        kinds: Sequence[str] | None,
        reader: "Reader",
        settings: Any,
    ) -> Sequence[TimelineEntry]:
        """The newest `limit` entries of each customer at or before `before`, newest first.

        Only those of `kinds` where that is given. Entries of one instant come in the order of their ids, the
        greatest first; ids are unique over all kinds of the plugin. Called once per page and level of the
        query, with all customers of that level. If the plugin declares the permission `<its name>.read`, it
        is called for those who have that; others see a timeline without its entries.
        """

    @hookspec
    async def figures(
        self, window: Window, group_by: str | None, reader: "Reader", settings: Any
    ) -> Sequence[Figure]:
        """What the plugin can tell of a window in numbers, over all customers.

        With `group_by` (`channel`, `month`, …) also the figures of each group; a plugin that does not know
        that grouping answers with those of the whole. Called once for each question of another plugin. If the
        plugin declares the permission `<its name>.read`, it is called for those who have that on all
        customers.
        """

    @hookspec
    async def signals(self, customer_ids: Sequence[str], reader: "Reader", settings: Any) -> Sequence[Signal]:
        """What stands out about these customers now; of each at most the newest 100 are kept.

        Called once for all customers of a level of a query, or of a batch of a job. If the plugin declares
        the permission `<its name>.read`, it is called for those who have that; never for customers' own
        tokens.
        """

    @hookspec
    async def signalled(self, reader: "Reader", settings: Any) -> "Fragment | None":
        """Of whom `signals` would tell something now: a condition on `t`, the table of customers.

        It is how a list of them is made without asking about every customer. Called once for each such
        question. None: of nobody. If the plugin declares the permission `<its name>.read`, it is called for
        those who have that; never for customers' own tokens.
        """

    @hookspec
    async def send(self, message: "OutgoingMessage", settings: Any) -> bool:
        """Sends a message that a transaction left, if this plugin serves its channel; whether it did.

        Called once per attempt, outside a transaction, until a plugin answers True. What it raises ends the
        attempt: a CrmError with REFUSED or BAD_INPUT for good, anything else is tried again later. It must
        end within a minute.
        """

    @hookspec
    async def demo(
        self, customer_ids: Sequence[str], staff_ids: Sequence[str], tx: "UnitOfWork", settings: Any
    ) -> Mapping[str, int]:
        """Adds to what `crm demo` shows, around its customers and staff. Returns what it added, by name.

        Called once each time that the command runs, inside its transaction: a second run finds what is there
        and adds nothing. An error aborts all of it.
        """

    @hookspec
    async def merge_customers(
        self, winner: str, losers: Sequence[str], tx: "UnitOfWork", settings: Any
    ) -> Mapping[str, int]:
        """Moves all that belongs to the losers to the winner. Returns rows moved, by table.

        Called once per merge, inside its transaction (a dry run is rolled back). An error aborts it.
        """

    @hookspec
    async def export_customer(self, customer_id: str, tx: "UnitOfWork", settings: Any) -> Mapping[str, Any]:
        """Everything held on the customer, as values that JSON knows. An error aborts the export."""

    @hookspec
    async def erase_customer(self, customer_id: str, tx: "UnitOfWork", settings: Any) -> Mapping[str, int]:
        """Removes or anonymises what is held on the customer. Returns rows touched, by table.

        Called once per erasure, inside its transaction. An error aborts it.
        """
