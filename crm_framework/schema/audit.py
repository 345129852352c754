"""The audit log: who changed what, when, and from which value to which."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import strawberry

from crm_framework.engine.comparisons import MAX_LISTED
from crm_framework.engine.connections import Connection, connection
from crm_framework.engine.errors import RequestError
from crm_framework.engine.fields import batch, column, computed
from crm_framework.engine.filters import FilterSpec, Member
from crm_framework.engine.ids import check_key, decode_id, encode_id
from crm_framework.engine.nodes import Node, node
from crm_framework.engine.orders import OrderField, Orders
from crm_framework.engine.parts import SchemaParts
from crm_framework.engine.relations import reference
from crm_framework.engine.rows import Batch
from crm_framework.engine.sql import Dialect, Fragment, all_of, any_of, listed
from crm_framework.security.actors import ActorKind
from crm_framework.storage.ids import is_key

from . import enums  # noqa: F401  # makes ActorKind an enumeration of the API
from .additions import fields_of
from .customers import Customer, customers_of
from .history import of_customer
from .inputs import optional
from .staff import Staff
from .tokens import Token

JSON = strawberry.scalars.JSON


@strawberry.type(description="Who made a change, as they were called then.")
class AuditActor:
    kind: ActorKind = strawberry.field(description="What acted.")
    name: str = strawberry.field(description="The name at that time.")
    staff_id: strawberry.Private[str | None]
    staff: Staff | None = reference("staff_id", "The member of staff; null where something else acted.")


@strawberry.type(description="The record that a change was made to. It may be gone by now.")
class AuditSubject:
    type: str = strawberry.field(description="Its type, such as Customer.")
    id: strawberry.ID = strawberry.field(description="Its id; `node(id:)` finds it while it exists.")


@node(
    table="crm_audit",
    permission="audit.read",
    hidden={
        "actor_kind": ActorKind,
        "actor_id": str,
        "actor_name": str,
        "token_id": str,
        "subject_type": str,
        "subject_id": str,
        "customer_id": str,
        "erased_by": str,
    },
    history=True,
)
class AuditEntry(Node):
    """One change of one record, or a refused attempt (`access.refused`). Entries are never changed, but for
    what the erasure of a person removes."""

    at: datetime = column("When the transaction of the change began.")
    action: str = column("What was done, such as customer.updated.")
    changes: JSON = column("By field, the value before and the value after: `{name: [before, after]}`.")
    reason: str | None = column("Why an attempt was refused; null for a change.")
    request_id: str | None = column("The request that it came with; the log of the server has it too.")
    token: Token | None = reference("token_id", "The token that it came with; null for commands and jobs.")

    @computed()
    @staticmethod
    def actor(actor_kind: ActorKind, actor_id: str | None, actor_name: str) -> AuditActor:
        """Who made the change."""
        staff = actor_id if actor_kind is ActorKind.STAFF and is_key(actor_id) else None
        return AuditActor(kind=actor_kind, name=actor_name, staff_id=staff)

    @computed()
    @staticmethod
    def subject(subject_type: str, subject_id: str) -> AuditSubject:
        """The record that was changed."""
        return AuditSubject(type=subject_type, id=strawberry.ID(encode_id(subject_type, subject_id)))

    @computed()
    @staticmethod
    def erased(erased_by: str | None) -> bool:
        """Whether the erasure of a person took the values out of it."""
        return erased_by is not None

    @batch(needs=("customer_id",))
    @staticmethod
    async def customer(entries: Batch["AuditEntry"], info: strawberry.Info) -> list[Customer | None]:
        """The customer that the change is about, if any; for a merged one, the winner."""
        return await customers_of(entries.column("customer_id"), info)


@strawberry.input(description="A comparison with ids of records of every type.")
class SubjectFilter:
    eq: strawberry.ID | None = optional("Equal to this id.")
    in_: list[strawberry.ID] | None = optional("Equal to one of these ids.", name="in")


def _subject(value: Any, dialect: Dialect) -> Fragment:
    if not isinstance(value, Mapping) or set(value) - {"eq", "in"}:
        raise RequestError("BAD_INPUT", "an object with eq or in is expected")
    return all_of(_one_of(operator, [ids] if operator == "eq" else ids) for operator, ids in value.items())


def _one_of(operator: str, ids: Any) -> Fragment:
    if not isinstance(ids, list | tuple) or not all(isinstance(id, str) for id in ids):
        raise RequestError("BAD_INPUT", f"{operator}: ids are expected")
    if len(ids) > MAX_LISTED:
        raise RequestError("BAD_INPUT", f"{operator}: {len(ids)} ids are too many; list {MAX_LISTED} at most")
    keys: dict[str, list[str]] = {}
    for id in ids:
        type_, key = decode_id(id)
        keys.setdefault(type_, []).append(check_key(id, key, "text"))
    return any_of(
        all_of([Fragment("t.subject_type = ?", (type_,)), listed("t.subject_id", of_type)])
        for type_, of_type in keys.items()
    )


AUDIT_FILTER = FilterSpec(
    "AuditFilter",
    [
        Member("at", "datetime", "When the transaction of the change began.", column="at"),
        Member("action", "string", "What was done, such as customer.updated.", column="action"),
        Member("actorKind", "enum", "What acted.", column="actor_kind", enum=ActorKind),
        Member("actorName", "string", "Who acted, as they were called then.", column="actor_name"),
        Member("token", "id", "The token that the change came with.", column="token_id", of="Token"),
        Member("requestId", "string", "The request that the change came with.", column="request_id"),
        Member("subjectType", "string", "The type of the changed record.", column="subject_type"),
        Member("subjectId", "custom", "The changed record.", input=SubjectFilter, condition=_subject),
        of_customer("The customer that it is about, also under the keys of those merged into it."),
    ],
)
# Keys grow with time, and they have an index.
AUDIT_ORDERS = Orders("AuditOrder", [OrderField("AT", "id", "By the moment of the change.", column="id")])


class _Queries:
    audit_log: Connection[AuditEntry] = connection(
        description="All changes, the latest first.",
        filter=AUDIT_FILTER,
        orders=AUDIT_ORDERS,
        default_order=("-AT",),
        permission="audit.read",
    )


parts = SchemaParts(query=fields_of(_Queries))
