"""Tokens: what opens the API, for whom and for what. A secret is shown once, when its token is made."""

from datetime import datetime

import strawberry

from crm_framework.engine.connections import Connection, connection
from crm_framework.engine.fields import column
from crm_framework.engine.filters import FilterSpec, Member
from crm_framework.engine.nodes import Node, node
from crm_framework.engine.orders import OrderField, Orders
from crm_framework.engine.parts import SchemaParts
from crm_framework.engine.relations import reference
from crm_framework.security import tokens
from crm_framework.security.actors import ActorKind
from crm_framework.security.permissions import Permissions
from crm_framework.storage.unit_of_work import UnitOfWork

from . import enums  # noqa: F401  # makes ActorKind an enumeration of the API
from .additions import fields_of
from .customers import Customer
from .inputs import chosen, key_of, optional, optional_key, required
from .mutation import mutation, payload
from .segments import Segment
from .staff import Staff


@node(
    table="crm_token",
    permission="tokens.manage",
    hidden={"staff_id": str, "customer_id": str, "segment_id": str},
)
class Token(Node):
    """What opens the API to somebody. The secret itself is nowhere to be read."""

    name: str = column("Who uses it.")
    hint: str = column("How its secret begins, to recognise it by.")
    kind: ActorKind = column("What acts through it.")
    permissions: list[str] = column("What it allows: names, `*` for everything, `loyalty.*` for a group.")
    staff: Staff | None = reference("staff_id", "The member of staff that it acts for, if any.")
    customer: Customer | None = reference("customer_id", "The customer that it belongs to, if any.")
    created_at: datetime = column("When it was made.")
    expires_at: datetime | None = column("When it ends by itself; null where it does not.")
    revoked_at: datetime | None = column("When it was revoked; null where it was not.")
    last_used_at: datetime | None = column("When it was last used, to the minute; null where it never was.")


TOKEN_FILTER = FilterSpec(
    "TokenFilter",
    [
        Member("name", "string", "Who uses it.", column="name"),
        Member("hint", "string", "How its secret begins.", column="hint"),
        Member("kind", "enum", "What acts through it.", column="kind", enum=ActorKind),
        Member("staff", "id", "The member of staff that it acts for.", column="staff_id", of="Staff"),
        Member("customer", "id", "The customer that it belongs to.", column="customer_id", of="Customer"),
        Member("createdAt", "datetime", "When it was made.", column="created_at"),
        Member("expiresAt", "datetime", "When it ends by itself.", column="expires_at"),
        Member("revokedAt", "datetime", "When it was revoked.", column="revoked_at"),
        Member("lastUsedAt", "datetime", "When it was last used.", column="last_used_at"),
    ],
)
TOKEN_ORDERS = Orders(
    "TokenOrder",
    [
        OrderField("CREATED_AT", "datetime", "By the moment the token was made.", column="created_at"),
        OrderField("NAME", "string", "By name.", column="name"),
        OrderField("LAST_USED_AT", "datetime", "By the last use.", column="last_used_at", nullable=True),
    ],
)


class _Queries:
    tokens: Connection[Token] = connection(
        description="Tokens, the oldest first, revoked and expired ones too.",
        filter=TOKEN_FILTER,
        orders=TOKEN_ORDERS,
        default_order=("CREATED_AT",),
        permission="tokens.manage",
    )


@payload
class CreateTokenPayload:
    """The new token and, this once, its secret."""

    token_id: strawberry.Private[str | None] = None
    token: Token | None = reference("token_id", "The token; null on failure.")
    secret: str | None = strawberry.field(
        description="What its holder sends as `Authorization: Bearer …`. It is shown this once and kept "
        "nowhere: null on failure, and when an idempotency key is sent again. Who lost it revokes the token "
        "and makes another.",
        default=None,
    )


@payload
class RevokeTokenPayload:
    """The token after it was revoked."""

    token_id: strawberry.Private[str | None] = None
    token: Token | None = reference("token_id", "The token; null on failure.")


@strawberry.input(description="A new token.")
class CreateTokenInput:
    name: str = required("Who will use it.")
    permissions: list[str] = optional(
        "What it allows, such as customers.read; only what the one who makes it may do. A customer's own "
        "token has none. Of a member of staff with roles they narrow what the roles give; without any, the "
        "token gives all of that.",
        default_factory=list,
    )
    kind: ActorKind = optional("What will act through it; never SYSTEM.", default=ActorKind.INTEGRATION)
    staff: strawberry.ID | None = optional("The member of staff that it acts for; kind STAFF only.")
    customer: strawberry.ID | None = optional("The customer that it belongs to; kind CUSTOMER only.")
    segment: strawberry.ID | None = optional("The customers whom it is for; kind PARTNER: this or a tag.")
    tag: str | None = optional("The tag of the customers whom it is for; kind PARTNER: this or a segment.")
    expires_at: datetime | None = optional("When it ends by itself; never, if left out.")
    idempotency_key: str | None = optional(
        "For repeats: the same key with the same input gives the first token again, without its secret."
    )


@strawberry.input(description="A token to revoke.")
class RevokeTokenInput:
    id: strawberry.ID = required("Which token.")


@mutation(permission="tokens.manage")
async def create_token(tx: UnitOfWork, input: CreateTokenInput, info: strawberry.Info) -> CreateTokenPayload:
    """Makes a token and shows its secret, this once.

    Nobody grants what they may not do themselves, on all customers. In the name of somebody else it takes
    `tokens.impersonate`.
    """
    known = Permissions.of(info.context.host.declarations)
    issued = await tokens.create_token(
        tx,
        known,
        name=input.name,
        grants=input.permissions,
        kind=input.kind,
        staff_id=chosen(optional_key(input.staff, Staff, ("staff",))),
        customer_id=chosen(optional_key(input.customer, Customer, ("customer",))),
        segment_id=chosen(optional_key(input.segment, Segment, ("segment",))),
        tag=chosen(input.tag),
        expires_at=chosen(input.expires_at),
    )
    return CreateTokenPayload(token_id=issued.id, secret=issued.secret)


@mutation(permission="tokens.manage")
async def revoke_token(tx: UnitOfWork, input: RevokeTokenInput) -> RevokeTokenPayload:
    """Ends a token at once. One that was revoked before stays as it is."""
    key = key_of(input.id, Token)
    await tokens.revoke_token(tx, key)
    return RevokeTokenPayload(token_id=key)


parts = SchemaParts(query=fields_of(_Queries), mutation=[create_token, revoke_token])
