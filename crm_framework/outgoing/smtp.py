"""Hands e-mail to a mail server (SMTP), each message over a connection of its own.

The standard library waits in threads; those here are nobody else's, so that a server that hangs holds up
nothing but e-mail. After a fault of the server, and not of a message, it is left alone for a while.
"""

import asyncio
import logging
import re
import smtplib
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from time import monotonic

from crm_framework.email_settings import Encryption, SmtpServer
from crm_framework.errors import Undelivered, cut

log = logging.getLogger(__name__)

THREADS = 32
REST_SECONDS = 30.0
"""How long a server is left alone that was not there, or did not let us in."""
FAULTS_OF_THE_SENDER = frozenset({530, 534, 535, 538})
"""Answers that a user name or a password is missing or wrong: a matter of the settings, not of a message."""


_MORE_THAN_ADDRESS = re.compile(r"[\x00-\x20\x7f<>]")


@dataclass(frozen=True)
class Envelope:
    """What a mail server is given: whom it is from, whom it is for, and the message itself."""

    sender: str
    recipient: str
    content: bytes

    def __post_init__(self) -> None:
        if _MORE_THAN_ADDRESS.search(self.sender + self.recipient):
            raise ValueError("an address holds what would end it")

    @property
    def international(self) -> bool:
        """Whether an address has letters that the server must be asked about first (RFC 6531)."""
        return not (self.sender + self.recipient).isascii()


class SmtpClient:
    """Sends by one server. `name` is how the program calls itself; `tls` is there for tests."""

    def __init__(
        self, server: SmtpServer, *, name: str, timeout_s: float, tls: ssl.SSLContext | None = None
    ) -> None:
        self._server = server
        self._name = name
        self._timeout_s = timeout_s
        self._tls = tls
        self._threads: ThreadPoolExecutor | None = None
        self._rests_until = 0.0

    async def send(self, envelope: Envelope) -> None:
        """Returns once the server has taken the message. Raises `Undelivered`."""
        if monotonic() < self._rests_until:
            raise Undelivered("The mail server was not there a moment ago.")
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="crm smtp")
        attempt = _Attempt(self._server, self._name, self._timeout_s, self._tls)
        try:
            async with asyncio.timeout(self._timeout_s):
                await asyncio.get_running_loop().run_in_executor(self._threads, attempt.run, envelope)
        except TimeoutError:
            attempt.abort()
            self._rests_until = monotonic() + REST_SECONDS
            raise Undelivered(f"The mail server took longer than {self._timeout_s:g} seconds.") from None
        except asyncio.CancelledError:
            attempt.abort()
            raise
        except _Unfit as error:
            self._rests_until = monotonic() + REST_SECONDS
            raise Undelivered(str(error)) from None


class _Unfit(Exception):
    """The server is not there, or does not let us in: other messages would fare no better."""


class _Attempt:
    """One message on its way, in a thread."""

    def __init__(self, server: SmtpServer, name: str, timeout_s: float, tls: ssl.SSLContext | None) -> None:
        self._server = server
        self._name = name
        self._timeout_s = timeout_s
        self._tls = tls
        self._connection: smtplib.SMTP | None = None
        self._aborted = False

    def abort(self) -> None:
        """From another thread: nobody waits for it any more."""
        self._aborted = True
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with suppress(OSError):  # of the socket itself, as the layer of TLS is in use by the other thread
                socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)

    def run(self, envelope: Envelope) -> None:
        with self._connected() as connection:
            if self._aborted:
                return
            if envelope.international and not connection.has_extn("smtputf8"):
                raise Undelivered(
                    "The mail server does not take addresses with letters outside ASCII.", lasting=True
                )
            options = ["SMTPUTF8", "BODY=8BITMIME"] if envelope.international else []
            try:
                connection.sendmail(envelope.sender, [envelope.recipient], envelope.content, options)
            except smtplib.SMTPRecipientsRefused as error:
                (refusal,) = error.recipients.values()
                raise _refused("the recipient", *refusal) from None
            except smtplib.SMTPSenderRefused as error:
                raise _refused("the sender", error.smtp_code, error.smtp_error) from None
            except smtplib.SMTPResponseException as error:
                raise _refused("the message", error.smtp_code, error.smtp_error) from None
            except (smtplib.SMTPException, OSError) as error:
                raise Undelivered(
                    f"The connection to the mail server broke off ({type(error).__name__})."
                ) from None

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        try:
            connection = self._connect()
        except smtplib.SMTPAuthenticationError as error:
            raise _Unfit(
                f"The mail server refused the user name or the password ({error.smtp_code})."
            ) from None
        except smtplib.SMTPNotSupportedError:
            what = "no encryption (STARTTLS)" if self._server.user is None else "no encryption or no log-in"
            raise _Unfit(f"The mail server offers {what}.") from None
        except smtplib.SMTPResponseException as error:
            raise _Unfit(f"The mail server answered {error.smtp_code} before it was told anything.") from None
        except ssl.SSLError as error:
            reason = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else error.reason
            raise _Unfit(f"The mail server cannot be reached over TLS: {reason}.") from None
        except (smtplib.SMTPException, OSError) as error:
            raise _Unfit(
                f"The mail server cannot be reached ({getattr(error, 'strerror', None) or error})."
            ) from None
        try:
            yield connection
        finally:
            # what was taken was taken, whatever becomes of the farewell
            with suppress(smtplib.SMTPException, OSError):
                connection.quit()
            connection.close()

    def _connect(self) -> smtplib.SMTP:
        server, tls = self._server, self._tls
        if tls is None and server.encryption is not Encryption.NONE:
            tls = ssl.create_default_context()
        if server.encryption is Encryption.IMPLICIT:
            connection: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host,
                server.port,
                local_hostname=self._name,
                timeout=self._timeout_s,
                context=tls,
            )
        else:
            connection = smtplib.SMTP(
                server.host, server.port, local_hostname=self._name, timeout=self._timeout_s
            )
        self._connection = connection
        try:
            connection.ehlo_or_helo_if_needed()
            if server.encryption is Encryption.STARTTLS:
                connection.starttls(context=tls)
                connection.ehlo()
            if server.user is not None and server.password is not None:
                connection.login(server.user, server.password.reveal())
        except BaseException:
            connection.close()
            raise
        return connection


def _refused(what: str, code: int, answer: bytes | str) -> Exception:
    """5xx is for good (RFC 5321, 4.2.1): the same message would be refused again."""
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
    if code in FAULTS_OF_THE_SENDER:
        return _Unfit(f"The mail server wants another user name or password ({code}).")
    return Undelivered(
        f"The mail server refused {what} ({code}).",
        detail=cut(" ".join(text.split()), 300),
        lasting=500 <= code < 600,
    )
