"""The keys of one customer: the winner's and those of all that were merged into it.

What is told of a customer keeps the key that it had then, so whoever asks for it asks for all of them.
"""

from collections.abc import Sequence
from typing import Any, Protocol

_FAMILY = (
    "SELECT COALESCE(asked.merged_into_id, asked.id) AS id FROM crm_customer AS asked WHERE asked.id = ?"
    " UNION ALL SELECT loser.id FROM crm_customer AS asked JOIN crm_customer AS loser"
    " ON loser.merged_into_id = COALESCE(asked.merged_into_id, asked.id) WHERE asked.id = ?"
)


class Reads(Protocol):
    """A database, or a unit of work."""

    async def fetch(self, sql: str, args: Sequence[object] = ()) -> list[dict[str, Any]]: ...


def of_family(column: str, customer: str) -> tuple[str, list[object]]:
    """The condition that a column holds one of the customer's keys, as they are when it is evaluated."""
    return f"({column} = ? OR {column} IN ({_FAMILY}))", [customer, customer, customer]


async def family(reads: Reads, customer: str) -> set[str]:
    """The customer's keys now; the key itself for an unknown one."""
    return {customer, *(str(row["id"]) for row in await reads.fetch(_FAMILY, [customer, customer]))}
