"""What a reward says: each change is a version, so that what was redeemed stays what it was."""

import json
from collections.abc import Mapping
from typing import Any

from crm_framework import UnitOfWork, new_id
from crm_loyalty.earning.store import moment, plain

SAYS = (
    *("name", "description", "cost_points", "value_minor", "percent", "sku", "cost_minor", "per_customer"),
    *("valid_from", "valid_until", "tiers", "hold_minutes", "active"),
)
"""Columns of a reward that each of its versions has too. Its kind, and where its codes come from, stay."""
MOMENTS = ("valid_from", "valid_until")


def said(row: Mapping[str, Any]) -> dict[str, Any]:
    """Columns as they are kept, as values."""
    found = dict(row)
    found |= {name: moment(row[name]) for name in MOMENTS}
    return found | {"tiers": list(plain(row["tiers"])), "active": bool(row["active"])}


async def keep_version(tx: UnitOfWork, reward_id: str) -> None:
    """Keeps what the reward says now, for what is redeemed from now on. It is held by whoever calls."""
    (row,) = await tx.fetch(
        f"SELECT {', '.join(f'r.{name}' for name in SAYS)}, p.currency, (SELECT MAX(v.number)"
        " FROM loyalty_reward_version v WHERE v.reward_id = r.id) AS number"
        " FROM loyalty_reward r JOIN loyalty_program p ON p.id = r.program_id WHERE r.id = ?",
        [reward_id],
    )
    await tx.execute(
        "UPDATE loyalty_reward_version SET until_at = ? WHERE reward_id = ? AND until_at IS NULL",
        [tx.now, reward_id],
    )
    says = said({name: row[name] for name in SAYS})
    tx.insert(
        "loyalty_reward_version",
        says
        | {
            "id": new_id(), "reward_id": reward_id, "number": (row["number"] or 0) + 1, "from_at": tx.now,
            "currency": row["currency"], "tiers": json.dumps(says["tiers"]),
        },
    )  # fmt: skip
