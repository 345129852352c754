"""Whom segments mean: for the scopes of roles and partners, and for changes that depend on it."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crm_framework.engine.context import Reader
from crm_framework.engine.sql import Fragment, among
from crm_framework.errors import CrmError
from crm_framework.security.scopes import Reach, where
from crm_framework.storage.ids import is_key

from .compose import ComposedSchema
from .customer_filter import CUSTOMER_FILTER
from .filter_context import SystemContext
from .segment_members import conditions_of

if TYPE_CHECKING:
    from crm_framework.hooks.dispatch import PluginHost

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SegmentReaches:
    """Reads segments, with the members of filters that plugins of this schema add.

    `certain` is for who decides by it: where nobody knows now whom a segment means, as a plugin fails, it
    raises the `CrmError` of that. Without it such a segment means nobody, and who is limited by it sees
    nothing until the plugin is mended.
    """

    schema: ComposedSchema
    reader: Reader
    host: "PluginHost"
    certain: bool = False

    async def __call__(self, keys: Sequence[str]) -> Mapping[str, Reach | None]:
        """Key → whom the segment means now; None if its filter fits no more. Unknown ones are left out."""
        chosen = among("id", [key for key in keys if is_key(key)], self.reader.dialect)
        rows = await self.reader.fetch(
            f"SELECT id, condition FROM crm_segment WHERE {chosen.sql}", chosen.args, bounded=True
        )
        spec = self.schema.schema.filters.extended(CUSTOMER_FILTER)
        stored = [json.loads(row["condition"]) for row in rows]
        found = await conditions_of(SystemContext(reader=self.reader, host=self.host), spec, stored)
        reaches: dict[str, Reach | None] = {}
        for row, condition in zip(rows, found, strict=True):
            if isinstance(condition, Fragment):
                reaches[str(row["id"])] = where(condition.sql, condition.args)
            elif self.certain and isinstance(condition, CrmError):
                raise condition
            else:
                log.warning("nobody is meant by segment %s: %s", row["id"], condition)
                reaches[str(row["id"])] = None
        return reaches
