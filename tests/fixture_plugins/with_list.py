"""Adds a list to Query and says how long it may become, so that it costs what it may answer."""

from typing import Annotated

import strawberry

from crm_framework import Plugin, SchemaParts, hookimpl, root

plugin = Plugin(name="with_list", requires_api="1.0", summary="Lists the years.")


@strawberry.type(description="A year.")
class Year:
    number: int = strawberry.field(description="Which one.")


First = Annotated[int, strawberry.argument(description="The first one.")]
Last = Annotated[int, strawberry.argument(description="The last one.")]


def most_years(since: int, until: int) -> int:
    return until - since + 1


@root(permission="customers.read", restricted=True, most=most_years)
def years(since: First, until: Last) -> list[Year]:
    """Years, both included."""
    return [Year(number=number) for number in range(since, until + 1)]


@hookimpl
def schema() -> SchemaParts:
    return SchemaParts(query=[years])
