"""Who belongs to segments, asked within a change."""

from typing import Any

from crm_framework import decode_key, new_id, segment_members
from crm_framework.testing import CrmClient


async def made(client: CrmClient, what: str, **input_: Any) -> str:
    name = what[0].upper() + what[1:]
    answer = await client.data(
        f"mutation ($input: Create{name}Input!) {{"
        f" made: create{name}(input: $input) {{ {what} {{ id }} }} }}",
        input=input_,
    )
    return decode_key(answer["made"][what]["id"], name)


async def test_a_change_sees_who_belongs_to_segments(client: CrmClient) -> None:
    ann = await made(client, "customer", name="Ann", city="Rome", tags=["a"])
    bea = await made(client, "customer", name="Bea", city="Rome")
    dan = await made(client, "customer", name="Dan", city="Oslo", tags=["a"])
    rome = await made(client, "segment", name="Rome", filter={"city": {"eq": "Rome"}})
    tagged = {"segment": (await ids(client))["Rome"], "tags": {"any": ["a"]}}
    both = await made(client, "segment", name="Tagged", filter=tagged)
    unknown = new_id()
    async with client.service.database.unit_of_work() as tx:
        await tx.execute("UPDATE crm_customer SET city = 'Rome' WHERE id = ?", [dan])
        assert await segment_members(tx, [rome, both, unknown], [ann, bea, dan]) == {
            rome: {ann, bea, dan},
            both: {ann, dan},
            unknown: frozenset(),
        }
        assert await segment_members(tx, [rome], [bea]) == {rome: {bea}}
        assert await segment_members(tx, [rome], []) == {rome: frozenset()}


async def ids(client: CrmClient) -> dict[str, str]:
    answer = await client.data("{ segments { nodes { id name } } }")
    return {node["name"]: node["id"] for node in answer["segments"]["nodes"]}
