"""Tells other plugins in numbers what happened in a window."""

from collections.abc import Sequence

from crm_framework import Figure, Permission, Plugin, Reader, Window, hookimpl

plugin = Plugin(
    name="with_figures",
    requires_api="1.0",
    summary="Counts touches.",
    permissions=[Permission("with_figures.read", "See how many touches there were.")],
)


def outbound(contacts: int, of_these_outbound: int, group: str | None) -> Figure:
    return Figure(
        name="outbound",
        description="The share of the touches in the window that the company made.",
        value=of_these_outbound / contacts if contacts else None,
        numerator=of_these_outbound,
        denominator=contacts,
        n=contacts,
        unit="share",
        group=group,
    )


@hookimpl
async def figures(window: Window, group_by: str | None, reader: Reader) -> Sequence[Figure]:
    rows = await reader.fetch(
        "SELECT channel, COUNT(*) AS contacts,"
        " SUM(CASE WHEN direction = 'OUTBOUND' THEN 1 ELSE 0 END) AS outbound FROM crm_interaction"
        " WHERE occurred_at >= ? AND occurred_at < ? AND direction IS NOT NULL"
        " GROUP BY channel ORDER BY channel",
        (window.start, window.end),
    )
    whole = outbound(sum(row["contacts"] for row in rows), sum(row["outbound"] for row in rows), None)
    if group_by != "channel":
        return [whole]
    return [whole, *(outbound(row["contacts"], row["outbound"], row["channel"] or "") for row in rows)]
