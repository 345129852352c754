"""What the webhooks' worker needs of the API: which customers a filter holds for, and their ids."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crm_framework.domain.webhooks.passing import Matches
from crm_framework.engine.ids import encode_id
from crm_framework.engine.sql import Fragment, among

from .filter_context import SystemContext
from .segment_members import conditions_of
from .stored_filters import customer_filter

if TYPE_CHECKING:
    from crm_framework.hooks.dispatch import PluginHost
    from crm_framework.storage.database import Database


@dataclass(frozen=True)
class WebhookApi:
    """For one database under one schema."""

    database: "Database"
    schema: Any
    host: "PluginHost"

    async def matching(
        self, conditions: Mapping[str, Mapping[str, Any]], customers: Collection[str]
    ) -> Matches:
        """For each condition, by any key, those of the customers that it holds for now, or why it fits no
        more. For a merged one, its winner decides. One statement a condition."""
        context = SystemContext(reader=self.database, host=self.host)
        compiled = await conditions_of(context, customer_filter(self.schema), list(conditions.values()))
        return {
            key: await self._matching(condition, sorted(customers))
            if isinstance(condition, Fragment)
            else condition.message
            for key, condition in zip(conditions, compiled, strict=True)
        }

    async def _matching(self, compiled: Fragment, customers: Sequence[str]) -> frozenset[str]:
        chosen = among("named.id", customers, self.database.dialect)
        rows = await self.database.fetch(
            "SELECT named.id FROM crm_customer AS named JOIN crm_customer AS t"
            " ON t.id = COALESCE(named.merged_into_id, named.id)"
            f" WHERE {chosen.sql} AND ({compiled.sql})",
            (*chosen.args, *compiled.args),
        )
        return frozenset(row["id"] for row in rows)

    def customer_id(self, key: str) -> str:
        """The global id of a customer."""
        return encode_id("Customer", key)


def webhook_api(database: "Database", schema: Any, host: "PluginHost") -> WebhookApi:
    """The view of a composed schema's `schema`."""
    return WebhookApi(database, schema, host)
