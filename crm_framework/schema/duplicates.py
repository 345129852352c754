"""Customers that may be the same, the most certain first."""

from typing import Annotated

import strawberry

from crm_framework.domain.customers import duplicates
from crm_framework.domain.customers.duplicates import DuplicateReason
from crm_framework.engine.connections import Connection
from crm_framework.engine.fields import root
from crm_framework.engine.listings import window
from crm_framework.engine.pages import ReadyPage, pages_of
from crm_framework.engine.parts import SchemaParts
from crm_framework.engine.relations import reference
from crm_framework.security.actors import INTERNAL

from . import enums  # noqa: F401  # makes DuplicateReason an enumeration of the API
from .customers import Customer


@strawberry.type(description="Two customers that may be the same.")
class Duplicate:
    one_id: strawberry.Private[str]
    other_id: strawberry.Private[str]
    score: int = strawberry.field(description="How certain it is, from 1 to 99.")
    reasons: list[DuplicateReason] = strawberry.field(description="What speaks for it, the weightiest first.")
    one: Customer = reference("one_id", "The customer whose record was made first.")
    other: Customer = reference("other_id", "The customer whose record was made later.")


@root(permission="customers.read", also=INTERNAL, restricted=True)
async def duplicate_customers(
    info: strawberry.Info,
    first: Annotated[int | None, strawberry.argument(description="How many, after the cursor.")] = None,
    after: Annotated[str | None, strawberry.argument(description="Only those after this cursor.")] = None,
) -> Connection[Duplicate]:
    """Pairs of customers that may be the same, the most certain first; `mergeCustomers` makes them one.

    Merged, erased and archived customers are left out.
    """
    wanted = window(info.context, first, after, None, None)
    context = info.context
    reach = context.reached("t.id", "customers.read")
    found = await duplicates.duplicate_customers(
        context.reader,
        first=wanted.limit,
        after=after,
        reach=None if reach is None else (reach.sql, reach.args),
    )
    page = ReadyPage(
        nodes=[
            Duplicate(one_id=pair.one, other_id=pair.other, score=pair.score, reasons=list(pair.reasons))
            for pair in found.pairs
        ],
        cursors=[pair.cursor for pair in found.pairs],
        has_next_page=found.has_next,
        has_previous_page=after is not None,
        total_count=found.total,
    )
    return pages_of(info.context, [page])[0]  # type: ignore[no-any-return]  # the value of a connection type


parts = SchemaParts(query=[duplicate_customers])
