"""What several records of one customer come to when they are made one: rules over values.

The winner's word counts; where it says nothing, the first loser's that says something. Stages and dates are
those of the whole relationship. Where both say something else, a `MergeConflict` tells what is given up.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from crm_framework.domain.contacts.points import Point, arrange
from crm_framework.domain.customers.record import Record, same_value
from crm_framework.domain.models import Consent, CustomerStage

_WORDS = ("kind", "name", "company", "locale", "time_zone", "owner_id")


@dataclass(frozen=True, slots=True)
class MergeConflict:
    """The winner has `kept` where the customer `loser` has `given_up`. Attributes are `attributes.<name>`."""

    field: str
    kept: Any
    loser: str
    given_up: Any


def united(winner: Record, losers: Sequence[Record]) -> tuple[Record, list[MergeConflict]]:
    """The winner as it will be, but for what follows from its contact points."""
    conflicts: list[MergeConflict] = []
    fields: dict[str, Any] = {}
    for name in _WORDS:
        kept = getattr(winner, name)
        for loser in losers:
            other = getattr(loser, name)
            if kept is None:
                kept = other
            elif other is not None and other != kept:
                conflicts.append(MergeConflict(name, kept, loser.id, other))
        fields[name] = kept
    backups = [record.backup_id for record in (winner, *losers)]
    fields["backup_id"] = next((key for key in backups if key not in (None, fields["owner_id"])), None)
    attributes = {name: value for name, value in winner.attributes.items() if value is not None}
    for loser in losers:
        for name, value in loser.attributes.items():
            if name not in attributes:
                attributes[name] = value
            elif value is not None and not same_value(attributes[name], value):
                conflicts.append(MergeConflict(f"attributes.{name}", attributes[name], loser.id, value))
    everyone = (winner, *losers)
    archived = [record.archived_at for record in everyone]
    return (
        replace(
            winner,
            **fields,
            **_relationship(everyone),
            attributes=attributes,
            confidential=any(record.confidential for record in everyone),
            archived_at=None if None in archived else winner.archived_at,
        ),
        conflicts,
    )


def _relationship(records: Sequence[Record]) -> dict[str, Any]:
    """One relationship: whoever is a customer in one record is one, since the first conversion."""
    stages = {record.stage for record in records}
    order = (CustomerStage.CUSTOMER, CustomerStage.FORMER, CustomerStage.PROSPECT)
    stage = next(stage for stage in order if stage in stages)
    former = stage is CustomerStage.FORMER
    return {
        "stage": stage,
        "converted_at": _best(min, (record.converted_at for record in records)),
        "returned_at": _best(max, (record.returned_at for record in records)),
        "former_at": _best(max, (record.former_at for record in records)) if former else None,
    }


def _best(choose: Any, dates: Iterable[datetime | None]) -> datetime | None:
    known = [date for date in dates if date is not None]
    best: datetime | None = choose(known) if known else None
    return best


def united_points(
    winner: Sequence[Point], losers: Sequence[tuple[str, Sequence[Point]]]
) -> tuple[list[Point], list[MergeConflict]]:
    """The contact points of all, each once, the winner's first; `losers` are keys and their points.

    The winner's primary ones stay primary. Of two consents for one point the later holds; if it is unknown
    which that is, the refusal does. An unknown consent never takes the place of a known one.
    """
    conflicts: list[MergeConflict] = []
    kept: dict[tuple[str, str], Point] = {point.same: point for point in winner}
    for key, points in losers:
        for point in points:
            there = kept.get(point.same)
            if there is None:
                kept[point.same] = point
                continue
            chosen = _consent(there, point)
            if there.consent is not point.consent and Consent.UNKNOWN not in (there.consent, point.consent):
                lost = point if chosen is there else there
                field = f"consent.{point.channel}.{point.value}"
                conflicts.append(MergeConflict(field, chosen.consent.value, key, lost.consent.value))
            kept[point.same] = replace(
                there,
                label=there.label or point.label,
                consent=chosen.consent,
                consent_at=chosen.consent_at,
                consent_source=chosen.consent_source,
            )
    return arrange(kept.values()), conflicts


def _consent(one: Point, other: Point) -> Point:
    """The point whose consent holds for both."""
    if one.consent is Consent.UNKNOWN:
        return other
    if other.consent is Consent.UNKNOWN:
        return one
    if one.consent_at is not None and other.consent_at is not None and one.consent_at != other.consent_at:
        return one if one.consent_at > other.consent_at else other
    return other if other.consent is Consent.OPTED_OUT and one.consent is not Consent.OPTED_OUT else one
