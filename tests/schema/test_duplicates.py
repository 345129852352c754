"""Customers that may be the same, over the API."""

from typing import Any

import pytest

from crm_framework.domain.privacy.merge import merge_customers
from crm_framework.engine.ids import decode_key
from crm_framework.security.actors import Actor, ActorKind

from .conftest import ADMIN, Api

ASK = """query($first: Int, $after: String) { duplicateCustomers(first: $first, after: $after) {
    totalCount nodes { score reasons one { id name } other { id name } }
    pageInfo { hasNextPage hasPreviousPage endCursor } } }"""


async def customer(api: Api, name: str, **fields: object) -> dict[str, str]:
    made = await api.change("createCustomer", {"name": name, **fields}, "customer { id name }")
    found: dict[str, str] = made["customer"]
    return found


async def test_pairs_with_score_and_reasons(api: Api) -> None:
    ada = await customer(api, "Ada Lovelace", email="ada@example.com")
    typo = await customer(api, "Ada Lovelacce", email="Ada@Example.com")
    king = await customer(api, "Augusta King", phone="+49 30 123456")
    other = await customer(api, "Charles Babbage", phone="+4930123456")
    found = (await api.data(ASK))["duplicateCustomers"]
    assert found["nodes"] == [
        {"score": 96, "reasons": ["SAME_EMAIL", "SIMILAR_NAME"], "one": ada, "other": typo},
        {"score": 75, "reasons": ["SAME_PHONE"], "one": king, "other": other},
    ]
    assert found["totalCount"] == 2
    assert len(api.statements) == 5  # state, contact points, names, and the customers of either side
    await api.data(ASK)
    assert len(api.statements) == 3  # what was found is kept while nothing changes


async def test_pages(api: Api) -> None:
    for n in range(3):
        for _ in range(2):
            await customer(api, f"{n}{n}{n}{n}", email=f"{n}@example.com")
    first = (await api.data(ASK, first=2))["duplicateCustomers"]
    assert (len(first["nodes"]), first["totalCount"]) == (2, 3)
    info = first["pageInfo"]
    assert (info["hasNextPage"], info["hasPreviousPage"]) == (True, False)
    rest = (await api.data(ASK, first=2, after=info["endCursor"]))["duplicateCustomers"]
    assert len(rest["nodes"]) == 1
    assert (rest["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasPreviousPage"]) == (False, True)
    seen = {node["one"]["id"] for node in (*first["nodes"], *rest["nodes"])}
    assert len(seen) == 3


async def test_a_merge_takes_the_pair_away(api: Api) -> None:
    one = await customer(api, "Ada Lovelace", email="ada@example.com")
    other = await customer(api, "Ada Lovelace", email="ada@example.com")
    assert (await api.data(ASK))["duplicateCustomers"]["totalCount"] == 1
    async with api.database.unit_of_work(ADMIN) as tx:
        await merge_customers(tx, decode_key(one["id"], "Customer"), [decode_key(other["id"], "Customer")])
    found = (await api.data(ASK))["duplicateCustomers"]
    assert (found["nodes"], found["totalCount"]) == ([], 0)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"first": 101}, "ask for 100 at most"),
        ({"first": -1}, "-1 is negative"),
        ({"after": "nonsense"}, "does not belong to the list of duplicates"),
    ],
)
async def test_refuses(api: Api, variables: dict[str, Any], message: str) -> None:
    code, text = await api.refused(ASK, **variables)
    assert code == "BAD_INPUT"
    assert message in text


async def test_needs_the_permission(api: Api) -> None:
    nobody = Actor(kind=ActorKind.INTEGRATION, id="n", name="n", permissions=frozenset({"staff.read"}))
    code, message = await api.refused(ASK, nobody)
    assert code == "FORBIDDEN"
    assert "customers.read" in message
    assert api.statements == []
