"""The keys of one customer: the winner's and those of all that were merged into it.

What is told of a customer keeps the key that it had then, so whoever asks for it asks for all of them.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .database import Database


def families_sql(chosen: str) -> str:
    """Of each customer that `chosen` tells of `asked`, the key that was asked for, and each key (`one`) that
    it has, the winner's first. The arguments of `chosen` are needed twice.
    """
    return (
        "SELECT asked.id AS asked, COALESCE(asked.merged_into_id, asked.id) AS one"
        f" FROM crm_customer AS asked WHERE {chosen}"
        " UNION ALL SELECT asked.id, loser.id FROM crm_customer AS asked JOIN crm_customer AS loser"
        f" ON loser.merged_into_id = COALESCE(asked.merged_into_id, asked.id) WHERE {chosen}"
    )


_FAMILY = families_sql("asked.id = ?")
_ITSELF = "SELECT COALESCE((SELECT id FROM crm_customer WHERE 1 = 0), ?)"
"""A key as a row, of the type that keys have in either database."""


def of_family(column: str, customer: str) -> tuple[str, list[object]]:
    """The condition that a column holds one of the customer's keys, as they are when it is evaluated; the
    key itself too, which may be an unknown one's."""
    return (
        f"{column} IN (SELECT one FROM ({_FAMILY}) AS family UNION {_ITSELF})",
        [customer, customer, customer],
    )


async def family(database: "Database", customer: str) -> set[str]:
    """The customer's keys now; the key itself for an unknown one."""
    return {customer, *(str(row["one"]) for row in await database.fetch(_FAMILY, [customer, customer]))}
