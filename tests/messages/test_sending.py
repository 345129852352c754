"""What was queued arrives, once more where it is not known whether it did, and in the end is given up."""

import logging
from datetime import UTC, datetime
from typing import Any

import pytest

from crm_framework.domain.jobs import retry_job
from crm_framework.domain.messages import sending
from crm_framework.domain.messages.sending import ATTEMPTS
from crm_framework.email_settings import EmailSettings
from crm_framework.secret import Secret
from crm_framework.settings import Settings
from crm_framework.storage.clock import frozen
from tests.hooks.conftest import PluginFolder

from .conftest import Office


async def test_an_email_arrives(office: Office) -> None:
    ann = await office.customer()
    with frozen(datetime(2026, 3, 1, 12, tzinfo=UTC)):
        queued = await office.queue(customer_id=ann, headers={"Auto-Submitted": "auto-generated"})
    assert await office.work() == 1
    (mail,) = office.server.taken
    assert (mail.sender, mail.recipients) == ("crm@example.com", ["ann@example.com"])
    assert {name: str(value) for name, value in mail.parsed.items()} == {
        "From": "Example Ltd <crm@example.com>",
        "To": "ann@example.com",
        "Subject": "Hello",
        "Date": "Sun, 01 Mar 2026 12:00:00 +0000",
        "Message-ID": queued.message_id,
        "Auto-Submitted": "auto-generated",
        "MIME-Version": "1.0",
        "Content-Type": 'text/plain; charset="utf-8"',
        "Content-Transfer-Encoding": "7bit",
    }
    assert mail.text == "Dear Ann,\n\nhello.\n"
    row = await office.row()
    assert (row["state"], row["attempts"], row["sent_by"], row["error"]) == ("SENT", 1, "smtp", None)
    assert row["finished_at"] is not None
    assert await office.told() == [("message.queued", ann), ("message.sent", ann)]
    assert (await office.jobs(), await office.work()) == (["DONE"], 0)


async def test_letters_beyond_ascii_and_long_references_arrive_whole(office: Office) -> None:
    references = " ".join(f"<{number:03}-{'x' * 80}@example.com>" for number in range(20))
    await office.queue(
        to="ann@bücher.example",
        subject="Ihre Bestellung über 20 € — " + "ä" * 200,
        text="Grüße\n" + "ü" * 2_000 + "\n.\n..\nFrom here\n",
        reply_to="Büro@example.com".lower().replace("ü", "u"),
        headers={"References": references, "In-Reply-To": references.split()[0], "X-Name": "Zoë"},
    )
    await office.work()
    (mail,) = office.server.taken
    assert mail.content.isascii()
    assert max(map(len, mail.content.split(b"\r\n"))) <= 998
    assert mail.recipients == ["ann@xn--bcher-kva.example"]
    assert mail.parsed["Subject"] == "Ihre Bestellung über 20 € — " + "ä" * 200
    assert str(mail.parsed["References"]).split() == references.split()
    assert mail.parsed["In-Reply-To"] == references.split()[0]
    assert (mail.parsed["X-Name"], mail.parsed["Reply-To"]) == ("Zoë", "buro@example.com")
    assert mail.text == "Grüße\n" + "ü" * 2_000 + "\n.\n..\nFrom here\n"


async def test_what_may_pass_is_tried_again_as_the_same_message(office: Office) -> None:
    await office.queue()
    office.server.on_data = "451 ann@example.com: come back later"
    assert await office.work() == 1
    row = await office.row()
    assert (row["state"], row["attempts"], row["finished_at"]) == ("QUEUED", 1, None)
    assert row["error"] == ("The mail server refused the message (451). 'ann@example.com: come back later'")
    (job,) = await office.database.fetch("SELECT status, error FROM crm_job")
    assert job["status"] == "WAITING"
    assert "ann@example.com" not in job["error"]
    assert "The mail server refused the message (451)." in job["error"]
    office.server.on_data = "250 taken"
    assert await office.work() == 0
    assert await office.again() == 1
    row = await office.row()
    assert (row["state"], row["attempts"], row["error"]) == ("SENT", 2, None)
    assert [mail.message_id for mail in office.server.taken] == [row["message_id"]]


async def test_what_will_not_pass_is_given_up_and_can_be_sent_by_hand(office: Office) -> None:
    ann = await office.customer()
    await office.queue(customer_id=ann)
    office.server.on_rcpt = "550 no such user"
    await office.work()
    row = await office.row()
    assert (row["state"], row["attempts"]) == ("FAILED", 1)
    assert row["finished_at"] is not None
    assert (await office.jobs(), await office.told()) == (
        ["FAILED"],
        [("message.queued", ann), ("message.failed", ann)],
    )
    office.server.on_rcpt = "250 taken"
    (job,) = await office.database.fetch("SELECT id FROM crm_job")
    async with office.database.unit_of_work() as tx:
        await retry_job(tx, job["id"])
    await office.work()
    assert (await office.row())["state"] == "SENT"
    assert await office.jobs() == ["DONE"]
    assert (await office.told())[2:] == [("message.queued", ann), ("message.sent", ann)]
    assert len(office.server.taken) == 1


async def test_after_the_last_attempt_it_is_given_up(office: Office) -> None:
    await office.queue()
    office.server.on_data = "451 later"
    async with office.database.unit_of_work() as tx:
        await tx.execute("UPDATE crm_job SET attempts = ?", (ATTEMPTS - 2,))
    await office.work()
    assert ((await office.row())["state"], await office.jobs()) == ("QUEUED", ["WAITING"])
    await office.again()
    assert ((await office.row())["state"], await office.jobs()) == ("FAILED", ["FAILED"])
    assert (await office.told())[-1][0] == "message.failed"


@pytest.mark.parametrize(
    ("channel", "error"),
    [
        ("email", "Nothing sends e-mail: set smtp_url and sender in the section [email]."),
        ("sms", "No plugin sends what goes by sms."),
    ],
)
async def test_what_nobody_sends_fails_at_once(office: Office, channel: str, error: str) -> None:
    office.settings = Settings()
    await office.queue(channel=channel, to="ann@example.com" if channel == "email" else "+4930123456")
    await office.work()
    row = await office.row()
    assert (row["state"], row["error"]) == ("FAILED", error)
    assert await office.jobs() == ["FAILED"]


async def test_a_message_that_is_gone_is_no_fault(office: Office) -> None:
    await office.queue()
    async with office.database.unit_of_work() as tx:
        await tx.execute("DELETE FROM crm_message")
    await office.work()
    assert (await office.jobs(), office.server.taken) == (["DONE"], [])


async def test_neither_password_nor_recipient_is_logged(
    office: Office, caplog: pytest.LogCaptureFixture, tmp_path: Any
) -> None:
    email = EmailSettings(
        smtp_url=Secret(f"smtp://crm:open-sesame@127.0.0.1:{office.server.port}"), sender="crm@example.com"
    )
    office.settings = Settings(email=email)
    office.server.password = "another"
    await office.queue()
    with caplog.at_level(logging.DEBUG):
        await office.work()
    row = await office.row()
    stored = f"{row['error']} {await office.database.fetch('SELECT * FROM crm_job')}"
    assert row["state"] == "QUEUED"
    for text in (caplog.text, stored):
        assert "sesame" not in text
        assert "ann@example.com" not in text


SENDER = """
taken = []
@hookimpl
async def send(message):
    taken.append(message)
    {body}
"""


@pytest.mark.parametrize(
    ("body", "state", "error"),
    [
        (
            "raise CrmError(ErrorCode.REFUSED, 'no such number')",
            "FAILED",
            "did not send it (REFUSED). no such",
        ),
        (
            "raise CrmError(ErrorCode.BAD_INPUT, 'no number')",
            "FAILED",
            "did not send it (BAD_INPUT). no number",
        ),
        ("raise CrmError(ErrorCode.UNAVAILABLE, 'busy')", "QUEUED", "did not send it (UNAVAILABLE). busy"),
        (
            "raise OSError('postgres://u:sesame@h/d')",
            "QUEUED",
            "failed (OSError). OSError: postgres://u:****",
        ),
        ("import sys; sys.exit()", "QUEUED", "failed (RuntimeError)."),
        ("return None", "FAILED", "answered None instead of True or False."),
        ("return 1", "FAILED", "answered 1 instead of True or False."),
    ],
)
async def test_a_plugin_that_does_not_send_ends_the_attempt(
    office: Office,
    folder: PluginFolder,
    body: str,
    state: str,
    error: str,
) -> None:
    folder.write("first", SENDER.format(body=body))
    folder.write("second", SENDER.format(body="return True"))
    office.host = folder.load("first", "second")
    await office.queue()
    await office.work()
    row = await office.row()
    assert row["state"] == state
    assert row["error"].startswith(f"The plugin first {error}")
    second: Any = office.host.enabled[1].module
    assert (second.taken, office.server.taken) == ([], [])


async def test_the_first_plugin_that_says_so_has_sent_it(office: Office, folder: PluginFolder) -> None:
    for name, body in (("first", "return False"), ("second", "return True"), ("third", "return True")):
        folder.write(name, SENDER.format(body=body))
    office.host = folder.load("first", "second", "third")
    queued = await office.queue(headers={"X-A": "1"}, key="tests.1")
    await office.work()
    modules: list[Any] = [plugin.module for plugin in office.host.enabled]
    assert [len(module.taken) for module in modules] == [1, 1, 0]
    (message,) = modules[1].taken
    assert (message.id, message.message_id, message.to, message.headers, message.key) == (
        *(queued.id, queued.message_id, "ann@example.com", {"X-A": "1"}, "tests.1"),
    )
    assert ((await office.row())["sent_by"], office.server.taken) == ("second", [])


async def test_a_plugin_that_takes_for_ever_is_cut_short(
    office: Office,
    folder: PluginFolder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sending, "PLUGIN_SECONDS", 0.05)
    folder.write("first", SENDER.format(body="import asyncio; await asyncio.Event().wait()"))
    office.host = folder.load("first")
    await office.queue()
    await office.work()
    row = await office.row()
    assert (row["state"], row["error"]) == ("QUEUED", "The plugins took longer than 0.05 seconds.")


async def test_a_fault_of_the_program_leaves_no_message_waiting(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    await office.queue(headers={"X-Campaign": "a"})
    async with office.database.unit_of_work() as tx:  # what the standard library fails on
        await tx.execute("UPDATE crm_message SET headers = ?", ('{"Resent-To": "\\""}',))
        await tx.execute("UPDATE crm_job SET attempts = ?", (ATTEMPTS - 2,))
    await office.work()
    row = await office.row()
    assert (row["state"], row["error"]) == ("QUEUED", "The program failed (IndexError); the log has more.")
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage() == f"sending the message {row['id']} failed"
    await office.again()
    assert ((await office.row())["state"], await office.jobs()) == ("FAILED", ["FAILED"])
    assert (await office.told())[-1][0] == "message.failed"
