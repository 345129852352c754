"""Who asks: the actor that the request's token stands for."""

from datetime import datetime

import strawberry

from crm_framework.engine.declarations import PUBLIC
from crm_framework.engine.fields import batch, root
from crm_framework.engine.parts import SchemaParts
from crm_framework.engine.relations import reference
from crm_framework.engine.rows import Batch
from crm_framework.engine.sql import among
from crm_framework.security.actors import ActorKind
from crm_framework.storage.clock import parse_time

from . import enums  # noqa: F401  # makes ActorKind an enumeration of the API
from .customers import Customer
from .staff import Staff


@strawberry.type(name="Actor", description="Who acts, and what they may do.")
class CurrentActor:
    kind: ActorKind = strawberry.field(description="What acts: a person, a program, a customer.")
    name: str = strawberry.field(description="How the audit log calls them.")
    permissions: list[str] = strawberry.field(
        description="What they may do, in order; `*` grants everything, `loyalty.*` all of a plugin."
    )
    token_id: strawberry.Private[str | None]
    staff_id: strawberry.Private[str | None]
    customer_id: strawberry.Private[str | None]
    staff: Staff | None = reference("staff_id", "The member of staff that the token belongs to, if any.")
    customer: Customer | None = reference("customer_id", "The customer that the token belongs to, if any.")

    @batch(needs=("token_id",))
    @staticmethod
    async def expires_at(actors: Batch["CurrentActor"], info: strawberry.Info) -> list[datetime | None]:
        """When the token ends by itself; null where it holds until it is revoked."""
        tokens = actors.column("token_id")
        chosen = among("id", [key for key in tokens if key], info.context.reader.dialect)
        rows = await info.context.reader.fetch(
            f"SELECT id, expires_at FROM crm_token WHERE expires_at IS NOT NULL AND {chosen.sql}", chosen.args
        )
        ends = {str(row["id"]): parse_time(row["expires_at"]) for row in rows}
        return [ends.get(key) for key in tokens]


@root(permission=PUBLIC, restricted=True)
def me(info: strawberry.Info) -> CurrentActor:
    """Who asks, by the token of this request."""
    actor = info.context.actor
    return CurrentActor(
        kind=actor.kind,
        name=actor.name,
        permissions=sorted(actor.permissions),
        token_id=actor.token_id,
        staff_id=actor.staff_id,
        customer_id=actor.customer_id,
    )


parts = SchemaParts(query=[me])
