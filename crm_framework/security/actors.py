"""Who acts: what a request, a command or a job may do, on which customers, and what the log calls it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

from .scopes import NOT_CONFIDENTIAL, Reach, all_of, any_of, one_customer

PUBLIC = ""
"""The permission of what every actor may see. There is no anonymous actor."""

EVERYTHING = "*"
"""The permission that grants every other."""

SEE_CUSTOMERS = "customers.read"
CONFIDENTIAL = "customers.confidential"
"""The permission to see customers that are marked confidential, wherever the actor may see customers."""

INTERNAL = "@internal"
"""The permission of what customers on their own data never see or do. Every other actor has it."""

OWN = "@own:"
"""`@own:P` is the permission of a change that customers may make on their own data, and others with P."""
ALL = "@all:"
"""`@all:P` is the permission of what tells of all customers at once, or changes what all share: P, without
a scope, and no scope on `customers.read` either."""
WITHIN = "@within:"
"""`@within:P:Q` is the permission of what P tells of customers that Q shows: that P reaches as far."""


class ActorKind(StrEnum):
    STAFF = "STAFF"
    """A member of staff; `staff_id` names them."""
    INTEGRATION = "INTEGRATION"
    """Another program."""
    CUSTOMER = "CUSTOMER"
    """A customer on their own data; `customer_id` names them."""
    PARTNER = "PARTNER"
    """Another company, on the customers of a segment or with a tag."""
    SYSTEM = "SYSTEM"
    """The CRM itself: its commands and jobs."""


@dataclass(frozen=True)
class Grant:
    """Permissions, and the customers on whom they hold; None for all."""

    permissions: frozenset[str]
    reach: Reach | None = None


def grants(permissions: frozenset[str], permission: str) -> bool:
    """Whether one of these grants `permission`: by its name, by `*`, or by its group (`loyalty.*`)."""
    return (
        permission in permissions
        or EVERYTHING in permissions
        or f"{permission.partition('.')[0]}.*" in permissions
    )


def in_words(need: str) -> str:
    """What a field needs, as an actor that lacks it may read it."""
    if need == INTERNAL:
        return "not for customers' own tokens"
    if need.startswith(ALL):
        return f"{need.removeprefix(ALL)} on all customers".lstrip()
    if need.startswith(WITHIN):
        wanted, _, shown = need.removeprefix(WITHIN).partition(":")
        return f"{wanted} on as many customers as {shown}"
    return need.removeprefix(OWN)


def narrowed(permissions: Iterable[str], by: Iterable[str]) -> frozenset[str]:
    """What both grant: `customers.*` narrowed by `customers.read` is `customers.read`."""
    one, other = frozenset(permissions), frozenset(by)
    return frozenset(
        [name for name in one if _covered(other, name)] + [name for name in other if _covered(one, name)]
    )


def _covered(permissions: frozenset[str], pattern: str) -> bool:
    return EVERYTHING in permissions if pattern == EVERYTHING else grants(permissions, pattern)


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who acts, and what they may do. `id` is stable over the tokens of one staff member or customer.

    Without `scoped`, all permissions hold on all customers; with it, each holds where a grant says so.
    """

    kind: ActorKind
    id: str | None
    name: str
    permissions: frozenset[str]
    token_id: str | None = None
    staff_id: str | None = None
    customer_id: str | None = None
    scoped: tuple[Grant, ...] = ()

    @property
    def holder(self) -> str | None:
        """Whose budget, reads and sockets are counted together: those of a token, or, without one of ours, of
        the member of staff whom the company's issuer names. None for the program itself."""
        return self.token_id or self.id

    def may(self, permission: str) -> bool:
        """Whether `permission` is granted: by its name, by `*`, by its group (`loyalty.*`), or as public."""
        if permission[:1] == "@":
            return self._may_so(permission)
        return (
            permission == PUBLIC
            or permission in self.permissions
            or EVERYTHING in self.permissions
            or f"{permission.partition('.')[0]}.*" in self.permissions
        )

    def _may_so(self, permission: str) -> bool:
        own = self.kind is ActorKind.CUSTOMER
        if permission.startswith(OWN):
            return own or self.may(permission.removeprefix(OWN))
        if permission.startswith(ALL):
            wanted = permission.removeprefix(ALL)
            return not own and self.may(wanted) and self._everywhere(wanted)
        if permission.startswith(WITHIN):
            wanted, _, shown = permission.removeprefix(WITHIN).partition(":")
            return own or self._scope(wanted) in (None, self._scope(shown))
        return permission == INTERNAL and not own

    def _everywhere(self, permission: str) -> bool:
        """Whether no scope limits it: neither its own, nor that of `customers.read`, its most."""
        shown = SEE_CUSTOMERS if self.may(SEE_CUSTOMERS) else permission
        return self._scope(permission) is None and self._scope(shown) is None

    @cached_property
    def unbounded(self) -> bool:
        """Whether every customer is in reach of all that the actor may do: nothing needs a condition."""
        return self.kind is not ActorKind.CUSTOMER and not self.scoped and self.may(CONFIDENTIAL)

    def reach(self, permission: str) -> Reach | None:
        """The customers on whom a permission holds; None for all of them.

        What one may not see, one can do nothing with: it reaches no farther than `customers.read`, if the
        actor has that.
        """
        if self.unbounded:
            return None
        if permission not in self._reaches:
            self._reaches[permission] = self._reach(permission)
        return self._reaches[permission]

    def _reach(self, permission: str) -> Reach | None:
        if self.kind is ActorKind.CUSTOMER:
            return one_customer(self.customer_id)
        shown = SEE_CUSTOMERS if self.may(SEE_CUSTOMERS) else permission
        found = all_of((self._scope(permission), self._scope(shown)))
        if not self.may(CONFIDENTIAL):
            return all_of((found, NOT_CONFIDENTIAL))
        secret = self._scope(CONFIDENTIAL)
        if secret is None or secret == found:
            return found
        return all_of((found, any_of((NOT_CONFIDENTIAL, secret))))

    def _scope(self, permission: str) -> Reach | None:
        """Where the grants say that it holds; confidential customers count like all others."""
        if not self.scoped:
            return None
        return any_of(
            grant.reach
            for grant in self.scoped
            if permission == PUBLIC or grants(grant.permissions, permission)
        )

    def holds(self, permission: str) -> bool:
        """Whether the actor has a permission on all customers, and so may pass it on. Patterns count too."""
        if self.kind is ActorKind.CUSTOMER:
            return False
        if not self.scoped:
            return _covered(self.permissions, permission)
        return any(grant.reach is None and _covered(grant.permissions, permission) for grant in self.scoped)

    @cached_property
    def _reaches(self) -> dict[str, Reach | None]:
        return {}

    @cached_property
    def conditions(self) -> dict[Any, Any]:
        """For whoever reads: what follows from this actor's reach, and from nothing that may change, for each
        source of records. It goes with the actor; one whose permissions or roles change is another actor."""
        return {}

    @cached_property
    def granted(self) -> set[str]:
        """For whoever asks `may` of the same again and again: what it said yes to. It goes with the actor."""
        return set()

    @classmethod
    def system(cls, name: str = "system") -> "Actor":
        """The program itself, with every right; `name` says which part of it."""
        return cls(kind=ActorKind.SYSTEM, id=None, name=name, permissions=frozenset({EVERYTHING}))
