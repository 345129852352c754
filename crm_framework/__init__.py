"""A plugin-based CRM framework with a GraphQL API.

Every name that a plugin may import is listed here and nowhere else. Names load on first use, so that
`import crm_framework` (and with it `crm --help`) costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

API_VERSION = "1.0"
"""Version of the contract between core and plugins; see `Plugin.requires_api`."""

_HOME = {
    "AttributeFilter": "schema.attribute_filter",
    "Batch": "engine.rows",
    "BigInt": "engine.integers",
    "CUSTOMER_FILTER": "schema.customer_filter",
    "Channel": "hooks.specs",
    "CommandRun": "cli.plugin_runs",
    "Connection": "engine.connections",
    "ConsentChanged": "events",
    "ContactDecision": "domain.contacts.policy",
    "CrmError": "errors",
    "Customer": "schema.customers",
    "CustomerArchived": "events",
    "CustomerConverted": "events",
    "CustomerCreated": "events",
    "CustomerErased": "events",
    "CustomerLapsed": "events",
    "CustomerPast": "domain.customers.past",
    "CustomerTagged": "events",
    "CustomerThen": "domain.customers.past",
    "CustomerUpdated": "events",
    "CustomersMerged": "events",
    "DialectSQL": "storage.migration.operations",
    "ErrorCode": "errors",
    "Event": "events",
    "Figure": "hooks.specs",
    "Figures": "hooks.answers",
    "FilterContext": "schema.filter_context",
    "FilterSpec": "engine.filters",
    "Fragment": "engine.sql",
    "Handling": "hooks.specs",
    "Hold": "domain.customers.locks",
    "INTERNAL": "security.actors",
    "Interaction": "schema.interactions",
    "InteractionKind": "hooks.specs",
    "InteractionLogged": "events",
    "InteractionUpdated": "events",
    "Job": "hooks.specs",
    "JobRun": "worker.runs",
    "KeptList": "engine.kept_lists",
    "LiveCustomer": "domain.customers.keys",
    "Member": "engine.filters",
    "MessageFailed": "events",
    "MessageQueued": "events",
    "MessageSent": "events",
    "Money": "schema.money",
    "MoneyInput": "schema.money",
    "NewContactPoint": "domain.contacts.points",
    "NewCustomer": "domain.customers.draft",
    "NewInteraction": "domain.interactions.touches",
    "NewLine": "domain.interactions.purchase_lines",
    "NewPurchase": "domain.interactions.purchases",
    "NewRefund": "domain.interactions.refunds",
    "Node": "engine.nodes",
    "OrderDirection": "engine.orders",
    "OrderField": "engine.orders",
    "Orders": "engine.orders",
    "OutgoingMessage": "hooks.messages",
    "Own": "schema.mutation",
    "OwnerAssigned": "events",
    "PUBLIC": "engine.declarations",
    "Permission": "hooks.specs",
    "Plugin": "hooks.specs",
    "PluginSettings": "hooks.specs",
    "PurchaseRecorded": "events",
    "QueuedMessage": "domain.messages.queueing",
    "Reader": "engine.context",
    "RefundRecorded": "events",
    "Route": "hooks.routes",
    "RouteAnswer": "server.plugin_routes.requests",
    "RouteRequest": "server.plugin_routes.requests",
    "SchemaParts": "engine.parts",
    "Secret": "secret",
    "SettingChanged": "events",
    "Settings": "settings",
    "Signal": "hooks.specs",
    "Signalled": "hooks.answers",
    "Signals": "hooks.answers",
    "Staff": "schema.staff",
    "Through": "engine.declarations",
    "TimelineEntry": "hooks.specs",
    "UnitOfWork": "storage.unit_of_work",
    "Window": "hooks.specs",
    "among": "engine.sql",
    "attribute_condition": "schema.attribute_filter",
    "batch": "engine.fields",
    "check_channel": "domain.kinds",
    "check_event_type": "domain.event_types",
    "check_kind": "domain.kinds",
    "children": "engine.relations",
    "chosen": "schema.inputs",
    "column": "engine.fields",
    "computed": "engine.fields",
    "connection": "engine.connections",
    "contact_decisions": "domain.contacts.decisions",
    "create_customer": "domain.customers.changes",
    "currency_code": "domain.values.money",
    "customer_pasts": "domain.customers.past",
    "decode_key": "engine.ids",
    "describe": "schema.enums",
    "encode_id": "engine.ids",
    "expected": "schema.inputs",
    "fields_of": "schema.additions",
    "filter_condition": "schema.matching",
    "filter_member": "schema.inputs",
    "fold": "domain.values.text",
    "format_minor": "domain.values.money",
    "found_customers": "schema.customer_filter",
    "given": "schema.inputs",
    "hookimpl": "hooks.specs",
    "key_of": "schema.inputs",
    "keys_of": "schema.inputs",
    "live_customer": "domain.customers.keys",
    "live_customers": "domain.customers.keys",
    "load": "engine.load",
    "load_groups": "engine.load",
    "load_settings": "settings",
    "load_where": "engine.load",
    "log_interaction": "domain.interactions.touches",
    "matching_customers": "schema.matching",
    "mutation": "schema.mutation",
    "new_id": "storage.ids",
    "node": "engine.nodes",
    "now": "storage.clock",
    "one": "engine.relations",
    "open_link": "security.links",
    "optional": "schema.inputs",
    "optional_key": "schema.inputs",
    "parse_time": "storage.clock",
    "payload": "schema.mutation",
    "record": "engine.nodes",
    "record_purchase": "domain.interactions.purchases",
    "record_refund": "domain.interactions.refunds",
    "reference": "engine.relations",
    "renamed": "schema.inputs",
    "required": "schema.inputs",
    "resolve_id": "domain.customers.record",
    "resolve_ids": "domain.customers.record",
    "responsible": "domain.customers.ownership",
    "responsibles": "domain.customers.ownership",
    "retry_key": "schema.inputs",
    "root": "engine.fields",
    "run_command": "cli.plugin_runs",
    "segment_members": "domain.customers.memberships",
    "send_message": "domain.messages.queueing",
    "send_messages": "domain.messages.queueing",
    "sign_link": "security.links",
    "stream_safe": "domain.values.marks",
    "tag_customers": "domain.customers.tags",
    "time_zone": "zones",
    "update_interaction": "domain.interactions.touches",
    "usual_channel": "domain.interactions.touches",
    "without_controls": "domain.values.text",
    "words": "domain.values.text",
}

__all__ = [
    "API_VERSION",
    "CUSTOMER_FILTER",
    "INTERNAL",
    "PUBLIC",
    "AttributeFilter",
    "Batch",
    "BigInt",
    "Channel",
    "CommandRun",
    "Connection",
    "ConsentChanged",
    "ContactDecision",
    "CrmError",
    "Customer",
    "CustomerArchived",
    "CustomerConverted",
    "CustomerCreated",
    "CustomerErased",
    "CustomerLapsed",
    "CustomerPast",
    "CustomerTagged",
    "CustomerThen",
    "CustomerUpdated",
    "CustomersMerged",
    "DialectSQL",
    "ErrorCode",
    "Event",
    "Figure",
    "Figures",
    "FilterContext",
    "FilterSpec",
    "Fragment",
    "Handling",
    "Hold",
    "Interaction",
    "InteractionKind",
    "InteractionLogged",
    "InteractionUpdated",
    "Job",
    "JobRun",
    "KeptList",
    "LiveCustomer",
    "Member",
    "MessageFailed",
    "MessageQueued",
    "MessageSent",
    "Money",
    "MoneyInput",
    "NewContactPoint",
    "NewCustomer",
    "NewInteraction",
    "NewLine",
    "NewPurchase",
    "NewRefund",
    "Node",
    "OrderDirection",
    "OrderField",
    "Orders",
    "OutgoingMessage",
    "Own",
    "OwnerAssigned",
    "Permission",
    "Plugin",
    "PluginSettings",
    "PurchaseRecorded",
    "QueuedMessage",
    "Reader",
    "RefundRecorded",
    "Route",
    "RouteAnswer",
    "RouteRequest",
    "SchemaParts",
    "Secret",
    "SettingChanged",
    "Settings",
    "Signal",
    "Signalled",
    "Signals",
    "Staff",
    "Through",
    "TimelineEntry",
    "UnitOfWork",
    "Window",
    "among",
    "attribute_condition",
    "batch",
    "check_channel",
    "check_event_type",
    "check_kind",
    "children",
    "chosen",
    "column",
    "computed",
    "connection",
    "contact_decisions",
    "create_customer",
    "currency_code",
    "customer_pasts",
    "decode_key",
    "describe",
    "encode_id",
    "expected",
    "fields_of",
    "filter_condition",
    "filter_member",
    "fold",
    "format_minor",
    "found_customers",
    "given",
    "hookimpl",
    "key_of",
    "keys_of",
    "live_customer",
    "live_customers",
    "load",
    "load_groups",
    "load_settings",
    "load_where",
    "log_interaction",
    "matching_customers",
    "mutation",
    "new_id",
    "node",
    "now",
    "one",
    "open_link",
    "optional",
    "optional_key",
    "parse_time",
    "payload",
    "record",
    "record_purchase",
    "record_refund",
    "reference",
    "renamed",
    "required",
    "resolve_id",
    "resolve_ids",
    "responsible",
    "responsibles",
    "retry_key",
    "root",
    "run_command",
    "segment_members",
    "send_message",
    "send_messages",
    "sign_link",
    "stream_safe",
    "tag_customers",
    "time_zone",
    "update_interaction",
    "usual_channel",
    "without_controls",
    "words",
]

if TYPE_CHECKING:
    from crm_framework.domain.contacts.decisions import contact_decisions
    from crm_framework.domain.contacts.points import NewContactPoint
    from crm_framework.domain.contacts.policy import ContactDecision
    from crm_framework.domain.customers.changes import create_customer
    from crm_framework.domain.customers.draft import NewCustomer
    from crm_framework.domain.customers.keys import LiveCustomer, live_customer, live_customers
    from crm_framework.domain.customers.locks import Hold
    from crm_framework.domain.customers.memberships import segment_members
    from crm_framework.domain.customers.ownership import responsible, responsibles
    from crm_framework.domain.customers.past import CustomerPast, CustomerThen, customer_pasts
    from crm_framework.domain.customers.record import resolve_id, resolve_ids
    from crm_framework.domain.customers.tags import tag_customers
    from crm_framework.domain.event_types import check_event_type
    from crm_framework.domain.interactions.purchase_lines import NewLine
    from crm_framework.domain.interactions.purchases import NewPurchase, record_purchase
    from crm_framework.domain.interactions.refunds import NewRefund, record_refund
    from crm_framework.domain.interactions.touches import (
        NewInteraction,
        log_interaction,
        update_interaction,
        usual_channel,
    )
    from crm_framework.domain.kinds import check_channel, check_kind
    from crm_framework.domain.messages.queueing import QueuedMessage, send_message, send_messages
    from crm_framework.domain.values.marks import stream_safe
    from crm_framework.domain.values.money import currency_code, format_minor
    from crm_framework.domain.values.text import fold, without_controls, words
    from crm_framework.events import (
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
        MessageFailed,
        MessageQueued,
        MessageSent,
        OwnerAssigned,
        PurchaseRecorded,
        RefundRecorded,
        SettingChanged,
    )
    from crm_framework.storage.migration.operations import DialectSQL

    from .cli.plugin_runs import CommandRun, run_command
    from .engine.connections import Connection, connection
    from .engine.context import Reader
    from .engine.declarations import PUBLIC, Through
    from .engine.fields import batch, column, computed, root
    from .engine.filters import FilterSpec, Member
    from .engine.ids import decode_key, encode_id
    from .engine.integers import BigInt
    from .engine.kept_lists import KeptList
    from .engine.load import load, load_groups, load_where
    from .engine.nodes import Node, node, record
    from .engine.orders import OrderDirection, OrderField, Orders
    from .engine.parts import SchemaParts
    from .engine.relations import children, one, reference
    from .engine.rows import Batch
    from .engine.sql import Fragment, among
    from .errors import CrmError, ErrorCode
    from .hooks.answers import Figures, Signalled, Signals
    from .hooks.messages import OutgoingMessage
    from .hooks.routes import Route
    from .hooks.specs import (
        Channel,
        Figure,
        Handling,
        InteractionKind,
        Job,
        Permission,
        Plugin,
        PluginSettings,
        Signal,
        TimelineEntry,
        Window,
        hookimpl,
    )
    from .schema.additions import fields_of
    from .schema.attribute_filter import AttributeFilter, attribute_condition
    from .schema.customer_filter import CUSTOMER_FILTER, found_customers
    from .schema.customers import Customer
    from .schema.enums import describe
    from .schema.filter_context import FilterContext
    from .schema.inputs import (
        chosen,
        expected,
        filter_member,
        given,
        key_of,
        keys_of,
        optional,
        optional_key,
        renamed,
        required,
        retry_key,
    )
    from .schema.interactions import Interaction
    from .schema.matching import filter_condition, matching_customers
    from .schema.money import Money, MoneyInput
    from .schema.mutation import Own, mutation, payload
    from .schema.staff import Staff
    from .secret import Secret
    from .security.actors import INTERNAL
    from .security.links import open_link, sign_link
    from .server.plugin_routes.requests import RouteAnswer, RouteRequest
    from .settings import Settings, load_settings
    from .storage.clock import now, parse_time
    from .storage.ids import new_id
    from .storage.unit_of_work import UnitOfWork
    from .worker.runs import JobRun
    from .zones import time_zone


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
