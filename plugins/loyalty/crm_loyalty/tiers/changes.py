"""Making tiers."""

from collections.abc import Sequence

import orjson

from crm_framework import CrmError, ErrorCode, UnitOfWork, new_id
from crm_loyalty.events import TierCreated

MOST_TIERS = 50
"""In one programme."""
MOST_BENEFITS = 50


async def create_tier(
    tx: UnitOfWork, program_id: str, name: str, threshold: int, benefits: Sequence[str]
) -> str:
    """The new tier's key. The programme's accounts are judged anew by a job.

    NOT_FOUND without the programme, BAD_INPUT for values out of range, CONFLICT for a name or a threshold
    that another of its tiers has.
    """
    name = " ".join(name.split())
    benefits = [" ".join(benefit.split()) for benefit in benefits]
    if not 1 <= len(name) <= 200:
        raise CrmError(ErrorCode.BAD_INPUT, "A tier's name has 1 to 200 characters.", path=("name",))
    if not 0 <= threshold < 2**53:
        raise CrmError(ErrorCode.BAD_INPUT, f"{threshold} is out of range.", path=("threshold",))
    if len(benefits) > MOST_BENEFITS or not all(1 <= len(benefit) <= 500 for benefit in benefits):
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"A tier has {MOST_BENEFITS} benefits at most, each of 1 to 500 characters.",
            path=("benefits",),
        )
    await tx.lock("loyalty_program", [program_id])
    if not await tx.fetch("SELECT 1 AS one FROM loyalty_program WHERE id = ?", [program_id]):
        raise CrmError(ErrorCode.NOT_FOUND, "There is no such programme.", path=("program",))
    others = await tx.fetch("SELECT name, threshold FROM loyalty_tier WHERE program_id = ?", [program_id])
    if len(others) >= MOST_TIERS:
        raise CrmError(ErrorCode.REFUSED, f"A programme has {MOST_TIERS} tiers at most.")
    for other in others:
        if name == other["name"] or threshold == other["threshold"]:
            raise CrmError(
                ErrorCode.CONFLICT,
                f"The programme has the tier {other['name']!r} from {other['threshold']} on.",
                path=("name" if name == other["name"] else "threshold",),
            )
    key = new_id()
    await tx.execute(
        "INSERT INTO loyalty_tier (id, program_id, name, threshold, benefits, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [key, program_id, name, threshold, orjson.dumps(benefits).decode(), tx.now],
    )
    tx.emit(TierCreated(customer_id=None, tier_id=key, program_id=program_id, changes={"name": (None, name)}))
    tx.defer("loyalty.tiers", {"program": program_id}, key=f"tiers:{program_id}")
    return key
