"""Adds a field that another plugin adds too; it comes first in the order, by its name."""

from crm_framework import Customer, Plugin, SchemaParts, computed, hookimpl

plugin = Plugin(name="clashing", requires_api="1.0", summary="Greets customers as well.")


@computed()
def greeting(name: str) -> str:
    """Another greeting."""
    return f"Good day, {name}."


@hookimpl
def schema() -> SchemaParts:
    return SchemaParts(extend={Customer: [greeting]})
