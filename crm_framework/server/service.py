"""What the server serves: one open CRM, shared by all requests of a process."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import cached_property

from starlette.requests import Request
from starlette.types import Scope

from crm_framework.engine.execute import execute, subscribe
from crm_framework.engine.result import Result
from crm_framework.engine.trace import Trace
from crm_framework.hooks.dispatch import PluginHost
from crm_framework.schema.compose import ComposedSchema
from crm_framework.schema.context import RequestContext
from crm_framework.security.actors import Actor
from crm_framework.security.audit.sealing import Sealer
from crm_framework.security.refusals import Refusals
from crm_framework.security.verify import TokenVerifier
from crm_framework.settings import Settings
from crm_framework.storage.database import Database
from crm_framework.storage.migration.plan import MigrationPlan

from .counts import Counts
from .deadlines import Deadlines
from .limits.budgets import Budgets
from .limits.guesses import Guesses
from .limits.shares import Shares
from .limits.sockets import Sockets
from .operations import Operation
from .persisted import PersistedOperations
from .plugin_routes.table import RouteTable


@dataclass(frozen=True, kw_only=True)
class Service:
    """An open CRM. `plan` is every migration that this program knows."""

    settings: Settings
    host: PluginHost
    database: Database
    plan: MigrationPlan
    schema: ComposedSchema
    verifier: TokenVerifier
    persisted: PersistedOperations
    budgets: Budgets
    guesses: Guesses
    sealer: Sealer
    refusals: Refusals
    sockets: Sockets
    shares: Shares
    plugin_routes: RouteTable = field(default_factory=RouteTable)
    visitors: Budgets = field(default_factory=lambda: Budgets(0))
    """What is left to each address that asks without a token, in requests."""
    counts: Counts = field(default_factory=Counts)

    @cached_property
    def deadlines(self) -> Deadlines:
        """How long a request's body may take to arrive, and the operation in it to end."""
        return Deadlines(self.settings.request_timeout_s)

    def context(self, actor: Actor, request_id: str) -> RequestContext:
        """What resolvers get for one request of `actor`."""
        return RequestContext(
            reader=self.database,
            page_default=self.settings.page_size,
            page_max=self.settings.max_page_size,
            introspection_permission="schema.introspect",
            show_suggestions=actor.may("schema.introspect"),
            actor=actor,
            database=self.database,
            host=self.host,
            settings=self.settings,
            request_id=request_id,
            subjects=self.schema.subjects,
            budget=self.budgets.of(actor.holder),
            shares=self.shares,
            trace=Trace() if self.settings.debug else None,
        )

    async def execute(self, operation: Operation, context: RequestContext) -> Result:
        """Runs an operation; what is wrong with it is in the result."""
        return await execute(
            self.schema.schema,
            operation.query,
            operation.variables,
            operation.operation_name,
            context,
            operations=("query",) if operation.read_only else ("query", "mutation"),
        )

    async def subscribe(
        self, operation: Operation, context: RequestContext
    ) -> AsyncIterator[Result] | Result:
        """Starts a subscription: its results, which must be closed by whoever stops taking them, or the one
        that refused it."""
        return await subscribe(
            self.schema.schema, operation.query, operation.variables, operation.operation_name, context
        )


def service_of(request: Request) -> Service:
    """The service of the application that got the request."""
    return service_in(request.scope)


def service_in(scope: Scope) -> Service:
    """The same, for what is below Starlette's requests."""
    service: Service = scope["app"].state.service
    return service
