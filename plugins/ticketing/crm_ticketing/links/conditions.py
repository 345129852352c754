"""What tickets are filtered by of what is tied to them."""

from collections.abc import Mapping, Sequence

import strawberry

from crm_framework import CrmError, ErrorCode, Fragment, optional

from .tags import tag_of

MOST_TAGS = 50
"""Tags that one condition lists."""


@strawberry.input(description="A condition on tags.")
class TicketTagFilter:
    any: list[str] | None = optional("It has at least one of these.")
    all: list[str] | None = optional("It has all of these.")
    none: list[str] | None = optional("It has none of these.")


def tagged(value: Mapping[str, Sequence[str]]) -> Fragment:
    """The tags that a ticket has, by `any`, `all` and `none`. BAD_INPUT for too many."""
    parts: list[str] = []
    args: list[str] = []
    for name, given in value.items():
        tags = list(dict.fromkeys(tag_of(tag.replace("\0", "")) for tag in given))
        if len(tags) > MOST_TAGS:
            raise CrmError(ErrorCode.BAD_INPUT, f"filter.tags.{name}: list {MOST_TAGS} tags at most.")
        if name == "all":
            parts += [_HAS.format(marks="?")] * len(tags)
        elif tags:
            has = _HAS.format(marks=", ".join("?" * len(tags)))
            parts.append(has if name == "any" else f"NOT {has}")
        elif name == "any":
            parts.append("1 = 0")
        args += tags
    return Fragment(" AND ".join(parts) or "1 = 1", tuple(args))


_HAS = "EXISTS (SELECT 1 FROM ticketing_ticket_tag AS g WHERE g.ticket_id = t.id AND g.tag IN ({marks}))"
