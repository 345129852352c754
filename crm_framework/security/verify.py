"""From the token that a request brings to the actor it stands for."""

import asyncio
import hmac
import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.clock import now

from .actors import Actor, ActorKind
from .tokens import COLUMNS, PREFIX, TokenInfo, digest_of, token_info

if TYPE_CHECKING:
    from crm_framework.storage.database import Database

log = logging.getLogger(__name__)

USE_NOTED_EVERY = timedelta(minutes=1)
MAX_LENGTH = 200
"""Longer texts are no tokens of ours and are not hashed."""

FIND = (
    f"SELECT {COLUMNS}, t.digest, s.name AS staff_name, s.active AS staff_active,"
    " c.erased_at AS customer_erased_at, c.merged_into_id AS customer_merged_into"
    " FROM crm_token t"
    " LEFT JOIN crm_staff s ON s.id = t.staff_id"
    " LEFT JOIN crm_customer c ON c.id = t.customer_id"
    " WHERE t.digest = ?"
)

REFUSED = "This token is unknown, expired or revoked."
"""One message for all: which of them it is helps only whoever found the token."""


class TokenVerifier:
    """Checks tokens against the database at every request, so that a revocation holds at once.

    When a token was last used is noted at most once a minute and after the request, never on its way.
    """

    def __init__(self, database: "Database") -> None:
        self._database = database
        self._noted: dict[str, datetime] = {}
        self._writing: set[asyncio.Task[None]] = set()

    async def verify(self, secret: str) -> Actor:
        """The actor of a token. Raises CrmError UNAUTHENTICATED for one that does not open the door."""
        if not secret.startswith(PREFIX) or len(secret) > MAX_LENGTH or not secret.isascii():
            raise _refused()
        digest = digest_of(secret)
        rows = await self._database.fetch(FIND, (digest,), bounded=True)
        if not rows or not hmac.compare_digest(rows[0]["digest"], digest):
            raise _refused()
        row = rows[0]
        token = token_info(row)
        at = now()
        if not token.usable(at) or row["customer_erased_at"] is not None:
            raise _refused()
        if token.staff_id is not None and not row["staff_active"]:
            raise _refused()
        self._note_use(token, at)
        customer_id = token.customer_id
        if row["customer_merged_into"] is not None:
            customer_id = str(row["customer_merged_into"])
        return Actor(
            kind=token.kind,
            id=token.staff_id or customer_id or token.id,
            name=row["staff_name"] or token.name,
            permissions=frozenset(token.permissions if token.kind is not ActorKind.CUSTOMER else ()),
            token_id=token.id,
            staff_id=token.staff_id,
            customer_id=customer_id,
        )

    async def close(self) -> None:
        """Waits for what is still to be noted."""
        await asyncio.gather(*self._writing)

    def _note_use(self, token: TokenInfo, at: datetime) -> None:
        last = self._noted.get(token.id) or token.last_used_at
        if last is not None and at - last < USE_NOTED_EVERY:
            return
        self._noted[token.id] = at
        task = asyncio.create_task(self._write_use(token.id, at))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _write_use(self, token_id: str, at: datetime) -> None:
        try:
            async with self._database.unit_of_work() as tx:
                await tx.execute(
                    "UPDATE crm_token SET last_used_at = ? WHERE id = ?"
                    " AND (last_used_at IS NULL OR last_used_at < ?)",
                    (at, token_id, at),
                )
        except Exception as error:
            # A full or read-only database must not turn every answer into an error.
            log.warning("The last use of token %s could not be noted: %s", token_id, error)


def _refused() -> CrmError:
    return CrmError(ErrorCode.UNAUTHENTICATED, REFUSED, hint="Ask an administrator for a new one.")
