"""The company that is measured: its rows, the same in each run, whatever their number."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from crm_framework.domain.contacts import points as contact_points
from crm_framework.domain.contacts.points import Point, primary_columns, search_text
from crm_framework.domain.customers import record as customer_record
from crm_framework.domain.customers.draft import sort_name
from crm_framework.domain.customers.record import Record
from crm_framework.domain.interactions import touches
from crm_framework.domain.models import CustomerKind, CustomerStage

START = datetime(2020, 1, 1, tzinfo=UTC)
SPAN = timedelta(days=5 * 365)

FIRST = (
    *("Anna", "Ben", "Chloé", "David", "Emma", "Finn", "Grace", "Hugo", "Ida", "Jonas"),
    *("Klara", "Liam", "Mia", "Noah", "Olga", "Paul", "Rosa", "Søren", "Tara", "Zoë"),
)
LAST = (
    *("Adams", "Bauer", "Carter", "Dubois", "Evans", "Fischer", "García", "Hansen"),
    *("Ito", "Jensen", "Kowalski", "Lopez", "Müller", "Nguyen", "Okafor"),
)
PLACES = (
    ("Amsterdam", "NL"),
    ("Berlin", "DE"),
    ("Chicago", "US"),
    ("Dublin", "IE"),
    ("Edinburgh", "GB"),
    ("Florence", "IT"),
    ("Geneva", "CH"),
    ("Hamburg", "DE"),
    ("Istanbul", "TR"),
    ("Kyoto", "JP"),
    ("Lisbon", "PT"),
    ("Madrid", "ES"),
)
STAGES = (CustomerStage.PROSPECT, *[CustomerStage.CUSTOMER] * 3, CustomerStage.FORMER)
CHANNELS = {"call": "phone", "email": "email", "meeting": "in_person", "visit": "in_person", "note": None}
KINDS = tuple(CHANNELS)

_CUSTOMER, _POINT, _INTERACTION = 1, 2, 3


@dataclass(frozen=True)
class Size:
    """How many customers and interactions there are."""

    customers: int
    interactions: int


@dataclass(frozen=True)
class Table:
    """The rows of one table, and how many they are."""

    name: str
    columns: Sequence[str]
    rows: Iterator[Sequence[object]]
    total: int


def customer_key(number: int) -> str:
    """The key of the customer with this number, from 0."""
    return made_key(_CUSTOMER, number)


def made_key(table: int, number: int) -> str:
    """A key of the company. It has the form of a UUIDv7, and grows with the number as those do."""
    return f"018f{table:04x}-{number >> 16 & 0xFFFF:04x}-7000-8000-{number:012x}"


def tables(size: Size) -> Iterator[Table]:
    """All tables, those first that others refer to."""
    yield Table("crm_customer", tuple(customer_record.COLUMNS), customer_rows(size), size.customers)
    columns = tuple(contact_points.row_of(_points(0)[0], "", START))
    yield Table("crm_contact_point", columns, point_rows(size), 3 * size.customers)
    yield Table("crm_interaction", touches.COLUMNS, interaction_rows(size), size.interactions)


def customer_rows(size: Size) -> Iterator[Sequence[object]]:
    """The columns that follow from others are made as the product makes them."""
    rng = random.Random(1)
    for number in range(size.customers):
        name = f"{rng.choice(FIRST)} {rng.choice(LAST)} {number}"
        company = f"{rng.choice(LAST)} & {rng.choice(LAST)}" if rng.random() < 0.3 else None
        stage = rng.choice(STAGES)
        at = START + SPAN * (number / size.customers)
        points = _points(number)
        record = Record(
            id=customer_key(number),
            kind=CustomerKind.PERSON,
            stage=stage,
            name=name,
            sort_name=sort_name(name),
            company=company,
            **primary_columns(points),
            attributes={},
            search_text=search_text(name, company, points),
            created_at=at,
            updated_at=at,
            converted_at=None if stage is CustomerStage.PROSPECT else at,
            former_at=at + timedelta(days=90) if stage is CustomerStage.FORMER else None,
        )
        yield tuple(customer_record.row_of(record).values())


def point_rows(size: Size) -> Iterator[Sequence[object]]:
    for number in range(size.customers):
        at = START + SPAN * (number / size.customers)
        for point in _points(number):
            yield tuple(contact_points.row_of(point, customer_key(number), at).values())


def interaction_rows(size: Size) -> Iterator[Sequence[object]]:
    """In the order of time. Half of them belong to a few customers; a tenth are purchases."""
    rng = random.Random(2)
    for number in range(size.interactions):
        if rng.random() < 0.5:
            owner = rng.randrange(size.customers)
        else:
            owner = min(int((rng.paretovariate(1.2) - 1) * size.customers / 20), size.customers - 1)
        purchase = rng.random() < 0.1
        kind = "purchase" if purchase else rng.choice(KINDS)
        at = START + SPAN * (number / size.interactions)
        values: dict[str, object] = {
            "id": made_key(_INTERACTION, number),
            "version": 1,
            "customer_id": customer_key(owner),
            "kind": kind,
            "channel": CHANNELS.get(kind),
            "direction": None if purchase else rng.choice(("INBOUND", "OUTBOUND")),
            "subject": f"Subject {number}",
            "occurred_at": at,
            "created_at": at,
            "total_minor": rng.randrange(100, 50_000) if purchase else None,
            "currency": "EUR" if purchase else None,
        }
        yield touches.row_of(values)


def _points(number: int) -> list[Point]:
    """E-mail, telephone and address of a customer."""
    email, phone = f"c{number}@example.com", f"+4930{10_000_000 + number}"
    city, country = PLACES[number * 7 % len(PLACES)]
    address = {"city": city, "country": country}
    written = ", ".join(address.values())
    values = (
        ("email", email, email, None),
        ("phone", phone, phone, None),
        ("address", written, written.lower(), address),
    )
    return [
        Point(
            id=made_key(_POINT, number * len(values) + position),
            channel=channel,
            value=value,
            normalized=normalized,
            address=parts,
            position=position,
            primary=True,
        )
        for position, (channel, value, normalized, parts) in enumerate(values)
    ]
