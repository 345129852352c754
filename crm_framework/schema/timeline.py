"""A customer's timeline: interactions and what plugins add, in one order."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import strawberry

from crm_framework.domain.interactions import timeline as domain
from crm_framework.engine.connections import PageInfo
from crm_framework.engine.fields import batch
from crm_framework.engine.ids import encode_id
from crm_framework.engine.listings import window
from crm_framework.engine.parts import SchemaParts
from crm_framework.engine.relations import reference
from crm_framework.engine.rows import Batch
from crm_framework.security.actors import INTERNAL

from .context import RequestContext
from .customers import Customer
from .inputs import chosen, optional
from .interactions import Interaction
from .money import Money
from .plugin_answers import unreadable

JSON = strawberry.scalars.JSON


@strawberry.type(description="One line of a customer's timeline: an interaction, or what a plugin adds.")
class TimelineEntry:
    interaction_id: strawberry.Private[str | None]
    id: strawberry.ID = strawberry.field(description="The id of the entry; of an interaction, its own.")
    at: datetime = strawberry.field(description="When it took place.")
    kind: str = strawberry.field(description="What it was.")
    title: str = strawberry.field(description="What it was about, in one line.")
    detail: JSON = strawberry.field(description="What else is known, by name.")
    plugin: str | None = strawberry.field(description="The plugin that adds it; null for an interaction.")
    interaction: Interaction | None = reference("interaction_id", "The interaction, if it is one.")


@strawberry.type(description="An entry, with its place.")
class TimelineEdge:
    cursor: str = strawberry.field(description="The entry's place, for after.")
    node: TimelineEntry = strawberry.field(description="The entry.")


@strawberry.type(description="A plugin whose entries are missing from a timeline.")
class TimelineGap:
    plugin: str = strawberry.field(description="The plugin's name.")
    reason: str = strawberry.field(description="Why its entries are missing.")


@strawberry.type(description="One page of a timeline. How many entries there are in all is not known.")
class TimelineConnection:
    edges: list[TimelineEdge] = strawberry.field(description="The page's entries with their cursors.")
    nodes: list[TimelineEntry] = strawberry.field(description="The page's entries.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the timeline.")
    missing: list[TimelineGap] = strawberry.field(
        description="Plugins that failed; all others' entries are there."
    )


@strawberry.input(description="Which entries; all members that are given must hold.")
class TimelineFilter:
    kinds: list[str] | None = optional("Only of these kinds.")
    channels: list[str] | None = optional("Only on these channels; entries of plugins have none.")
    since: datetime | None = optional("Only from this moment on.")
    until: datetime | None = optional("Only before this moment.")


class _Readable:
    """The plugins whose records the actor may see."""

    def __init__(self, context: RequestContext) -> None:
        self._host = context.host
        self._hidden = unreadable(context)

    async def timeline(
        self,
        customer_ids: Sequence[str],
        before: datetime | None,
        limit: int,
        kinds: Sequence[str] | None,
        reader: Any,
    ) -> domain.PluginEntries:
        return await self._host.timeline(customer_ids, before, limit, kinds, reader, without=self._hidden)


@batch(permission="interactions.read", also=INTERNAL)
async def timeline(
    customers: Batch[Customer],
    info: strawberry.Info,
    first: Annotated[
        int | None, strawberry.argument(description="How many from the beginning, or after the cursor.")
    ] = None,
    after: Annotated[str | None, strawberry.argument(description="Only those after this cursor.")] = None,
    filter: Annotated[
        TimelineFilter | None, strawberry.argument(description="Which entries; all, if left out.")
    ] = None,
) -> list[TimelineConnection]:
    """What happened, over all kinds, channels and the plugins whose records you may see, the latest first."""
    wanted = window(info.context, first, after, None, None)
    found = await domain.timelines(
        info.context.database,
        customers.ids,
        plugins=_Readable(info.context),
        first=wanted.limit,
        after=after,
        filter=_filter(filter),
    )
    missing = [TimelineGap(plugin=plugin, reason=reason) for plugin, reason in found.failures.items()]
    return [_page(found.pages[key], missing, after is not None) for key in customers.ids]


def _filter(given: TimelineFilter | None) -> domain.TimelineFilter:
    if given is None:
        return domain.TimelineFilter()
    return domain.TimelineFilter(
        kinds=chosen(given.kinds),
        channels=chosen(given.channels),
        since=chosen(given.since),
        until=chosen(given.until),
    )


def _page(page: domain.TimelinePage, missing: Sequence[TimelineGap], continued: bool) -> TimelineConnection:
    nodes = [_entry(item) for item in page.items]
    cursors = [item.cursor for item in page.items]
    return TimelineConnection(
        edges=[TimelineEdge(cursor=cursor, node=node) for cursor, node in zip(cursors, nodes, strict=True)],
        nodes=nodes,
        page_info=PageInfo(
            has_next_page=page.has_next,
            has_previous_page=continued,
            start_cursor=cursors[0] if cursors else None,
            end_cursor=cursors[-1] if cursors else None,
        ),
        missing=list(missing),
    )


def _entry(item: domain.TimelineItem) -> TimelineEntry:
    own = not item.plugin
    return TimelineEntry(
        interaction_id=item.id if own else None,
        id=strawberry.ID(encode_id("Interaction" if own else f"TimelineEntry_{item.plugin}", item.id)),
        at=item.at,
        kind=item.kind,
        title=item.title,
        detail=JSON(_detail(item.detail) if own else dict(item.detail)),
        plugin=item.plugin or None,
    )


def _detail(known: Mapping[str, Any]) -> Any:
    """An interaction's detail in the API's own words: money as money, staff left to the interaction."""
    detail = {name: known[name] for name in ("channel", "direction", "outcome", "sentiment") if name in known}
    if "total_minor" in known and "currency" in known:
        total = Money.of(known["total_minor"], known["currency"])
        detail["total"] = {"amount": format(total.amount, "f"), "currency": total.currency}
    return detail


parts = SchemaParts(extend={Customer: [timeline]})
