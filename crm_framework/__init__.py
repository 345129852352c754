"""A plugin-based CRM framework with a GraphQL API.

Every name that a plugin may import is listed here and nowhere else. Names load on first use, so that
`import crm_framework` (and with it `crm --help`) costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

API_VERSION = "1.0"
"""Version of the contract between core and plugins; see `Plugin.requires_api`."""

_HOME = {
    "Batch": "engine.rows",
    "Channel": "hooks.specs",
    "ConsentChanged": "domain.events",
    "CrmError": "errors",
    "CustomerArchived": "domain.events",
    "CustomerConverted": "domain.events",
    "CustomerCreated": "domain.events",
    "CustomerErased": "domain.events",
    "CustomerLapsed": "domain.events",
    "CustomerTagged": "domain.events",
    "CustomerUpdated": "domain.events",
    "CustomersMerged": "domain.events",
    "DialectSQL": "storage.migration_operations",
    "ErrorCode": "errors",
    "Event": "domain.events",
    "Fragment": "engine.sql",
    "InteractionKind": "hooks.specs",
    "InteractionLogged": "domain.events",
    "InteractionUpdated": "domain.events",
    "Member": "engine.filters",
    "Money": "domain.money",
    "NewContactPoint": "domain.contact_points",
    "NewCustomer": "domain.customer_draft",
    "Node": "engine.nodes",
    "OwnerAssigned": "domain.events",
    "PUBLIC": "engine.declarations",
    "Permission": "hooks.specs",
    "Plugin": "hooks.specs",
    "PluginSettings": "hooks.specs",
    "PurchaseRecorded": "domain.events",
    "Reader": "engine.context",
    "RefundRecorded": "domain.events",
    "SchemaParts": "engine.parts",
    "SettingChanged": "domain.events",
    "Settings": "settings",
    "TimelineEntry": "hooks.specs",
    "UnitOfWork": "storage.unit_of_work",
    "batch": "engine.fields",
    "children": "engine.relations",
    "column": "engine.fields",
    "computed": "engine.fields",
    "create_customer": "domain.customers",
    "decode_key": "engine.ids",
    "encode_id": "engine.ids",
    "hookimpl": "hooks.specs",
    "load": "engine.load",
    "load_groups": "engine.load",
    "load_settings": "settings",
    "load_where": "engine.load",
    "new_id": "storage.ids",
    "node": "engine.nodes",
    "now": "storage.clock",
    "record": "engine.nodes",
    "reference": "engine.relations",
    "resolve_id": "domain.customer_record",
    "resolve_ids": "domain.customer_record",
    "responsible": "domain.ownership",
    "responsibles": "domain.ownership",
    "root": "engine.fields",
    "tag_customers": "domain.tags",
}

__all__ = [
    "API_VERSION",
    "PUBLIC",
    "Batch",
    "Channel",
    "ConsentChanged",
    "CrmError",
    "CustomerArchived",
    "CustomerConverted",
    "CustomerCreated",
    "CustomerErased",
    "CustomerLapsed",
    "CustomerTagged",
    "CustomerUpdated",
    "CustomersMerged",
    "DialectSQL",
    "ErrorCode",
    "Event",
    "Fragment",
    "InteractionKind",
    "InteractionLogged",
    "InteractionUpdated",
    "Member",
    "Money",
    "NewContactPoint",
    "NewCustomer",
    "Node",
    "OwnerAssigned",
    "Permission",
    "Plugin",
    "PluginSettings",
    "PurchaseRecorded",
    "Reader",
    "RefundRecorded",
    "SchemaParts",
    "SettingChanged",
    "Settings",
    "TimelineEntry",
    "UnitOfWork",
    "batch",
    "children",
    "column",
    "computed",
    "create_customer",
    "decode_key",
    "encode_id",
    "hookimpl",
    "load",
    "load_groups",
    "load_settings",
    "load_where",
    "new_id",
    "node",
    "now",
    "record",
    "reference",
    "resolve_id",
    "resolve_ids",
    "responsible",
    "responsibles",
    "root",
    "tag_customers",
]

if TYPE_CHECKING:
    from .domain.contact_points import NewContactPoint
    from .domain.customer_draft import NewCustomer
    from .domain.customer_record import resolve_id, resolve_ids
    from .domain.customers import create_customer
    from .domain.events import (
        ConsentChanged,
        CustomerArchived,
        CustomerConverted,
        CustomerCreated,
        CustomerErased,
        CustomerLapsed,
        CustomersMerged,
        CustomerTagged,
        CustomerUpdated,
        Event,
        InteractionLogged,
        InteractionUpdated,
        OwnerAssigned,
        PurchaseRecorded,
        RefundRecorded,
        SettingChanged,
    )
    from .domain.money import Money
    from .domain.ownership import responsible, responsibles
    from .domain.tags import tag_customers
    from .engine.context import Reader
    from .engine.declarations import PUBLIC
    from .engine.fields import batch, column, computed, root
    from .engine.filters import Member
    from .engine.ids import decode_key, encode_id
    from .engine.load import load, load_groups, load_where
    from .engine.nodes import Node, node, record
    from .engine.parts import SchemaParts
    from .engine.relations import children, reference
    from .engine.rows import Batch
    from .engine.sql import Fragment
    from .errors import CrmError, ErrorCode
    from .hooks.specs import (
        Channel,
        InteractionKind,
        Permission,
        Plugin,
        PluginSettings,
        TimelineEntry,
        hookimpl,
    )
    from .settings import Settings, load_settings
    from .storage.clock import now
    from .storage.ids import new_id
    from .storage.migration_operations import DialectSQL
    from .storage.unit_of_work import UnitOfWork


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
