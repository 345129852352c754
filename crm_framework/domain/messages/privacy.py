"""What of the messages is a person's: those to them as a customer, and those to their addresses."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from crm_framework.domain.rows import marks

if TYPE_CHECKING:
    from crm_framework.storage.unit_of_work import UnitOfWork


async def messages_of(tx: "UnitOfWork", keys: Sequence[str]) -> tuple[str, list[str]]:
    """The condition on crm_message for those that concern these customers, and its arguments.

    A message to nobody's customer belongs to whoever has its address among their contact points.
    """
    points = await tx.fetch(
        f"SELECT value, normalized FROM crm_contact_point WHERE customer_id IN ({marks(len(keys))})", keys
    )
    addresses = sorted({str(value).lower() for row in points for value in row.values()})
    condition = f"customer_id IN ({marks(len(keys))})"
    if addresses:
        condition += f" OR (customer_id IS NULL AND LOWER(recipient) IN ({marks(len(addresses))}))"
    return condition, [*keys, *addresses]


async def empty_messages(tx: "UnitOfWork", keys: Sequence[str]) -> int:
    """Takes out of the messages what they say and to whom; those that wait are not sent any more."""
    condition, args = await messages_of(tx, keys)
    return await tx.execute(
        "UPDATE crm_message SET recipient = '', subject = NULL, text = '', headers = '{}', reply_to = NULL,"
        " key_text = NULL, error = NULL, state = CASE WHEN state = 'QUEUED' THEN 'FAILED' ELSE state END,"
        f" finished_at = COALESCE(finished_at, ?) WHERE {condition}",
        [tx.now, *args],
    )
