"""What filters select, as conditions for SQL of one's own."""

from collections.abc import Mapping, Sequence
from typing import Any

from strawberry.types.info import Info

from crm_framework.engine.connections import granted_on
from crm_framework.engine.declarations import require_source
from crm_framework.engine.errors import RequestError
from crm_framework.engine.filters import FilterSpec, check_members, compile_filter
from crm_framework.engine.load import context_of, visible
from crm_framework.engine.lookups import check_fits, look_up
from crm_framework.engine.sql import Fragment, all_of
from crm_framework.errors import CrmError, ErrorCode

from .customers import Customer
from .stored_filters import customer_filter


async def matching_customers(info: Info, filters: Sequence[Mapping[str, Any]]) -> list[Fragment]:
    """For each customer filter, the condition on the table `t` (`crm_customer AS t`) for the customers
    that it selects, of those that the actor may see: `SELECT t.id FROM crm_customer AS t WHERE …`.

    Segments in them, and what else has to be, are looked up once for all filters. Raises `RequestError`:
    BAD_INPUT for what does not fit, FORBIDDEN for a member that needs another permission; and what a lookup
    raises.
    """
    context, source = context_of(info), require_source(Customer)
    spec = customer_filter(info.schema)
    if not context.granted(source.permission):
        raise context.refusal([(spec.name, source.permission)])  # who is found tells of customers
    for value in filters:
        check_members(spec, value, context, granted_on(context, source))
        check_fits(spec, value, context.reader.dialect)
    found = await look_up(spec, filters, context)
    seen = visible(source, context)
    return [all_of([compile_filter(spec, value, context.reader.dialect, found), seen]) for value in filters]


async def filter_condition(info: Info, spec: FilterSpec, value: Mapping[str, Any]) -> Fragment:
    """The condition on the table `t` that a filter means, members of plugins included: also to look through
    one that is to be kept, before it is.

    Raises `CrmError`: BAD_INPUT for what does not fit, FORBIDDEN for a member that needs a permission which
    is not granted, and what a lookup raises.
    """
    context = context_of(info)
    schema: Any = info.schema
    whole: FilterSpec = schema.filters.extended(spec)
    try:
        check_members(whole, value, context, context.granted)
        check_fits(whole, value, context.reader.dialect)
        found = await look_up(whole, [value], context)
        return compile_filter(whole, value, context.reader.dialect, found)
    except RequestError as error:
        code = ErrorCode.FORBIDDEN if error.code == "FORBIDDEN" else ErrorCode.BAD_INPUT
        raise CrmError(code, f"{error.message}.", path=("filter",)) from None
