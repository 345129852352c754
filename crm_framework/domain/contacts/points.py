"""Contact points: several per customer, one primary per channel, each with its own consent.

The rules work on the whole list of a customer's contact points as values; what changed is then written.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from crm_framework.domain.contacts.values import PHONE_CHANNELS, ContactValue, normalize
from crm_framework.domain.models import Consent
from crm_framework.domain.rows import json_of, json_text, marks, time_of, time_text
from crm_framework.domain.values.moments import past_moment
from crm_framework.domain.values.text import optional_line, words
from crm_framework.errors import CrmError, ErrorCode, cut
from crm_framework.storage.ids import new_id

if TYPE_CHECKING:
    from crm_framework.storage.unit_of_work import UnitOfWork

POINTS_LIMIT = 100
"""Contact points that one customer may have."""


@dataclass(frozen=True, kw_only=True)
class NewContactPoint:
    """A contact point as it is given. Postal ones have an `address` by part, a `value` as text, or both.

    `primary` moves that role from another one of the channel; the first of a channel gets it anyway.
    `consent_at` (now by default) and `consent_source` say when and where a consent was given or withdrawn.
    """

    channel: str
    value: str | None = None
    address: Mapping[str, str | None] | None = None
    label: str | None = None
    primary: bool = False
    consent: Consent | str = Consent.UNKNOWN
    consent_at: datetime | None = None
    consent_source: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """A contact point as it is kept."""

    id: str
    channel: str
    value: str
    normalized: str
    label: str | None = None
    address: Mapping[str, str] | None = None
    position: int = 0
    primary: bool = False
    consent: Consent = Consent.UNKNOWN
    consent_at: datetime | None = None
    consent_source: str | None = None

    @property
    def same(self) -> tuple[str, str]:
        """What makes two contact points of one customer the same."""
        return self.channel, self.normalized


def check_point(
    new: NewContactPoint, *, region: str | None, now: datetime, path: Sequence[str | int] = ()
) -> Point:
    """The contact point in its normal form, with a new key; BAD_INPUT at the part that does not fit."""
    value = normalize(new.channel, new.value, address=new.address, region=region, path=path)
    consent = check_consent(new.consent, path=(*path, "consent"))
    source = optional_line(new.consent_source, "The consent's source", 200, path=(*path, "consentSource"))
    at = past_moment(new.consent_at, now, path=(*path, "consentAt"))
    if consent is Consent.UNKNOWN and (at or source):
        raise CrmError(
            ErrorCode.BAD_INPUT,
            "An unknown consent has no date and no source.",
            path=(*path, "consent"),
            hint="Say OPTED_IN or OPTED_OUT.",
        )
    return new_point(
        value,
        label=optional_line(new.label, "The label", 100, path=(*path, "label")),
        primary=new.primary,
        consent=consent,
        consent_at=at or (now if consent is not Consent.UNKNOWN else None),
        consent_source=source,
    )


def new_point(value: ContactValue, **rest: Any) -> Point:
    return Point(
        id=new_id(),
        channel=value.channel,
        value=value.value,
        normalized=value.normalized,
        address=value.address,
        **rest,
    )


def with_value(point: Point, value: ContactValue) -> Point:
    return replace(point, value=value.value, normalized=value.normalized, address=value.address)


def check_consent(value: object, *, path: Sequence[str | int] = ()) -> Consent:
    try:
        return Consent(value)  # type: ignore[arg-type]  # what is no text is refused below
    except ValueError:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{cut(value, 40)} is no consent.",
            path=path,
            hint="Say OPTED_IN, OPTED_OUT or UNKNOWN.",
        ) from None


def arrange(points: Iterable[Point], *, preferred: Iterable[str] = ()) -> list[Point]:
    """The same points, numbered, with exactly one primary per channel.

    That is the last of `preferred` (ids), else the one that has the role, else the first.
    """
    listed = list(points)
    if not listed:
        return listed
    chosen: dict[str, str] = {}
    for point in listed:
        if point.primary:
            chosen.setdefault(point.channel, point.id)
    by_id = {point.id: point for point in listed}
    for key in preferred:
        chosen[by_id[key].channel] = key
    for point in listed:
        chosen.setdefault(point.channel, point.id)
    return [
        point
        if (point.position, point.primary) == role
        else replace(point, position=role[0], primary=role[1])
        for point, role in (
            (point, (position, chosen[point.channel] == point.id)) for position, point in enumerate(listed)
        )
    ]


def check_list(points: Sequence[Point], *, path: Sequence[str | int] = ("contactPoints",)) -> None:
    """BAD_INPUT for two equal points, two primary ones of a channel, or more points than are allowed."""
    seen: set[tuple[str, str]] = set()
    primary: set[str] = set()
    for index, point in enumerate(points):
        if point.same in seen:
            raise CrmError(
                ErrorCode.BAD_INPUT,
                f"The {point.channel} {cut(point.value, 80)} is given twice.",
                path=(*path, index, "value"),
                hint="Give it once.",
            )
        if point.primary and point.channel in primary:
            raise CrmError(
                ErrorCode.BAD_INPUT,
                f"Two contact points are primary for the channel {point.channel!r}.",
                path=(*path, index, "primary"),
                hint="Choose one.",
            )
        seen.add(point.same)
        if point.primary:
            primary.add(point.channel)
    if len(points) > POINTS_LIMIT:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"The customer would have {len(points)} contact points; {POINTS_LIMIT} are allowed.",
            path=path,
        )


def primary_of(points: Iterable[Point], channel: str) -> Point | None:
    return next((point for point in points if point.primary and point.channel == channel), None)


def primary_columns(points: Sequence[Point]) -> dict[str, Any]:
    """The customer's columns that repeat the primary contact points."""
    primary = {point.channel: point for point in points if point.primary}
    email, phone, home = primary.get("email"), primary.get("phone"), primary.get("address")
    address = (home.address if home else None) or {}
    return {
        "email": email.normalized if email else None,
        "phone": phone.normalized if phone else None,
        "city": address.get("city"),
        "country": address.get("country"),
    }


def search_text(name: str, company: str | None, points: Iterable[Point]) -> str:
    """The folded words to find a customer by: names, and contact points as typed and in their normal form."""
    found = dict.fromkeys(words(name))
    found.update(dict.fromkeys(words(company or "")))
    for point in points:
        found.update(dict.fromkeys(words(point.value)))
        if point.channel in PHONE_CHANNELS:
            found[point.normalized.removeprefix("+")] = None
        for part in (point.address or {}).values():
            found.update(dict.fromkeys(words(part)))
    return " ".join(found)


def shown(points: Iterable[Point]) -> list[dict[str, Any]]:
    """The list as events carry it: what is not known is left out."""
    listed = [
        {
            "id": point.id,
            "channel": point.channel,
            "value": point.value,
            "label": point.label,
            "primary": point.primary,
            "consent": str(point.consent),
            "consent_at": time_text(point.consent_at),
            "consent_source": point.consent_source,
        }
        for point in points
    ]
    return [{name: value for name, value in entry.items() if value is not None} for entry in listed]


_SELECT = """
    SELECT id, customer_id, channel, value, normalized, label, address, position, is_primary, consent,
           consent_at, consent_source
      FROM crm_contact_point
"""


async def points_of(tx: "UnitOfWork", customer_id: str) -> list[Point]:
    """The customer's contact points, in their order."""
    rows = await tx.fetch(f"{_SELECT} WHERE customer_id = ? ORDER BY position, id", (customer_id,))
    return [_point(row) for row in rows]


def row_of(point: Point, customer_id: str, now: datetime) -> dict[str, object]:
    return {"id": point.id, "customer_id": customer_id, **_columns(point), "created_at": now}


async def write_points(
    tx: "UnitOfWork", customer_id: str, before: Sequence[Point], after: Sequence[Point]
) -> None:
    """Makes the stored list `before` the list `after`, which `arrange` has put in order."""
    kept = {point.id for point in after}
    gone = [point.id for point in before if point.id not in kept]
    if gone:
        await tx.execute(f"DELETE FROM crm_contact_point WHERE id IN ({marks(len(gone))})", gone)
    stored = {point.id: point for point in before}
    new = [row_of(point, customer_id, tx.now) for point in after if point.id not in stored]
    changed = [
        {**_columns(point), "id": point.id}
        for point in after
        if point.id in stored and stored[point.id] != point
    ]
    # Whichever lost the role first: no two of a channel may have it, not even between two statements.
    changed.sort(key=lambda row: bool(row["is_primary"]))
    if changed:
        names = [name for name in changed[0] if name != "id"]
        await tx.execute_many(
            f"UPDATE crm_contact_point SET {', '.join(f'{name} = ?' for name in names)} WHERE id = ?",
            [tuple(row.values()) for row in changed],
        )
    tx.insert("crm_contact_point", *new)


def _columns(point: Point) -> dict[str, object]:
    return {
        "channel": point.channel,
        "value": point.value,
        "normalized": point.normalized,
        "label": point.label,
        "address": None if point.address is None else json_text(point.address),
        "position": point.position,
        "is_primary": point.primary,
        "consent": str(point.consent),
        "consent_at": point.consent_at,
        "consent_source": point.consent_source,
    }


def _point(row: Mapping[str, Any]) -> Point:
    return Point(
        id=row["id"],
        channel=row["channel"],
        value=row["value"],
        normalized=row["normalized"],
        label=row["label"],
        address=json_of(row["address"]),
        position=row["position"],
        primary=bool(row["is_primary"]),
        consent=Consent(row["consent"]),
        consent_at=time_of(row["consent_at"]),
        consent_source=row["consent_source"],
    )
