"""New versions of policies whose calendar got other rules."""

from crm_framework import UnitOfWork, new_id
from crm_ticketing.events import PolicyChanged


async def hold_rulebook(tx: UnitOfWork) -> None:
    """Has changes of policies take turns: what they must agree on is about all of them."""
    await tx.fetch("UPDATE ticketing_rulebook SET version = version + 1 RETURNING version")


async def renew_policies(tx: UnitOfWork, calendar_id: str, calendar_version_id: str) -> None:
    """Gives each policy whose latest or active version goes by the calendar the same rules with its new
    version; where the old one is active, the new one is from now on.
    """
    await hold_rulebook(tx)
    rows = await tx.fetch(
        "SELECT p.id, p.number, p.active_number, v.number AS renewed, v.rules FROM ticketing_policy p"
        " JOIN ticketing_policy_version v ON v.policy_id = p.id AND v.number IN (p.number, p.active_number)"
        " JOIN ticketing_calendar_version c ON c.id = v.calendar_version_id"
        " WHERE c.calendar_id = ? ORDER BY p.position, p.id, v.number",
        [calendar_id],
    )
    latest: dict[str, int] = {}
    for row in rows:
        key = str(row["id"])
        number = latest[key] = (latest[key] if key in latest else row["number"]) + 1
        active = number if row["active_number"] == row["renewed"] else None
        add_version(tx, key, number, row["rules"], calendar_version_id)
        await tx.execute(
            "UPDATE ticketing_policy SET number = ?, active_number = COALESCE(?, active_number),"
            " version = version + 1, updated_at = ? WHERE id = ?",
            [number, active, tx.now, key],
        )
        changes = {"number": (number - 1, number)}
        tx.emit(PolicyChanged(customer_id=None, policy_id=key, changes=changes))


def add_version(tx: UnitOfWork, policy_id: str, number: int, rules: str, calendar_version_id: str) -> str:
    """The next version of a policy; its key."""
    key = new_id()
    tx.insert(
        "ticketing_policy_version",
        {
            "id": key,
            "policy_id": policy_id,
            "number": number,
            "calendar_version_id": calendar_version_id,
            "rules": rules,
            "created_at": tx.now,
        },
    )
    return key
