from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from crm_framework.domain.customers.tags import Tagged, tag_customers, tags_of
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.database import Database

THEN = datetime(2026, 3, 1, tzinfo=UTC)

if TYPE_CHECKING:
    from tests.domain.conftest import Records


async def tag(database: Database, keys: list[str], **words: Any) -> Tagged:
    async with database.unit_of_work() as tx:
        return await tag_customers(tx, keys, **words)


async def tags(database: Database, *keys: str) -> list[tuple[str, ...]]:
    async with database.unit_of_work() as tx:
        found = await tags_of(tx, keys)
    return [found[key] for key in keys]


async def test_many_customers_at_once(database: Database, records: "Records") -> None:
    one, two, three = [await records.customer() for _ in range(3)]
    assert await tag(database, [two, one], add=[" VIP ", "vip", "Two  Words"]) == Tagged(
        (two, one), (two, one)
    )
    assert await tags(database, one, two, three) == [("two words", "vip"), ("two words", "vip"), ()]
    await tag(database, [one], remove=["VIP"])
    before = len(await records.events())
    changed = await tag(database, [one, two, three], add=["two words"], remove=["vip"])
    assert changed == Tagged((one, two, three), (two, three))
    assert await tags(database, one, two, three) == [("two words",)] * 3
    assert (await records.events())[before:] == [
        (
            "customer.tagged",
            {
                "customer_id": two,
                "added": [],
                "removed": ["vip"],
                "changes": {"tags": [["two words", "vip"], ["two words"]]},
            },
        ),
        (
            "customer.tagged",
            {
                "customer_id": three,
                "added": ["two words"],
                "removed": [],
                "changes": {"tags": [[], ["two words"]]},
            },
        ),
    ]
    versions = [(await records.row("crm_customer", key))["version"] for key in (one, two, three)]
    assert versions == [3, 3, 2]


async def test_the_same_again_changes_nothing(database: Database, records: "Records") -> None:
    key = await records.customer()
    await tag(database, [key], add=["a"])
    before = await records.everything()
    assert await tag(database, [key, key], add=["A"], remove=["b"]) == Tagged((key,), ())
    assert await records.everything() == before


async def test_a_merged_customer_and_the_winner_are_one(database: Database, records: "Records") -> None:
    winner = await records.customer()
    loser = await records.customer(merged_into_id=winner)
    assert await tag(database, [loser, winner], add=["a"]) == Tagged((winner,), (winner,))
    assert await tags(database, winner, loser) == [("a",), ()]


async def test_the_statements_do_not_grow_with_the_customers(database: Database, records: "Records") -> None:
    keys = [await records.customer() for _ in range(30)]
    counts = []
    for some in (keys[:2], keys[2:]):
        async with database.unit_of_work() as tx:
            with database.counting() as statements:
                await tag_customers(tx, some, add=["a"], remove=["b"])
            counts.append(len(statements))
    assert counts == [5, 5]


@pytest.mark.parametrize(
    ("words", "path", "message"),
    [
        ({"add": ["a", ""]}, ("add", "1"), "The tag is empty."),
        ({"add": ["a,b"]}, ("add", "0"), "The tag 'a,b' holds a comma."),
        ({"add": ["a" * 101]}, ("add", "0"), "The tag has 101 characters; 100 are allowed."),
        ({"add": ["a"], "remove": ["A"]}, ("remove",), "The tag 'a' is to be added and removed."),
        (
            {"add": [f"t{n}" for n in range(100)]},
            ("add",),
            "The customer would have 101 tags; 100 are allowed.",
        ),
    ],
)
async def test_bad_tags_are_refused(
    database: Database, records: "Records", words: dict[str, Any], path: tuple[str, ...], message: str
) -> None:
    key = await records.customer()
    await tag(database, [key], add=["first"])
    before = await records.everything()
    with pytest.raises(CrmError) as refused:
        await tag(database, [key], **words)
    assert (refused.value.code, refused.value.path, refused.value.message) == (
        ErrorCode.BAD_INPUT,
        path,
        message,
    )
    assert await records.everything() == before


async def test_unknown_erased_and_too_many_customers(database: Database, records: "Records") -> None:
    key = await records.customer()
    erased = await records.customer(erased_at=THEN)
    before = await records.everything()
    for keys, code in (
        ([key, "nonsense"], ErrorCode.NOT_FOUND),
        ([key, erased], ErrorCode.REFUSED),
        ([key] * 1001, ErrorCode.BAD_INPUT),
    ):
        with pytest.raises(CrmError) as refused:
            await tag(database, keys, add=["a"])
        assert (refused.value.code, refused.value.path) == (code, ("customers",))
    assert await records.everything() == before
