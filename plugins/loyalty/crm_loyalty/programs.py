"""Programmes: what earns points, and how many."""

from crm_framework import CrmError, ErrorCode, UnitOfWork, currency_code, new_id

from .events import ProgramCreated

MOST_POINTS_PER_UNIT = 1_000_000


async def create_program(tx: UnitOfWork, name: str, currency: str, points_per_unit: int) -> str:
    """The new programme's key.

    BAD_INPUT for an unknown currency or a rate out of range, CONFLICT for a name that is taken.
    """
    name = " ".join(name.split())
    if not 1 <= len(name) <= 200:
        raise CrmError(ErrorCode.BAD_INPUT, "A programme's name has 1 to 200 characters.", path=("name",))
    if not 1 <= points_per_unit <= MOST_POINTS_PER_UNIT:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{points_per_unit} points per unit is out of range.",
            path=("points_per_unit",),
            hint=f"Give 1 to {MOST_POINTS_PER_UNIT}.",
        )
    code = currency_code(currency, path=("currency",))
    key = new_id()
    written = await tx.execute(
        "INSERT INTO loyalty_program (id, name, currency, points_per_unit, created_at)"
        " VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING",
        [key, name, code, points_per_unit, tx.now],
    )
    if not written:
        raise CrmError(
            ErrorCode.CONFLICT,
            f"There is a loyalty programme {name!r} already.",
            path=("name",),
            hint="Choose another name.",
        )
    tx.emit(ProgramCreated(customer_id=None, program_id=key, changes={"name": (None, name)}))
    return key
