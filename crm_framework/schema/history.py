"""What keeps the key of a customer that was merged: lists of it give a customer's records under all keys.

Whether one asks by the winner's id or by a loser's makes no difference.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from crm_framework.engine.comparisons import MAX_LISTED, compared
from crm_framework.engine.context import Context
from crm_framework.engine.errors import RequestError
from crm_framework.engine.filter_inputs import comparison
from crm_framework.engine.filters import Condition, Member
from crm_framework.engine.ids import decode_key
from crm_framework.engine.sql import Dialect, Fragment, all_of, among, listed

from .merged import families

_NAME = "customer"
_COLUMN = Member(_NAME, "id", "The customer.", column="customer_id", of="Customer")
_FEW = 100
"""So many keys are arguments of their own, by which databases plan best."""


def of_customer(description: str) -> Member:
    """The member `customer` of a filter over rows with a `customer_id`."""
    return Member(_NAME, "custom", description, input=comparison("id"), lookup=_of_families)


async def _of_families(context: Context, values: Sequence[Any]) -> Condition:
    wanted = [
        key
        for value in values
        if isinstance(value, Mapping)
        for operator, operand in value.items()
        for key in _keys(operator, operand) or ()
    ]
    found = await families(context, list(dict.fromkeys(wanted))) if wanted else {}

    def condition(value: Any, dialect: Dialect) -> Fragment:
        if not isinstance(value, Mapping):
            raise RequestError("BAD_INPUT", "an object of comparisons is expected")
        return all_of(_compared(operator, operand, found, dialect) for operator, operand in value.items())

    return condition


def _compared(operator: str, operand: Any, found: Mapping[str, list[str]], dialect: Dialect) -> Fragment:
    if named := _keys(operator, operand):
        keys = list(dict.fromkeys(one for key in named for one in found[key]))
        if len(keys) == 1:
            return Fragment(f"{_COLUMN.expression} = ?", tuple(keys))
        return (
            listed(_COLUMN.expression, keys)
            if len(keys) <= _FEW
            else among(_COLUMN.expression, keys, dialect)
        )
    if operand is None:
        raise RequestError(
            "BAD_INPUT", f"{operator}: null is no value to compare with; leave it out, or use isNull"
        )
    try:
        return compared(_COLUMN, operator, operand, dialect)
    except (ValueError, TypeError, RequestError) as error:
        raise RequestError("BAD_INPUT", f"{operator}: {error}") from None


def _keys(operator: str, operand: Any) -> list[str] | None:
    """The keys that a comparison names; None where it names none, or will be refused."""
    ids = [operand] if operator == "eq" else operand if operator == "in" else None
    if not isinstance(ids, list | tuple) or len(ids) > MAX_LISTED or not all(isinstance(i, str) for i in ids):
        return None
    try:
        return [decode_key(id, "Customer") for id in ids]
    except RequestError:
        return None
