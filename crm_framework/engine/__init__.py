"""Batch-first GraphQL over SQL rows. It knows GraphQL and tables, and nothing of what they are about."""

from .context import Context, Limits, Reader
from .declarations import PUBLIC, DeclaredField, Source, source_of
from .errors import DeclarationError, RequestError
from .fields import batch, column, computed, root
from .filters import FilterSpec, Member
from .ids import decode_id, decode_key, encode_id
from .keyset import OrderField, Orders
from .load import load, load_groups, load_where
from .nodes import Node, node, record
from .parts import SchemaParts
from .relations import children, reference
from .rows import Batch, Level, Row
from .schema import EngineSchema
from .sql import Dialect, Fragment

__all__ = [
    "PUBLIC",
    "Batch",
    "Context",
    "DeclarationError",
    "DeclaredField",
    "Dialect",
    "EngineSchema",
    "FilterSpec",
    "Fragment",
    "Level",
    "Limits",
    "Member",
    "Node",
    "OrderField",
    "Orders",
    "Reader",
    "RequestError",
    "Row",
    "SchemaParts",
    "Source",
    "batch",
    "children",
    "column",
    "computed",
    "decode_id",
    "decode_key",
    "encode_id",
    "load",
    "load_groups",
    "load_where",
    "node",
    "record",
    "reference",
    "root",
    "source_of",
]
