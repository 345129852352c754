"""What a test's changes have left to be sent."""

from crm_framework.domain.messages.sending import as_message
from crm_framework.hooks.messages import OutgoingMessage

from .client import CrmClient


async def queued_messages(client: CrmClient) -> list[OutgoingMessage]:
    """The messages that wait to be sent, the oldest first, with all that they say."""
    rows = await client.service.database.fetch("SELECT * FROM crm_message WHERE state = 'QUEUED' ORDER BY id")
    return [as_message(row) for row in rows]
