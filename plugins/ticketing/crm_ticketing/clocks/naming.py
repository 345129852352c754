"""What entries of a history name: kept by key, and told by the ids of the API."""

from collections.abc import Mapping
from typing import Any

from crm_framework import encode_id

from .history import HappenedKind

_NAMED: Mapping[str, str] = {
    HappenedKind.ASSIGNED: "Staff",
    HappenedKind.FOLLOWED: "Staff",
    HappenedKind.UNFOLLOWED: "Staff",
    HappenedKind.TEAM: "TicketTeam",
    HappenedKind.POLICY: "SlaPolicyVersion",
    HappenedKind.MERGED: "Ticket",
    HappenedKind.ABSORBED: "Ticket",
    HappenedKind.LINKED: "Ticket",
    HappenedKind.UNLINKED: "Ticket",
}
"""Of which type the records are that `before` and `after` name; those of other kinds are words."""


def told(kind: str, value: str | None) -> str | None:
    """What an entry's `before` or `after` says: the id of what is a record, or a word."""
    if value is None or kind not in _NAMED:
        return value
    return encode_id(_NAMED[kind], value)


def detail_told(detail: Mapping[str, Any]) -> Any:
    """The detail of an entry, with ids for the member of staff and the team that a step names."""
    shown = dict(detail)
    if shown.get("action") == "REASSIGN" and shown.get("to") is not None:
        shown["to"] = encode_id("Staff", shown["to"])
    if shown.get("team") is not None:
        shown["team"] = encode_id("TicketTeam", shown["team"])
    return shown
