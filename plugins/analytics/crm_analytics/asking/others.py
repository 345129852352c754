"""`analytics { otherFigures }`: what other plugins tell of the window in numbers."""

from typing import Annotated

import strawberry
from strawberry import Info

from crm_framework import Batch, CrmError, ErrorCode, Window, batch

from .analytics import Analytics
from .question import Question


@strawberry.type(description="A figure of another plugin.")
class OtherFigure:
    plugin: str = strawberry.field(description="The plugin's name.")
    name: str = strawberry.field(description="What the plugin calls it.")
    description: str = strawberry.field(description="What it means.")
    value: float | None = strawberry.field(description="The value; null where there is nothing to tell.")
    numerator: float | None = strawberry.field(description="What was counted, if it is a quotient.")
    denominator: float | None = strawberry.field(description="What that was divided by.")
    n: int | None = strawberry.field(description="Number of observations.")
    unit: str = strawberry.field(description="share (0 to 1), count, seconds, or a currency's minor units.")
    group: str | None = strawberry.field(description="The group; null for the whole.")


By = Annotated[
    str | None,
    strawberry.argument(description="A grouping that plugins may know, such as month or channel."),
]


@batch(needs=("asked",), name="otherFigures")
async def others_field(each: Batch[Analytics], info: Info, group_by: By = None) -> list[list[OtherFigure]]:
    """What other plugins tell of the window, over all customers: a filter is refused here."""
    return [await _figures(asked, group_by) for asked in each.column("asked")]


async def _figures(asked: Question, group_by: str | None) -> list[OtherFigure]:
    asked.not_converted("otherFigures")
    if asked.where is not None:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            "Figures of other plugins are about all customers.",
            path=("filter",),
            hint="Ask for them without a filter.",
        )
    told = await asked.info.context.figures(Window(*asked.window.bounds(asked.zone), asked.zone), group_by)
    return [
        OtherFigure(
            plugin=one.plugin,
            name=one.name,
            description=one.description,
            value=_number(one.value),
            numerator=_number(one.numerator),
            denominator=_number(one.denominator),
            n=one.n,
            unit=one.unit,
            group=one.group,
        )
        for one in told.found
    ]


def _number(value: object) -> float | None:
    return None if value is None else float(str(value))
