"""The scalars of the API: how a value is written, and which spellings are refused."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

from crm_framework.engine.integers import LEAST_BIG, MOST_BIG, SAFE, BigInt
from crm_framework.errors import cut

MAX_DECIMAL_DIGITS = 30
"""Of one decimal, on either side of its point; "1e999999999" would fill the memory."""

LONGEST_TEXT = 100
"""Characters of the text of a moment, a day, a length of time or a number; a longer one is not looked at."""

_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_BIG_INT = re.compile(r"-?(?:0|[1-9]\d{0,18})", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DURATION = re.compile(
    r"P(?:(\d{1,7})W|(?:(\d{1,7})D)?(?:T(?=\d)(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9})S)?)?)", re.ASCII
)


def _refusal(scalar: str, value: object, expected: str) -> GraphQLError:
    return GraphQLError(f"{cut(value)} is not a {scalar}: {expected}")


def _is_long(value: object) -> bool:
    return isinstance(value, str) and len(value) > LONGEST_TEXT


def _of_text(scalar: str, expected: str, parse: Callable[[str], Any]) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if not isinstance(value, str) or _is_long(value):
            raise _refusal(scalar, value, expected)
        try:
            return parse(value)
        except (ValueError, OverflowError, ArithmeticError):
            raise _refusal(scalar, value, expected) from None

    return read


def parse_date_time(text: str) -> datetime:
    """An RFC 3339 moment as an aware datetime in UTC. Raises `ValueError`, also for a missing offset."""
    if _DATE_TIME.fullmatch(text) is None:
        raise ValueError(text)
    return datetime.fromisoformat(text.upper()).astimezone(UTC)


def format_date_time(value: datetime) -> str:
    """RFC 3339 in UTC, with the `Z`; fractions of a second only where there are any."""
    if value.tzinfo is None:
        raise ValueError("a moment without a time zone cannot be shown")
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_date(text: str) -> date:
    """A calendar date, `YYYY-MM-DD`."""
    if _DATE.fullmatch(text) is None:
        raise ValueError(text)
    return date.fromisoformat(text)


def parse_duration(text: str) -> timedelta:
    """An ISO 8601 duration of weeks, or of days, hours, minutes and seconds. Months have no fixed length."""
    match = _DURATION.fullmatch(text)
    if match is None or match.lastindex is None:
        raise ValueError(text)
    weeks, days, hours, minutes, seconds = match.groups("0")
    return timedelta(7 * int(weeks) + int(days), 3600 * int(hours) + 60 * int(minutes) + int(seconds))


def format_duration(value: timedelta) -> str:
    """ISO 8601, in hours, minutes and seconds: `PT26H`, never days, so that equal durations look equal."""
    total = int(value.total_seconds())
    sign, total = ("-", -total) if total < 0 else ("", total)
    hours, rest = divmod(total, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = [(hours, "H"), (minutes, "M"), (seconds, "S")]
    text = "".join(f"{amount}{unit}" for amount, unit in parts if amount)
    return f"{sign}PT{text or '0S'}"


def parse_decimal(value: Any) -> Decimal:
    """A finite decimal from text or a JSON number. Raises `GraphQLError`."""
    expected = f'write a number such as "12.50", with {MAX_DECIMAL_DIGITS} digits at most'
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal) or _is_long(value):
        raise _refusal("Decimal", value, expected)
    try:
        number = Decimal(str(value))
    except ArithmeticError:
        raise _refusal("Decimal", value, expected) from None
    if not number.is_finite() or not -MAX_DECIMAL_DIGITS <= number.adjusted() < MAX_DECIMAL_DIGITS:
        raise _refusal("Decimal", value, expected)
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -MAX_DECIMAL_DIGITS:
        raise _refusal("Decimal", value, expected)
    return number


def parse_big_int(value: Any) -> int:
    """A whole number of 64 bits at most, from a JSON number or from text. Raises `GraphQLError`."""
    number = None
    if type(value) is int:
        number = value
    elif isinstance(value, str) and not _is_long(value) and _BIG_INT.fullmatch(value):
        number = int(value)
    elif isinstance(value, float) and value.is_integer() and abs(value) <= SAFE:
        number = int(value)  # a greater one was rounded before it came here
    if number is None or not LEAST_BIG <= number <= MOST_BIG:
        expected = "write a whole number from -2^63 to 2^63 - 1, as text where JSON numbers are rounded"
        raise _refusal("BigInt", value, expected)
    return number


def format_big_int(value: int) -> int | str:
    """A JSON number where every reader of JSON has it exactly; text beyond."""
    if type(value) is not int:
        raise ValueError(f"a {type(value).__name__} is no whole number")
    return value if -SAFE <= value <= SAFE else str(value)


def _as_is(value: Any) -> Any:
    return value


SCALARS: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="A moment, RFC 3339 with an offset: `2026-03-01T09:30:00Z`. Always shown in UTC.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=format_date_time,
        parse_value=_of_text(
            "DateTime", "write RFC 3339 with an offset, such as 2026-03-01T09:30:00Z", parse_date_time
        ),
    ),
    date: strawberry.scalar(
        name="Date",
        description="A day of the calendar: `2026-03-01`.",
        serialize=date.isoformat,
        parse_value=_of_text("Date", "write YYYY-MM-DD, such as 2026-03-01", parse_date),
    ),
    timedelta: strawberry.scalar(
        name="Duration",
        description="A length of time, ISO 8601, in hours, minutes and seconds: `PT1H30M`.",
        serialize=format_duration,
        parse_value=_of_text(
            "Duration", "write ISO 8601 without years and months, such as PT1H30M", parse_duration
        ),
    ),
    Decimal: strawberry.scalar(
        name="Decimal",
        description='An exact decimal number, as text: `"12.50"`. Numbers are accepted too.',
        serialize=lambda value: format(Decimal(value), "f"),
        parse_value=parse_decimal,
    ),
    BigInt: strawberry.scalar(
        name="BigInt",
        description="A whole number beyond 32 bits. A JSON number up to 2^53 - 1 on either side of 0, which"
        ' every reader has exactly, and text beyond that: `"9007199254740992"`. Both are accepted, from -2^63'
        " to 2^63 - 1.",
        serialize=format_big_int,
        parse_value=parse_big_int,
    ),
    strawberry.scalars.JSON: strawberry.scalar(
        name="JSON",
        description="Any JSON value: object, list, text, number, boolean or null.",
        serialize=_as_is,  # what JSON has no text for fails its field when the answer is written
        parse_value=_as_is,
    ),
}
"""For `StrawberryConfig.scalar_map`: Python type → scalar."""

PLAIN_SCALARS = ("DateTime", "Date", "JSON")
"""Scalars whose text orjson writes itself, from the Python value."""
