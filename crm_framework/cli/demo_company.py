"""A small invented company that sells coffee: the same customers everywhere, dated back from today."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from crm_framework.domain.customers.draft import NewCustomer
from crm_framework.domain.customers.staff import NewStaff
from crm_framework.domain.interactions.purchase_lines import NewLine
from crm_framework.domain.interactions.rows import InteractionRow

SOURCE = "demo"
"""Source of every record of the demo, and the tag of its customers."""

STAFF = (
    NewStaff(name="Maya Lindqvist", email="maya@example.com", source=SOURCE, reference="staff-1"),
    NewStaff(name="Tomás Herrera", email="tomas@example.com", source=SOURCE, reference="staff-2"),
    NewStaff(name="Aiko Tanaka", email="aiko@example.com", source=SOURCE, reference="staff-3"),
)

PEOPLE = (
    ("Ada Brandt", "Berlin", "DE", "Europe/Berlin"),
    ("Benoît Carel", "Lyon", "FR", "Europe/Paris"),
    ("Chiara Donati", "Bologna", "IT", "Europe/Rome"),
    ("Daniel Okafor", "London", "GB", "Europe/London"),
    ("Elif Yıldız", "Istanbul", "TR", "Europe/Istanbul"),
    ("Freja Holm", "Aarhus", "DK", "Europe/Copenhagen"),
    ("Gabriel Souza", "Porto", "PT", "Europe/Lisbon"),
    ("Hana Novotná", "Brno", "CZ", "Europe/Prague"),
    ("Ibrahim Haddad", "Lille", "FR", "Europe/Paris"),
    ("Jana Krüger", "Hamburg", "DE", "Europe/Berlin"),
    ("Kacper Zieliński", "Gdańsk", "PL", "Europe/Warsaw"),
    ("Lucía Ferrer", "Valencia", "ES", "Europe/Madrid"),
    ("Marek Horváth", "Bratislava", "SK", "Europe/Bratislava"),
    ("Noor de Vries", "Utrecht", "NL", "Europe/Amsterdam"),
    ("Oskar Lund", "Malmö", "SE", "Europe/Stockholm"),
    ("Priya Nair", "Leeds", "GB", "Europe/London"),
    ("Quentin Maes", "Ghent", "BE", "Europe/Brussels"),
    ("Rosa Marchetti", "Turin", "IT", "Europe/Rome"),
    ("Stefan Gruber", "Graz", "AT", "Europe/Vienna"),
    ("Tuuli Mäkinen", "Tampere", "FI", "Europe/Helsinki"),
)
COMPANIES = (
    ("Café Morgenrot", "Berlin", "DE", "Europe/Berlin"),
    ("Hotel Bellavista", "Bologna", "IT", "Europe/Rome"),
    ("Northside Bakery", "Leeds", "GB", "Europe/London"),
    ("Kantoor Keizer", "Utrecht", "NL", "Europe/Amsterdam"),
)
GOODS = (
    ("BEAN-ETH", "Ethiopia Yirgacheffe, 1 kg", "beans", 2890),
    ("BEAN-COL", "Colombia Huila, 1 kg", "beans", 2490),
    ("BEAN-DEC", "Decaf Sumatra, 1 kg", "beans", 2650),
    ("MILL-01", "Hand mill", "equipment", 7900),
    ("FILT-100", "Paper filters, 100", "supplies", 540),
    ("MUG-02", "Pair of mugs", "supplies", 2200),
)
TOUCHES = (
    ("call", "phone", "INBOUND", "Asks for a brewing recipe", "answered", "POSITIVE"),
    ("email", "email", "OUTBOUND", "New harvest has arrived", "sent", "NEUTRAL"),
    ("email", "email", "INBOUND", "Parcel arrived damaged", "replacement sent", "NEGATIVE"),
    ("visit", "in_person", "INBOUND", "Tasting in the roastery", "bought a subscription", "POSITIVE"),
    ("meeting", "in_person", "OUTBOUND", "Yearly review of the supply contract", "extended", "POSITIVE"),
    ("message", "chat", "INBOUND", "When will the Colombia be back?", "answered", "NEUTRAL"),
)


@dataclass(frozen=True)
class Company:
    """What `crm demo` loads. Owners are positions in STAFF."""

    customers: tuple[NewCustomer, ...]
    owners: tuple[int, ...]
    interactions: tuple[InteractionRow, ...]


def company(now: datetime) -> Company:
    """The demo as of `now`: 24 customers and some 190 interactions over the past 18 months."""
    rng = random.Random(7)
    customers: list[NewCustomer] = []
    interactions: list[InteractionRow] = []
    owners: list[int] = []
    for number, (name, city, country, zone) in enumerate((*PEOPLE, *COMPANIES)):
        firm = number >= len(PEOPLE)
        reference = f"customer-{number + 1}"
        bought = number % 5 != 4
        customers.append(
            NewCustomer(
                name=name,
                kind="ORGANISATION" if firm else "PERSON",
                email=f"customer{number + 1}@example.com",
                city=city,
                country=country,
                time_zone=zone,
                tags=(SOURCE, "wholesale") if firm else (SOURCE,),
                source=SOURCE,
                reference=reference,
            )
        )
        owners.append(number % len(STAFF))
        if bought:
            interactions += _purchases(rng, reference, now, large=firm)
        interactions += _touches(rng, reference, now)
    return Company(tuple(customers), tuple(owners), tuple(interactions))


def _purchases(rng: random.Random, customer: str, now: datetime, *, large: bool) -> list[InteractionRow]:
    made: list[InteractionRow] = []
    at = now - timedelta(days=rng.randrange(420, 540))
    gap = rng.randrange(25, 90)
    while (at := at + timedelta(days=rng.randrange(gap // 2, gap * 2), minutes=rng.randrange(600))) < now:
        goods = rng.sample(GOODS, rng.randrange(1, 4))
        lines = tuple(
            NewLine(
                sku=sku,
                name=name,
                category=category,
                quantity=rng.randrange(5, 20) if large else rng.randrange(1, 3),
                unit_price_minor=price,
            )
            for sku, name, category, price in goods
        )
        made.append(
            InteractionRow(
                kind="purchase",
                channel="web",
                direction="INBOUND",
                occurred_at=at,
                currency="EUR",
                lines=lines,
                source=SOURCE,
                reference=f"{customer}-purchase-{len(made) + 1}",
                customer_source=SOURCE,
                customer_reference=customer,
            )
        )
    if made and rng.random() < 0.25:
        first = made[0]
        assert first.occurred_at is not None
        assert first.lines[0].unit_price_minor is not None
        made.append(
            InteractionRow(
                kind="refund",
                occurred_at=first.occurred_at + timedelta(days=4),
                subject="One item came back",
                currency="EUR",
                total_minor=first.lines[0].unit_price_minor,
                source=SOURCE,
                reference=f"{customer}-refund-1",
                customer_source=SOURCE,
                customer_reference=customer,
                refund_of_source=SOURCE,
                refund_of_reference=first.reference,
            )
        )
    return made


def _touches(rng: random.Random, customer: str, now: datetime) -> list[InteractionRow]:
    return [
        InteractionRow(
            kind=kind,
            channel=channel,
            direction=direction,
            subject=subject,
            outcome=outcome,
            sentiment=sentiment,
            occurred_at=now - timedelta(days=rng.randrange(1, 400), minutes=rng.randrange(600)),
            source=SOURCE,
            reference=f"{customer}-touch-{number}",
            customer_source=SOURCE,
            customer_reference=customer,
        )
        for number, (kind, channel, direction, subject, outcome, sentiment) in enumerate(
            rng.sample(TOUCHES, rng.randrange(1, 4)), start=1
        )
    ]
