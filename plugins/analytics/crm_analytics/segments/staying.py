"""Retention of segments from what is kept beside the memberships, where a question can be answered so."""

from collections.abc import Mapping
from datetime import date

from crm_analytics.asking.activity import everybody
from crm_analytics.asking.question import Question
from crm_analytics.metrics.retention import Inactivity, Kept
from crm_analytics.rollups.membership import boundary
from crm_analytics.windows import place_of
from crm_framework import Fragment


async def kept_of_members(
    asked: Question, days: Mapping[str, date], rule: Inactivity
) -> tuple[Kept, list[Kept]] | None:
    """Of everybody, and of those who belonged to each segment on its day: one short row a member.

    None for a filter, for a rule or a window that does not go by months or is of another zone, and where a
    segment was kept before the month in front of the window.
    """
    window = asked.window
    if not asked.in_own_zone or asked.where is not None or rule.gaps is not None or not window.whole_months:
        return None
    since = rule.since(window.first)
    if since.day != 1 or any(boundary(day) != window.first for day in days.values()):
        return None
    members = [
        Fragment(
            f"SELECT {place}, COUNT(*), COUNT(CASE WHEN b.first_from <= ? THEN 1 END)"
            " FROM analytics_membership AS b WHERE b.segment_id = ? AND b.day = ? AND b.last_before >= ?",
            (place_of(window.last), segment, day, place_of(since)),
        )
        for place, (segment, day) in enumerate(days.items(), 1)
    ]
    whole = everybody(asked, rule)
    found = await asked.reader.rows(
        f"SELECT 0, w.* FROM ({whole.sql}) AS w UNION ALL {' UNION ALL '.join(one.sql for one in members)}",
        [*whole.args, *(arg for one in members for arg in one.args)],
    )
    counted = {place: Kept(int(starting), int(still or 0)) for place, starting, still in found}
    return counted[0], [counted[place] for place in range(1, len(days) + 1)]
