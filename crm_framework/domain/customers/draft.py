"""A new customer, from input to the rows that are written: every check, no database.

One customer and an import of ten thousand go through the same checks.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from crm_framework.domain.contacts.points import (
    NewContactPoint,
    Point,
    arrange,
    check_list,
    check_point,
    primary_columns,
    search_text,
    shown,
)
from crm_framework.domain.contacts.shorts import add_short, set_town
from crm_framework.domain.contacts.values import ADDRESS_CHANNELS
from crm_framework.domain.customers.attribute_values import Definitions, check_values
from crm_framework.domain.customers.record import Record, differences
from crm_framework.domain.customers.tags import check_tags
from crm_framework.domain.models import CustomerKind, CustomerStage
from crm_framework.domain.values.countries import COUNTRIES, country_code
from crm_framework.domain.values.locales import locale_region, locale_tag
from crm_framework.domain.values.moments import past_moment
from crm_framework.domain.values.text import fold, kind_of, line, optional_line
from crm_framework.errors import CrmError, ErrorCode, cut
from crm_framework.events import CustomerCreated
from crm_framework.zones import time_zone

EnumT = TypeVar("EnumT", bound=StrEnum)

NAME_LIMIT = 300
SOURCE_LIMIT = 100
REFERENCE_LIMIT = 200


@dataclass(frozen=True, kw_only=True)
class NewCustomer:
    """A customer as input gives it.

    `email`, `phone`, `city` and `country` are short for primary contact points; `contact_points` takes more.
    `source` and `reference` belong together and name the record in the system that it comes from.
    `converted_at` says when a CUSTOMER became one (now, if left out) or a FORMER one had (unknown, if left
    out); `former_at` when a FORMER one left (now, if left out).
    """

    name: str
    kind: CustomerKind | str = CustomerKind.PERSON
    stage: CustomerStage | str = CustomerStage.PROSPECT
    company: str | None = None
    email: str | None = None
    phone: str | None = None
    city: str | None = None
    country: str | None = None
    contact_points: Sequence[NewContactPoint] = ()
    owner_id: str | None = None
    backup_id: str | None = None
    tags: Sequence[str] = ()
    attributes: Mapping[str, object] = field(default_factory=dict)
    locale: str | None = None
    time_zone: str | None = None
    source: str | None = None
    reference: str | None = None
    confidential: bool = False
    converted_at: datetime | None = None
    former_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be written for a new customer."""

    record: Record
    points: Sequence[Point]
    tags: Sequence[str]

    def event(self) -> CustomerCreated:
        changes = differences(None, self.record)
        if self.points:
            changes["contact_points"] = (None, shown(self.points))
        if self.tags:
            changes["tags"] = (None, list(self.tags))
        return CustomerCreated(customer_id=self.record.id, changes=changes)


def draft(
    new: NewCustomer,
    *,
    key: str,
    now: datetime,
    definitions: Definitions,
    active_staff: Collection[str],
    from_text: bool = False,
) -> Draft:
    """The checked customer, or BAD_INPUT at the first part that does not fit.

    `active_staff` holds the keys of those who may own customers, as far as they are named here.
    """
    name = line(new.name, "The name", NAME_LIMIT, path=("name",))
    company = optional_line(new.company, "The company", NAME_LIMIT, path=("company",))
    stage = choice(new.stage, CustomerStage, "stage")
    source, reference = check_source(new.source, new.reference)
    check_owners(new.owner_id, new.backup_id, active_staff)
    locale = None if blank(new.locale) else locale_tag(new.locale, path=("locale",))
    points = _points(new, locale, now)
    record = Record(
        id=key,
        kind=choice(new.kind, CustomerKind, "kind"),
        stage=stage,
        name=name,
        sort_name=sort_name(name),
        company=company,
        **primary_columns(points),
        owner_id=new.owner_id,
        backup_id=new.backup_id,
        attributes=check_values(new.attributes, definitions, from_text=from_text),
        locale=locale,
        time_zone=None if blank(new.time_zone) else time_zone(new.time_zone, path=("timeZone",)),
        source=source,
        reference=reference,
        confidential=flag(new.confidential, "confidential"),
        search_text=search_text(name, company, points),
        created_at=now,
        updated_at=now,
        **_dates(new, stage, now),
    )
    return Draft(record, points, check_tags(new.tags, path=("tags",)))


def sort_name(name: str) -> str:
    return fold(name)[:NAME_LIMIT]


def blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def flag(value: object, name: str) -> bool:
    if isinstance(value, bool):
        return value
    raise CrmError(ErrorCode.BAD_INPUT, f"{name} must be true or false, not {kind_of(value)}.", path=(name,))


def choice(value: object, kind: type[EnumT], name: str) -> EnumT:
    if isinstance(value, kind):
        return value
    try:
        return kind(value)  # type: ignore[arg-type]  # what is no text is refused below
    except ValueError:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{cut(value, 40)} is no {name} of a customer.",
            path=(name,),
            hint=f"Choose from: {', '.join(kind)}.",
        ) from None


def check_source(source: object, reference: object) -> tuple[str | None, str | None]:
    """Both, or neither."""
    where = optional_line(source, "The source", SOURCE_LIMIT, path=("source",))
    what = optional_line(reference, "The reference", REFERENCE_LIMIT, path=("reference",))
    if (where is None) != (what is None):
        missing = "source" if where is None else "reference"
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{'A reference' if where is None else 'A source'} needs a {missing}.",
            path=(missing,),
            hint="Give both: the system that the record comes from, and its id there.",
        )
    return where, what


def check_owners(owner_id: str | None, backup_id: str | None, active_staff: Collection[str]) -> None:
    """BAD_INPUT unless both are active staff, and two persons."""
    for key, role in ((owner_id, "owner"), (backup_id, "backup")):
        if key is not None and key not in active_staff:
            raise CrmError(
                ErrorCode.BAD_INPUT,
                f"The {role} {cut(key)} is no active member of staff.",
                path=(role,),
                hint="Choose somebody who is active.",
            )
    if backup_id is not None and owner_id is None:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            "A customer without an owner has no backup.",
            path=("backup",),
            hint="Name an owner too.",
        )
    if owner_id is not None and owner_id == backup_id:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            "Owner and backup are the same person.",
            path=("backup",),
            hint="The backup stands in while the owner is away: choose somebody else.",
        )


def _dates(new: NewCustomer, stage: CustomerStage, now: datetime) -> dict[str, Any]:
    """When the customer became one, and left."""
    converted = past_moment(new.converted_at, now, path=("convertedAt",))
    former = past_moment(new.former_at, now, path=("formerAt",))
    if stage is CustomerStage.PROSPECT and converted is not None:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            "A prospect has not been converted yet.",
            path=("convertedAt",),
            hint="Leave the date out, or make the stage CUSTOMER.",
        )
    if stage is not CustomerStage.FORMER and former is not None:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            "Only a former customer has left.",
            path=("formerAt",),
            hint="Leave the date out, or make the stage FORMER.",
        )
    if converted is not None and former is not None and former < converted:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            "The customer left before the conversion.",
            path=("formerAt",),
            hint="Give a later date.",
        )
    if stage is CustomerStage.CUSTOMER:
        return {"converted_at": converted or now}
    return {"converted_at": converted, "former_at": former or now} if stage is CustomerStage.FORMER else {}


def _points(new: NewCustomer, locale: str | None, now: datetime) -> list[Point]:
    country = None if blank(new.country) else country_code(new.country, path=("country",))
    region = _given_country(new) or country or locale_region(locale)
    points = [
        check_point(given, region=region, now=now, path=("contactPoints", index))
        for index, given in enumerate(new.contact_points)
    ]
    check_list(points)
    points = arrange(points)
    for channel in ("email", "phone"):
        text = getattr(new, channel)
        if not blank(text):
            points = add_short(points, channel, text, region=region, path=(channel,))
    if country is not None or not blank(new.city):
        points = set_town(points, {"city": new.city, "country": country})
    return points


def _given_country(new: NewCustomer) -> str | None:
    """The country of the first address that has one; what is wrong with it is said elsewhere."""
    for point in new.contact_points:
        code = (point.address or {}).get("country")
        if point.channel in ADDRESS_CHANNELS and isinstance(code, str) and code.strip().upper() in COUNTRIES:
            return code.strip().upper()
    return None
