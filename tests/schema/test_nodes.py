"""Any record by its id."""

import pytest

from crm_framework.engine.ids import encode_id
from crm_framework.storage.ids import new_id

from .conftest import Api, create


@pytest.mark.parametrize(
    ("id", "message"),
    [
        ("abc", "'abc' is no id of this API"),
        (encode_id("Nothing", new_id()), "there are no records of the type 'Nothing' to be read by id"),
        (encode_id("UserError", new_id()), "there are no records of the type 'UserError' to be read by id"),
        (encode_id("Customer", "1"), "'Q3VzdG9tZXI6MQ==' is no id of this API"),
    ],
    ids=["no base64", "no type", "no record", "no key"],
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
