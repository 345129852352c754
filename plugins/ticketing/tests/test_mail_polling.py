"""The mailbox: what is unread in it becomes tickets, each message once."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from crm_ticketing.mail import polling

from crm_framework import CrmError, now
from crm_framework.testing import CrmClient, run_jobs

from .desk import rows
from .imap import serving

FOLDER = Path(__file__).parent / "mail" / "samples"
RAW = {path.stem: path.read_bytes() for path in FOLDER.glob("*.eml")}


async def opened(open_client: Any, port: int, **more: Any) -> CrmClient:
    section = {
        "imap_host": "127.0.0.1",
        "imap_port": port,
        "imap_security": "none",
        "imap_user": "help",
        "imap_password": "sesame",
        **more,
    }
    client: CrmClient = await open_client("ticketing", ticketing=section)
    return client


async def poll(client: CrmClient) -> None:
    """As when the worker was down for some minutes: a missed turn is caught up once."""
    ran = await run_jobs(client, since=now() - timedelta(minutes=2))
    assert ran.count("ticketing.mailbox") == 1


async def test_unread_messages_are_taken_in_and_marked(open_client: Any) -> None:
    async with serving() as folder:
        client = await opened(open_client, folder.port)
        first, note = folder.add(RAW["plain"]), folder.add(RAW["absence_note"])
        read = folder.add(RAW["utf8_base64"])
        read.flags.add("\\Seen")
        await poll(client)
        await poll(client)
        assert (first.flags, note.flags) == ({"\\Seen"}, {"\\Seen"})
        found = await rows(client, "SELECT subject FROM ticketing_ticket")
        assert [row["subject"] for row in found] == ["Broken lid"]
        assert folder.commands.count("UID FETCH") == 3


async def test_a_message_that_was_taken_in_but_not_marked_comes_once(open_client: Any) -> None:
    async with serving() as folder:
        client = await opened(open_client, folder.port)
        message = folder.add(RAW["plain"])
        folder.broken = "UID STORE"
        with pytest.raises(CrmError, match="broke"):
            await poll(client)
        assert message.flags == set()
        await poll(client)
        assert message.flags == {"\\Seen"}
        assert len(await rows(client, "SELECT id FROM ticketing_message")) == 1


async def test_a_message_that_is_too_large_is_flagged(
    open_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "LARGEST", 1_000)
    async with serving() as folder:
        client = await opened(open_client, folder.port)
        large, small = folder.add(RAW["huge_header"]), folder.add(RAW["plain"])
        await poll(client)
        assert (large.flags, small.flags) == ({"\\Flagged"}, {"\\Seen"})


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"imap_password": "wrong"}, "does not let the user"),
        ({"imap_folder": "Elsewhere"}, "no folder 'Elsewhere'"),
    ],
)
async def test_what_is_wrong_is_said(open_client: Any, more: dict[str, Any], words: str) -> None:
    async with serving() as folder:
        client = await opened(open_client, folder.port, **more)
        with pytest.raises(CrmError, match=words):
            await poll(client)


async def test_no_server_is_said(open_client: Any) -> None:
    async with serving() as folder:
        port = folder.port
    client = await opened(open_client, port)
    with pytest.raises(CrmError, match="no connection"):
        await poll(client)


async def test_without_a_mailbox_nothing_is_looked_into(open_client: Any) -> None:
    client = await open_client("ticketing")
    await poll(client)
    assert await rows(client, "SELECT id FROM ticketing_mail") == []
