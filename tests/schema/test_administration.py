"""Staff leaving, attributes, tokens, the audit log, plugins, and who asks."""

from dataclasses import replace

import pytest

from crm_framework.engine.ids import encode_id
from crm_framework.security.actors import Actor, ActorKind
from crm_framework.storage.ids import new_id

from .conftest import ADMIN, Api
from .test_customers import create

CLERK = Actor(
    kind=ActorKind.INTEGRATION,
    id="clerk",
    name="clerk",
    permissions=frozenset({"customers.read", "tokens.manage", "staff.*"}),
)


async def test_staff_leaves_and_returns(api: Api) -> None:
    ann, bob = [
        (await api.change("createStaff", {"name": name}, "staff { id }"))["staff"]["id"]
        for name in ("Ann", "Bob")
    ]
    customer = await create(api, "C", owner=ann)
    (error,) = await api.errors("deactivateStaff", {"id": ann})
    assert (error["code"], error["path"]) == ("REFUSED", ["successor"])
    gone = await api.change("deactivateStaff", {"id": ann, "successor": bob}, "staff { active }")
    assert gone["staff"] == {"active": False}
    owner = await api.data("query($id: ID) { customer(id: $id) { owner { name } } }", id=customer)
    assert owner == {"customer": {"owner": {"name": "Bob"}}}
    back = await api.change("reactivateStaff", {"id": ann}, "staff { active }")
    assert back["staff"] == {"active": True}
    for mutation in ("updateStaff", "deactivateStaff", "reactivateStaff"):
        (error,) = await api.errors(mutation, {"id": encode_id("Staff", new_id())})
        assert (error["code"], error["path"]) == ("NOT_FOUND", ["id"])
    (error,) = await api.errors("createStaff", {"name": "Cy", "email": "nobody"})
    assert (error["code"], error["path"]) == ("BAD_INPUT", ["email"])


async def test_attributes_are_defined_changed_and_removed(api: Api) -> None:
    select = "attributeDefinition { id version name type choices required description }"
    made = await api.change(
        "defineAttribute",
        {"name": "colour", "type": "CHOICE", "choices": ["red", "blue"], "required": False},
        select,
    )
    colour = made["attributeDefinition"]
    assert {**colour, "id": ""} == {
        "id": "",
        "version": 1,
        "name": "colour",
        "type": "CHOICE",
        "choices": ["red", "blue"],
        "required": False,
        "description": None,
    }
    await create(api, "Ann", attributes={"colour": "red"})
    (error,) = await api.errors("updateAttribute", {"id": colour["id"], "choices": ["blue"]})
    assert error["code"] == "REFUSED"
    changed = await api.change("updateAttribute", {"id": colour["id"], "choices": ["red"]}, select)
    assert changed["attributeDefinition"]["choices"] == ["red"]
    (error,) = await api.errors("removeAttribute", {"id": colour["id"]})
    assert error["code"] == "REFUSED"
    for name, path in (("a b", ["name"]), ("Colour", ["name"])):
        (error,) = await api.errors("defineAttribute", {"name": name, "type": "TEXT"})
        assert error["path"] == path
    (error,) = await api.errors("defineAttribute", {"name": "x", "type": "CHOICE"})
    assert (error["code"], error["path"]) == ("BAD_INPUT", ["choices"])
    assert await api.data("{ attributeDefinitions { name } }") == {
        "attributeDefinitions": [{"name": "colour"}]
    }
    other = (await api.change("defineAttribute", {"name": "size", "type": "NUMBER"}, select))[
        "attributeDefinition"
    ]
    await api.change("removeAttribute", {"id": other["id"]}, select)
    (error,) = await api.errors("removeAttribute", {"id": other["id"]})
    assert (error["code"], error["path"]) == ("NOT_FOUND", ["id"])


@pytest.mark.parametrize(
    ("query", "missing"),
    [
        ("{ auditLog { totalCount } }", "Query.auditLog (audit.read)"),
        (
            "{ customers { nodes { interactions { totalCount } } } }",
            "Customer.interactions (interactions.read)",
        ),
        ('{ node(id: "x") { ... on Interaction { kind } } }', "Interaction (interactions.read)"),
        (
            'mutation { createCustomer(input: {name: "x"}) { errors { code } } }',
            "Mutation.createCustomer (customers.write)",
        ),
    ],
)
async def test_what_the_actor_may_not_is_refused_before_anything_runs(
    api: Api, query: str, missing: str
) -> None:
    code, text = await api.refused(query, CLERK)
    assert (code, text) == ("FORBIDDEN", f"permission is missing for {missing}")
    assert api.statements == []


async def test_a_customers_own_token_sees_that_customer_only(api: Api) -> None:
    ann, bea = await create(api, "Ann", email="a@example.com"), await create(api, "Bea")
    note = await api.change("logInteraction", {"customer": bea, "kind": "note"}, "interaction { id }")
    rows = await api.database.fetch("SELECT id FROM crm_customer WHERE name = 'Ann'")
    actor = replace(ADMIN, kind=ActorKind.CUSTOMER, name="Ann", customer_id=str(rows[0]["id"]))
    data = await api.data(
        """query($a: ID, $b: ID, $n: ID!) { customers { nodes { name contactPoints { value } } totalCount }
          mine: customer(id: $a) { name } other: customer(id: $b) { name } node(id: $n) { id }
          staff { totalCount } interactions { totalCount } auditLog { totalCount } }""",
        actor,
        a=ann,
        b=bea,
        n=note["interaction"]["id"],
    )
    assert data == {
        "customers": {
            "nodes": [{"name": "Ann", "contactPoints": [{"value": "a@example.com"}]}],
            "totalCount": 1,
        },
        "mine": {"name": "Ann"},
        "other": None,
        "node": None,
        "staff": {"totalCount": 0},
        "interactions": {"totalCount": 0},
        "auditLog": {"totalCount": 1},
    }
    result = await api.ask('mutation { createCustomer(input: {name: "x"}) { errors { code } } }', actor)
    assert result.errors[0]["extensions"]["code"] == "FORBIDDEN"
    assert await api.count("crm_customer") == 2


@pytest.mark.parametrize(
    ("id", "message"),
    [
        ("abc", "'abc' is no id of this API"),
        (encode_id("Nothing", new_id()), "there are no records of the type 'Nothing' to be read by id"),
        (encode_id("UserError", new_id()), "there are no records of the type 'UserError' to be read by id"),
        (encode_id("Customer", "1"), "'Q3VzdG9tZXI6MQ==' is no id of this API"),
    ],
)
async def test_node_refuses_what_is_no_id(api: Api, id: str, message: str) -> None:
    code, text = await api.refused("query($id: ID!) { node(id: $id) { id } }", id=id)
    assert code == "BAD_INPUT"
    assert text.startswith(message)


async def test_nodes_of_several_types(api: Api) -> None:
    ann = await create(api, "Ann")
    bob = (await api.change("createStaff", {"name": "Bob"}, "staff { id }"))["staff"]["id"]
    query = "query($ids: [ID!]!) { nodes(ids: $ids) { id ... on Staff { name } } }"
    unknown = encode_id("Customer", new_id())
    data = await api.data(query, ids=[bob, unknown, ann, bob])
    assert data["nodes"] == [{"id": bob, "name": "Bob"}, None, {"id": ann}, {"id": bob, "name": "Bob"}]
    # staff, customers, and whether the unknown one was merged
    assert len(api.statements) == 3
    assert (await api.refused(query, ids=[ann] * 101))[0] == "BAD_INPUT"
