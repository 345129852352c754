"""What tickets are filtered by of what is tied to them."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import strawberry

from crm_framework import CrmError, ErrorCode, Fragment, optional, required

JSON = strawberry.scalars.JSON
_NAME = re.compile(r"[^\"\\\x00-\x1f]{1,100}")


@strawberry.input(description="A condition on tags.")
class TicketTagFilter:
    any: list[str] | None = optional("It has at least one of these.")
    all: list[str] | None = optional("It has all of these.")
    none: list[str] | None = optional("It has none of these.")


@strawberry.input(description="A condition on an attribute.")
class TicketAttributeFilter:
    name: str = required("Its name.")
    eq: JSON | None = optional("Its value is this; null for none.")


def tagged(value: Mapping[str, Sequence[str]]) -> Fragment:
    """The tags that a ticket has, by `any`, `all` and `none`."""
    parts: list[str] = []
    args: list[str] = []
    for name, words in value.items():
        if name == "all":
            parts += [_HAS.format(marks="?")] * len(words)
        elif words:
            has = _HAS.format(marks=", ".join("?" * len(words)))
            parts.append(has if name == "any" else f"NOT {has}")
        elif name == "any":
            parts.append("1 = 0")
        args += words
    return Fragment(" AND ".join(parts) or "1 = 1", tuple(args))


_HAS = "EXISTS (SELECT 1 FROM ticketing_ticket_tag AS g WHERE g.ticket_id = t.id AND g.tag IN ({marks}))"


def with_attributes(value: Sequence[Mapping[str, Any]], dialect: str) -> Fragment:
    """The values that a ticket's attributes have."""
    parts: list[str] = []
    args: list[Any] = []
    for one in value:
        name = one["name"]
        if not _NAME.fullmatch(name):
            raise CrmError(ErrorCode.BAD_INPUT, f"{name!r:.60} is no name of an attribute.")
        wanted = one.get("eq")
        if dialect == "postgres":
            read, arg = "(CAST(t.attributes AS jsonb) -> CAST(? AS text))", name
            parts.append(f"{read} IS NULL" if wanted is None else f"{read} = CAST(CAST(? AS text) AS jsonb)")
        else:
            read, arg = "json_extract(t.attributes, ?)", f'$."{name}"'
            parts.append(f"{read} IS NULL" if wanted is None else f"{read} = json_extract(?, '$')")
        args.append(arg)
        if wanted is not None:
            args.append(json.dumps(wanted))
    return Fragment(" AND ".join(parts) or "1 = 1", tuple(args))
