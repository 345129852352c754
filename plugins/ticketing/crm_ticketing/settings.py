"""The section `[ticketing]` of crm.toml."""

from typing import Annotated

import msgspec

from crm_framework import PluginSettings, Secret

from .attributes.rules import AttributeDefinition

MIB = 1024 * 1024


class TicketingSettings(PluginSettings, frozen=True):
    categories: tuple[str, ...] = ("question", "request", "complaint")
    """What a ticket can be about. The first is that of a ticket that does not say."""

    complaint_categories: tuple[str, ...] = ("complaint",)
    """Those that are complaints: open ones are told to other plugins."""

    attributes: tuple[AttributeDefinition, ...] = ()
    """Further fields of tickets, with their types."""

    mail_address: str = ""
    """The address to which customers write. Answers by e-mail are sent from it."""

    mail_own_addresses: tuple[str, ...] = ()
    """Further addresses that we send from: what comes from them is a loop."""

    mail_category: str | None = None
    """What tickets that come by e-mail are about; the first of the categories if left out."""

    mail_replies: bool = False
    """Sends what staff answer to a ticket that came by e-mail to the customer, as an e-mail."""

    follower_mails: bool = True
    """Tells members of staff by e-mail what happens to tickets that they follow."""

    mail_most_attachment_bytes: Annotated[int, msgspec.Meta(ge=0, le=100 * MIB)] = 20 * MIB
    """Bytes of the attachments of one message that are kept; of what is beyond, name, size and hash."""

    imap_host: str = ""
    """The server of a mailbox that is looked into every minute; none if left out."""

    imap_port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] = 993
    imap_security: Annotated[str, msgspec.Meta(pattern="^(tls|starttls|none)$")] = "tls"
    """`tls` from the first byte, `starttls` afterwards, or `none`, for a server on the same machine."""

    imap_user: str = ""
    imap_password: Secret = Secret("")
    imap_folder: str = "INBOX"
    """Messages in it that are unread are taken, and marked as read; flagged ones are left."""

    imap_timeout_s: Annotated[float, msgspec.Meta(gt=0, le=120)] = 20.0
    """How long the server may take for each answer."""

    webhook_secrets: tuple[Secret, ...] = ()
    """Secrets of systems that open tickets over the webhook (`whsec_…`), any of which may sign."""

    survey: bool = False
    """Asks customers how satisfied they are, once a ticket was resolved."""

    survey_after_hours: Annotated[int, msgspec.Meta(ge=0, le=24 * 30)] = 24
    """How long after that. A ticket that is open again by then is not asked about."""

    survey_url: str = ""
    """The address of this server as customers reach it, such as https://crm.example.com."""

    survey_secrets: tuple[Secret, ...] = ()
    """Of 16 characters at least, with which links in surveys are signed: the present one first."""
