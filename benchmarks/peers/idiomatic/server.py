# mypy: ignore-errors
# It runs in an environment of its own, whose packages are not installed where types are checked.
"""Strawberry's types beside the models: python server.py PORT"""

import asyncio
import os
import sys
from datetime import UTC, datetime
from enum import Enum

import strawberry
import uvicorn
from models import CustomerRow, InteractionRow
from starlette.applications import Starlette
from starlette.routing import Route
from strawberry.asgi import GraphQL
from tortoise import Tortoise
from tortoise.expressions import RawSQL

Stage = strawberry.enum(Enum("Stage", {name: name for name in ("PROSPECT", "CUSTOMER", "FORMER")}, type=str))
Direction = strawberry.enum(Enum("Direction", {name: name for name in ("INBOUND", "OUTBOUND")}, type=str))


@strawberry.type
class Interaction:
    id: strawberry.ID
    kind: str
    subject: str | None
    occurred_at: datetime


@strawberry.type
class Customer:
    id: strawberry.ID
    name: str
    email: str | None
    phone: str | None
    company: str | None
    city: str | None
    country: str | None
    stage: Stage
    created_at: datetime
    updated_at: datetime

    @strawberry.field
    async def interactions(self, limit: int) -> list[Interaction]:
        return await InteractionRow.filter(customer_id=self.id).order_by("-occurred_at", "-id").limit(limit)


@strawberry.type
class Query:
    @strawberry.field
    async def customer(self, id: strawberry.ID) -> Customer | None:
        return await CustomerRow.get_or_none(id=id, merged_into_id=None)

    @strawberry.field
    async def customers(
        self, limit: int, search: str | None = None, stage: Stage | None = None, city: str | None = None
    ) -> list[Customer]:
        found = CustomerRow.filter(merged_into_id=None)
        if search is not None:
            # a text of words and operators alone comes from the benchmark
            hit = RawSQL(
                "to_tsvector('simple', search_text) @@ to_tsquery('simple', '{}')".format(
                    search.replace("'", "''")
                )
            )
            found = found.annotate(hit=hit).filter(hit=True)
        if stage is not None:
            found = found.filter(stage=stage.value)
        if city is not None:
            found = found.filter(city__startswith=city)
        return await found.order_by("sort_name", "id").limit(limit)


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def create_customer(self, name: str, email: str) -> Customer:
        now = datetime.now(UTC)
        return await CustomerRow.create(
            name=name,
            sort_name=name.lower(),
            email=email.lower(),
            search_text=f"{name} {email}".lower(),
            created_at=now,
            updated_at=now,
        )

    @strawberry.mutation
    async def log_interaction(
        self, customer: strawberry.ID, kind: str, direction: Direction, subject: str
    ) -> Interaction:
        now = datetime.now(UTC)
        return await InteractionRow.create(
            customer_id=customer,
            kind=kind,
            channel="phone",
            direction=direction.value,
            subject=subject,
            occurred_at=now,
            created_at=now,
        )


schema = strawberry.Schema(query=Query, mutation=Mutation)


async def main() -> None:
    await Tortoise.init(
        db_url=os.environ["PEER_DATABASE_URL"].replace("postgresql://", "postgres://"),
        modules={"models": ["models"]},
        _enable_global_fallback=True,
    )
    app = Starlette(routes=[Route("/graphql", GraphQL(schema), methods=["POST"])])
    await uvicorn.Server(
        uvicorn.Config(app, port=int(sys.argv[1]), log_level="warning", access_log=False, lifespan="off")
    ).serve()
    await Tortoise.close_connections()


if __name__ == "__main__":
    asyncio.run(main())
