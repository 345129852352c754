"""The parts that the core contributes, through the same door as a plugin's."""

from collections.abc import Sequence

from crm_framework.engine.parts import SchemaParts

from . import staff

CORE_PARTS: Sequence[SchemaParts] = (staff.parts,)
