"""How the limit answers: rows of the database as `data` of the product's answer, spelt as there."""

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

Answer = dict[str, Any]
Row = Any
"""A row of either driver: its columns in order."""

_CUSTOMER = b"Customer:"
_INTERACTION = b"Interaction:"


def customer_id(key: str) -> str:
    return b64encode(_CUSTOMER + key.encode()).decode()


def interaction_id(key: str) -> str:
    return b64encode(_INTERACTION + key.encode()).decode()


def key_of(customer: str) -> str:
    """The key in a customer's id."""
    return b64decode(customer)[len(_CUSTOMER) :].decode()


def beyond(prefix: str) -> str:
    """The first text after all that begin with `prefix`."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


def one(row: Row) -> Answer:
    key, name, email, phone, city, stage = row
    found = {
        "id": customer_id(key),
        "name": name,
        "email": email,
        "phone": phone,
        "city": city,
        "stage": stage,
    }
    return {"customer": found}


def page(rows: Iterable[Row], moment: Callable[[Any], datetime]) -> Answer:
    nodes = [
        {
            "id": customer_id(key),
            "name": name,
            "email": email,
            "phone": phone,
            "company": company,
            "city": city,
            "country": country,
            "stage": stage,
            "createdAt": moment(created),
            "updatedAt": moment(updated),
        }
        for key, name, email, phone, company, city, country, stage, created, updated in rows
    ]
    return {"customers": {"nodes": nodes}}


def nested(customers: Iterable[Row], touches: Iterable[Row], moment: Callable[[Any], datetime]) -> Answer:
    """Each of the `touches` begins with the key of its customer; those of one customer are in order."""
    of: dict[str, list[Answer]] = {}
    nodes = [
        {"id": customer_id(key), "name": name, "interactions": {"nodes": of.setdefault(key, [])}}
        for key, name in customers
    ]
    for customer, key, kind, subject, at in touches:
        of[customer].append(
            {"id": interaction_id(key), "kind": kind, "subject": subject, "occurredAt": moment(at)}
        )
    return {"customers": {"nodes": nodes}}


def search(rows: Iterable[Row]) -> Answer:
    nodes = [
        {"id": customer_id(key), "name": name, "email": email, "city": city}
        for key, name, email, city in rows
    ]
    return {"customers": {"nodes": nodes}}
