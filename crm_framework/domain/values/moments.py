"""Moments as input gives them: aware, kept in UTC, and for what has happened not in the future."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from crm_framework.errors import CrmError, ErrorCode

# Clocks of clients run ahead by a little.
_SKEW = timedelta(minutes=5)


def moment(value: datetime, *, path: Sequence[str | int] = ()) -> datetime:
    """The moment in UTC; BAD_INPUT for one without a zone."""
    if type(value) is datetime and value.tzinfo is UTC:
        return value
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{value!s:.60} names no moment: it has no time zone.",
            path=path,
            hint="Write it such as 2024-01-31T09:00:00Z.",
        )
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise CrmError(ErrorCode.BAD_INPUT, f"{value!s:.60} is out of range.", path=path) from None


def past_moment(value: datetime | None, now: datetime, *, path: Sequence[str | int] = ()) -> datetime | None:
    """The moment in UTC, or None for None; BAD_INPUT for one in the future."""
    if value is None:
        return None
    at = moment(value, path=path)
    if at > now + _SKEW:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{at.isoformat()} lies in the future.",
            path=path,
            hint="Give a moment that has passed.",
        )
    return at
