"""Lets customers be filtered by something that the core does not filter by."""

from crm_framework import Member, Plugin, SchemaParts, hookimpl

plugin = Plugin(name="with_filter", requires_api="1.0", summary="Filters by the length of names.")

NAME_LENGTH = Member("nameLength", "int", "Number of characters of the name.", sql="LENGTH(t.name)")


@hookimpl
def schema() -> SchemaParts:
    return SchemaParts(filters={"CustomerFilter": [NAME_LENGTH]})
