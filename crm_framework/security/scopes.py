"""Which customers an actor may see: a condition that every read and every change of customers carries."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

_ROW = "{row}"
"""Stands for the alias of crm_customer in a reach."""


JUDGED = ("confidential", "owner_id", "backup_id")
"""Columns of crm_customer by which a row may be judged."""

Judge = Callable[[Mapping[str, Any]], bool]
"""Whether a row of crm_customer, given with these columns, is within reach."""


@dataclass(frozen=True)
class Reach:
    """A condition on a row of crm_customer, which it calls `{row}`; `?` marks each of `args`.

    `customer_id` says that it holds for that one customer only, which spares a look at their row. `judge`
    says the same as `sql` of a row that is at hand; None where the row alone does not tell.
    """

    sql: str
    args: tuple[object, ...] = ()
    customer_id: str | None = None
    judge: Judge | None = field(default=None, compare=False, repr=False)

    def of_row(self, alias: str) -> tuple[str, tuple[object, ...]]:
        """The condition on a row of crm_customer that a statement calls `alias`."""
        return self.sql.replace(_ROW, alias), self.args

    def of_key(self, column: str, *, former: bool = False) -> tuple[str, tuple[object, ...]]:
        """The condition on a column that holds a customer's key, such as `t.customer_id`.

        With `former` the column may hold the key of a customer that was merged: its winner decides, as the
        loser's row stays as it was. One step leads there.
        """
        if self.customer_id is not None and not former:
            return f"{column} = ?", (self.customer_id,)
        if self.customer_id is not None:
            keys = "SELECT own.id FROM crm_customer AS own WHERE own.id = ? OR own.merged_into_id = ?"
            return f"{column} IN ({keys})", (self.customer_id, self.customer_id)
        sql = self.sql.replace(_ROW, "reached")
        if former:
            return (
                "EXISTS (SELECT 1 FROM crm_customer AS named JOIN crm_customer AS reached"
                " ON reached.id = COALESCE(named.merged_into_id, named.id)"
                f" WHERE named.id = {column} AND ({sql}))"
            ), self.args
        return f"EXISTS (SELECT 1 FROM crm_customer AS reached WHERE reached.id = {column} AND ({sql}))", (
            self.args
        )

    def includes(self, row: Mapping[str, Any]) -> bool:
        """Whether a row, with the columns `JUDGED`, is certainly within reach."""
        return self.judge is not None and self.judge(row)


NOBODY = Reach("1 = 0", judge=lambda row: False)
NOT_CONFIDENTIAL = Reach(f"NOT {_ROW}.confidential", judge=lambda row: not row["confidential"])


class ScopeKind(StrEnum):
    """Which customers a role is about."""

    EVERYTHING = "EVERYTHING"
    """All of them."""
    OWN = "OWN"
    """Those whose owner or backup the member of staff is."""
    SEGMENT = "SEGMENT"
    """Those that belong to a segment now."""


def one_customer(customer_id: str | None) -> Reach:
    """A customer on their own data; nobody without a key."""
    return NOBODY if customer_id is None else Reach(f"{_ROW}.id = ?", (customer_id,), customer_id)


def own_customers(staff_id: str) -> Reach:
    """The customers of a member of staff, as owner or backup."""
    return Reach(
        f"({_ROW}.owner_id = ? OR {_ROW}.backup_id = ?)",
        (staff_id, staff_id),
        judge=lambda row: staff_id in (row["owner_id"], row["backup_id"]),
    )


def tagged(tag: str) -> Reach:
    """The customers with a tag."""
    return Reach(
        f"EXISTS (SELECT 1 FROM crm_customer_tag AS scoped WHERE scoped.customer_id = {_ROW}.id"
        " AND scoped.tag = ?)",
        (tag,),
    )


def where(sql: str, args: Sequence[object]) -> Reach:
    """The customers for which a filter's condition holds, which calls their table `t`."""
    return Reach(f"{_ROW}.id IN (SELECT t.id FROM crm_customer AS t WHERE {sql})", tuple(args))


def any_of(reaches: Iterable[Reach | None]) -> Reach | None:
    """What at least one of them reaches; None, which is everything, if one of them is."""
    parts: list[Reach] = []
    for reach in reaches:
        if reach is None:
            return None
        if reach != NOBODY and reach not in parts:
            parts.append(reach)
    return _joined(" OR ", any, parts) if parts else NOBODY


def all_of(reaches: Iterable[Reach | None]) -> Reach | None:
    """What each of them reaches; None for none at all."""
    parts: list[Reach] = []
    for reach in reaches:
        if reach == NOBODY:
            return NOBODY
        if reach is not None and reach not in parts:
            parts.append(reach)
    return _joined(" AND ", all, parts) if parts else None


def _joined(operator: str, hold: Callable[[Iterable[bool]], bool], parts: Sequence[Reach]) -> Reach:
    if len(parts) == 1:
        return parts[0]
    judges = [part.judge for part in parts if part.judge is not None]
    return Reach(
        f"({operator.join(f'({part.sql})' for part in parts)})",
        tuple(arg for part in parts for arg in part.args),
        judge=(lambda row: hold(judge(row) for judge in judges)) if len(judges) == len(parts) else None,
    )
