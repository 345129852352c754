"""E-mail is handed to a real mail server; what that says is of the message, or of the server."""

import asyncio
import socket
from collections.abc import Awaitable
from typing import Any

import pytest

from crm_framework.email_settings import smtp_server
from crm_framework.errors import Undelivered
from crm_framework.outgoing import smtp
from crm_framework.outgoing.smtp import Envelope, SmtpClient
from crm_framework.secret import Secret

from .mail import MailServer, mail_server, trusting

LETTER = Envelope("crm@example.com", "ann@example.com", b"Subject: Hello\r\n\r\n.\r\nHello.\r\n")


@pytest.fixture(autouse=True)
def _named(monkeypatch: pytest.MonkeyPatch) -> None:
    """hooks.test, as the server's certificate calls it, is here."""
    look_up = socket.getaddrinfo

    def found(host: Any, *more: Any, **named: Any) -> Any:
        return look_up("127.0.0.1" if host == "hooks.test" else host, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", found)


def client(server: MailServer, url: str = "smtp://hooks.test:{}?starttls=none", **more: Any) -> SmtpClient:
    more = {"name": "example.com", "timeout_s": 10.0, "tls": trusting(), **more}
    return SmtpClient(smtp_server(Secret(url.format(server.port))), **more)


async def refused(sending: Awaitable[None]) -> Undelivered:
    with pytest.raises(Undelivered) as caught:
        await sending
    return caught.value


async def test_a_message_arrives_as_it_is() -> None:
    async with mail_server() as server:
        await client(server).send(LETTER)
    (mail,) = server.taken
    assert (mail.sender, mail.recipients, mail.encrypted) == ("crm@example.com", ["ann@example.com"], False)
    assert mail.content == LETTER.content


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("smtp://crm:se%40same@hooks.test:{}", {"starttls": True}),
        ("smtps://crm:se%40same@hooks.test:{}", {"implicit": True}),
    ],
)
async def test_it_logs_in_over_an_encrypted_connection(url: str, kind: dict[str, Any]) -> None:
    async with mail_server(password="se@same", **kind) as server:
        await client(server, url).send(LETTER)
    (mail,) = server.taken
    assert (mail.encrypted, mail.user) == (True, "crm")


async def test_a_wrong_password_is_told_without_it() -> None:
    async with mail_server(password="right", starttls=True) as server:
        sender = client(server, "smtp://crm:wrong-sesame@hooks.test:{}")
        error = await refused(sender.send(LETTER))
        assert error.message == "The mail server refused the user name or the password (535)."
        assert (error.lasting, error.detail) == (False, "")
        again = await refused(sender.send(LETTER))
    assert again.message == "The mail server was not there a moment ago."
    assert server.taken == []


async def test_without_encryption_nothing_is_told() -> None:
    async with mail_server() as server:
        error = await refused(client(server, "smtp://crm:sesame@hooks.test:{}").send(LETTER))
    assert (error.message, error.lasting) == ("The mail server offers no encryption or no log-in.", False)
    assert server.taken == []


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("smtp://localhost:{}?starttls=required", {"starttls": True}),
        ("smtps://localhost:{}", {"implicit": True}),
    ],
)
async def test_the_certificate_is_for_the_name_in_the_address(url: str, kind: dict[str, Any]) -> None:
    async with mail_server(**kind) as server:
        error = await refused(client(server, url).send(LETTER))
    assert error.message.startswith("The mail server cannot be reached over TLS: Hostname mismatch")
    assert (error.lasting, server.taken) == (False, [])


@pytest.mark.parametrize(
    ("point", "answer", "message", "lasting"),
    [
        ("on_rcpt", "550 no such user ann@example.com", "The mail server refused the recipient (550).", True),
        ("on_rcpt", "450 greylisted", "The mail server refused the recipient (450).", False),
        ("on_mail", "553 not yours", "The mail server refused the sender (553).", True),
        ("on_mail", "451 later", "The mail server refused the sender (451).", False),
        ("on_data", "554 spam", "The mail server refused the message (554).", True),
        ("on_data", "452 full", "The mail server refused the message (452).", False),
    ],
)
async def test_what_is_refused_for_good_is_told_apart(
    point: str, answer: str, message: str, lasting: bool
) -> None:
    async with mail_server() as server:
        setattr(server, point, answer)
        sender = client(server)
        error = await refused(sender.send(LETTER))
        assert (error.message, error.lasting) == (message, lasting)
        assert answer[4:] in error.detail
        setattr(server, point, "250 taken")
        await sender.send(LETTER)  # the server is there: nothing rests
    assert len(server.taken) == 1


async def test_a_sender_who_must_log_in_is_a_matter_of_the_settings() -> None:
    async with mail_server(password="right") as server:
        error = await refused(client(server).send(LETTER))
    assert error.message == "The mail server wants another user name or password (530)."
    assert not error.lasting


async def test_a_server_that_is_not_there_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async with mail_server() as server:
        pass
    sender = client(server)
    error = await refused(sender.send(LETTER))
    assert error.message == "The mail server cannot be reached (Connection refused)."
    assert not error.lasting
    assert (await refused(sender.send(LETTER))).message == "The mail server was not there a moment ago."
    monkeypatch.setattr(smtp, "monotonic", lambda: 1e12)
    assert "cannot be reached" in (await refused(sender.send(LETTER))).message


async def test_a_server_that_hangs_costs_its_time_and_no_more() -> None:
    hanging = asyncio.Event()

    async def hang(mail: object) -> None:
        await hanging.wait()

    async with mail_server() as server:
        server.after = hang
        error = await refused(client(server, timeout_s=0.5).send(LETTER))
        hanging.set()
    assert (error.message, error.lasting) == ("The mail server took longer than 0.5 seconds.", False)


async def test_one_that_is_cancelled_lets_go_of_the_connection() -> None:
    there = asyncio.Event()
    gone = asyncio.Event()

    async def wait(mail: object) -> None:
        there.set()
        await gone.wait()

    async with mail_server() as server:
        server.after = wait
        sending = asyncio.create_task(client(server).send(LETTER))
        await there.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        gone.set()


async def test_a_connection_that_breaks_off_is_no_fault_of_the_message() -> None:
    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hooks.test\r\n")
        await reader.readline()
        writer.write(b"250 hooks.test\r\n")
        await reader.readline()
        writer.close()

    server = await asyncio.start_server(served, "127.0.0.1", 0)
    async with server:
        own = MailServer(port=server.sockets[0].getsockname()[1])
        error = await refused(client(own).send(LETTER))
    assert error.message == "The connection to the mail server broke off (SMTPServerDisconnected)."
    assert not error.lasting


async def test_addresses_beyond_ascii_need_a_server_that_takes_them() -> None:
    letter = Envelope("crm@example.com", "änn@example.com", LETTER.content)
    async with mail_server() as server:
        await client(server).send(letter)
    assert server.taken[0].recipients == ["änn@example.com"]
    async with mail_server(utf8=False) as server:
        error = await refused(client(server).send(letter))
    assert error.lasting
    assert server.taken == []


@pytest.mark.parametrize("more", ["\r\nRCPT TO:<eve@example.com>", "> <eve@example.com", " ", "\x00"])
def test_an_address_cannot_be_more_than_one(more: str) -> None:
    with pytest.raises(ValueError, match="an address holds what would end it"):
        Envelope("crm@example.com", f"ann@example.com{more}", b"")
    with pytest.raises(ValueError, match="an address holds what would end it"):
        Envelope(f"crm@example.com{more}", "ann@example.com", b"")
