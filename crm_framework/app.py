"""The application: opens plugins, schema and database, and serves them."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.types import Message, Receive, Scope, Send

from crm_framework.errors import CrmError
from crm_framework.hooks.dispatch import PluginHost
from crm_framework.runtime import Runtime, migrations_of, open_runtime
from crm_framework.schema.compose import ComposedSchema
from crm_framework.schema.core import compose_schema
from crm_framework.schema.scopes import SegmentReaches
from crm_framework.schema.webhook_filters import webhook_api
from crm_framework.security.permissions import Permissions
from crm_framework.security.refusals import Refusals
from crm_framework.security.verify import TokenVerifier
from crm_framework.server.counts import Counts
from crm_framework.server.front import Front
from crm_framework.server.limits.budgets import Budgets
from crm_framework.server.limits.guesses import Guesses
from crm_framework.server.limits.shares import Shares
from crm_framework.server.limits.sockets import Sockets
from crm_framework.server.persisted import load_persisted
from crm_framework.server.plugin_routes.table import RouteTable
from crm_framework.server.routes import middleware, routes
from crm_framework.server.service import Service
from crm_framework.settings import Settings, load_settings
from crm_framework.storage.migration.plan import read_plan
from crm_framework.worker.chores import all_chores
from crm_framework.worker.loop import Worker, working

if TYPE_CHECKING:
    from crm_framework.security.oidc import Issuer

log = logging.getLogger("crm_framework.server")


@asynccontextmanager
async def open_service(
    settings: Settings,
    *,
    host: PluginHost | None = None,
    compose: Callable[[PluginHost], ComposedSchema] = compose_schema,
) -> AsyncIterator[Service]:
    """Opens what there is to serve, and closes it at the end.

    Takes `host` and `compose`, and raises, as `open_runtime`.
    """
    # Nobody waits for a read any more when the request has timed out
    async with (
        open_runtime(
            settings, read_seconds=settings.request_timeout_s, host=host, compose=compose
        ) as runtime,
        serving(runtime) as service,
    ):
        yield service


@asynccontextmanager
async def serving(runtime: Runtime) -> AsyncIterator[Service]:
    """What is to be served of an open CRM, until the block ends."""
    settings = runtime.settings
    persisted = load_persisted(settings, runtime.schema.schema)
    for fault in persisted.faults:
        log.warning("a persisted operation cannot be run: %s", fault)
    refusals = Refusals(runtime.database)
    runtime.sealer.sweep_regularly()

    verifier = TokenVerifier(
        runtime.database,
        settings.token_cache_ms,
        self_service=Permissions.of(runtime.host.declarations).self_service,
        segments=SegmentReaches(runtime.schema, runtime.database, runtime.host),
        issuer=_issuer(settings),
    )
    sockets = Sockets(
        verifier,
        runtime.database.feed,
        most=settings.max_sockets,
        most_per_token=settings.max_sockets_per_token,
    )
    plugin_routes = RouteTable(runtime.host.routes)
    try:
        yield Service(
            settings=settings,
            host=runtime.host,
            database=runtime.database,
            plan=read_plan(migrations_of(runtime.host)),
            schema=runtime.schema,
            verifier=verifier,
            persisted=persisted,
            budgets=Budgets(settings.rate_limit_per_minute),
            shares=Shares(settings.database_read_pool_size),
            guesses=Guesses(settings.wrong_tokens_per_minute),
            sealer=runtime.sealer,
            refusals=refusals,
            sockets=sockets,
            plugin_routes=plugin_routes,
            visitors=Budgets(settings.public_requests_per_minute),
            counts=Counts(plugin_routes.places),
        )
    finally:
        await sockets.close()
        await refusals.close()
        await verifier.close()


@asynccontextmanager
async def working_for(service: Service) -> AsyncIterator[Worker | None]:
    """Does the owed work of the service while the block runs, unless its settings leave that to others."""
    if not service.settings.worker:
        yield None
        return
    chores = all_chores(
        service.database,
        service.host,
        service.settings,
        webhook_api(service.database, service.schema.schema, service.host),
    )
    async with working(service.database, chores, grace_seconds=service.settings.worker_grace_s) as worker:
        yield worker


def _issuer(settings: Settings) -> "Issuer | None":
    if settings.oidc_issuer is None:
        return None
    from crm_framework.security.oidc import issuer_of  # it brings cryptography along, which takes its time

    return issuer_of(settings)


def create_app(settings: Settings | None = None, *, service: Service | None = None) -> Starlette:
    """The ASGI application.

    It serves `service` if that is given and open already. Otherwise it opens one when the server starts it,
    with `settings`, or those of crm.toml and the environment. A server then shows in one line why it cannot
    start: `uvicorn --factory crm_framework.app:create_app`.
    """
    if service is not None:
        app = Front(routes=routes(), middleware=middleware())
        app.state.service = service
        return app

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with open_service(settings or load_settings()) as opened, working_for(opened):
            app.state.service = opened
            yield

    return SelfOpening(routes=routes(), middleware=middleware(), lifespan=lifespan)


class SelfOpening(Front):
    """An application whose failure to start is one line instead of a traceback."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await super().__call__(scope, receive, send)
            return

        async def send_line(message: Message) -> None:
            if message["type"] != "lifespan.startup.failed":
                await send(message)

        try:
            await super().__call__(scope, receive, send_line)
        except CrmError as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
        except BaseException as error:
            await send({"type": "lifespan.startup.failed", "message": f"{type(error).__name__}: {error}"})
            raise
