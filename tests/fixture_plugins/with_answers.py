"""Shows what other plugins tell, whichever there are, and uses it by night."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Annotated

import strawberry
from strawberry import Info

from crm_framework import (
    Batch,
    Customer,
    FilterContext,
    Fragment,
    Job,
    JobRun,
    Member,
    Plugin,
    SchemaParts,
    Window,
    batch,
    hookimpl,
    root,
    tag_customers,
)

Start = Annotated[datetime, strawberry.argument(description="From when on.")]
End = Annotated[datetime, strawberry.argument(description="Before when.")]
GroupBy = Annotated[str | None, strawberry.argument(description="What to group by.")]


@root(permission="customers.read")
async def shares(info: Info, start: Start, end: End, group_by: GroupBy = None) -> list[str]:
    """What all plugins tell of a window in shares, and which of them failed, a line each."""
    told = await info.context.figures(Window(start, end, "Europe/Berlin"), group_by)
    lines = [
        f"{one.plugin} {one.name} {one.group or 'all'} {one.numerator}/{one.denominator}"
        for one in told.found
        if one.unit == "share"
    ]
    return [*lines, *told.failures.values()]


@batch(needs=("id",), permission="customers.read")
async def warnings(customers: Batch[Customer], info: Info) -> list[list[str]]:
    """What stands out, the newest first."""
    told = await info.context.signals(customers.ids)
    return [[f"{one.plugin} {one.kind} {one.text}" for one in told.by_customer[key]] for key in customers.ids]


@root(permission="customers.read")
async def warned(info: Info) -> list[str]:
    """The names of those about whom something stands out, without asking about everybody."""
    told = await info.context.signalled()
    if not told.conditions:
        return list(told.failures.values())
    some = " OR ".join(f"({condition.sql})" for condition in told.conditions.values())
    rows = await info.context.reader.fetch(
        f"SELECT t.name FROM crm_customer AS t WHERE {some} ORDER BY t.name LIMIT 100",
        [arg for condition in told.conditions.values() for arg in condition.args],
    )
    return [row["name"] for row in rows]


async def stands_out(context: FilterContext, values: Sequence[bool]) -> Callable[[bool, str], Fragment]:
    """What a filter by `warned` compares: looked up once, before the list is read."""
    conditions = list((await context.signalled()).conditions.values())
    some = " OR ".join(f"({condition.sql})" for condition in conditions) or "1 = 0"
    args = tuple(arg for condition in conditions for arg in condition.args)
    return lambda value, dialect: Fragment(f"({some}) IS {'' if value else 'NOT '}TRUE", args)


async def mark(job: JobRun) -> None:
    """Tags customers about whom something stands out, if there were any touches in a day."""
    told = await job.figures(Window(job.now - timedelta(days=1), job.now))
    rows = await job.reader.fetch("SELECT id FROM crm_customer")
    found = await job.signals(row["id"] for row in rows)
    marked = [key for key, signals in found.by_customer.items() if signals]
    async with job.unit_of_work() as tx:
        if marked and any(one.n for one in told.found):
            await tag_customers(tx, marked, add=["look_after"])
        job.done(tx)


plugin = Plugin(
    name="with_answers",
    requires_api="1.0",
    summary="Shows what other plugins tell.",
    jobs=[Job("with_answers.mark", "Tags customers about whom something stands out.", mark)],
)


@hookimpl
def schema() -> SchemaParts:
    member = Member("warned", "custom", "Whether anything stands out.", input=bool, lookup=stands_out)
    return SchemaParts(
        query=[shares, warned],
        extend={Customer: [warnings]},
        filters={"CustomerFilter": [member]},
    )
