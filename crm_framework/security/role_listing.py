"""Roles as operators look at them: by name or key, and with those who have them."""

from collections.abc import Sequence
from typing import Any

from crm_framework.errors import CrmError, ErrorCode, cut
from crm_framework.settings import nearest
from crm_framework.storage.ids import is_key

from .roles import COLUMNS, Role, role_of
from .tokens import Reader


async def list_roles(reader: Reader) -> list[tuple[Role, int]]:
    """All roles by name, each with how many members of staff have it."""
    rows = await reader.fetch(
        f"SELECT {COLUMNS}, (SELECT count(*) FROM crm_staff_role m WHERE m.role_id = r.id) AS members"
        " FROM crm_role r ORDER BY r.name"
    )
    return [(role_of(row), row["members"]) for row in rows]


async def find_role(reader: Reader, given: str) -> Role:
    """The role of this key or name. NOT_FOUND, with the name that was most likely meant."""
    column = "id" if is_key(given) else "name"
    rows = await reader.fetch(f"SELECT {COLUMNS} FROM crm_role r WHERE r.{column} = ?", (given,))
    if rows:
        return role_of(rows[0])
    names = [row["name"] for row in await reader.fetch("SELECT name FROM crm_role ORDER BY name")]
    close = nearest(given, names)
    hint = f"Did you mean {close!r}?" if close else "`crm roles list` shows them."
    raise CrmError(ErrorCode.NOT_FOUND, f"There is no role {cut(given, 120)}.", hint=hint)


async def staff_with(reader: Reader, role_id: str) -> Sequence[dict[str, Any]]:
    """`id` and `name` of those who have a role, by name."""
    return await reader.fetch(
        "SELECT s.id, s.name FROM crm_staff_role m JOIN crm_staff s ON s.id = m.staff_id WHERE m.role_id = ?"
        " ORDER BY s.name, s.id",
        (role_id,),
    )
