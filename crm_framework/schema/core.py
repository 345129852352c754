"""The parts that the core contributes, through the same door as a plugin's."""

from collections.abc import Sequence

from crm_framework.engine.parts import SchemaParts

from . import contact_points, customer_changes, customers, staff

CORE_PARTS: Sequence[SchemaParts] = (
    customers.parts,
    customer_changes.parts,
    contact_points.parts,
    staff.parts,
)
