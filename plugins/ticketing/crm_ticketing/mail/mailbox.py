"""A mailbox on an IMAP server: what is unread in one folder. All of it waits for the network."""

import imaplib
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from crm_framework import CrmError, ErrorCode
from crm_ticketing.settings import TicketingSettings

_UID = re.compile(rb"UID (\d+)")
_SIZE = re.compile(rb"RFC822\.SIZE (\d+)")


@dataclass(frozen=True)
class Waiting:
    """A message that is unread; `size` in bytes."""

    uid: str
    size: int


class Mailbox:
    """The opened folder. Not for several threads at once."""

    def __init__(self, server: imaplib.IMAP4) -> None:
        self._server = server

    def waiting(self, most: int) -> list[Waiting]:
        """The oldest messages that are neither read nor flagged."""
        answer = self._uid("SEARCH", "UNSEEN", "UNFLAGGED")
        uids = b" ".join(part for part in answer if isinstance(part, bytes)).split()[:most]
        if not uids:
            return []
        sizes: dict[str, int] = {}
        for part in self._uid("FETCH", b",".join(uids).decode(), "(RFC822.SIZE)"):
            line = part[0] if isinstance(part, tuple) else part
            uid, size = _UID.search(line or b""), _SIZE.search(line or b"")
            if uid and size:
                sizes[uid[1].decode()] = int(size[1])
        return [Waiting(uid.decode(), sizes.get(uid.decode(), 0)) for uid in uids]

    def fetch(self, uid: str) -> bytes | None:
        """The message; None if it is gone. It stays unread."""
        for part in self._uid("FETCH", uid, "(BODY.PEEK[])"):
            if isinstance(part, tuple) and isinstance(part[1], bytes):
                return part[1]
        return None

    def mark(self, uid: str, *, flagged: bool) -> None:
        """As read, or, for people to look at it, as flagged."""
        self._uid("STORE", uid, "+FLAGS.SILENT", "(\\Flagged)" if flagged else "(\\Seen)")

    def _uid(self, command: str, *args: str) -> list[bytes | tuple[bytes, bytes] | None]:
        try:
            status, answer = self._server.uid(command, *args)
        except (OSError, imaplib.IMAP4.error) as error:
            raise _unavailable(f"The connection to the mail server broke: {error!s:.200}.") from None
        if status != "OK":
            raise _unavailable(f"The mail server refused {command}.")
        found: list[bytes | tuple[bytes, bytes] | None] = answer
        return found


@contextmanager
def opened(settings: TicketingSettings) -> Iterator[Mailbox]:
    """The folder of the settings, with a time limit for each answer. UNAVAILABLE where that fails."""
    try:
        server = _connected(settings)
    except (OSError, imaplib.IMAP4.error) as error:
        raise _unavailable(f"There is no connection to the mail server: {error!s:.200}.") from None
    try:
        try:
            server.login(settings.imap_user, settings.imap_password.reveal())
        except imaplib.IMAP4.error:
            raise _unavailable("The mail server does not let the user of imap_user in.") from None
        try:
            status, _ = server.select(_quoted(settings.imap_folder))
        except (OSError, imaplib.IMAP4.error) as error:
            raise _unavailable(f"The connection to the mail server broke: {error!s:.200}.") from None
        if status != "OK":
            raise _unavailable(f"The mailbox has no folder {settings.imap_folder!r:.100}.")
        yield Mailbox(server)
    finally:
        with suppress(OSError, imaplib.IMAP4.error):
            server.logout()
        with suppress(OSError):
            server.shutdown()  # which logging out leaves undone where the connection broke


def _connected(settings: TicketingSettings) -> imaplib.IMAP4:
    place = (settings.imap_host, settings.imap_port)
    if settings.imap_security == "tls":
        context = ssl.create_default_context()
        return imaplib.IMAP4_SSL(*place, ssl_context=context, timeout=settings.imap_timeout_s)
    server = imaplib.IMAP4(*place, timeout=settings.imap_timeout_s)
    if settings.imap_security == "starttls":
        server.starttls(ssl.create_default_context())
    return server


def _quoted(folder: str) -> str:
    escaped = folder.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _unavailable(message: str) -> CrmError:
    return CrmError(
        ErrorCode.UNAVAILABLE, message, hint="Check the settings ticketing.imap_…; it is tried again."
    )
