"""Who may see what: refused as a whole before anything runs, and customers bound to what is theirs."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from crm_framework.security.actors import Actor, ActorKind, Grant
from crm_framework.security.scopes import one_customer
from crm_framework.testing import CrmClient

from .conftest import ADMIN, Api, create

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


@pytest.mark.parametrize(
    ("query", "missing"),
    [
        ("{ customers { nodes { source } } }", "Customer.source (not for customers' own tokens)"),
        (
            'mutation { deleteSegment(input: {id: "x"}) { errors { code } } }',
            "Mutation.deleteSegment (not for customers' own tokens),"
            " Mutation.deleteSegment (settings.write on all customers)",
        ),
        (
            '{ interactions(filter: {outcome: {eq: "x"}}) { totalCount } }',
            "InteractionFilter.outcome (not for customers' own tokens)",
        ),
    ],
)
async def test_what_is_not_for_customers_is_told_in_words(api: Api, query: str, missing: str) -> None:
    await create(api, "Ann")
    rows = await api.database.fetch("SELECT id FROM crm_customer")
    actor = replace(ADMIN, kind=ActorKind.CUSTOMER, name="Ann", customer_id=str(rows[0]["id"]))
    assert await api.refused(query, actor) == ("FORBIDDEN", f"permission is missing for {missing}")


async def test_how_far_a_permission_must_reach_is_told_in_words(api: Api) -> None:
    query = 'mutation { deleteSegment(input: {id: "x"}) { errors { code } } }'
    actor = replace(CLERK, permissions=frozenset({"*"}), scoped=(Grant(frozenset({"*"}), one_customer("x")),))
    text = "permission is missing for Mutation.deleteSegment (settings.write on all customers)"
    assert await api.refused(query, actor) == ("FORBIDDEN", text)
    text = "permission is missing for Mutation.deleteSegment (settings.write)"
    assert await api.refused(query, CLERK) == ("FORBIDDEN", text)


async def test_a_plugin_that_crashes_is_named_and_its_text_is_not_shown(
    temporary_plugin: Callable[[str, str], Path],
    open_client: Callable[..., Awaitable[CrmClient]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    temporary_plugin(
        "guard",
        "from crm_framework import Plugin, hookimpl\n"
        'plugin = Plugin(name="guard", requires_api="1.0", summary="S.")\n'
        "@hookimpl\n"
        "async def before_change(events):\n"
        "    if events[0].type == 'customer.created':\n"
        "        raise ValueError('SELECT secret')\n",
    )
    client = await open_client("guard")
    [error] = await client.errors('mutation { createCustomer(input: {name: "Ann"}) { customer { id } } }')
    assert error["message"].startswith("The plugin guard failed in before_change; nothing was changed.")
    assert error["extensions"]["code"] == "INTERNAL"
    assert "secret" not in str(error)
    assert "SELECT secret" in caplog.text
    assert error["extensions"]["reference"]
    assert await client.data("{ customers { totalCount } }") == {"customers": {"totalCount": 0}}


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


async def test_who_asked_the_same_before_decides_nothing(api: Api) -> None:
    """Neither whose records are shown with those that they hang on, nor what is granted."""
    ann, bea = await create(api, "Ann"), await create(api, "Bea", confidential=True)
    for customer in (ann, bea):
        await api.change(
            "logInteraction", {"customer": customer, "kind": "note", "subject": "Hello"}, "interaction { id }"
        )
    key = str((await api.database.fetch("SELECT id FROM crm_customer WHERE name = 'Ann'"))[0]["id"])
    seen, notes = frozenset({"customers.read", "customers.confidential"}), frozenset({"interactions.read"})
    far = replace(ADMIN, permissions=seen | notes)
    expected = (
        (far, [("Ann", 1), ("Bea", 1)]),
        (replace(far, permissions=notes | {"customers.read"}), [("Ann", 1)]),
        (
            replace(far, scoped=(Grant(seen, None), Grant(notes, one_customer(key)))),
            [("Ann", 1), ("Bea", 0)],
        ),
        (replace(far, scoped=(Grant(seen | notes, one_customer(key)),)), [("Ann", 1)]),
        (replace(far, kind=ActorKind.CUSTOMER, customer_id=key), [("Ann", 0)]),
        (replace(far, permissions=seen), None),
        (far, [("Ann", 1), ("Bea", 1)]),
    )
    text = "{ customers(first: 9) { nodes { name interactions(first: 1) { nodes { subject } } } } }"
    for actor, names in (*expected, *reversed(expected)):
        found = await api.ask(text, actor)
        if names is None:
            assert [error["extensions"]["code"] for error in found.errors] == ["FORBIDDEN"]
            assert api.statements == []
            continue
        shown = [(one["name"], len(one["interactions"]["nodes"])) for one in found.data["customers"]["nodes"]]
        assert (sorted(shown), found.errors) == (names, [])


def test_what_was_granted_is_granted_again_and_nothing_more(api: Api) -> None:
    context, other = api.context(CLERK), api.context(replace(CLERK, permissions=frozenset()))
    for _ in range(2):
        assert context.grants(("customers.read", "staff.read"))
        assert not context.grants(("customers.read", "audit.read"))
        assert not context.grants(("customers.write",))
        assert not other.grants(("customers.read",))
        assert context.grants(())
