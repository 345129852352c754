"""Moments and messages as tables show them."""

from datetime import UTC, datetime

from crm_framework.storage.clock import parse_time

WIDEST = 80


def moment_text(value: datetime | str) -> str:
    return f"{parse_time(value).astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def one_line(text: str | None) -> str:
    """The text without its line breaks, cut where it would widen a table."""
    line = " ".join((text or "").split())
    return line if len(line) <= WIDEST else f"{line[: WIDEST - 1]}…"
