"""`crm events`: what is owed can be seen, tried again, and handed out anew."""

import asyncio
from pathlib import Path

import pytest

from crm_framework.storage.database import Database
from crm_framework.testing.fixtures import CORE_APPS

from .conftest import Crm

PICKY = '''
"""Counts tokens in a file, unless there is a file `hard`."""

from pathlib import Path

from crm_framework import Plugin, hookimpl

plugin = Plugin(name="picky", requires_api="1.0", summary="Counts tokens.")


@hookimpl
async def on_events(events, tx):
    for event in events:
        if event.type == "setting.changed":
            if Path("hard").exists():
                raise ValueError("too hard for me")
            with Path("seen").open("a") as seen:
                seen.write(event.changes["name"][1] + " ")
'''


@pytest.fixture
def picky(crm_command: Crm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Crm:
    """The command with the plugin, which owes the event of a token called shop."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "picky.py").write_text(PICKY)
    monkeypatch.setenv("CRM_PLUGIN_DIR", str(folder))
    monkeypatch.setenv("CRM_PLUGINS", "picky")
    monkeypatch.setenv("CRM_HANDLER_BUDGET_MS", "20000")
    hard = tmp_path / "hard"
    hard.touch()
    assert crm_command("token", "create", "shop", "--admin").code == 0
    hard.unlink()
    return crm_command


def park(url: str) -> str:
    """Parks what is owed; the key of its event."""

    async def work() -> str:
        async with await Database.open(url, apps=CORE_APPS) as database, database.unit_of_work() as tx:
            await tx.execute("UPDATE crm_delivery SET status = 'PARKED', attempts = 10")
            (row,) = await tx.fetch("SELECT event_id FROM crm_delivery")
            key: str = row["event_id"]
            return key

    return asyncio.run(work())


def test_what_is_owed_is_listed_and_shown(picky: Crm, database_url: str) -> None:
    listed = picky("events", "list").output
    assert "setting.changed  picky   pending  1" in listed
    assert "ValueError: too hard for me" in listed
    assert picky("events", "list", "--state", "parked").output == "There is none of these.\n"
    event = park(database_url)
    assert "never, unless retried" in picky("events", "list", "--state", "parked").output
    shown = picky("events", "show", event).output
    assert shown.startswith("setting.changed of 20")
    assert '"kind": "token"' in shown
    assert "picky: parked after 10 attempt(s), last at 20" in shown
    ran = picky("events", "show", "nonsense")
    assert (ran.code, ran.output) == (1, "")
    assert "There is no event 'nonsense'." in ran.errors


def test_parked_ones_are_retried_and_a_worker_delivers_them(
    picky: Crm, database_url: str, tmp_path: Path
) -> None:
    event = park(database_url)
    assert "worker" not in picky("events", "list").output
    assert picky("events", "retry", event).output.startswith("1 event(s) that failed are due now")
    assert picky("events", "retry", "--plugin", "picky").output.startswith("0 event(s) that failed")
    assert picky("worker", "--once").code == 0
    assert (tmp_path / "seen").read_text() == "shop "
    assert picky("events", "list").output == "Nothing is owed.\n"
    assert picky("events", "retry").errors == ("crm: No deliveries are chosen. Name deliveries or a plugin.")


def test_past_events_are_counted_and_then_replayed(picky: Crm, tmp_path: Path) -> None:
    picky("token", "create", "till", "--admin")
    # the first is still owed, and is not handed out twice
    replay = ("events", "replay", "--plugin", "picky", "--type", "setting.changed")
    assert picky(*replay).output == "picky would see 1 event(s) again. Add --yes to do it.\n"
    assert (tmp_path / "seen").read_text() == "till "
    assert picky(*replay, "--yes").output == "1 event(s) are due to picky now; a worker delivers them.\n"
    assert picky(*replay, "--yes").output.startswith("0 event(s)")
    picky("worker", "--once")
    assert (tmp_path / "seen").read_text() == "till till "
    assert picky(*replay, "--until", "2020-01-01").output.startswith("picky would see 0")


def test_a_wrong_call_says_what_to_do(picky: Crm) -> None:
    for arguments, fault in (
        (
            ("--plugin", "picki", "--type", "x"),
            "No enabled plugin of the name 'picki' handles events (at plugin).",
        ),
        (("--plugin", "picky"), "No events are chosen."),
        (("--plugin", "picky", "--since", "soon"), "--since 'soon' is no time."),
        (("--plugin", "picky", "--event", "7", "--yes"), "There is no event '7' (at events.0)."),
    ):
        ran = picky("events", "replay", *arguments)
        assert (ran.code, ran.output) == (1, "")
        assert fault in ran.errors
