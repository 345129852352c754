"""Segments: saved filters over customers, evaluated when asked."""

from datetime import datetime
from typing import Annotated, Any

import strawberry

from crm_framework.domain.customers import segments
from crm_framework.engine.connections import Connection, checked_ordering, connection
from crm_framework.engine.declarations import require_source
from crm_framework.engine.fields import batch, column
from crm_framework.engine.filters import FilterSpec, Member
from crm_framework.engine.keyset import By
from crm_framework.engine.listings import window
from crm_framework.engine.nodes import Node, node
from crm_framework.engine.orders import OrderField, Orders
from crm_framework.engine.parts import SchemaParts
from crm_framework.engine.relations import reference
from crm_framework.engine.rows import Batch
from crm_framework.storage.unit_of_work import UnitOfWork

from .additions import fields_of
from .customer_filter import CUSTOMER_FILTER, CUSTOMER_ORDERS
from .customers import Customer
from .inputs import chosen, expected, filter_member, given, key_of, optional, renamed, required, retry_key
from .mutation import mutation, payload
from .segment_members import Compiled, conditions_of, count_members, member_pages
from .stored_filters import check_of, customer_filter, customer_orders, stored, with_ids

JSON = strawberry.scalars.JSON


@node(table="crm_segment", permission="settings.read", hidden={"condition": JSON}, shared=True)
class Segment(Node):
    """A saved filter over customers. Who belongs to it is found when it is asked for."""

    version: int = column("Grows by one with each change.")
    name: str = column("Its name.")
    description: str | None = column("What it is for.")
    created_at: datetime = column("When it was made.")
    updated_at: datetime = column("When it last changed.")

    @batch(needs=("condition",), restricted=True)
    @staticmethod
    def filter(each: Batch["Segment"]) -> list[JSON]:
        """The customer filter, as JSON, with global ids."""
        return [with_ids(condition) for condition in each.column("condition")]

    @batch(needs=("condition",), permission="customers.read", restricted=True)
    @staticmethod
    async def preview_count(each: Batch["Segment"], info: strawberry.Info) -> list[int | None]:
        """How many customers belong to it now; null, with an error, if its filter fits no more."""
        found: list[Any] = await count_members(info.context, await _conditions(each, info))
        return found

    @batch(needs=("condition",), permission="customers.read", restricted=True)
    @staticmethod
    async def members(
        each: Batch["Segment"],
        info: strawberry.Info,
        first: Annotated[
            int | None, strawberry.argument(description="How many from the beginning, or after the cursor.")
        ] = None,
        after: Annotated[str | None, strawberry.argument(description="Only those after this cursor.")] = None,
        last: Annotated[
            int | None, strawberry.argument(description="How many from the end, or before the cursor.")
        ] = None,
        before: Annotated[
            str | None, strawberry.argument(description="Only those before this cursor.")
        ] = None,
        order_by: Annotated[
            list[CUSTOMER_ORDERS.input] | None,  # type: ignore[name-defined]  # made from data, at run time
            strawberry.argument(description="In which order; each term breaks the ties of those before."),
        ] = None,
    ) -> list[Connection[Customer] | None]:
        """The customers that belong to it now, by name; null, with an error, if its filter fits no more."""
        wanted = window(info.context, first, after, last, before)
        orders = customer_orders(info.schema)
        order = checked_ordering(info.context, require_source(Customer), orders, (By("NAME"),), order_by)
        return member_pages(info.context, await _conditions(each, info), order, wanted)


async def _conditions(each: Batch[Segment], info: strawberry.Info) -> Compiled:
    return await conditions_of(info.context, customer_filter(info.schema), each.column("condition"))


SEGMENT_FILTER = FilterSpec("SegmentFilter", [Member("name", "string", "The name.", column="name")])
SEGMENT_ORDERS = Orders(
    "SegmentOrder",
    [
        OrderField("NAME", "string", "By name.", column="name"),
        OrderField("CREATED_AT", "datetime", "By the moment it was made.", column="created_at"),
    ],
)


class _Queries:
    segments: Connection[Segment] = connection(
        description="Segments, by name.",
        filter=SEGMENT_FILTER,
        orders=SEGMENT_ORDERS,
        default_order=("NAME",),
        permission="settings.read",
    )


@payload
class SegmentPayload:
    """The segment after the change."""

    segment_id: strawberry.Private[str | None] = None
    segment: Segment | None = reference(
        "segment_id", "The segment; null on failure, and when it was deleted."
    )


@strawberry.input(description="A new segment.")
class CreateSegmentInput:
    name: str = required("Its name; no two share one.")
    filter: JSON = filter_member(CUSTOMER_FILTER, "Who belongs to it.", required=True)
    description: str | None = optional("What it is for.")
    idempotency_key: str | None = retry_key()


@strawberry.input(description="A change to a segment. What is left out stays; null removes.")
class UpdateSegmentInput:
    id: strawberry.ID = required("Which segment.")
    name: str | None = optional("Its name.")
    filter: JSON | None = filter_member(CUSTOMER_FILTER, "Who belongs to it.")
    description: str | None = optional("What it is for.")
    expected_version: int | None = expected()


@strawberry.input(description="A segment to delete.")
class DeleteSegmentInput:
    id: strawberry.ID = required("Which segment; no other one may build on it.")


@mutation(permission="settings.write", everyone=True)
async def create_segment(tx: UnitOfWork, info: strawberry.Info, input: CreateSegmentInput) -> SegmentPayload:
    """Saves a filter over customers under a name."""
    with renamed(condition="filter"):
        new = segments.NewSegment(
            name=input.name, condition=stored(input.filter), description=chosen(input.description)
        )
        return SegmentPayload(segment_id=await segments.create_segment(tx, new, check_of(info)))


@mutation(permission="settings.write", everyone=True)
async def update_segment(tx: UnitOfWork, info: strawberry.Info, input: UpdateSegmentInput) -> SegmentPayload:
    """Changes a segment."""
    values = given(input, leave_out=("id", "filter", "expected_version"))
    key = key_of(input.id, Segment)
    with renamed(condition="filter"):
        if input.filter is not strawberry.UNSET:
            values["condition"] = stored(input.filter)
        await segments.update_segment(
            tx,
            key,
            segments.SegmentChange(**values),
            check_of(info),
            expected_version=chosen(input.expected_version),
        )
    return SegmentPayload(segment_id=key)


@mutation(permission="settings.write", everyone=True)
async def delete_segment(tx: UnitOfWork, input: DeleteSegmentInput) -> SegmentPayload:
    """Deletes a segment. Refused while other segments build on it."""
    await segments.delete_segment(tx, key_of(input.id, Segment))
    return SegmentPayload()


parts = SchemaParts(query=fields_of(_Queries), mutation=[create_segment, update_segment, delete_segment])
