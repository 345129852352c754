"""What a programme says about earning and tiers. Each change is a version: the past goes by what it said."""

import json

from crm_framework import UnitOfWork, new_id

SAYS = (
    *("points_per_unit", "selection", "rounding", "expiry_months", "pending_days"),
    *("cap_per_purchase", "cap_per_day", "cap_per_customer", "active"),
    *("tier_period", "tier_basis", "tier_descent", "tier_grace_days"),
)
"""Columns of a programme that each of its versions has too."""


async def keep_version(tx: UnitOfWork, program_id: str) -> None:
    """Keeps what the programme and its tiers say now, for what happens from now on; the first one, for all.

    The programme is held by whoever calls.
    """
    (program,) = await tx.fetch(
        f"SELECT {', '.join(SAYS)}, (SELECT MAX(number) FROM loyalty_program_version v"
        " WHERE v.program_id = p.id) AS number FROM loyalty_program p WHERE id = ?",
        [program_id],
    )
    tiers = await tx.fetch(
        "SELECT id, name, percent FROM loyalty_tier WHERE program_id = ? AND percent <> 100"
        " ORDER BY threshold",
        [program_id],
    )
    await tx.execute(
        "UPDATE loyalty_program_version SET until_at = ? WHERE program_id = ? AND until_at IS NULL",
        [tx.now, program_id],
    )
    number = program["number"]
    multipliers = [{"tier": str(row["id"]), "name": row["name"], "percent": row["percent"]} for row in tiers]
    row = {name: program[name] for name in SAYS} | {
        "id": new_id(),
        "program_id": program_id,
        "number": (number or 0) + 1,
        "from_at": None if number is None else tx.now,
        "multipliers": json.dumps(multipliers),
        "created_at": tx.now,
    }
    await tx.execute(
        f"INSERT INTO loyalty_program_version ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",
        list(row.values()),
    )
