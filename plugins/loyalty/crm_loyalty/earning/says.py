"""What a version of a rule says."""

from dataclasses import dataclass, fields
from typing import Any

from crm_loyalty.text import plain_of

from .conditions import ANYTHING, Conditions
from .plain import to_plain
from .rules import Basis, Trigger


@dataclass(frozen=True, kw_only=True)
class Says:
    """Its members are called as the columns of loyalty_rule_version."""

    trigger: Trigger
    basis: Basis
    points: int
    per_minor: int = 1
    whole_steps: bool = False
    referee_points: int = 0
    kinds: tuple[str, ...] = ()
    attribute: str | None = None
    priority: int = 0
    conditions: Conditions = ANYTHING
    cap_per_cause: int | None = None
    cap_per_day: int | None = None
    cap_per_customer: int | None = None
    pending_days: int | None = None
    expires_months: int | None = None
    expires_days: int | None = None
    never_expires: bool = False


COLUMNS = tuple(field.name for field in fields(Says))


def shown(says: Says) -> dict[str, Any]:
    """By column, as JSON knows it."""
    values = {name: plain_of(getattr(says, name)) for name in COLUMNS}
    return values | {"kinds": list(says.kinds), "conditions": to_plain(says.conditions)}
