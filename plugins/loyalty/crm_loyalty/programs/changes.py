"""Making and changing programmes."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from crm_framework import CrmError, ErrorCode, UnitOfWork, currency_code, new_id, time_zone
from crm_loyalty.earning.rules import Rounding, Selection
from crm_loyalty.events import ProgramCreated, ProgramUpdated
from crm_loyalty.models import RefundPolicy, TierBasis, TierDescent, TierPeriod
from crm_loyalty.text import line

from .versions import SAYS, keep_version

CAPS = ("cap_per_purchase", "cap_per_day", "cap_per_customer")
LIMITS = {
    "points_per_unit": (0, 1_000_000, "points per unit"),
    "expiry_months": (1, 1_200, "months until points expire"),
    "pending_days": (0, 365, "days until points can be spent"),
    "tier_grace_days": (0, 365, "days of grace"),
    **dict.fromkeys(CAPS, (1, 10**12, "points at most")),
}
MAY_BE_NULL = ("expiry_months", *CAPS)


@dataclass(frozen=True, kw_only=True)
class NewProgram:
    """A programme. `points_per_unit` 0: only its rules earn. `expiry_months` None: points never expire.

    The caps bound what all its rules give together; None: they do not.
    """

    name: str
    currency: str
    points_per_unit: int = 1
    time_zone: str = "UTC"
    expiry_months: int | None = None
    pending_days: int = 0
    selection: Selection = Selection.HIGHEST_PRIORITY
    rounding: Rounding = Rounding.FLOOR
    refund_policy: RefundPolicy = RefundPolicy.ALLOW_NEGATIVE
    tier_period: TierPeriod = TierPeriod.CALENDAR_YEAR
    tier_basis: TierBasis = TierBasis.POINTS
    tier_descent: TierDescent = TierDescent.TO_EARNED
    tier_grace_days: int = 0
    cap_per_purchase: int | None = None
    cap_per_day: int | None = None
    cap_per_customer: int | None = None


COLUMNS = tuple(field.name for field in fields(NewProgram))


async def create_program(tx: UnitOfWork, name: str, currency: str, points_per_unit: int, **more: Any) -> str:
    """The new programme's key; `more` are the other members of `NewProgram`.

    BAD_INPUT for an unknown currency or zone or a number out of range, CONFLICT for a name that is taken.
    """
    new = NewProgram(name=name, currency=currency, points_per_unit=points_per_unit, **more)
    values = _checked({column: getattr(new, column) for column in COLUMNS})
    key = new_id()
    written = await tx.execute(
        f"INSERT INTO loyalty_program (id, {', '.join(COLUMNS)}, created_at)"
        f" VALUES (?, {', '.join('?' * len(COLUMNS))}, ?) ON CONFLICT (name) DO NOTHING",
        [key, *values.values(), tx.now],
    )
    if not written:
        raise _taken(values["name"])
    await keep_version(tx, key)
    tx.emit(ProgramCreated(customer_id=None, program_id=key, changes={"name": (None, values["name"])}))
    return key


async def update_program(
    tx: UnitOfWork, program_id: str, members: Mapping[str, Any], *, expected_version: int | None = None
) -> str:
    """Changes members of a programme. What was entered before stays as it is.

    NOT_FOUND, CONFLICT for a stale version or a name that is taken, and the refusals of `create_program`.
    """
    await tx.lock("loyalty_program", [program_id])
    rows = await tx.fetch(
        f"SELECT version, active, {', '.join(COLUMNS)} FROM loyalty_program WHERE id = ?", [program_id]
    )
    if not rows:
        raise CrmError(ErrorCode.NOT_FOUND, "There is no such programme.", path=("program",))
    [before] = rows
    if expected_version is not None and expected_version != before["version"]:
        raise CrmError(
            ErrorCode.CONFLICT,
            f"The programme has version {before['version']}, not {expected_version}.",
            path=("expected_version",),
        )
    empty = next((name for name, value in members.items() if value is None and name not in MAY_BE_NULL), None)
    if empty is not None:
        raise CrmError(ErrorCode.BAD_INPUT, "It cannot be null.", path=(empty,), hint="Leave it out.")
    values = _checked(dict(members))
    changed = {name: value for name, value in values.items() if value != before[name]}
    if not changed:
        return program_id
    if "name" in changed and await tx.fetch(
        "SELECT 1 AS one FROM loyalty_program WHERE name = ? AND id <> ?", [changed["name"], program_id]
    ):
        raise _taken(changed["name"])
    settings = ", ".join(f"{name} = ?" for name in changed)
    await tx.execute(
        f"UPDATE loyalty_program SET {settings}, version = version + 1 WHERE id = ?",
        [*changed.values(), program_id],
    )
    if changed.keys() & set(SAYS):
        await keep_version(tx, program_id)
    changes = {name: (before[name], value) for name, value in changed.items()}
    tx.emit(ProgramUpdated(customer_id=None, program_id=program_id, changes=changes))
    if any(name.startswith("tier_") or name == "time_zone" for name in changed):
        tx.defer("loyalty.tiers", {"program": program_id}, key=f"tiers:{program_id}")
    return program_id


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    if "name" in values:
        values["name"] = line(values["name"])
    if "currency" in values:
        values["currency"] = currency_code(values["currency"], path=("currency",))
    if "time_zone" in values:
        values["time_zone"] = time_zone(values["time_zone"], path=("time_zone",))
    for name, (least, most, called) in LIMITS.items():
        number = values.get(name)
        if number is not None and not least <= number <= most:
            raise CrmError(
                ErrorCode.BAD_INPUT,
                f"{number} {called} is out of range.",
                path=(name,),
                hint=f"Give {least} to {most}.",
            )
    return values


def _taken(name: str) -> CrmError:
    return CrmError(
        ErrorCode.CONFLICT,
        f"There is a loyalty programme {name!r} already.",
        path=("name",),
        hint="Choose another name.",
    )
