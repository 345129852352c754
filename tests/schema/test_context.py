"""Who may see what: refused as a whole before anything runs, and customers bound to what is theirs."""

from dataclasses import replace

import pytest

from crm_framework.security.actors import Actor, ActorKind

from .conftest import ADMIN, Api
from .test_customers import create

CLERK = Actor(
    kind=ActorKind.INTEGRATION,
    id="clerk",
    name="clerk",
    permissions=frozenset({"customers.read", "tokens.manage", "staff.*"}),
)


@pytest.mark.parametrize(
    ("query", "missing"),
    [
        ("{ auditLog { totalCount } }", "Query.auditLog (audit.read)"),
        (
            "{ customers { nodes { interactions { totalCount } } } }",
            "Customer.interactions (interactions.read)",
        ),
        ("{ customers { nodes { timeline { nodes { title } } } } }", "Customer.timeline (interactions.read)"),
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
