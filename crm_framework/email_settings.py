"""The section `[email]` of the settings: the server that takes the core's e-mail, and whom it comes from."""

import re
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from .errors import CrmError, ErrorCode
from .secret import Secret

if TYPE_CHECKING:
    from email.headerregistry import Address

NO_DOMAIN = "crm.invalid"
"""What stands behind the @ of a Message-ID where no sender is set: a name that is nobody's (RFC 2606)."""

EmailSeconds = Annotated[float, msgspec.Meta(gt=0, le=60)]


class EmailSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How e-mail leaves the house; without `smtp_url`, plugins alone send it."""

    smtp_url: Secret | None = None
    """`smtp://user:password@host:587` or `smtps://user:password@host:465`."""
    sender: str | None = None
    """Whom e-mail comes from: `crm@example.com` or `Example Ltd <crm@example.com>`."""
    timeout_s: EmailSeconds = 30.0
    """How long one message may take, from the connection to the server's word that it has it."""

    @property
    def domain(self) -> str:
        """The sender's domain in ASCII, for Message-IDs and for how the program calls itself."""
        return NO_DOMAIN if self.sender is None else sender_address(self.sender).domain


class Encryption(StrEnum):
    IMPLICIT = "implicit"
    """From the first byte on."""
    STARTTLS = "starttls"
    """Before anything is told; a server that does not offer it is not used."""
    NONE = "none"


@dataclass(frozen=True, kw_only=True)
class SmtpServer:
    """A server that takes e-mail, as `smtp_url` names it."""

    host: str
    port: int
    encryption: Encryption
    user: str | None = None
    password: Secret | None = None


def smtp_server(url: Secret) -> SmtpServer:
    """The server that the address names. CONFIGURATION, without the address, for what is none."""
    text = url.reveal()
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
        query = parse_qs(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise _error("smtp_url is no address.") from None
    if parts.scheme not in ("smtp", "smtps") or not host or parts.path not in ("", "/") or parts.fragment:
        raise _error("smtp_url is no address of a mail server.")
    usual = "none" if _is_near(host) else "required"
    if parts.scheme == "smtps" and query:
        raise _error("smtp_url begins with smtps:// and is encrypted from the first byte on: no options.")
    asked = query.pop("starttls", [usual])
    if query or asked not in (["required"], ["none"]):
        raise _error("smtp_url has an option that is unknown; there is starttls=required or starttls=none.")
    if parts.scheme == "smtps":
        encryption = Encryption.IMPLICIT
    else:
        encryption = Encryption.STARTTLS if asked == ["required"] else Encryption.NONE
    user = unquote(parts.username) if parts.username else None
    password = Secret(unquote(parts.password)) if parts.password else None
    if (user is None) != (password is None):
        raise _error("smtp_url has only one of user and password.")
    if not f"{user}{password.reveal() if password else ''}".isascii():
        raise _error("smtp_url has a user or a password with letters outside ASCII, which cannot log in.")
    if password is not None and encryption is Encryption.NONE and not _is_near(host):
        raise _error("smtp_url would send the password without encryption.")
    port = port or (465 if encryption is Encryption.IMPLICIT else 587)
    return SmtpServer(host=host, port=port, encryption=encryption, user=user, password=password)


def sender_address(text: str) -> "Address":
    """The name and the address of a sender, its domain in ASCII. CONFIGURATION for what is none."""
    from email.headerregistry import Address  # here, as most start-ups send no e-mail
    from email.policy import SMTP

    try:
        if re.search(r"[\x00-\x1f\x7f]", text):
            raise ValueError
        header = SMTP.header_factory("From", text)
        (found,) = header.addresses
        domain = found.domain.encode("idna").decode()
        if (
            header.defects
            or not found.username
            or not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)*", domain.lower())
        ):
            raise ValueError
        return Address(found.display_name, found.username, domain.lower())
    except (ValueError, IndexError, AttributeError):  # the standard library's parser has all of them
        raise CrmError(
            ErrorCode.CONFIGURATION,
            f"sender is {text!r}, which is not one address of e-mail.",
            hint='Write "crm@example.com" or "Example Ltd <crm@example.com>".',
        ) from None


def check(email: EmailSettings) -> None:
    """CONFIGURATION where the section does not fit together."""
    if email.sender is not None:
        sender_address(email.sender)
    if email.smtp_url is not None:
        smtp_server(email.smtp_url)
        if email.sender is None:
            raise CrmError(
                ErrorCode.CONFIGURATION,
                "smtp_url is set without sender: nobody would know whom the e-mail comes from.",
                hint='Name it in the section [email]: sender = "Example Ltd <crm@example.com>".',
            )


def _is_near(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _error(message: str) -> CrmError:
    hint = "Write it such as smtp://user:password@mail.example.com:587, special characters as %XX."
    return CrmError(ErrorCode.CONFIGURATION, message, hint=hint)
