"""Needs another plugin, and comes after it."""

from crm_framework import Plugin

plugin = Plugin(
    name="with_requirement",
    requires_api="1.0",
    summary="Builds on greetings.",
    requires=["with_computed_field"],
    uses=["with_settings"],
)
