"""What a change has made itself is judged and shown without asking the database for it again."""

from dataclasses import replace
from itertools import product

from crm_framework.engine.ids import decode_key
from crm_framework.security.actors import Actor, ActorKind, Grant
from crm_framework.security.scopes import (
    NOBODY,
    NOT_CONFIDENTIAL,
    Reach,
    all_of,
    any_of,
    own_customers,
    tagged,
)

from .conftest import Api, create

CLERK = Actor(
    kind=ActorKind.INTEGRATION,
    id="clerk",
    name="clerk",
    permissions=frozenset(
        {"customers.read", "customers.write", "interactions.read", "interactions.write", "staff.read"}
    ),
)
CUSTOMER = "customer { id name version confidential }"
INTERACTION = "interaction { id kind subject occurredAt }"


async def agent_of(api: Api, *, everywhere: frozenset[str] = frozenset()) -> tuple[Actor, str]:
    """A member of staff who sees their own customers, and the id."""
    made = await api.change("createStaff", {"name": "Sam"}, "staff { id }")
    key = decode_key(made["staff"]["id"], "Staff")
    wide = (Grant(everywhere),) if everywhere else ()
    actor = replace(
        CLERK,
        kind=ActorKind.STAFF,
        id=key,
        staff_id=key,
        scoped=(Grant(CLERK.permissions, own_customers(key)), *wide),
    )
    return actor, made["staff"]["id"]


def selects(api: Api) -> list[str]:
    return [sql for sql in api.statements if sql.startswith("SELECT")]


async def test_a_change_without_a_look_at_confidential_customers_reads_nothing(api: Api) -> None:
    clerk = replace(api, actor=CLERK)
    made = (await clerk.change("createCustomer", {"name": "Ann"}, CUSTOMER))["customer"]
    assert selects(clerk) == []
    ask = f"query($id: ID!) {{ {CUSTOMER.replace('customer', 'customer(id: $id)', 1)} }}"
    assert await clerk.data(ask, id=made["id"]) == {"customer": made}
    input = {"customer": made["id"], "kind": "call", "subject": "Hello"}
    logged = (await clerk.change("logInteraction", input, INTERACTION))["interaction"]
    assert selects(clerk) == []
    ask = f"query($id: ID!) {{ {INTERACTION.replace('interaction', 'interaction(id: $id)', 1)} }}"
    assert await clerk.data(ask, id=logged["id"]) == {"interaction": logged}


async def test_who_sees_their_own_customers_is_not_looked_up_for_new_rows(api: Api) -> None:
    actor, staff = await agent_of(api)
    agent = replace(api, actor=actor)
    made = (await agent.change("createCustomer", {"name": "Ann", "owner": staff}, CUSTOMER))["customer"]
    assert len([sql for sql in selects(agent) if "FROM crm_customer" in sql]) == 1  # for the answer
    await agent.change("logInteraction", {"customer": made["id"], "kind": "call"}, INTERACTION)
    assert selects(agent) == []
    (error,) = await agent.errors("createCustomer", {"name": "Ben"})
    assert error["code"] == "REFUSED"
    assert await api.count("crm_customer") == 1


async def test_what_may_be_logged_but_not_read_is_not_shown(api: Api) -> None:
    """Where reading reaches less far than writing, the row is asked for."""
    actor, _ = await agent_of(api)
    permissions = frozenset({"interactions.write", "customers.read"})
    wide = replace(actor, scoped=(*actor.scoped, Grant(permissions)))
    ann = await create(api, "Ann")
    writer = replace(api, actor=wide)
    made = await writer.change("logInteraction", {"customer": ann, "kind": "call"}, INTERACTION)
    assert made["interaction"] is None
    assert len(selects(writer)) == 1


async def test_what_is_made_confidential_is_not_shown_to_who_may_not_see_it(api: Api) -> None:
    ann = await create(api, "Ann", confidential=True)
    clerk = replace(api, actor=CLERK)
    (error,) = await clerk.errors("logInteraction", {"customer": ann, "kind": "call"})
    assert error["code"] == "NOT_FOUND"
    assert await api.count("crm_interaction") == 0


async def test_a_row_is_judged_as_the_database_judges_it(api: Api) -> None:
    staff = []
    for name in ("Sam", "Pat"):
        made = await api.change("createStaff", {"name": name}, "staff { id }")
        staff.append(made["staff"]["id"])
    for owner, backup, secret in product((None, *staff), (None, staff[0]), (False, True)):
        if (owner is not None and owner != backup) or backup is None:
            await create(api, "Ann", owner=owner, backup=backup, confidential=secret)
    sam, pat = (own_customers(decode_key(id, "Staff")) for id in staff)
    parts = (None, NOBODY, NOT_CONFIDENTIAL, sam, pat, tagged("vip"))
    reaches: list[Reach] = [NOBODY]
    for one, other, third in product(parts, repeat=3):
        for joined in (all_of((one, any_of((other, third)))), any_of((one, all_of((other, third))))):
            if joined is not None and joined not in reaches:
                reaches.append(joined)
    rows = await api.database.fetch("SELECT * FROM crm_customer")
    assert len(rows) == 8
    for reach in reaches:
        condition, args = reach.of_row("t")
        found = await api.database.fetch(f"SELECT id FROM crm_customer AS t WHERE {condition}", args)
        seen = {str(row["id"]) for row in found}
        assert (reach.judge is None) is ("crm_customer_tag" in reach.sql)
        if reach.judge is not None:
            assert {str(row["id"]) for row in rows if reach.includes(row)} == seen, reach
