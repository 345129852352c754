"""The options by which commands choose events of the past, to have them handled or sent once more."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import click

from crm_framework.domain.deliveries import Past
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.clock import parse_time

Command = TypeVar("Command", bound=Callable[..., Any])

OPTIONS = (
    click.option("--event", "events", multiple=True, help="This event; repeatable."),
    click.option("--type", "types", multiple=True, help="Events of this type, such as purchase.recorded."),
    click.option("--customer", help="Events of the customer with this key."),
    click.option("--since", help="Events from this moment on: 2026-03-01 or 2026-03-01T12:00Z."),
    click.option("--until", help="Events before this moment."),
    click.option("--yes", is_flag=True, help="Do it. Without it, they are only counted."),
)


def chooses_past_events(command: Command) -> Command:
    """Gives a command these options: `yes`, and the arguments of `past_events`."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def past_events(
    events: tuple[str, ...],
    types: tuple[str, ...],
    customer: str | None,
    since: str | None,
    until: str | None,
) -> Past:
    """What the options choose. Raises `CrmError` BAD_INPUT for what is no moment."""
    return Past(
        events=events,
        types=types,
        customer=customer,
        since=_moment("--since", since),
        until=_moment("--until", until),
    )


def _moment(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return parse_time(text)
    except ValueError:
        raise CrmError(
            ErrorCode.BAD_INPUT, f"{option} {text!r} is no time.", hint="Write 2026-03-01T12:00Z."
        ) from None
