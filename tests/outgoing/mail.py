"""A real mail server on the loopback, aiosmtpd's, that notes what it is given and answers as it is told."""

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from .receiver import CERTIFICATES

OK = "250 taken"


@dataclass(frozen=True)
class Mail:
    """What arrived, and over which kind of connection."""

    sender: str
    recipients: list[str]
    content: bytes
    encrypted: bool
    user: str | None

    @property
    def parsed(self) -> EmailMessage:
        found = message_from_bytes(self.content, policy=default)
        assert isinstance(found, EmailMessage)
        return found

    @property
    def text(self) -> str:
        return str(self.parsed.get_content()).replace("\r\n", "\n")

    @property
    def message_id(self) -> str:
        return str(self.parsed["Message-ID"])


@dataclass
class MailServer:
    """`taken` is what it took. `on_mail`, `on_rcpt` and `on_data` are its answers at these points."""

    port: int = 0
    taken: list[Mail] = field(default_factory=list)
    connections: int = 0
    password: str | None = None
    """Without one nobody can log in; with one everybody must."""
    on_mail: str = OK
    on_rcpt: str = OK
    on_data: str = OK
    after: Callable[[Mail], Awaitable[None]] | None = None
    """Runs when a message was taken, before the client is told."""

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self.on_mail

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.on_rcpt == OK:
            envelope.rcpt_tos.append(address)
        return self.on_rcpt

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        if self.on_data == OK:
            mail = Mail(
                envelope.mail_from or "",
                list(envelope.rcpt_tos),
                envelope.content,
                server.transport is not None and server.transport.get_extra_info("cipher") is not None,
                None if session.auth_data is None else session.auth_data.login.decode(),
            )
            self.taken.append(mail)
            if self.after is not None:
                await self.after(mail)
        return self.on_data

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        right = self.password is not None and data.password == self.password.encode()
        return AuthResult(success=right, handled=False, auth_data=data if right else None)


def trusting() -> ssl.SSLContext:
    """Trusts the authority that vouches for the server, which is called hooks.test."""
    return ssl.create_default_context(cafile=str(CERTIFICATES / "ca.pem"))


@asynccontextmanager
async def mail_server(
    *, starttls: bool = False, implicit: bool = False, password: str | None = None, utf8: bool = True
) -> AsyncIterator[MailServer]:
    """A mail server on a port of its own."""
    own = MailServer(password=password)
    tls: ssl.SSLContext | None = None
    if starttls or implicit:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(CERTIFICATES / "server.pem", CERTIFICATES / "server.key")
    loop = asyncio.get_running_loop()
    protocols: list[SMTP] = []

    def protocol() -> SMTP:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that a password may come over a plain connection
            made = SMTP(
                own,
                hostname="hooks.test",
                enable_SMTPUTF8=utf8,
                tls_context=tls if starttls else None,
                require_starttls=starttls,
                auth_required=password is not None,
                auth_require_tls=False,
                authenticator=own.authenticate,
                loop=loop,
            )
        protocols.append(made)
        return made

    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=tls if implicit else None)
    own.port = server.sockets[0].getsockname()[1]
    try:
        yield own
    finally:
        server.close()
        for made in protocols:
            if made.transport is not None:
                made.transport.close()
        await asyncio.sleep(0)
        await server.wait_closed()
