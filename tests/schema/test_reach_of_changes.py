"""What actors who see some customers change: nothing of the others, nothing that all share, and nobody comes
into their reach by it.
"""

from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
import strawberry
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    get_named_type,
    get_nullable_type,
    is_required_input_field,
)

from crm_framework.engine.declarations import DeclaredField
from crm_framework.engine.ids import decode_key
from crm_framework.engine.parts import SchemaParts
from crm_framework.events import CORE_EVENTS, OwnerAssigned
from crm_framework.hooks.dispatch import PluginHost
from crm_framework.schema.compose import compose
from crm_framework.schema.core import CORE_PARTS
from crm_framework.schema.inputs import key_of, required
from crm_framework.schema.mutation import mutation, payload
from crm_framework.schema.staff import Staff
from crm_framework.security.actors import Actor, ActorKind, Grant
from crm_framework.security.permissions import CORE_PERMISSIONS
from crm_framework.security.scopes import own_customers
from crm_framework.storage.database import Database
from crm_framework.storage.events import EventTypes
from crm_framework.storage.unit_of_work import UnitOfWork

from .conftest import Api, create

ALL_RIGHTS = frozenset(permission.name for permission in CORE_PERMISSIONS)

SCOPED = {
    *("createCustomer", "updateCustomer", "convertProspect", "lapseCustomer", "returnCustomer"),
    *("archiveCustomer", "unarchiveCustomer", "assignOwner", "tagCustomers", "addContactPoint"),
    *("updateContactPoint", "removeContactPoint", "setConsent", "mergeCustomers", "exportCustomer"),
    *("eraseCustomer", "importCustomers", "importInteractions", "logInteraction", "updateInteraction"),
    *("recordPurchase", "recordRefund", "createToken", "revokeToken"),
}
"""The mutations that make sense on some customers only. All others need their permission on all of them."""


def own(staff: str, permissions: frozenset[str] = ALL_RIGHTS, *everywhere: str) -> Actor:
    """A member of staff with permissions on their own customers, and some on all."""
    key = decode_key(staff, "Staff")
    wide = (Grant(frozenset(everywhere)),) if everywhere else ()
    return Actor(
        kind=ActorKind.STAFF,
        id=key,
        name="own",
        permissions=permissions | set(everywhere),
        staff_id=key,
        scoped=(Grant(permissions, own_customers(key)), *wide),
    )


@dataclass
class Firm:
    """Sam owns Ann, Pat owns Bea and Cid; all that Sam does goes through `mine`."""

    api: Api
    ids: dict[str, str]

    def mine(self, actor: Actor | None = None) -> Api:
        return Api(self.api.schema, self.api.database, self.api.host, actor or own(self.ids["sam"]))

    async def seen(self, actor: Actor | None = None) -> set[str]:
        data = await self.mine(actor).data("{ customers(first: 100) { nodes { id } } }")
        return {node["id"] for node in data["customers"]["nodes"]}


async def firm_of(api: Api) -> Firm:
    ids = {}
    for name in ("sam", "pat"):
        ids[name] = (await api.change("createStaff", {"name": name}, "staff { id }"))["staff"]["id"]
    await api.change(
        "defineAttribute", {"name": "diagnosis", "type": "CHOICE", "choices": ["a", "b"]},
        "attributeDefinition { id }",
    )  # fmt: skip
    found = await api.data("{ attributeDefinitions { id } }")
    ids["attribute"] = found["attributeDefinitions"][0]["id"]
    ids["ann"] = await create(api, "Ann", owner=ids["sam"])
    for name in ("bea", "cid"):
        ids[name] = await create(
            api, name, owner=ids["pat"], source="shop", reference=name, attributes={"diagnosis": "b"}
        )
    for name in ("ann", "bea"):
        made = await api.change(
            "logInteraction", {"customer": ids[name], "kind": "call"}, "interaction { id }"
        )
        ids[f"call of {name}"] = made["interaction"]["id"]
    made = await api.change("createToken", {"name": "Shop", "permissions": ["*"]}, "token { id }")
    ids["token"] = made["token"]["id"]
    made = await api.change("createSegment", {"name": "All", "filter": {}}, "segment { id }")
    ids["segment"] = made["segment"]["id"]
    made = await api.change("createRole", {"name": "R", "permissions": ["customers.read"]}, "role { id }")
    ids["role"] = made["role"]["id"]
    return Firm(api, ids)


@pytest.fixture
async def firm(api: Api) -> Firm:
    return await firm_of(api)


async def test_nobody_is_taken_over_with_the_customers_of_who_leaves(firm: Firm) -> None:
    asked = {"id": firm.ids["pat"], "successor": firm.ids["sam"]}
    wide = own(firm.ids["sam"], ALL_RIGHTS - {"staff.write"}, "staff.write")
    for actor in (own(firm.ids["sam"]), wide):
        for input in (asked, {"id": firm.ids["pat"]}):
            with pytest.raises(AssertionError, match="FORBIDDEN"):
                await firm.mine(actor).errors("deactivateStaff", input)
        assert await firm.seen(actor) == {firm.ids["ann"]}
    await firm.api.change("deactivateStaff", asked, "staff { active }")
    assert await firm.seen() == {firm.ids[name] for name in ("ann", "bea", "cid")}


async def test_who_does_not_see_confidential_customers_is_not_told_how_many(firm: Firm) -> None:
    await firm.api.change("updateCustomer", {"id": firm.ids["bea"], "confidential": True}, "customer { id }")
    rights = ALL_RIGHTS - {"customers.confidential"}
    plain = Actor(kind=ActorKind.INTEGRATION, id="p", name="p", permissions=rights)
    mine = firm.mine(plain)
    [error] = await mine.errors("deactivateStaff", {"id": firm.ids["pat"]})
    assert error["message"] == "pat still has customers."
    [error] = await mine.errors("deactivateStaff", {"id": firm.ids["pat"], "successor": firm.ids["sam"]})
    assert error["code"] == "NOT_FOUND"
    [error] = await mine.errors("removeAttribute", {"id": firm.ids["attribute"]})
    assert error["message"] == "There are customers who have a value for the attribute 'diagnosis'."
    [error] = await mine.errors("updateAttribute", {"id": firm.ids["attribute"], "choices": ["a"]})
    assert error["message"] == "There are customers who have a value for 'diagnosis' that would not fit."
    await firm.api.change("updateCustomer", {"id": firm.ids["bea"], "confidential": False}, "customer { id }")
    asked = {"id": firm.ids["pat"], "successor": firm.ids["sam"]}
    await mine.change("deactivateStaff", asked, "staff { id }")


@payload
class TakenOver:
    """Nothing."""


@strawberry.input(description="Whom to take over.")
class TakeOverInput:
    staff: strawberry.ID = required("Whose customers.")
    successor: strawberry.ID = required("For whom.")


@mutation(permission="staff.write")
async def take_over(tx: UnitOfWork, input: TakeOverInput) -> TakenOver:
    """Moves customers without asking whether they are within reach."""
    old, new = key_of(input.staff, Staff), key_of(input.successor, Staff)
    rows = await tx.fetch("SELECT id FROM crm_customer WHERE owner_id = ?", (old,))
    await tx.execute("UPDATE crm_customer SET owner_id = ? WHERE owner_id = ?", (new, old))
    for row in rows:
        tx.emit(OwnerAssigned(customer_id=str(row["id"]), changes={"owner_id": (old, new)}))
    return TakenOver()


async def test_a_change_that_itself_brings_customers_into_reach_is_rolled_back(database: Database) -> None:
    database.event_types = EventTypes(CORE_EVENTS)
    schema = compose([*CORE_PARTS, SchemaParts(mutation=[take_over])], PluginHost())
    firm = await firm_of(Api(schema, database, PluginHost()))
    input = {"staff": firm.ids["pat"], "successor": firm.ids["sam"]}
    [error] = await firm.mine().errors("takeOver", input)
    assert error["code"] == "NOT_FOUND"
    assert await firm.seen() == {firm.ids["ann"]}


async def test_tokens_out_of_reach_are_not_revoked(firm: Firm) -> None:
    made = {}
    for name in ("ann", "bea"):
        input = {"name": name, "kind": "CUSTOMER", "customer": firm.ids[name]}
        made[name] = (await firm.api.change("createToken", input, "token { id }"))["token"]["id"]
    for name, input in (
        ("sam", {"name": "Own", "kind": "STAFF", "staff": firm.ids["sam"]}),
        ("pat", {"name": "Other", "kind": "STAFF", "staff": firm.ids["pat"]}),
    ):
        made[name] = (await firm.api.change("createToken", input, "token { id }"))["token"]["id"]
    partner = Actor(
        kind=ActorKind.PARTNER, id="p", name="p", permissions=ALL_RIGHTS,
        scoped=(Grant(ALL_RIGHTS, own_customers(decode_key(firm.ids["sam"], "Staff"))),),
    )  # fmt: skip
    for actor, refused in ((own(firm.ids["sam"]), ("bea", "pat")), (partner, ("bea", "pat", "sam"))):
        for token in (firm.ids["token"], *(made[name] for name in refused)):
            [error] = await firm.mine(actor).errors("revokeToken", {"id": token})
            assert (error["code"], error["path"]) == ("NOT_FOUND", ["id"])
    for name in ("ann", "sam"):
        await firm.mine().change("revokeToken", {"id": made[name]}, "token { id }")
    rows = await firm.api.database.fetch("SELECT id FROM crm_token WHERE revoked_at IS NOT NULL")
    assert {str(row["id"]) for row in rows} == {decode_key(made[name], "Token") for name in ("ann", "sam")}


async def test_imports_create_customers_for_those_only_who_may(firm: Firm) -> None:
    rights = ALL_RIGHTS - {"customers.write"}
    for actor in (
        Actor(kind=ActorKind.INTEGRATION, id="p", name="p", permissions=rights),
        own(firm.ids["sam"], rights),
    ):
        row = {"kind": "call", "customerSource": "x", "customerReference": "1", "customerName": "X"}
        for more in ({}, {"dryRun": True}):
            with pytest.raises(AssertionError, match=r"customers\.write is missing"):
                await firm.mine(actor).errors(
                    "importInteractions", {"rows": [row], "createMissingCustomers": True, **more}
                )
        known = {"kind": "call", "customer": firm.ids["ann"]}
        made = await firm.mine(own(firm.ids["sam"], rights)).change(
            "importInteractions", {"rows": [known]}, "created"
        )
        assert made["created"] == 1
    assert await firm.api.count("crm_customer") == 3


async def test_a_reference_out_of_reach_is_a_conflict_whoever_is_to_be_created(firm: Firm) -> None:
    for more in ({}, {"owner": firm.ids["sam"]}):
        taken = {"name": "X", "source": "shop", "reference": "bea", **more}
        [error] = await firm.mine().errors("createCustomer", taken)
        assert (error["code"], error["path"]) == ("CONFLICT", ["reference"])


async def test_of_a_reference_out_of_reach_no_more_is_told_than_that_it_is_taken(firm: Firm) -> None:
    """Neither whose it is, nor what is in that record; and nothing is changed."""
    bought = {
        "customer": firm.ids["bea"],
        "currency": "EUR",
        "lines": [],
        "total": {"amount": "5", "currency": "EUR"},
    }
    note = {"customer": firm.ids["bea"], "kind": "note", "subject": "Her secret", "source": "shop"}
    await firm.api.change("logInteraction", {**note, "reference": "n1"}, "interaction { id }")
    for name, input in (
        ("createCustomer", {"name": "X", "reference": "bea"}),
        ("updateCustomer", {"id": firm.ids["ann"], "reference": "bea"}),
        ("logInteraction", {"customer": firm.ids["ann"], "kind": "call", "reference": "n1"}),
        ("recordPurchase", {**bought, "customer": firm.ids["ann"], "reference": "n1"}),
    ):
        [error] = await firm.mine().errors(name, {**input, "source": "shop"})
        assert error == {
            "code": "CONFLICT",
            "message": f"The reference {input['reference']!r} of 'shop' belongs to a record that you may"
            " not see.",
            "path": ["reference"],
            "hint": "Give another reference, or ask somebody who may see more.",
        }, name
    for name, row in (
        ("importCustomers", {"name": "X", "reference": "bea", "source": "shop"}),
        (
            "importInteractions",
            {"customer": firm.ids["ann"], "kind": "call", "reference": "n1", "source": "shop"},
        ),
    ):
        made = await firm.mine().change(name, {"rows": [row]}, "created rows { id error { code path } }")
        failed = {"code": "CONFLICT", "path": ["rows", "0", "reference"]}
        assert (made["created"], made["rows"]) == (0, [{"id": None, "error": failed}]), name
    assert await firm.api.count("crm_customer") == 3
    assert await firm.api.count("crm_interaction") == 3


def test_what_all_share_needs_the_permission_on_all_customers(api: Api) -> None:
    fields = api.schema.graphql.mutation_type.fields  # type: ignore[union-attr]  # the core has mutations
    actor = own("U3RhZmY6MDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAw")
    open_ = set()
    for declared in (field for parts in CORE_PARTS for field in parts.mutation):
        assert isinstance(declared, DeclaredField)
        if all(actor.may(need) for need in declared.declaration.permissions_on(None)):
            open_.add(declared)
    assert len(open_) == len(SCOPED)
    assert set(fields) >= SCOPED


WORDS = {
    "currency": "EUR", "channel": "email", "kind": "call", "email": "x@example.com", "amount": "5",
    "phone": "+4930123456", "country": "DE", "value": "x@example.com", "locale": "de", "timeZone": "UTC",
    "type": "TEXT",
}  # fmt: skip
NAMED = {
    "owner": ("sam",), "successor": ("sam",), "backup": ("sam",), "winner": ("ann", "bea"),
    "losers": ("bea", "cid"), "customer": ("ann", "bea", "cid"), "customers": ("ann", "bea", "cid"),
    "staff": ("sam", "pat"), "roles": ("role",), "segment": ("segment",),
}  # fmt: skip


IDS = {
    "Staff": ("sam", "pat"), "Interaction": ("call of ann", "call of bea"), "Refund": ("call of bea",),
    "Token": ("token",), "Segment": ("segment",), "Role": ("role",), "Attribute": ("attribute",),
}  # fmt: skip


def some(kind: Any, name: str, rng: Random, ids: dict[str, str], verb: str, more: float) -> Any:
    """A value that could be meant, and whose ids lead out of reach where they can."""
    nullable = get_nullable_type(kind)
    if isinstance(nullable, GraphQLList):
        return [some(nullable.of_type, name, rng, ids, verb, more) for _ in range(rng.choice((1, 1, 2)))]
    named = get_named_type(kind)
    if isinstance(named, GraphQLEnumType):
        return rng.choice(list(named.values))
    if named.name.endswith("Filter"):
        return {}
    if isinstance(named, GraphQLInputObjectType):
        members = {}
        for member, declared in named.fields.items():
            needed = is_required_input_field(declared)
            if needed or member in ("successor", "owner") or rng.random() < more:
                members[member] = some(declared.type, member, rng, ids, verb, more)
        return members
    if named.name == "ID":
        meant = NAMED.get(name) or next((IDS[part] for part in IDS if part in verb), ("ann", "bea", "cid"))
        return ids[rng.choice(meant)]
    by_type = {"Int": 1, "Boolean": True, "Float": 1.0, "JSON": {}, "DateTime": "2024-01-01T00:00:00Z"}
    by_type |= {"BigInt": 1, "Decimal": "5", "Duration": "PT1M", "Date": "2024-01-01"}
    return by_type.get(named.name, WORDS.get(name, f"{name}{rng.randrange(10**6)}"))


async def test_no_change_brings_a_customer_into_reach_but_those_it_creates(firm: Firm) -> None:
    fields = firm.api.schema.graphql.mutation_type.fields  # type: ignore[union-attr]  # the core has mutations
    rng, mine = Random(7), firm.mine()
    worked: set[str] = set()
    for name, field in sorted(fields.items(), key=lambda one: one[0] in ("eraseCustomer",)):
        kind = field.args["input"].type
        for trial in range(8):
            firm.ids["ann"] = await create(firm.api, "Ann", owner=firm.ids["sam"])
            before = {str(row["id"]) for row in await firm.api.database.fetch("SELECT id FROM crm_customer")}
            seen = await firm.seen()
            input = some(kind, name, rng, firm.ids, name, (trial % 2) / 4)
            text = f"mutation($i: {kind}) {{ {name}(input: $i) {{ errors {{ code }} }} }}"
            result = await mine.ask(text, i=input)
            if not result.errors and result.data is not None and result.data[name]["errors"] == []:
                worked.add(name)
            more = {decode_key(id, "Customer") for id in await firm.seen() - seen}
            assert more & before == set(), (name, input)
    assert worked <= SCOPED
    assert len(worked) >= 8, worked
