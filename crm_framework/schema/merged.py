"""Customers that were merged: a loser's key stands for the winner from then on."""

from collections.abc import Sequence
from typing import Any

from crm_framework.engine.context import Context
from crm_framework.engine.sql import among
from crm_framework.storage.families import families_sql

_CHAIN = """
    WITH RECURSIVE chain (start, id, next) AS (
        SELECT c.id, c.id, c.merged_into_id FROM crm_customer AS c WHERE {chosen}
        UNION ALL
        SELECT chain.start, c.id, c.merged_into_id FROM chain JOIN crm_customer AS c ON c.id = chain.next
    )
"""


async def winners(context: Context, keys: Sequence[str]) -> dict[str, str]:
    """Key → key of the customer that it stands for today, in one statement. Unknown ones are left out."""
    chosen = among("c.id", keys, context.reader.dialect)
    rows = await context.reader.fetch(
        f"{_CHAIN.format(chosen=chosen.sql)} SELECT start, id FROM chain WHERE next IS NULL", chosen.args
    )
    return {str(row["start"]): str(row["id"]) for row in rows}


async def losers(context: Context, keys: Sequence[str]) -> dict[str, list[str]]:
    """Key → keys of all that were merged into it, directly or through others, the oldest first."""
    chosen = among("c.merged_into_id", keys, context.reader.dialect)
    rows: list[dict[str, Any]] = await context.reader.fetch(
        f"""
        WITH RECURSIVE merged (winner, id) AS (
            SELECT c.merged_into_id, c.id FROM crm_customer AS c WHERE {chosen.sql}
            UNION ALL
            SELECT merged.winner, c.id FROM merged JOIN crm_customer AS c ON c.merged_into_id = merged.id
        )
        SELECT winner, id FROM merged ORDER BY id
        """,
        chosen.args,
    )
    found: dict[str, list[str]] = {key: [] for key in keys}
    for row in rows:
        found[str(row["winner"])].append(str(row["id"]))
    return found


async def families(context: Context, keys: Sequence[str]) -> dict[str, list[str]]:
    """Key → all keys that the customer has today, the winner's first; the key itself for an unknown one."""
    chosen = among("asked.id", keys, context.reader.dialect)
    rows = await context.reader.fetch(families_sql(chosen.sql), (*chosen.args, *chosen.args))
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(str(row["asked"]), []).append(str(row["one"]))
    return {key: found.get(key, [key]) for key in keys}
