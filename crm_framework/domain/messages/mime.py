"""An e-mail as it goes over the line (RFC 5322). The same message gives the same text in every attempt."""

from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from email.utils import format_datetime
from typing import Any

from email_validator import validate_email

from crm_framework.hooks.messages import OutgoingMessage
from crm_framework.outgoing.smtp import Envelope

REFERRING = frozenset({"in-reply-to", "references"})


class _Folding(EmailPolicy):
    """Breaks lists of Message-IDs between them alone: the standard library would encode long ones."""

    def fold_binary(self, name: str, value: Any) -> bytes:
        if name.lower() in REFERRING and str(value).isascii():
            lines = "\r\n ".join(str(value).split())
            return f"{name}: {lines}\r\n".encode("ascii")
        return super().fold_binary(name, value)


POLICY = _Folding(linesep=SMTP.linesep, cte_type="7bit")


def envelope(message: OutgoingMessage, at: datetime, sender: Address) -> Envelope:
    """What to hand to the mail server. `at` is when the message was asked for."""
    recipient = _address(message.to)
    mail = EmailMessage(policy=POLICY)
    mail["From"] = sender
    mail["To"] = recipient
    if message.reply_to is not None:
        mail["Reply-To"] = _address(message.reply_to)
    if message.subject is not None:
        mail["Subject"] = message.subject
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = message.message_id
    for name, value in message.headers.items():
        mail[name] = value
    mail.set_content(message.text)
    addresses = (sender.addr_spec, recipient.addr_spec)
    policy = POLICY if "".join(addresses).isascii() else POLICY.clone(utf8=True)
    return Envelope(*addresses, mail.as_bytes(policy=policy))


def _address(text: str) -> Address:
    """Its domain in ASCII, so that only letters before the @ need a server that takes them."""
    found = validate_email(text, check_deliverability=False)
    return Address(username=found.local_part, domain=found.ascii_domain)
