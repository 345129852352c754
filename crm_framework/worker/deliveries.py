"""The chore that delivers the events that plugins' handlers still owe."""

from collections.abc import Sequence

from crm_framework.storage.database import Database
from crm_framework.storage.deliveries import CHORE, Claim, claim_due, deliver

from .loop import Chore, Piece


def deliveries(database: Database, width: int) -> Chore:
    """Delivers what is due, up to `width` batches at once; one on SQLite, where each needs the writer."""

    def piece(claim: Claim) -> Piece:
        async def do() -> None:
            await deliver(database, claim)

        return do

    async def due(room: int) -> Sequence[Piece]:
        return [piece(claim) for claim in await claim_due(database, room)]

    return Chore(name=CHORE, due=due, width=1 if database.dialect == "sqlite" else width)
