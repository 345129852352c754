"""Customer filters that are kept: checked and made plain when they come, given back as clients write them."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import strawberry

from crm_framework.domain.customers import segments
from crm_framework.engine.errors import RequestError
from crm_framework.engine.filters import FilterSpec, check_members
from crm_framework.engine.ids import decode_key, encode_id
from crm_framework.engine.lookups import check_fits
from crm_framework.engine.orders import Orders
from crm_framework.errors import CrmError, ErrorCode

from .customer_filter import CUSTOMER_FILTER, CUSTOMER_ORDERS
from .scalars import format_date_time


def customer_filter(schema: Any) -> FilterSpec:
    """The customer filter of a schema, with the members of plugins."""
    found: FilterSpec = schema.filters.extended(CUSTOMER_FILTER)
    return found


def customer_orders(schema: Any) -> Orders:
    """What customers can be ordered by in a schema, by plugins too."""
    found: Orders = schema.orders.extended(CUSTOMER_ORDERS)
    return found


def check_of(info: strawberry.Info) -> segments.Check:
    """Whether a condition is a customer filter; segments in it are looked up by the domain, and other members
    when it is used."""
    spec, dialect = customer_filter(info.schema), info.context.reader.dialect

    def check(condition: Mapping[str, Any]) -> None:
        try:
            check_members(spec, condition, info.context, info.context.may)
            check_fits(spec, condition, dialect)
        except RequestError as error:
            code = ErrorCode.FORBIDDEN if error.code == "FORBIDDEN" else ErrorCode.BAD_INPUT
            raise CrmError(code, f"{error.message}.") from None

    return check


def stored(value: Any, name: str = "") -> Any:
    """A filter as it was given, in plain JSON, with the key of another segment instead of its global id."""
    if name == "segment":
        try:
            return decode_key(value, "Segment")
        except RequestError as error:
            raise CrmError(ErrorCode.BAD_INPUT, f"{error.message}.", path=("filter", "segment")) from None
    if isinstance(value, Mapping):
        return {inner: stored(one, inner) for inner, one in value.items()}
    if isinstance(value, list | tuple):
        return [stored(one) for one in value]
    if isinstance(value, datetime):
        return format_date_time(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.name if isinstance(value, Enum) else value


def with_ids(value: Any, name: str = "") -> Any:
    """A stored condition as a client writes it."""
    if isinstance(value, Mapping):
        return {inner: with_ids(one, inner) for inner, one in value.items()}
    if isinstance(value, list):
        return [with_ids(one) for one in value]
    return encode_id("Segment", value) if name == "segment" and isinstance(value, str) else value
