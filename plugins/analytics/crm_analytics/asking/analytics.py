"""`analytics { … }`: the field of Query that all metrics hang on."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any

import strawberry
from strawberry import Info
from strawberry.types.field import StrawberryField

from crm_analytics.settings import AnalyticsSettings
from crm_framework import CUSTOMER_FILTER, root

from .metric import MetricWindow
from .question import GroupByInput, Question, WindowInput, question

GroupBy = Annotated[
    GroupByInput | None, strawberry.argument(description="What it is broken down by; nothing, if left out.")
]
WindowArgument = Annotated[WindowInput, strawberry.argument(description="Which days it is about.")]
ConvertTo = Annotated[
    str | None,
    strawberry.argument(
        description="The currency (ISO 4217) that `revenue` is converted to, by the rates that were entered;"
        " if left out, each currency has its own figures. Nothing else converts: with it, `clvHistoric`,"
        " `products`, `serviceRecovery`, `forecast` and `otherFigures`, which have amounts, are refused."
    ),
]


TimeZone = Annotated[
    str | None,
    strawberry.argument(
        description="The zone (IANA) whose days the window and its periods are of; the company's, if left"
        " out. Figures are kept by the company's days: those of another zone are made of all purchases for"
        " each question. What tells of customers as they are now goes by the company's days, whatever is"
        " asked for: `rfm`, `clvHistoric` and `purchasePattern` without `asOf`, `atRisk`, what filters"
        " compare, and the days on which segments were kept (`retentionBySegment`). `productPattern` goes by"
        " days in UTC."
    ),
]


@strawberry.type(description="Metrics of one window, of all customers or those that the filter selects.")
class Analytics:
    window: MetricWindow = strawberry.field(description="The days that all is about.")
    time_zone: str = strawberry.field(description="The zone of these days.")
    data_through: datetime = strawberry.field(description="What was recorded until then is in the figures.")
    covers_from: date | None = strawberry.field(description="The first day that has figures, if any.")
    complete: bool = strawberry.field(
        description="Whether all is counted: not while that is done anew for another zone, or what was there"
        " before the plugin came is not yet."
    )
    asked: strawberry.Private[Question]


def analytics_field(settings: AnalyticsSettings) -> StrawberryField:
    """The field, for a company with these settings."""

    @root(permission="analytics.read", filter=CUSTOMER_FILTER)
    async def analytics(
        info: Info,
        window: WindowArgument,
        convert_to: ConvertTo = None,
        filter: Mapping[str, Any] | None = None,
        time_zone: TimeZone = None,
    ) -> Analytics:
        """Metrics that explain themselves: each with its numerator, denominator, definition and picture."""
        asked = await question(info, settings, window.window(), filter, convert_to, time_zone)
        return Analytics(
            window=MetricWindow.of(asked.window),
            time_zone=asked.zone,
            data_through=asked.data_through,
            covers_from=asked.covers_from,
            complete=asked.state.complete,
            asked=asked,
        )

    return analytics
