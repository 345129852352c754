import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from crm_framework.domain.customers.segments import (
    NewSegment,
    SegmentChange,
    create_segment,
    delete_segment,
    references,
    update_segment,
)
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.database import Database

if TYPE_CHECKING:
    from tests.domain.conftest import Records


def check(condition: Mapping[str, Any]) -> None:
    if "bad" in condition:
        raise CrmError(ErrorCode.BAD_INPUT, "There is no field 'bad'.", path=("bad",))


async def do(database: Database, change: Callable[..., Awaitable[Any]], /, *args: Any, **fields: Any) -> Any:
    async with database.unit_of_work() as tx:
        return await change(tx, *args, **fields)


async def create(database: Database, name: str, condition: Any) -> str:
    key: str = await do(database, create_segment, NewSegment(name=name, condition=condition), check)
    return key


async def test_a_segment_lives(database: Database, records: "Records") -> None:
    key = await create(database, " Customers ", {"stage": {"eq": "CUSTOMER"}})
    row = await records.row("crm_segment", key)
    assert (row["name"], row["version"], row["description"]) == ("Customers", 1, None)
    assert orjson.loads(row["condition"]) == {"stage": {"eq": "CUSTOMER"}}
    change = SegmentChange(description="All of them", condition={"stage": {"in": ["CUSTOMER"]}})
    assert await do(database, update_segment, key, change, check, expected_version=1)
    assert not await do(database, update_segment, key, change, check)
    assert (await records.row("crm_segment", key))["version"] == 2
    await do(database, delete_segment, key)
    assert await records.count("crm_segment") == 0
    assert [event["changes"] for _, event in await records.events()] == [
        {"name": [None, "Customers"], "condition": [None, {"stage": {"eq": "CUSTOMER"}}]},
        {
            "description": [None, "All of them"],
            "condition": [{"stage": {"eq": "CUSTOMER"}}, {"stage": {"in": ["CUSTOMER"]}}],
        },
        {
            "name": ["Customers", None],
            "description": ["All of them", None],
            "condition": [{"stage": {"in": ["CUSTOMER"]}}, None],
        },
    ]


@pytest.mark.parametrize(
    ("name", "condition", "path", "code"),
    [
        ("A", {"bad": 1}, ("condition", "bad"), ErrorCode.BAD_INPUT),
        ("A", ["stage"], ("condition",), ErrorCode.BAD_INPUT),
        ("A", {"name": {"eq": "x" * 50_000}}, ("condition",), ErrorCode.BAD_INPUT),
        ("", {}, ("name",), ErrorCode.BAD_INPUT),
        ("Taken", {}, ("name",), ErrorCode.CONFLICT),
        (
            "A",
            {"segment": "01a20e0a-90ef-7129-85f2-ff52d03611f5"},
            ("condition", "segment"),
            ErrorCode.NOT_FOUND,
        ),
    ],
)
async def test_a_bad_segment_is_refused(
    database: Database, records: "Records", name: str, condition: Any, path: tuple[str, ...], code: ErrorCode
) -> None:
    key = await create(database, "Taken", {})
    other = await create(database, "Other", {})
    before = await records.rows("crm_segment")
    with pytest.raises(CrmError) as refused:
        await create(database, name, condition)
    assert (refused.value.code, refused.value.path) == (code, path)
    with pytest.raises(CrmError) as refused:
        await do(database, update_segment, other, SegmentChange(name=name, condition=condition), check)
    assert (refused.value.code, refused.value.path) == (code, path)
    for wrong, expected in (
        ({"segment_id": key, "expected_version": 2}, ErrorCode.CONFLICT),
        ({"segment_id": "none"}, ErrorCode.NOT_FOUND),
    ):
        with pytest.raises(CrmError) as refused:
            await do(database, update_segment, change=SegmentChange(name="B"), check=check, **wrong)
        assert refused.value.code is expected
    assert await records.rows("crm_segment") == before


async def test_no_segment_is_part_of_itself(database: Database, records: "Records") -> None:
    a = await create(database, "A", {})
    b = await create(database, "B", {"not": {"segment": a}})
    c = await create(database, "C", {"or": [{"segment": b}, {"city": {"eq": "Bonn"}}]})
    before = await records.rows("crm_segment")
    for condition in ({"segment": c}, {"segment": a}, {"and": [{"segment": {"in": [b]}}]}):
        with pytest.raises(CrmError) as refused:
            await do(database, update_segment, a, SegmentChange(condition=condition), check)
        assert refused.value.code is ErrorCode.REFUSED
    with pytest.raises(CrmError) as refused:
        await do(database, delete_segment, a)
    assert refused.value.message == "The segment 'A' is part of: B."
    assert await records.rows("crm_segment") == before


async def test_two_changes_at_once_close_no_loop(database: Database) -> None:
    a, b = await create(database, "A", {}), await create(database, "B", {})
    results = await asyncio.gather(
        do(database, update_segment, a, SegmentChange(condition={"segment": b}), check),
        do(database, update_segment, b, SegmentChange(condition={"segment": a}), check),
        return_exceptions=True,
    )
    assert sorted(type(result).__name__ for result in results) == ["CrmError", "bool"]


async def test_of_two_segments_of_one_name_at_once_one_is_made(
    database: Database, records: "Records"
) -> None:
    results = await asyncio.gather(
        create(database, "A", {}), create(database, "A", {}), return_exceptions=True
    )
    assert sorted(type(result).__name__ for result in results) == ["CrmError", "str"]
    assert await records.count("crm_segment") == 1
    assert len(await records.events()) == 1


def test_references() -> None:
    a, b = "01a20e0a-90ef-7129-85f2-ff52d03611f5", "01a20e0a-90ef-7129-85f2-ff52d03611f6"
    condition = {"and": [{"segment": a}, {"not": {"segment": {"in": [b]}}}], "name": {"eq": a}}
    assert list(references(condition)) == [a, b]
