"""Customers are created and changed here; stages, owners, contact points, tags each have their own file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from msgspec import UNSET, UnsetType

from crm_framework.domain.contacts.points import (
    NewContactPoint,
    Point,
    arrange,
    check_list,
    check_point,
    points_of,
    primary_columns,
    search_text,
    shown,
    write_points,
)
from crm_framework.domain.contacts.points import (
    row_of as point_row,
)
from crm_framework.domain.contacts.shorts import set_short, set_town
from crm_framework.domain.customers.attribute_values import Definitions, check_values
from crm_framework.domain.customers.attributes import NOTHING_REQUIRED, definitions
from crm_framework.domain.customers.draft import (
    NAME_LIMIT,
    Draft,
    NewCustomer,
    blank,
    check_source,
    choice,
    draft,
    flag,
    sort_name,
)
from crm_framework.domain.customers.locks import Hold, reached
from crm_framework.domain.customers.record import (
    Changed,
    Record,
    lock_record,
    reference_elsewhere,
    reference_taken,
    resolve_id,
    row_of,
    save,
)
from crm_framework.domain.customers.staff import active_among
from crm_framework.domain.customers.tags import check_tags, set_tags, tag_rows, tags_of
from crm_framework.domain.models import CustomerKind
from crm_framework.domain.rows import insert
from crm_framework.domain.values.countries import country_code
from crm_framework.domain.values.locales import locale_region, locale_tag
from crm_framework.domain.values.text import line, optional_line
from crm_framework.errors import CrmError
from crm_framework.events import Changes, CustomerUpdated
from crm_framework.storage.ids import new_id
from crm_framework.zones import time_zone

if TYPE_CHECKING:
    from crm_framework.storage.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class Created:
    """The record's key; `created` is False when source and reference named one that was there."""

    id: str
    created: bool


@dataclass(frozen=True, kw_only=True)
class CustomerChange:
    """What is UNSET stays; None and blank text remove.

    `email`, `phone`, `city` and `country` write the primary contact points. `contact_points` and `tags`
    replace the whole list: what is in both lists keeps its key, and its consent unless one is given.
    `attributes` holds only those that change; None removes one. Stage and owner have their own functions.
    """

    name: str | UnsetType = UNSET
    kind: CustomerKind | str | UnsetType = UNSET
    company: str | UnsetType | None = UNSET
    email: str | UnsetType | None = UNSET
    phone: str | UnsetType | None = UNSET
    city: str | UnsetType | None = UNSET
    country: str | UnsetType | None = UNSET
    contact_points: Sequence[NewContactPoint] | UnsetType = UNSET
    tags: Sequence[str] | UnsetType = UNSET
    attributes: Mapping[str, object] | UnsetType = UNSET
    locale: str | UnsetType | None = UNSET
    time_zone: str | UnsetType | None = UNSET
    source: str | UnsetType | None = UNSET
    reference: str | UnsetType | None = UNSET
    confidential: bool | UnsetType = UNSET


async def create_customer(tx: "UnitOfWork", new: NewCustomer) -> Created:
    """The new customer, or the one that has this source and reference already.

    A resend is recognised before anything else is looked at, and changes nothing.
    """
    source, reference = check_source(new.source, new.reference)
    if source is not None and (there := await find_by_reference(tx, source, reference)) is not None:
        return Created(there, False)
    made = draft(
        new,
        key=new_id(),
        now=tx.now,
        definitions=await _definitions(tx, new),
        active_staff=await active_among(tx, [new.owner_id, new.backup_id]),
    )
    if source is None:
        tx.insert("crm_customer", row_of(made.record))
    elif not await insert(tx, "crm_customer", row_of(made.record), or_nothing=True):
        # Another transaction committed the same reference between the two statements.
        there = await find_by_reference(tx, source, reference)
        assert there is not None
        return Created(there, False)
    write_parts(tx, [made])
    tx.emit(made.event())
    return Created(made.record.id, True)


async def _definitions(tx: "UnitOfWork", new: NewCustomer) -> Definitions:
    """What the new customer's attributes are checked against. Without any, only what is required matters."""
    if not new.attributes and tx.assume(NOTHING_REQUIRED):
        return {}
    return await definitions(tx, writing=bool(new.attributes))


def write_parts(tx: "UnitOfWork", drafts: Sequence[Draft]) -> None:
    """Contact points and tags of customers whose rows are in."""
    tx.insert(
        "crm_contact_point",
        *(point_row(point, made.record.id, tx.now) for made in drafts for point in made.points),
    )
    tx.insert("crm_customer_tag", *(row for made in drafts for row in tag_rows(made.record.id, made.tags)))


async def update_customer(
    tx: "UnitOfWork", customer_id: str, change: CustomerChange, *, expected_version: int | None = None
) -> Changed:
    """Changes a customer; the same values again change nothing. CONFLICT for a stale `expected_version`."""
    known = await definitions(tx, writing=True) if not isinstance(change.attributes, UnsetType) else {}
    refers = not (isinstance(change.source, UnsetType) and isinstance(change.reference, UnsetType))
    hold = Hold.ALONE if refers else Hold.CHANGE
    before = await lock_record(tx, customer_id, hold=hold, expected_version=expected_version)
    after = _with_fields(before, change)
    more: Changes = {}
    if not isinstance(change.attributes, UnsetType):
        after = replace(after, attributes=check_values(change.attributes, known, before=before.attributes))
    if (after.source, after.reference) != (before.source, before.reference):
        await _refuse_taken(tx, after)
    if _touches_points(change) or (after.name, after.company) != (before.name, before.company):
        old = await points_of(tx, before.id)
        points = _with_points(old, after, change, tx)
        after = with_points(after, points)
        if points != old:
            await write_points(tx, before.id, old, points)
            more["contact_points"] = (shown(old), shown(points))
    if not isinstance(change.tags, UnsetType):
        old_tags = (await tags_of(tx, [before.id]))[before.id]
        tags = check_tags(change.tags, path=("tags",))
        if tags != old_tags:
            await set_tags(tx, before.id, old_tags, tags)
            more["tags"] = (list(old_tags), list(tags))
    changed, changes = await save(tx, before, after, more=more)
    if changed.changed:
        tx.emit(CustomerUpdated(customer_id=before.id, changes=changes))
    return changed


def with_points(record: Record, points: Sequence[Point]) -> Record:
    """The record with the columns that follow from its contact points and names."""
    return replace(
        record,
        **primary_columns(points),
        sort_name=sort_name(record.name),
        search_text=search_text(record.name, record.company, points),
    )


def _with_fields(before: Record, change: CustomerChange) -> Record:
    fields: dict[str, Any] = {}
    if not isinstance(change.name, UnsetType):
        fields["name"] = line(change.name, "The name", NAME_LIMIT, path=("name",))
    if not isinstance(change.kind, UnsetType):
        fields["kind"] = choice(change.kind, CustomerKind, "kind")
    if not isinstance(change.company, UnsetType):
        fields["company"] = optional_line(change.company, "The company", NAME_LIMIT, path=("company",))
    if not isinstance(change.locale, UnsetType):
        fields["locale"] = None if blank(change.locale) else locale_tag(change.locale, path=("locale",))
    if not isinstance(change.time_zone, UnsetType):
        zone = change.time_zone
        fields["time_zone"] = None if blank(zone) else time_zone(zone, path=("timeZone",))
    if not isinstance(change.confidential, UnsetType):
        fields["confidential"] = flag(change.confidential, "confidential")
    if not isinstance(change.source, UnsetType) or not isinstance(change.reference, UnsetType):
        fields["source"], fields["reference"] = check_source(
            before.source if isinstance(change.source, UnsetType) else change.source,
            before.reference if isinstance(change.reference, UnsetType) else change.reference,
        )
    return replace(before, **fields)


def _touches_points(change: CustomerChange) -> bool:
    given = (change.email, change.phone, change.city, change.country, change.contact_points)
    return not all(isinstance(value, UnsetType) for value in given)


def _with_points(
    old: Sequence[Point], record: Record, change: CustomerChange, tx: "UnitOfWork"
) -> list[Point]:
    town: dict[str, str | None] = {}
    if not isinstance(change.city, UnsetType):
        town["city"] = change.city
    if not isinstance(change.country, UnsetType):
        country = change.country
        town["country"] = None if blank(country) else country_code(country, path=("country",))
    region = town.get("country") or record.country or locale_region(record.locale)
    points = list(old)
    if not isinstance(change.contact_points, UnsetType):
        given = [
            check_point(new, region=region, now=tx.now, path=("contactPoints", index))
            for index, new in enumerate(change.contact_points)
        ]
        check_list(given)
        points = arrange(_kept(old, point) for point in given)
    for channel, text in (("email", change.email), ("phone", change.phone)):
        if not isinstance(text, UnsetType):
            points = set_short(points, channel, text, region=region, path=(channel,))
    return set_town(points, town) if town else points


def _kept(old: Sequence[Point], given: Point) -> Point:
    """The given point with the key, and where it says nothing the consent, of the equal one before."""
    same = next((point for point in old if point.same == given.same), None)
    if same is None:
        return given
    if given.consent is same.consent or given.consent_at is None:
        given = replace(
            given, consent=same.consent, consent_at=same.consent_at, consent_source=same.consent_source
        )
    return replace(given, id=same.id)


async def find_by_reference(tx: "UnitOfWork", source: str | None, reference: str | None) -> str | None:
    """Key of the customer with this source and reference (the winner's, for a merged one), or None."""
    rows = await tx.fetch(
        "SELECT id, merged_into_id FROM crm_customer WHERE source = ? AND reference = ?", (source, reference)
    )
    if not rows:
        return None
    key = str(rows[0]["id"])
    if rows[0]["merged_into_id"] is None and tx.reach is None:
        return key
    try:
        return await resolve_id(tx, key)
    except CrmError as error:
        raise reference_elsewhere(source, reference) from error


async def _refuse_taken(tx: "UnitOfWork", record: Record) -> None:
    if record.source is None:
        return
    taken = await tx.fetch(
        "SELECT id FROM crm_customer WHERE source = ? AND reference = ? AND id <> ?",
        (record.source, record.reference, record.id),
    )
    if taken:
        if not await reached(tx, [str(taken[0]["id"])]):
            raise reference_elsewhere(record.source, record.reference)
        raise reference_taken(record.source, record.reference)
