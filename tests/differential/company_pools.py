"""What operations over the company can ask for: what hits something there, and what does not."""

import re
from collections.abc import Sequence
from typing import Any

from graphql import GraphQLInterfaceType, GraphQLObjectType
from strawberry.types.base import StrawberryObjectDefinition

from crm_framework.engine import source_of
from crm_framework.engine.execute import reference_execute
from crm_framework.security.actors import Actor
from crm_framework.server.service import Service

from .company import global_id
from .values import Pools

_MISSING = "01890000-0000-7000-8000-000000000000"
_LISTS = {
    "Query.customers": "customers",
    "Query.interactions": "interactions",
    "Query.staff": "staff",
    "Query.segments": "segments",
    "Query.tokens": "tokens",
    "Query.auditLog": "auditLog",
    "Query.tickets": "tickets",
    "Query.loyaltyPrograms": "loyaltyPrograms",
    "Query.duplicateCustomers": "duplicateCustomers",
    "Customer.interactions": "customers(first: 20) { nodes { interactions",
    "Customer.timeline": "customers(first: 20) { nodes { timeline",
    "Customer.tickets": "customers(first: 20) { nodes { tickets",
    "Segment.members": "segments(first: 20) { nodes { members",
    "LoyaltyAccount.entries": "customers(first: 20) { nodes { loyalty { entries",
    "LoyaltyAccount.lots": "customers(first: 20) { nodes { loyalty { lots",
    "Ticket.messages": "tickets(first: 20) { nodes { messages",
}
_ORDERED = {
    "Query.customers": (
        *("NAME", "CITY", "STAGE", "CREATED_AT", "UPDATED_AT", "CONVERTED_AT"),
        *("LAST_CONTACT", "CONTACTS", "COMPANY"),
    ),
    "Query.interactions": ("OCCURRED_AT", "CREATED_AT", "FOLLOW_UP_AT", "KIND", "OUTCOME"),
    "Query.tickets": ("CREATED_AT", "NUMBER"),
    "Query.tokens": ("CREATED_AT", "NAME", "LAST_USED_AT"),
}
_KINDS = (
    (r"\.(customer|customers|winner|losers|fromCustomer|toCustomer)$", "Customer"),
    (r"\.(owner|backup|staff|assignee|successor)$", "Staff"),
    (r"\.(segment)$", "Segment"),
    (r"\.(program)$", "LoyaltyProgram"),
    (r"\.(ticket)$", "Ticket"),
    (r"\.(contactPoint)$", "ContactPoint"),
    (r"\.(token)$", "Token"),
    (r"\.(interaction|replyTo|refundOf|purchase)$", "Interaction"),
    (r"^(Query\.customer|CustomerFilter|.*CustomerInput|CustomerMomentInput)\.id$", "Customer"),
    (r"^AssignOwnerInput\.id$", "Customer"),
    (r"^(Query\.interaction|InteractionFilter|UpdateInteractionInput)\.id$", "Interaction"),
    (r"^Query\.ticket\.id$", "Ticket"),
    (r"^.*StaffInput\.id$", "Staff"),
    (r"^.*SegmentInput\.id$", "Segment"),
    (r"^.*AttributeInput\.id$", "AttributeDefinition"),
    (r"^.*ContactRuleInput\.id$", "ContactRule"),
    (r"^RevokeTokenInput\.id$", "Token"),
)  # fmt: skip


def id_type(place: str, hint: str) -> str | None:
    """The type whose id goes there; `None` where it can be any."""
    for pattern, kind in _KINDS:
        if re.search(pattern, f"{place}.{hint}"):
            return kind
    return None


async def pools_of(service: Service) -> Pools:
    """What the filled company holds."""
    return Pools(
        texts=await _texts(service),
        ids=await _ids(service),
        cursors=await _cursors(service),
        orders={place: place for place in _LISTS},
        moments=[
            "2026-01-22T12:00:00Z",
            "2026-02-01T00:00:00+01:00",
            "2026-02-26T12:00:00.000000Z",
            "2026-03-01T12:00:00Z",
            "1999-12-31T23:59:59Z",
        ],
        numbers={
            "first": (0, 1, 1, 2, 2, 3, 3, 5, 20, 21, -1),
            "last": (0, 1, 2, 3, 20, 21),
            "expectedVersion": (1, 1, 1, 2, 3),
            "quantity": (1, 2, 0),
            "maxTouches": (1, 2, 0),
            "windowHours": (24, 72, -1),
            "restHours": (12, 0),
            "pointsPerUnit": (1, 2, 0),
            "number": (1, 2, 3, 100),
            "points": (1, 2, 5, -3, 0),
            "threshold": (0, 10, 100),
            "loyaltyBalance": (0, 5, 10, 100),
        },
        json={
            "attributes": ({"tier": "gold"}, {"score": 3, "vip": None}, {}, {"nothing": 1}, {"score": "x"}),
        },
        id_type=id_type,
    )


async def _texts(service: Service) -> dict[str, Sequence[str]]:
    found: dict[str, Sequence[str]] = {}
    for hint, table, column in (
        ("name", "crm_customer", "name"),
        ("company", "crm_customer", "company"),
        ("email", "crm_customer", "email"),
        ("subject", "crm_interaction", "subject"),
        ("body", "crm_interaction", "body"),
    ):
        rows = await service.database.fetch(
            f"SELECT DISTINCT {column} AS one FROM {table} WHERE {column} IS NOT NULL ORDER BY {column}"
        )
        found[hint] = [row["one"] for row in rows]
    return found | {
        "search": ["ada", "benoit", "firm", "zoe brandt", "lyon", "example", "東京"],
        "city": ["Lyon", "Berlin", "São Paulo"],
        "country": ["FR", "DE", "ZZ"],
        "phone": ["+49301234000", "+49301234009", "030 123"],
        "channel": ["email", "phone", "address", "chat", "nothing"],
        "channels": ["email", "phone"],
        "kind": ["call", "note", "email", "purchase", "refund"],
        "kinds": ["call", "ticket", "purchase"],
        "tags": ["vip", "new", "écru"],
        "add": ["vip", "fresh"],
        "remove": ["vip", "new"],
        "currency": ["EUR", "JPY", "eur", "XXX"],
        "source": ["shop", "web"],
        "reference": ["ref-0", "ref-3", "ref-6", "ref-99"],
        "sku": ["S0", "S1", "S2"],
        "category": ["question", "request", "beans"],
        "locale": ["fr-FR", "en", "xx"],
        "timeZone": ["Europe/Paris", "UTC", "Mars"],
        "action": ["customer.created", "interaction.logged"],
        "subjectType": ["Customer", "Interaction"],
        "actorName": ["filling"],
        "label": ["Office"],
        "quietFrom": ["20:00", "25:00"],
        "quietUntil": ["08:00"],
        "permissions": ["customers.read", "loyalty.read", "nothing"],
        "idempotencyKey": ["one", "two"],
        "value": ["zc1z@example.com", "+49301234000", "a@example.com", "nonsense"],
        "customerSource": ["shop"],
        "customerReference": ["ref-0", "ref-3"],
    }


async def _ids(service: Service) -> dict[str, Sequence[str]]:
    found: dict[str, Sequence[str]] = {}
    for name, kind in service.schema.graphql.type_map.items():
        definition = service.schema.schema.get_type_by_name(name)
        if not isinstance(kind, GraphQLObjectType) or not isinstance(definition, StrawberryObjectDefinition):
            continue
        source = source_of(definition.origin)
        if source is None or not any(isinstance(one, GraphQLInterfaceType) for one in kind.interfaces):
            continue
        rows = await service.database.fetch(
            f"SELECT {source.key} AS key FROM {source.table} ORDER BY {source.key} LIMIT 60"
        )
        if rows:
            found[name] = [global_id(name, row["key"]) for row in rows]
    return found | {
        "missing": [global_id("Customer", _MISSING), global_id("Ticket", _MISSING)],
        "malformed": ["", "nonsense", "Customer:1", global_id("Customer", 1), global_id("Nothing", _MISSING)],
    }


async def _asked(service: Service, text: str) -> Any:
    context = service.context(Actor.system("pools"), "pools")
    result = await reference_execute(service.schema.schema, text, None, None, context)
    assert result.errors == [], (text, result.errors)
    return result.data


def _walked(found: Any) -> list[str]:
    """Every cursor in an answer."""
    if isinstance(found, list):
        return [cursor for one in found for cursor in _walked(one)]
    if isinstance(found, dict):
        own = [found["cursor"]] if isinstance(found.get("cursor"), str) else []
        return own + [cursor for one in found.values() for cursor in _walked(one)]
    return []


async def _list(service: Service, place: str, arguments: str) -> list[str]:
    opened = _LISTS[place]
    text = f"{{ {opened}{arguments} {{ edges {{ cursor }} }} {'}' * opened.count('{')} }}"
    return _walked(await _asked(service, text))


async def _cursors(service: Service) -> dict[str, Sequence[str]]:
    found: dict[str, Sequence[str]] = {}
    for place in _LISTS:
        found[place] = (await _list(service, place, "(first: 20)"))[:60]
    for place, fields in _ORDERED.items():
        for name in fields:
            for direction, sign in (("ASC", ""), ("DESC", "-")):
                order = f"(first: 20, orderBy: [{{field: {name}, direction: {direction}}}])"
                found[f"{sign}{name},{sign}id"] = await _list(service, place, order)
    return {name: cursors for name, cursors in found.items() if cursors}
