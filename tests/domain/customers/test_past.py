"""What customers' tags and attributes were, at any moment since they were made."""

from datetime import UTC, datetime, timedelta
from typing import Any

from crm_framework import customer_pasts, decode_key, new_id
from crm_framework.testing import CrmClient, frozen

START = datetime(2026, 5, 1, 12, tzinfo=UTC)
CHANGES: tuple[tuple[str, str], ...] = (
    ("tagCustomers", '{customers: ["%s"], add: ["vip"], remove: ["new"]}'),
    ("updateCustomer", '{id: "%s", attributes: {size: 43, colour: "red"}}'),
    ("updateCustomer", '{id: "%s", attributes: {size: null}, name: "Ada L."}'),
    ("tagCustomers", '{customers: ["%s"], remove: ["vip"]}'),
)


async def run(client: CrmClient, name: str, input_: str, selection: str = "errors { message }") -> Any:
    answer = (await client.data(f"mutation {{ made: {name}(input: {input_}) {{ {selection} }} }}"))["made"]
    assert not answer.get("errors")
    return answer


async def test_tags_and_attributes_are_known_back_to_the_moment_of_the_record(client: CrmClient) -> None:
    for name, type_ in (("size", "NUMBER"), ("colour", "TEXT")):
        await run(client, "defineAttribute", f'{{name: "{name}", type: {type_}}}')
    with frozen(START):
        ada, twin = [
            (
                await run(
                    client, "createCustomer",
                    f'{{name: "{name}", tags: ["{tag}"], attributes: {{size: {size}}}}}', "customer { id }",
                )
            )["customer"]["id"]
            for name, tag, size in (("Ada", "new", 42), ("Twin", "two", 7))
        ]  # fmt: skip
    for day, (name, input_) in enumerate(CHANGES, 1):
        with frozen(START + timedelta(days=day)):
            await run(client, name, input_ % ada)
    with frozen(START + timedelta(days=9)):
        await run(client, "mergeCustomers", f'{{winner: "{ada}", losers: ["{twin}"]}}')
    key = decode_key(ada, "Customer")
    expected: list[tuple[set[str], dict[str, Any]]] = [
        ({"new"}, {"size": 42}),
        ({"vip"}, {"size": 42}),
        ({"vip"}, {"size": 43, "colour": "red"}),
        ({"vip"}, {"colour": "red"}),
        (set(), {"colour": "red"}),
    ]
    database = client.service.database
    with database.counting() as statements:
        past = (await customer_pasts(database, [key, new_id(), "x"], START - timedelta(days=900)))[key]
    assert len(statements) == 3
    for day, (tags, attributes) in enumerate(expected):
        for moment in (START + timedelta(days=day), START + timedelta(days=day, hours=23)):
            then = past.at(moment)
            assert (set(then.tags), dict(then.attributes)) == (tags, attributes), day
    assert past.at(START - timedelta(days=30)).tags == {"new"}  # what it was made with
    last = past.at(START + timedelta(days=10))
    assert last == past.now
    assert (set(last.tags), dict(last.attributes)) == ({"two"}, {"colour": "red", "size": 7})
    async with database.unit_of_work() as tx:
        late = (await customer_pasts(tx, [key], START + timedelta(days=3)))[key]
        assert len(late.undo) == 2
        assert late.at(START + timedelta(days=3)) == past.at(START + timedelta(days=3))
        assert await customer_pasts(tx, [], START) == {}
