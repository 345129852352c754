"""Names, as all of the plugin's records have them, and values as the audit log keeps them."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from crm_framework import CrmError, ErrorCode


def line(name: str, path: Sequence[str | int] = ("name",)) -> str:
    """A name without blanks around and between its words. BAD_INPUT if it is empty or too long."""
    words = " ".join(name.split())
    if not 1 <= len(words) <= 200 or not words.isprintable():
        raise CrmError(
            ErrorCode.BAD_INPUT,
            "A name has 1 to 200 printable characters.",
            path=path,
            hint="Give another one.",
        )
    return words


def taken(name: str) -> CrmError:
    """CONFLICT for a name that another one of the programme has."""
    return CrmError(
        ErrorCode.CONFLICT,
        f"There is another one named {name!r} in the programme.",
        path=("name",),
        hint="Choose another name.",
    )


def json_list(values: Sequence[Any]) -> str:
    """For a JSON column."""
    return json.dumps(list(values))


def plain_of(value: Any) -> Any:
    """A value as JSON knows it."""
    return value.isoformat() if isinstance(value, datetime) else value
