"""Who acts: what a request, a command or a job may do, and what the audit log calls it."""

from dataclasses import dataclass
from enum import StrEnum

PUBLIC = ""
"""The permission of what every actor may see. There is no anonymous actor."""

EVERYTHING = "*"
"""The permission that grants every other."""


class ActorKind(StrEnum):
    STAFF = "STAFF"
    """A member of staff; `staff_id` names them."""
    INTEGRATION = "INTEGRATION"
    """Another program."""
    CUSTOMER = "CUSTOMER"
    """A customer on their own data; `customer_id` names them."""
    SYSTEM = "SYSTEM"
    """The CRM itself: its commands and jobs."""


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who acts, and what they may do. `id` is stable over the tokens of one staff member or customer."""

    kind: ActorKind
    id: str | None
    name: str
    permissions: frozenset[str]
    token_id: str | None = None
    staff_id: str | None = None
    customer_id: str | None = None

    def may(self, permission: str) -> bool:
        """Whether `permission` is granted: by its name, by `*`, by its group (`loyalty.*`), or as public."""
        return (
            permission == PUBLIC
            or permission in self.permissions
            or EVERYTHING in self.permissions
            or f"{permission.partition('.')[0]}.*" in self.permissions
        )

    @classmethod
    def system(cls, name: str = "system") -> "Actor":
        """The program itself, with every right; `name` says which part of it."""
        return cls(kind=ActorKind.SYSTEM, id=None, name=name, permissions=frozenset({EVERYTHING}))
