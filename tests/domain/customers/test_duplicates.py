from datetime import UTC, datetime
from typing import Any

import pytest

from crm_framework.domain.customers.duplicates import (
    DuplicatePage,
    DuplicatePair,
    DuplicateReason,
    duplicate_customers,
)
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.database import Database

NOW = datetime(2026, 3, 1, tzinfo=UTC)
EMAIL, PHONE, NAME = DuplicateReason


def seen(page: DuplicatePage) -> list[tuple[str, str, int, tuple[DuplicateReason, ...]]]:
    return [(pair.one, pair.other, pair.score, pair.reasons) for pair in page.pairs]


async def test_pairs_with_their_reasons_the_most_certain_first(database: Database, records: Any) -> None:
    ada = await records.customer("Ada Lovelace")
    augusta = await records.customer("Augusta King")
    typo = await records.customer("Ada Lovelacce")
    charles = await records.customer("Charles Babbage")
    await records.contact_point(ada, "email", "ada@example.com")
    await records.contact_point(augusta, "email", "ada@example.com")
    await records.contact_point(typo, "email", "ada@example.com")
    await records.contact_point(augusta, "phone", "+44201234567")
    await records.contact_point(charles, "sms", "+44201234567")
    await records.contact_point(ada, "social", "ada")
    await records.contact_point(charles, "social", "ada")
    with database.counting() as statements:
        page = await duplicate_customers(database)
    assert len(statements) == 3
    assert seen(page) == [
        (ada, typo, 96, (EMAIL, NAME)),
        (ada, augusta, 90, (EMAIL,)),
        (augusta, typo, 90, (EMAIL,)),
        (augusta, charles, 75, (PHONE,)),
    ]
    assert (page.total, page.has_next) == (4, False)


async def test_merged_erased_and_archived_customers_are_left_out(database: Database, records: Any) -> None:
    ada = await records.customer("Ada Lovelace")
    gone = [
        await records.customer("Ada Lovelace", merged_into_id=ada),
        await records.customer("Ada Lovelace", erased_at=NOW),
        await records.customer("Ada Lovelace", archived_at=NOW),
    ]
    for key in (ada, *gone):
        await records.contact_point(key, "email", "ada@example.com")
    assert seen(await duplicate_customers(database)) == []


async def test_a_number_that_many_share_says_nothing(database: Database, records: Any) -> None:
    for number, many in (("+4420111", 21), ("+4420222", 2)):
        for _ in range(many):
            await records.contact_point(await records.customer(""), "phone", number)
    assert (await duplicate_customers(database)).total == 1


async def test_pages_join_and_follow_changes(database: Database, records: Any) -> None:
    for n in range(5):
        for _ in range(2):
            await records.contact_point(await records.customer(""), "email", f"{n}@example.com")
    whole = await duplicate_customers(database)
    assert whole.total == 5
    pairs: list[DuplicatePair] = []
    after = None
    while True:
        page = await duplicate_customers(database, first=2, after=after)
        pairs += page.pairs
        if not page.has_next:
            break
        after = page.pairs[-1].cursor
    assert tuple(pairs) == whole.pairs
    async with database.unit_of_work() as tx:
        await tx.execute(
            "UPDATE crm_customer SET archived_at = ?, version = version + 1 WHERE id = ?", [NOW, pairs[0].one]
        )
    assert (await duplicate_customers(database)).pairs == whole.pairs[1:]


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"after": "x"}, ("after",)),
        ({"after": "WyJjdXN0b21lcnMiLDEsMiwzXQ=="}, ("after",)),
        ({"first": 1001}, ("first",)),
    ],
)
async def test_bad_pages_are_refused(
    database: Database, options: dict[str, Any], path: tuple[str, ...]
) -> None:
    with pytest.raises(CrmError) as refused:
        await duplicate_customers(database, **options)
    assert (refused.value.code, refused.value.path) == (ErrorCode.BAD_INPUT, path)
