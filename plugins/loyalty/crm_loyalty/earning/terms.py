"""From when and until when points count, by the terms under which they were earned."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from crm_loyalty.moments import NEVER, add_months

from .rules import Terms


def unlocks_at(terms: Terms, at: datetime) -> datetime | None:
    """When they can be spent; None for at once."""
    return at + timedelta(days=terms.pending_days) if terms.pending_days else None


def expires_at(terms: Terms, at: datetime, zone: ZoneInfo) -> datetime:
    """When they expire, counted from the cause; months go by the programme's calendar."""
    if terms.never_expires:
        return NEVER
    if terms.expires_months is not None:
        return add_months(at, terms.expires_months, zone)
    if terms.expires_days is not None:
        return at + timedelta(days=terms.expires_days)
    return NEVER
