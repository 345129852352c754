"""The parts that the core contributes, through the same door as a plugin's."""

from collections.abc import Sequence

from crm_framework.engine.parts import SchemaParts

from . import (
    attributes,
    audit,
    contact_points,
    contact_rules,
    customer_changes,
    customers,
    duplicates,
    event_deliveries,
    events,
    imports,
    interaction_changes,
    interactions,
    jobs,
    me,
    messages,
    nodes,
    plugins,
    privacy,
    purchases,
    roles,
    segments,
    staff,
    timeline,
    tokens,
    webhooks,
)
from .clashes import Host
from .compose import ComposedSchema, compose

CORE_PARTS: Sequence[SchemaParts] = (
    nodes.parts,
    me.parts,
    customers.parts,
    customer_changes.parts,
    contact_points.parts,
    interactions.parts,
    interaction_changes.parts,
    purchases.parts,
    timeline.parts,
    contact_rules.parts,
    duplicates.parts,
    privacy.parts,
    imports.parts,
    segments.parts,
    attributes.parts,
    staff.parts,
    roles.parts,
    tokens.parts,
    audit.parts,
    event_deliveries.parts,
    jobs.parts,
    messages.parts,
    events.parts,
    webhooks.parts,
    plugins.parts,
)


def compose_schema(host: Host) -> ComposedSchema:
    """The schema of the core and of every enabled plugin that fits; refuses the others through the host."""
    return compose(CORE_PARTS, host)
