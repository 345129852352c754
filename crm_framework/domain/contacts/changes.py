"""Changes to the contact points of one customer, and the consents that they carry."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import UNSET, UnsetType

from crm_framework.domain.contacts.points import (
    NewContactPoint,
    Point,
    arrange,
    check_consent,
    check_list,
    check_point,
    points_of,
    shown,
    with_value,
    write_points,
)
from crm_framework.domain.contacts.values import normalize
from crm_framework.domain.customers.changes import with_points
from crm_framework.domain.customers.record import Changed, Record, lock_record, save, touch
from crm_framework.domain.kinds import check_channel
from crm_framework.domain.models import Consent
from crm_framework.domain.rows import not_found, time_text
from crm_framework.domain.values.locales import locale_region
from crm_framework.domain.values.moments import past_moment
from crm_framework.domain.values.text import optional_line
from crm_framework.errors import CrmError, ErrorCode, cut
from crm_framework.events import ConsentChanged, CustomerUpdated

if TYPE_CHECKING:
    from crm_framework.storage.unit_of_work import UnitOfWork


@dataclass(frozen=True, kw_only=True)
class ContactPointChange:
    """What is UNSET stays. `primary` True moves the role here; it is taken away by giving it to another."""

    value: str | UnsetType | None = UNSET
    address: Mapping[str, str | None] | UnsetType | None = UNSET
    label: str | UnsetType | None = UNSET
    primary: bool = False


async def add_contact_point(
    tx: "UnitOfWork", customer_id: str, new: NewContactPoint, *, expected_version: int | None = None
) -> tuple[str, Changed]:
    """Key of the contact point, and what the change came to.

    One that is there already is left as it is, but `primary` gives it the role.
    """
    before = await lock_record(tx, customer_id, expected_version=expected_version)
    old = await points_of(tx, before.id)
    point = check_point(new, region=_region(before), now=tx.now)
    there = next((other for other in old if other.same == point.same), None)
    if there is None:
        after = arrange([*old, point], preferred=[point.id] if new.primary else [])
    else:
        point = there
        after = arrange(old, preferred=[there.id] if new.primary else [])
    check_list(after, path=())
    return point.id, await _save(tx, before, old, after)


async def change_contact_point(
    tx: "UnitOfWork",
    customer_id: str,
    point_id: str,
    change: ContactPointChange,
    *,
    expected_version: int | None = None,
) -> Changed:
    """Changes value, address, label or role. Another value ends an opt-in: it was given for the old one."""
    before = await lock_record(tx, customer_id, expected_version=expected_version)
    old = await points_of(tx, before.id)
    point = _the_point(old, point_id)
    changed = point
    if not (isinstance(change.value, UnsetType) and isinstance(change.address, UnsetType)):
        value = None if isinstance(change.value, UnsetType) else change.value
        address = None if isinstance(change.address, UnsetType) else change.address
        changed = with_value(point, normalize(point.channel, value, address=address, region=_region(before)))
        if changed.normalized != point.normalized and changed.consent is Consent.OPTED_IN:
            changed = replace(changed, consent=Consent.UNKNOWN, consent_at=None, consent_source=None)
    if not isinstance(change.label, UnsetType):
        changed = replace(changed, label=optional_line(change.label, "The label", 100, path=("label",)))
    after = arrange(
        (changed if other is point else other for other in old),
        preferred=[point.id] if change.primary else [],
    )
    check_list(after, path=())
    return await _save(tx, before, old, after)


async def remove_contact_point(
    tx: "UnitOfWork", customer_id: str, point_id: str, *, expected_version: int | None = None
) -> Changed:
    """Removes a contact point; if it was primary, the next one of its channel takes the role."""
    before = await lock_record(tx, customer_id, expected_version=expected_version)
    old = await points_of(tx, before.id)
    point = _the_point(old, point_id)
    return await _save(tx, before, old, arrange(other for other in old if other is not point))


async def set_consent(
    tx: "UnitOfWork",
    customer_id: str,
    consent: Consent | str,
    *,
    channel: str | None = None,
    point_id: str | None = None,
    source: str | None = None,
    at: datetime | None = None,
    expected_version: int | None = None,
) -> Changed:
    """Records a consent for one contact point, or for all of a channel; `at` is when it was given (now).

    The same consent again changes nothing. CONFLICT if a newer one is on record: what arrives late must not
    undo it. NOT_FOUND for a contact point or channel that the customer has not.
    """
    wanted = check_consent(consent, path=("consent",))
    text = optional_line(source, "The consent's source", 200, path=("source",))
    when = past_moment(at, tx.now, path=("at",)) or tx.now
    if (channel is None) == (point_id is None):
        raise CrmError(
            ErrorCode.BAD_INPUT,
            "A consent belongs to a contact point or to a channel.",
            path=("channel",),
            hint="Give exactly one of both.",
        )
    concerns = _chooser(channel, point_id)
    before = await lock_record(tx, customer_id, expected_version=expected_version)
    old = await points_of(tx, before.id)
    chosen = [point for point in old if concerns(point)]
    if not chosen:
        raise CrmError(
            ErrorCode.NOT_FOUND,
            f"The customer has no contact point {cut(point_id or channel)}.",
            path=("contactPoint",) if point_id else ("channel",),
            hint="Add the contact point first.",
        )
    changing = [point for point in chosen if point.consent is not wanted]
    for point in changing:
        if point.consent_at is not None and when < point.consent_at:
            raise CrmError(
                ErrorCode.CONFLICT,
                f"A newer consent, {point.consent} of {time_text(point.consent_at)}, is on record.",
                path=("at",),
                hint="Give a later date if the older one shall not hold.",
            )
    if not changing:
        return Changed(before.id, before.version, False)
    dated = (None, None) if wanted is Consent.UNKNOWN else (when, text)
    after = [
        replace(point, consent=wanted, consent_at=dated[0], consent_source=dated[1])
        if point in changing
        else point
        for point in old
    ]
    await write_points(tx, before.id, old, after)
    await touch(tx, [before.id])
    for point, now in zip(old, after, strict=True):
        if point != now:
            tx.emit(_consent_event(before.id, point, now))
    return Changed(before.id, before.version + 1, True)


def _chooser(channel: str | None, point_id: str | None) -> Callable[[Point], bool]:
    if point_id is not None:
        return lambda point: point.id == point_id
    name = check_channel(channel, path=("channel",))
    return lambda point: point.channel == name


def _consent_event(customer_id: str, before: Point, after: Point) -> ConsentChanged:
    return ConsentChanged(
        customer_id=customer_id,
        channel=after.channel,
        contact_point_id=after.id,
        changes={
            "consent": (before.consent.value, after.consent.value),
            "consent_at": (time_text(before.consent_at), time_text(after.consent_at)),
            "consent_source": (before.consent_source, after.consent_source),
        },
    )


async def _save(tx: "UnitOfWork", before: Record, old: Sequence[Point], points: Sequence[Point]) -> Changed:
    if list(old) == list(points):
        return Changed(before.id, before.version, False)
    await write_points(tx, before.id, old, points)
    more: dict[str, Any] = {"contact_points": (shown(old), shown(points))}
    changed, changes = await save(tx, before, with_points(before, points), more=more)
    tx.emit(CustomerUpdated(customer_id=before.id, changes=changes))
    return changed


def _the_point(points: Sequence[Point], point_id: str) -> Point:
    for point in points:
        if point.id == point_id:
            return point
    raise not_found("contact point of this customer", point_id, path=("contactPoint",))


def _region(record: Record) -> str | None:
    return record.country or locale_region(record.locale)
