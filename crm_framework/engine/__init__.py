"""Batch-first GraphQL over SQL rows. It knows GraphQL and tables, and nothing of what they are about."""

from .connections import Connection, Edge, PageInfo, connection
from .context import Context, Limits, Reader
from .cursors import decode_cursor, encode_cursor
from .declarations import PUBLIC, DeclaredField, Source, source_of
from .errors import DeclarationError, RequestError
from .execute import execute, subscribe
from .fields import batch, column, computed, root
from .filters import FilterSpec, Member, compile_filter
from .ids import decode_id, decode_key, encode_id
from .integers import BigInt
from .kept_lists import KeptList
from .listings import window
from .load import load, load_groups, load_where
from .nodes import Node, node, record
from .operation import FALLBACKS
from .orders import OrderField, Orders
from .pages import ReadyPage, pages_of
from .parts import SchemaParts
from .prepare import permissions_of
from .relations import children, one, reference
from .result import Result
from .rows import Batch, Level, Row
from .schema import EngineSchema
from .sql import Dialect, Fragment
from .trace import Trace

__all__ = [
    "FALLBACKS",
    "PUBLIC",
    "Batch",
    "BigInt",
    "Connection",
    "Context",
    "DeclarationError",
    "DeclaredField",
    "Dialect",
    "Edge",
    "EngineSchema",
    "FilterSpec",
    "Fragment",
    "KeptList",
    "Level",
    "Limits",
    "Member",
    "Node",
    "OrderField",
    "Orders",
    "PageInfo",
    "Reader",
    "ReadyPage",
    "RequestError",
    "Result",
    "Row",
    "SchemaParts",
    "Source",
    "Trace",
    "batch",
    "children",
    "column",
    "compile_filter",
    "computed",
    "connection",
    "decode_cursor",
    "decode_id",
    "decode_key",
    "encode_cursor",
    "encode_id",
    "execute",
    "load",
    "load_groups",
    "load_where",
    "node",
    "one",
    "pages_of",
    "permissions_of",
    "record",
    "reference",
    "root",
    "source_of",
    "subscribe",
    "window",
]
