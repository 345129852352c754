"""One request to the API: who asks, and what their resolvers may use."""

import logging
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

from crm_framework import tracing
from crm_framework.engine.context import Context
from crm_framework.engine.errors import RequestError
from crm_framework.engine.sql import FALSE, Fragment, all_of, any_of
from crm_framework.errors import CrmError, ErrorCode, PluginCrash
from crm_framework.security.actors import PUBLIC, Actor, ActorKind, in_words
from crm_framework.security.scopes import NOT_CONFIDENTIAL, Reach

from . import plugin_answers

if TYPE_CHECKING:
    from crm_framework.engine.declarations import Source
    from crm_framework.events import Event
    from crm_framework.hooks.answers import Figures, Signalled, Signals
    from crm_framework.hooks.dispatch import PluginHost
    from crm_framework.hooks.specs import Window
    from crm_framework.settings import Settings
    from crm_framework.storage.database import Database
    from crm_framework.storage.feed import Told
    from crm_framework.storage.gathered import Insert
    from crm_framework.storage.unit_of_work import UnitOfWork

log = logging.getLogger(__name__)

CUSTOMERS = "crm_customer"


class Budget(Protocol):
    """What one token may still ask for, in objects."""

    @property
    def size(self) -> int:
        """What a minute gives."""

    def spend(self, cost: int) -> bool:
        """Takes the cost away, or nothing where there is not enough."""

    def left(self) -> float:
        """What there is to spend."""

    def charge(self, seconds: float, cost: int = 0) -> None:
        """Takes away what that much time gives, after long reads that took it."""

    def seconds_until(self, cost: int) -> int:
        """How long to wait for that much."""


class Shares(Protocol):
    """The turns of each token, so that one does not have all connections."""

    def of(self, token: str) -> "AbstractAsyncContextManager[object]":
        """What a long read of this token waits for, and holds while it runs."""


_TOP_LEVEL = {
    ErrorCode.BAD_INPUT: "BAD_INPUT",
    ErrorCode.NOT_FOUND: "BAD_INPUT",
    ErrorCode.CONFLICT: "BAD_INPUT",
    ErrorCode.REFUSED: "BAD_INPUT",
    ErrorCode.FORBIDDEN: "FORBIDDEN",
    ErrorCode.UNAUTHENTICATED: "UNAUTHENTICATED",
    ErrorCode.UNAVAILABLE: "TIMEOUT",
}
"""The API's top-level codes for failures outside a payload; what is not listed is masked."""


@dataclass(kw_only=True)
class RequestContext(Context):
    """Passed to every resolver as `info.context`. Made anew for each request."""

    actor: Actor
    database: "Database"
    host: "PluginHost"
    settings: "Settings"
    request_id: str = field(default_factory=lambda: uuid4().hex)
    subjects: "Mapping[str, Source]" = field(default_factory=dict, repr=False)
    """Types of the schema whose records are read from a table."""
    budget: "Budget | None" = None
    """What the token may still ask for; None without a limit."""
    shares: Shares | None = None
    """Where long reads have their turns; None without a limit."""
    wait_s: int = field(default=0, init=False)
    """When to try again, in seconds, an operation that the budget refused."""
    _written: "Sequence[Insert]" = field(default=(), init=False, repr=False)
    _admitted: Collection[str] = field(default=(), init=False, repr=False)
    """Keys of the customers that the change that wrote them found within `_reach`."""
    _reach: Reach | None = field(default=None, init=False, repr=False)

    def unit_of_work(
        self, *, permission: str = PUBLIC, repeatable: bool = False
    ) -> "AbstractAsyncContextManager[UnitOfWork]":
        """One transaction, in the name of this request's actor, on the customers in `permission`'s reach."""
        self._written = ()  # it may change what the last one wrote
        self._reach = self.actor.reach(permission)
        return self.database.unit_of_work(
            self.actor, request_id=self.request_id, repeatable=repeatable, reach=self._reach
        )

    def preparing(self, what: str) -> AbstractContextManager[object]:
        """In a span, where traces are wanted."""
        if tracing.spans is None:
            return super().preparing(what)
        return tracing.spans.span(f"GraphQL {what}", {})

    def wrote(self, tx: "UnitOfWork") -> None:
        """What a committed transaction inserted need not be read back for the payload that follows."""
        self._written, self._admitted = tx.inserted, tx.admitted

    def known(self, table: str, key: str) -> Mapping[str, Any] | None:
        """From what was written last; rows of plugins are read, as they may be stored in another form."""
        if self._written and table.startswith("crm_"):
            for insert in self._written:
                if insert.table == table:
                    place = insert.columns.index("id")
                    for row in insert.rows:
                        if row[place] == key:
                            return _as_read(insert.columns, row)
        return None

    def shows(self, source: "Source", row: Mapping[str, Any]) -> bool:
        if self.actor.unbounded or source.shared:
            return True
        reach = self.actor.reach(source.permission)
        if reach is None:
            return True
        if self.actor.kind is ActorKind.CUSTOMER:
            return False  # not all that is theirs is for their eyes
        if source.table == CUSTOMERS:
            return reach.includes(row)
        owner = source.owner
        return isinstance(owner, str) and row.get(owner) in self._admitted and reach == self._reach

    def read_at_once(self, sql: str, args: Sequence[object]) -> Sequence[Any] | None:
        return self.database.rows_at_once(sql, args) if self.reader is self.database else None

    async def read(self, sql: str, args: Sequence[object], *, bounded: bool = False) -> Sequence[Any]:
        """Rows by position. Of long reads a token has some at once, and their time counts as its budget's."""
        holder = self.actor.holder
        if bounded or self.shares is None or holder is None:
            return await super().read(sql, args, bounded=bounded)
        async with self.shares.of(holder):
            started = monotonic()
            try:
                return await super().read(sql, args, bounded=bounded)
            finally:
                if self.budget is not None:
                    self.budget.charge(monotonic() - started)

    def spend(self, cost: int) -> None:
        """Takes what an operation may cost from the token's budget. Raises `RequestError` RATE_LIMITED."""
        if self.budget is not None and not self.budget.spend(cost):
            self.wait_s = max(1, self.budget.seconds_until(cost))
            raise RequestError(
                "RATE_LIMITED",
                f"the operation may lead to {cost:,} objects; this token has fewer left of its"
                f" {self.budget.size:,} a minute. Wait {self.wait_s} s, or ask for less",
            )

    def begin(self) -> None:
        """Raises `RequestError` RATE_LIMITED for a token that has a debt: all that it asks costs."""
        if self.budget is not None and self.budget.left() < 0:
            self.wait_s = max(1, self.budget.seconds_until(1))
            raise RequestError(
                "RATE_LIMITED",
                f"this token has used up its {self.budget.size:,} objects a minute. Wait {self.wait_s} s",
            )

    def charge(self, seconds: float, cost: int = 0) -> None:
        if self.budget is not None:
            self.budget.charge(seconds, cost)

    def may(self, permission: str) -> bool:
        return self.actor.may(permission)

    def granted(self, need: str) -> bool:
        return self.actor.may(need)

    def grants(self, needs: Collection[str]) -> bool:
        known = self.actor.granted
        if not known.issuperset(needs):
            if not super().grants(needs):
                return False
            known.update(needs)
        return True

    def spelt(self, need: str) -> str:
        return in_words(need)

    def restrict(self, source: "Source") -> Fragment | None:
        """The condition on records that hang on customers out of the actor's reach; none for most actors.

        Customers see, whatever their token grants, the records that are theirs and no others.
        """
        kept: dict[Source, Fragment | None] = self.actor.conditions
        if source not in kept:
            kept[source] = self._restriction(source)
        return kept[source]

    def _restriction(self, source: "Source") -> Fragment | None:
        if self.actor.unbounded or source.shared:
            return None
        reach = self.actor.reach(source.permission)
        if reach is None:
            return None
        if source.table == CUSTOMERS:
            found = Fragment(*reach.of_row("t"))
        elif source.owner is None:
            found = FALSE
        elif isinstance(source.owner, str):
            found = _of_owner(reach, f"t.{source.owner}", former=source.history)
        else:
            way = source.owner
            inner = _of_owner(reach, f"way.{way.owner}", former=source.history)
            found = Fragment(
                f"EXISTS (SELECT 1 FROM {way.table} AS way WHERE way.{way.key} = t.{way.column}"
                f" AND ({inner.sql}))",
                inner.args,
            )
        return found if self.actor.kind is not ActorKind.CUSTOMER else all_of([found, source.own])

    def restrict_below(self, parent: "Source", source: "Source", key: str) -> Fragment | None:
        """Nothing for what hangs on a customer, where its permission reaches as many customers as theirs."""
        kept: dict[object, Fragment | None] = self.actor.conditions
        asked = (parent, source, key)
        if asked not in kept:
            kept[asked] = None if self._follows(parent, source, key) else self.restrict(source)
        return kept[asked]

    def _follows(self, parent: "Source", source: "Source", key: str) -> bool:
        if parent.table != CUSTOMERS or source.owner != key or source.history:
            return False
        if self.actor.kind is ActorKind.CUSTOMER:
            return False  # not all that is theirs is for their eyes
        reach = self.actor.reach(source.permission)
        return reach is not None and reach == self.actor.reach(parent.permission)

    def reached(self, column: str, permission: str, *, history: bool = False) -> Fragment | None:
        """The condition on a column with customers' keys, for SQL of one's own: those on whom the actor has
        this permission; None for all customers. `column` is written with its table, as `a.customer_id`.
        `history` says that its rows stay with the loser's key when customers are merged.
        """
        reach = self.actor.reach(permission)
        return None if reach is None else _of_owner(reach, column, former=history)

    async def figures(self, window: "Window", group_by: str | None = None) -> "Figures":
        """What the plugins tell of a window in numbers, by their hook `figures`.

        A plugin that declares `<its name>.read` is asked where the actor has that on all customers, any other
        where the actor sees all customers.
        """
        return await plugin_answers.figures(self, window, group_by)

    async def signals(self, customer_ids: Iterable[str]) -> "Signals":
        """What stands out about these customers (keys), by the plugins' hook `signals`: one call for a level.

        A plugin that declares `<its name>.read` is asked where the actor has that on as many customers as
        they see. There is nothing about customers out of reach, and nothing for customers' own tokens.
        """
        return await plugin_answers.signals(self, customer_ids)

    async def signalled(self) -> "Signalled":
        """Of whom `signals` would tell something, by the plugins' hook `signalled`: conditions for SQL.

        Asked and told as `signals`.
        """
        return await plugin_answers.signalled(self)

    async def events(
        self, *, types: Collection[str] | None = None, customer: str | None = None, after: str | None = None
    ) -> "AsyncGenerator[Told, None]":
        """What happens from now on, or since the position `after`: in the order of the commits, each once.

        Of `types` or one `customer` only, where that is given: its key, with all others that merges give it.
        What concerns a record that the actor may not see is left out. No transaction is open between two of
        them.
        """
        feed = self.database.feed
        stream = feed.events(
            types=types, customer=customer, after=after, queue=self.settings.subscription_queue
        )
        try:
            async for told in stream:
                if await self._sees(told.event):
                    yield told
        finally:
            await stream.aclose()

    async def _sees(self, event: "Event") -> bool:
        """Whether the actor may see the customer that it is about, and the record that changed."""
        records = [event.audit_subject]
        if event.customer_id is not None:
            records.append(("Customer", event.customer_id))
        elif event.audit_subject[0] not in self.subjects:
            # nothing tells whose it is: it is for those who may see everybody
            return self.restrict(self.subjects["Customer"]) is None
        for type_, key in dict.fromkeys(records):
            source = self.subjects.get(type_)
            restriction = None if source is None else self.restrict(source)
            if source is None or restriction is None:
                continue
            named = f"{source.table} AS t WHERE t.{source.key} = ?"
            if source.table == CUSTOMERS:  # a merged one is its winner
                named = (
                    f"{CUSTOMERS} AS named JOIN {CUSTOMERS} AS t ON t.id = COALESCE(named.merged_into_id,"
                    " named.id) WHERE named.id = ?"
                )
            seen = await self.read(
                f"SELECT 1 FROM {named} AND ({restriction.sql})", (key, *restriction.args), bounded=True
            )
            if not seen:
                return False
        return True

    def translate(self, error: BaseException) -> RequestError | None:
        """The client's view of a `CrmError`; None for a fault of the program."""
        if isinstance(error, PluginCrash):
            return RequestError("INTERNAL", str(error), reference=self.request_id)
        if not isinstance(error, CrmError) or error.code not in _TOP_LEVEL:
            return None
        told = self.told(error)
        if self.changed and error.code is ErrorCode.UNAVAILABLE:
            told = CrmError(error.code, told.message, hint="Read it; do not repeat the change.")
        return RequestError(_TOP_LEVEL[error.code], str(told))

    def told(self, error: CrmError) -> CrmError:
        """The error without the address of the database, which is for the log alone."""
        name = self.database.name
        if error.code is not ErrorCode.UNAVAILABLE or name not in str(error):
            return error
        log.warning("database unavailable: %s", error)
        message = error.message.replace(name, "the database")
        hint = error.hint.replace(name, "the database") if error.hint else None
        return CrmError(error.code, f"{message[:1].upper()}{message[1:]}", path=error.path, hint=hint)


def _of_owner(reach: Reach, column: str, *, former: bool = False) -> Fragment:
    found = Fragment(*reach.of_key(column, former=former))
    if reach is NOT_CONFIDENTIAL:  # what is nobody's is no secret
        return any_of([Fragment(f"{column} IS NULL"), found])
    return found


_READ_AS_GIVEN = (str, int, bool, type(None))


def _as_read(columns: Sequence[str], row: Sequence[Any]) -> dict[str, Any]:
    """The columns of an inserted row whose values the database gives as it got them."""
    found: dict[str, Any] = {}
    for column, value in zip(columns, row, strict=True):
        if type(value) in _READ_AS_GIVEN:
            found[column] = value
        elif isinstance(value, datetime):
            found[column] = value.astimezone(UTC)
    return found
