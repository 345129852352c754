"""Definitions of custom fields on both databases."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest

from crm_framework.domain.customers.attribute_values import Definition
from crm_framework.domain.customers.attributes import (
    AttributeChange,
    NewAttribute,
    change_attribute,
    define_attribute,
    definitions,
    remove_attribute,
)
from crm_framework.domain.customers.changes import CustomerChange, create_customer, update_customer
from crm_framework.domain.customers.draft import NewCustomer
from crm_framework.domain.models import AttributeType
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.database import Database

if TYPE_CHECKING:
    from tests.domain.conftest import Records


async def do(database: Database, change: Callable[..., Awaitable[Any]], /, *args: Any, **fields: Any) -> Any:
    async with database.unit_of_work() as tx:
        return await change(tx, *args, **fields)


async def define(database: Database, name: str = "field", **fields: Any) -> str:
    key: str = await do(database, define_attribute, NewAttribute(name=name, **fields))
    return key


async def with_values(database: Database, *values: object) -> None:
    for value in values:
        await do(database, create_customer, NewCustomer(name="Anna", attributes={"field": value}))


async def known(database: Database) -> dict[str, Definition]:
    return dict(await do(database, definitions))


async def test_a_definition(database: Database, records: "Records") -> None:
    key = await define(database, " shirt_Size ", type="CHOICE", choices=["S", " M "], description="For gifts")
    assert await known(database) == {
        "shirt_Size": Definition(
            id=key,
            version=1,
            name="shirt_Size",
            type=AttributeType.CHOICE,
            choices=("S", "M"),
            description="For gifts",
        )
    }
    assert await records.events() == [
        (
            "setting.changed",
            {
                "customer_id": None,
                "kind": "attribute",
                "record_id": key,
                "changes": {
                    "name": [None, "shirt_Size"],
                    "type": [None, "CHOICE"],
                    "choices": [None, ["S", "M"]],
                    "required": [None, False],
                    "description": [None, "For gifts"],
                },
            },
        )
    ]


@pytest.mark.parametrize(
    ("fields", "path", "code"),
    [
        ({"name": "1st", "type": "TEXT"}, ("name",), ErrorCode.BAD_INPUT),
        ({"name": "a b", "type": "TEXT"}, ("name",), ErrorCode.BAD_INPUT),
        ({"name": "a" * 61, "type": "TEXT"}, ("name",), ErrorCode.BAD_INPUT),
        ({"name": "größe", "type": "TEXT"}, ("name",), ErrorCode.BAD_INPUT),
        ({"name": "FIELD", "type": "TEXT"}, ("name",), ErrorCode.CONFLICT),
        ({"name": "a", "type": "MONEY"}, ("type",), ErrorCode.BAD_INPUT),
        ({"name": "a", "type": "TEXT", "choices": ["x"]}, ("choices",), ErrorCode.BAD_INPUT),
        ({"name": "a", "type": "CHOICE"}, ("choices",), ErrorCode.BAD_INPUT),
        ({"name": "a", "type": "CHOICE", "choices": "xy"}, ("choices",), ErrorCode.BAD_INPUT),
        ({"name": "a", "type": "CHOICE", "choices": ["x", "X"]}, ("choices", "1"), ErrorCode.BAD_INPUT),
        ({"name": "a", "type": "CHOICE", "choices": ["x;y"]}, ("choices", "0"), ErrorCode.BAD_INPUT),
        ({"name": "a", "type": "CHOICE", "choices": [""]}, ("choices", "0"), ErrorCode.BAD_INPUT),
        ({"name": "a", "type": "TEXT", "required": "yes"}, ("required",), ErrorCode.BAD_INPUT),
        ({"name": "a", "type": "TEXT", "description": "d" * 501}, ("description",), ErrorCode.BAD_INPUT),
    ],
)
async def test_a_bad_definition_is_refused(
    database: Database, records: "Records", fields: dict[str, Any], path: tuple[str, ...], code: ErrorCode
) -> None:
    await define(database, type="TEXT")
    before = await records.everything(), await known(database)
    with pytest.raises(CrmError) as refused:
        await define(database, **fields)
    assert (refused.value.code, refused.value.path) == (code, path)
    assert (await records.everything(), await known(database)) == before


@pytest.mark.parametrize(
    ("kind", "choices", "values", "change", "misfits", "example"),
    [
        ("TEXT", None, ["1", "x", "x"], {"type": "NUMBER"}, 3, None),
        ("TEXT", None, ["red", "blue", "pink"], {"type": "CHOICE", "choices": ["red", "blue"]}, 1, "'pink'"),
        ("BOOLEAN", None, [True, False], {"type": "NUMBER"}, 2, None),
        ("NUMBER", None, [1, 2.5], {"type": "TEXT"}, 2, None),
        ("NUMBER", None, [1], {"type": "BOOLEAN"}, 1, "1"),
        ("CHOICE", ["a", "b"], ["a", "b"], {"choices": ["a"]}, 1, "'b'"),
        ("CHOICE", ["a", "b"], ["a", "b"], {"choices": ["A", "b"]}, 1, "'a'"),
        ("CHOICES", ["a", "b"], [["a"], ["a", "b"]], {"choices": ["a"]}, 1, None),
        ("CHOICES", ["a", "b"], [["a"], ["b"]], {"type": "CHOICE"}, 2, None),
    ],
)
async def test_a_change_that_would_make_values_wrong_is_refused_with_their_number(
    database: Database,
    records: "Records",
    kind: str,
    choices: list[str] | None,
    values: list[object],
    change: dict[str, Any],
    misfits: int,
    example: str | None,
) -> None:
    key = await define(database, type=kind, choices=choices)
    await with_values(database, *values)
    before = await records.everything(), await known(database)
    with pytest.raises(CrmError) as refused:
        await do(database, change_attribute, key, AttributeChange(**change))
    assert refused.value.code is ErrorCode.REFUSED
    number = "One customer has" if misfits == 1 else f"{misfits} customers have"
    assert refused.value.message.startswith(f"{number} a value for 'field' that would not fit, such as ")
    assert example is None or refused.value.message.endswith(f"such as {example}.")
    assert (await records.everything(), await known(database)) == before


@pytest.mark.parametrize(
    ("kind", "choices", "values", "change"),
    [
        ("TEXT", None, ["red", "blue"], {"type": "CHOICE", "choices": ["red", "blue"]}),
        ("TEXT", None, ["2024-01-31"], {"type": "DATE"}),
        ("DATE", None, ["2024-01-31"], {"type": "TEXT"}),
        ("CHOICE", ["a", "b"], ["a"], {"choices": ["a", "c"]}),
        ("CHOICE", ["a", "b"], ["a"], {"type": "TEXT"}),
        ("CHOICES", ["a", "b"], [["a", "b"]], {"choices": ["b", "a", "c"]}),
        ("NUMBER", None, [1, 2], {"description": "Number of feet"}),
        ("BOOLEAN", None, [], {"type": "NUMBER"}),
        ("TEXT", None, ["a"], {"required": True}),
    ],
)
async def test_a_change_that_fits_all_values(
    database: Database, kind: str, choices: list[str] | None, values: list[object], change: dict[str, Any]
) -> None:
    key = await define(database, type=kind, choices=choices)
    await with_values(database, *values)
    assert await do(database, change_attribute, key, AttributeChange(**change), expected_version=1)
    changed = (await known(database))["field"]
    assert changed.version == 2
    for name, value in change.items():
        assert getattr(changed, name) == (tuple(value) if isinstance(value, list) else value)


async def test_nothing_changed_and_stale_and_unknown(database: Database, records: "Records") -> None:
    key = await define(database, type="TEXT")
    before = await records.everything()
    assert not await do(database, change_attribute, key, AttributeChange(type="TEXT", description=" "))
    for wrong, code in (
        ({"key": key, "expected_version": 3}, ErrorCode.CONFLICT),
        ({"key": "nonsense"}, ErrorCode.NOT_FOUND),
    ):
        with pytest.raises(CrmError) as refused:
            await do(database, change_attribute, change=AttributeChange(required=True), **wrong)
        assert refused.value.code is code
    assert await records.everything() == before


async def test_removing(database: Database, records: "Records") -> None:
    key = await define(database, type="NUMBER")
    await with_values(database, 0)
    (customer,) = await records.rows("crm_customer")
    with pytest.raises(CrmError) as refused:
        await do(database, remove_attribute, key)
    assert (refused.value.code, refused.value.message) == (
        ErrorCode.REFUSED,
        "One customer has a value for the attribute 'field'.",
    )
    assert list(await known(database)) == ["field"]
    await do(database, update_customer, customer["id"], CustomerChange(attributes={"field": None}))
    await do(database, remove_attribute, key)
    assert await known(database) == {}
    assert (await records.events())[-1][1]["changes"] == {"name": ["field", None]}


async def test_a_definition_cannot_change_under_a_writer(database: Database, records: "Records") -> None:
    key = await define(database, type="TEXT")

    async def write(n: int) -> None:
        async with database.unit_of_work() as tx:
            await create_customer(tx, NewCustomer(name="A", attributes={"field": f"text {n}"}))
            await asyncio.sleep(0.02)

    results = await asyncio.gather(
        *(write(n) for n in range(4)),
        do(database, change_attribute, key, AttributeChange(type="NUMBER")),
        *(write(n) for n in range(4)),
        return_exceptions=True,
    )
    kind = (await known(database))["field"].type
    stored = await records.rows("crm_customer")
    if kind is AttributeType.NUMBER:
        assert stored == []
    else:
        assert isinstance(results[4], CrmError)
        assert len(stored) == 8
    assert len(stored) == [result is None for result in results].count(True)
