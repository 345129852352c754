"""Tags: words on customers, put on and taken off many customers at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crm_framework.domain.customers.record import lock_records, touch
from crm_framework.domain.rows import marks, select_in
from crm_framework.domain.values.text import kind_of, line
from crm_framework.errors import CrmError, ErrorCode, cut
from crm_framework.events import Changes, CustomerTagged
from crm_framework.storage.ids import new_id

if TYPE_CHECKING:
    from crm_framework.storage.unit_of_work import UnitOfWork

TAG_LIMIT = 100
"""Characters of a tag."""

TAGS_LIMIT = 100
"""Tags that one customer may have."""

CUSTOMERS_LIMIT = 1000
"""Customers that one call may tag."""


@dataclass(frozen=True, slots=True)
class Tagged:
    """The customers asked for (for merged ones the winners), and those of them that changed."""

    ids: tuple[str, ...]
    changed: tuple[str, ...]


def check_tag(tag: object, *, path: Sequence[str | int] = ()) -> str:
    """The tag in its normal form: small letters, single blanks. BAD_INPUT for one with a comma."""
    text = " ".join(line(tag, "The tag", TAG_LIMIT, path=path).lower().split())
    if "," in text or len(text) > TAG_LIMIT:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"The tag {cut(text, 80)} holds a comma." if "," in text else "The tag is too long.",
            path=path,
            hint="Give each tag by itself, without commas.",
        )
    return text


def check_tags(tags: Sequence[str], *, path: Sequence[str | int]) -> tuple[str, ...]:
    """The tags in their normal form, each once, in order."""
    if isinstance(tags, str):
        raise CrmError(ErrorCode.BAD_INPUT, f"Tags must be a list, not {kind_of(tags)}.", path=path)
    checked = dict.fromkeys(check_tag(tag, path=(*path, index)) for index, tag in enumerate(tags))
    if len(checked) > TAGS_LIMIT:
        raise _too_many(len(checked), path)
    return tuple(sorted(checked))


async def tag_customers(
    tx: "UnitOfWork",
    customer_ids: Sequence[str],
    *,
    add: Sequence[str] = (),
    remove: Sequence[str] = (),
) -> Tagged:
    """Puts tags on and takes tags off; what is there or gone already changes nothing."""
    more, less = check_tags(add, path=("add",)), check_tags(remove, path=("remove",))
    both = set(more) & set(less)
    if both:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"The tag {min(both)!r} is to be added and removed.",
            path=("remove",),
            hint="Decide for one.",
        )
    if len(customer_ids) > CUSTOMERS_LIMIT:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{len(customer_ids)} customers are given; {CUSTOMERS_LIMIT} are allowed at once.",
            path=("customers",),
            hint="Send them in parts.",
        )
    records = await lock_records(tx, customer_ids, path=("customers",))
    ids = tuple(dict.fromkeys(record.id for record in records.values()))
    before = await tags_of(tx, ids)
    new_rows: list[dict[str, object]] = []
    changed: list[str] = []
    for key in ids:
        after = tuple(sorted((set(before[key]) | set(more)) - set(less)))
        if after == before[key]:
            continue
        if len(after) > TAGS_LIMIT and len(after) > len(before[key]):
            raise _too_many(len(after), ("add",))
        added = tuple(tag for tag in after if tag not in before[key])
        removed = tuple(tag for tag in before[key] if tag not in after)
        new_rows += tag_rows(key, added)
        changed.append(key)
        changes: Changes = {"tags": (list(before[key]), list(after))}
        tx.emit(CustomerTagged(customer_id=key, added=added, removed=removed, changes=changes))
    tx.insert("crm_customer_tag", *new_rows)
    if changed and less:
        await _take_off(tx, changed, less)
    await touch(tx, changed)
    return Tagged(ids, tuple(changed))


async def set_tags(tx: "UnitOfWork", customer_id: str, before: Sequence[str], after: Sequence[str]) -> None:
    """Makes the stored tags `before` the tags `after`. The caller holds the customer and emits the event."""
    tx.insert("crm_customer_tag", *tag_rows(customer_id, [tag for tag in after if tag not in before]))
    gone = [tag for tag in before if tag not in after]
    if gone:
        await _take_off(tx, [customer_id], gone)


async def tags_of(tx: "UnitOfWork", customer_ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Each customer's tags, sorted."""
    found: dict[str, list[str]] = {key: [] for key in customer_ids}
    for row in await select_in(
        tx, "SELECT customer_id, tag FROM crm_customer_tag", "customer_id", customer_ids
    ):
        found[row["customer_id"]].append(row["tag"])
    return {key: tuple(sorted(tags)) for key, tags in found.items()}


def tag_rows(customer_id: str, tags: Sequence[str]) -> list[dict[str, object]]:
    return [{"id": new_id(), "customer_id": customer_id, "tag": tag} for tag in tags]


async def _take_off(tx: "UnitOfWork", customer_ids: Sequence[str], tags: Sequence[str]) -> None:
    await tx.execute_many(
        f"DELETE FROM crm_customer_tag WHERE customer_id = ? AND tag IN ({marks(len(tags))})",
        [(key, *tags) for key in customer_ids],
    )


def _too_many(count: int, path: Sequence[str | int]) -> CrmError:
    return CrmError(
        ErrorCode.BAD_INPUT,
        f"The customer would have {count} tags; {TAGS_LIMIT} are allowed.",
        path=path,
        hint="Remove some.",
    )
