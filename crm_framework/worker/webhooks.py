"""The chores of the webhooks: one passes events on to them, the other sends."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence

from crm_framework.domain.webhooks import passing, sending
from crm_framework.domain.webhooks.changes import SENDING
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.outgoing.client import Answer, Client
from crm_framework.outgoing.signatures import signed_headers
from crm_framework.storage.clock import now
from crm_framework.storage.database import Database

from .loop import Chore, Piece

log = logging.getLogger(__name__)

EACH = 4
"""Requests to one webhook at once, per process."""
EACH_FAILING = 1
"""To one whose last attempt failed: what keeps us waiting must not keep the others waiting."""


def passing_on(database: Database, api: passing.Api) -> Chore:
    """Passes events on to the webhooks that want them. One node does it at a time."""

    async def due(room: int) -> Sequence[Piece]:
        batch = await passing.read_batch(database, api)
        if batch is None:
            return []

        async def do() -> None:
            await passing.pass_on(database, batch)

        return [do]

    return Chore(name=passing.CHORE, due=due, on_events=True)


class Sender:
    """Sends what is owed. It knows how many requests to each webhook are under way in this process."""

    def __init__(self, database: Database, api: passing.Api, client: Client) -> None:
        self._database = database
        self._api = api
        self._client = client
        self._under_way: Counter[str] = Counter()

    def chore(self, width: int) -> Chore:
        return Chore(name=SENDING, due=self.due, width=width)

    async def due(self, room: int) -> Sequence[Piece]:
        waiting = await sending.due_webhooks(self._database)
        shares = self._shares(waiting, room)
        if not shares:
            return []
        claims = await sending.claim(self._database, shares)
        self._under_way.update(claim.webhook_id for claim in claims)
        return [self._piece(claim) for claim in claims]

    def _shares(self, waiting: Mapping[str, int], room: int) -> dict[str, int]:
        """One each in turn, those with the fewest requests first, until the room is taken."""
        free = {
            key: (EACH_FAILING if failures else EACH) - self._under_way[key]
            for key, failures in waiting.items()
        }
        order = sorted((key for key in free if free[key] > 0), key=lambda key: (-free[key], key))
        shares: Counter[str] = Counter()
        while room > 0 and order:
            for key in list(order):
                if room <= 0:
                    break
                shares[key] += 1
                room -= 1
                if shares[key] == free[key]:
                    order.remove(key)
        return dict(shares)

    def _piece(self, claim: sending.Claim) -> Piece:
        async def send() -> None:
            try:
                answer = await self._sent(claim)
            finally:
                self._under_way[claim.webhook_id] -= 1  # before it is noted, which wakes who looks for more
            if answer is None:
                await sending.give_back(self._database, claim)
            else:
                await self._note(claim, answer)

        return send

    async def _sent(self, claim: sending.Claim) -> Answer | None:
        try:
            message = await sending.message(self._database, self._api, claim)
        except CrmError as error:
            if error.code is not ErrorCode.REFUSED:
                raise
            return Answer(error=error.message)  # tried again like any other: the key may be put back
        if message is None:
            return None
        headers = signed_headers(message.id, now(), message.body, message.secrets)
        return await self._client.post(message.url, message.body, headers, cause=message.trace)

    async def _note(self, claim: sending.Claim, answer: Answer) -> None:
        await sending.note(self._database, claim, answer)
        if not answer.delivered:
            told = answer.error or f"it answered {answer.status}"
            log.info(
                "Webhook %s: attempt %d of %s failed: %s", claim.webhook_id, claim.attempts, claim.id, told
            )
