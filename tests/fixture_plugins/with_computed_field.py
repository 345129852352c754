"""Adds a field to Customer that is computed from columns."""

from crm_framework import Customer, Plugin, SchemaParts, computed, hookimpl

plugin = Plugin(name="with_computed_field", requires_api="1.0", summary="Greets customers.")


@computed()
def greeting(name: str) -> str:
    """A friendly word to begin a letter with."""
    return f"Hello, {name}!"


@hookimpl
def schema() -> SchemaParts:
    return SchemaParts(extend={Customer: [greeting]})
