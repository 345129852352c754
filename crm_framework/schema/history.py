"""What keeps the key of a customer that was merged: lists of it give a customer's records under all keys.

Whether one asks by the winner's id or by a loser's makes no difference.
"""

from collections.abc import Awaitable, Iterator, Mapping
from typing import Any

from crm_framework.engine.comparisons import MAX_LISTED, compared
from crm_framework.engine.context import Context
from crm_framework.engine.errors import RequestError
from crm_framework.engine.filter_inputs import comparison
from crm_framework.engine.filters import Member
from crm_framework.engine.ids import decode_key
from crm_framework.engine.sql import Dialect, Fragment, all_of, among, listed

from .merged import families
from .rewritten_filters import rewriting

_NAME = "customer"
_COLUMN = Member(_NAME, "id", "The customer.", column="customer_id", of="Customer")
_FEW = 100
"""So many keys are arguments of their own, by which databases plan best."""


class _Keys(tuple[str, ...]):
    """All keys of the customers that were asked for."""


def of_customer(description: str) -> Member:
    """The member `customer` of a filter over rows with a `customer_id`; the list is to be `historic`."""
    return Member(_NAME, "custom", description, input=comparison("id"), condition=_condition)


def _condition(value: Any, dialect: Dialect) -> Fragment:
    if not isinstance(value, Mapping):
        raise RequestError("BAD_INPUT", "an object of comparisons is expected")
    return all_of(_compared(operator, operand, dialect) for operator, operand in value.items())


def _compared(operator: str, operand: Any, dialect: Dialect) -> Fragment:
    if isinstance(operand, _Keys):
        column = _COLUMN.expression
        if len(operand) == 1:
            return Fragment(f"{column} = ?", operand)
        return listed(column, operand) if len(operand) <= _FEW else among(column, operand, dialect)
    if operand is None:
        raise RequestError(
            "BAD_INPUT", f"{operator}: null is no value to compare with; leave it out, or use isNull"
        )
    try:
        return compared(_COLUMN, operator, operand, dialect)
    except (ValueError, TypeError, RequestError) as error:
        raise RequestError("BAD_INPUT", f"{operator}: {error}") from None


def historic(field: Any) -> Any:
    """Lets a root `connection` find the records that customers had under other keys."""
    return rewriting(field, _rewrite)


def _rewrite(context: Context, value: Any) -> Awaitable[Any] | None:
    wanted = list(dict.fromkeys(_wanted(value)))
    return _of_families(context, value, wanted) if wanted else None


async def _of_families(context: Context, value: Any, wanted: list[str]) -> Any:
    return _with_families(value, await families(context, wanted))


def _wanted(value: Any) -> Iterator[str]:
    if isinstance(value, list | tuple):
        for inner in value:
            yield from _wanted(inner)
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            if name in ("and", "or", "not"):
                yield from _wanted(inner)
            elif name == _NAME and isinstance(inner, Mapping):
                for operator, operand in inner.items():
                    yield from _keys(operator, operand) or ()


def _keys(operator: str, operand: Any) -> list[str] | None:
    """The keys that a comparison names; None where it names none, or will be refused."""
    ids = [operand] if operator == "eq" else operand if operator == "in" else None
    if not isinstance(ids, list | tuple) or len(ids) > MAX_LISTED or not all(isinstance(i, str) for i in ids):
        return None
    try:
        return [decode_key(id, "Customer") for id in ids]
    except RequestError:
        return None


def _with_families(value: Any, found: Mapping[str, list[str]]) -> Any:
    if isinstance(value, list | tuple):
        return [_with_families(inner, found) for inner in value]
    if not isinstance(value, Mapping):
        return value
    return {
        name: _with_families(inner, found)
        if name in ("and", "or", "not")
        else {operator: _family(operator, operand, found) for operator, operand in inner.items()}
        if name == _NAME and isinstance(inner, Mapping)
        else inner
        for name, inner in value.items()
    }


def _family(operator: str, operand: Any, found: Mapping[str, list[str]]) -> Any:
    keys = _keys(operator, operand)
    if not keys:
        return operand
    return _Keys(dict.fromkeys(one for key in keys for one in found[key]))
