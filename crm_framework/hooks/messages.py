"""A message that is to leave the house, as plugins ask for it and as those that send see it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class OutgoingMessage:
    """What to tell whom, and which way. `send_message` takes it, and the hook `send` gets it.

    `to` is an address of the channel: of e-mail an address, a telephone number, a handle. `customer_id` is
    whom it is for, None for somebody who is no customer. `headers` are for channels that have some, as e-mail
    has `In-Reply-To` and `References`; `reply_to` is where answers go. A message under a `key` is sent once,
    however often it is asked for: begin it with the plugin's name.

    `id` and `message_id` are filled in by the core and stay the same in every attempt: the key of the
    message, and what e-mail calls `Message-ID`, such as `<…@example.com>`.
    """

    channel: str
    to: str
    text: str
    subject: str | None = None
    customer_id: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    reply_to: str | None = None
    key: str | None = None
    id: str = ""
    message_id: str = ""

    def __repr__(self) -> str:
        """Without what it says and to whom: neither belongs into a log."""
        return f"OutgoingMessage(channel={self.channel!r}, id={self.id!r})"
