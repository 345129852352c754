"""`crm audit`, as a person at the terminal sees it."""

import asyncio
import json
from collections.abc import Callable

import pytest

from crm_framework.storage.database import Database
from crm_framework.testing.fixtures import CORE_APPS

from .conftest import Crm


def test_what_a_command_did_is_sealed_listed_and_sound(crm_command: Crm) -> None:
    assert crm_command("token", "create", "robot", "--admin").code == 0
    ran = crm_command("audit", "list")
    assert ("crm token (system)" in ran.output, "setting.changed" in ran.output) == (True, True)
    assert "name, kind, permissions, expiresAt" in ran.output
    (line,) = crm_command("audit", "list", "--json", "--action", "setting.*").output.splitlines()
    assert json.loads(line)["changes"]["name"] == [None, "robot"]
    assert crm_command("audit", "list", "--json", "--action", "customer.*").output == ""
    head = crm_command("audit", "head").output.strip()
    assert head.startswith("1:")
    ran = crm_command("audit", "verify", "--head", head)
    assert (ran.code, "Sound: 1 entries" in ran.output, head in ran.output) == (0, True, True)
    assert crm_command("audit", "verify", "--quiet").output == ""


def test_filters(crm_command: Crm) -> None:
    crm_command("token", "create", "robot", "--admin")
    (line,) = crm_command("audit", "list", "--json").output.splitlines()
    entry = json.loads(line)
    for option, value in (
        ("--actor", "crm token"),
        ("--subject", entry["subject_id"]),
        ("--since", entry["at"]),
        ("--until", "2999-01-01"),
        ("--action", "setting.changed"),
    ):
        assert crm_command("audit", "list", "--json", option, value).output.splitlines() == [line], option
    for option, value in (
        ("--actor", "nobody"),
        ("--subject", "x"),
        ("--since", "2999-01-01"),
        ("--until", "2020-01-01T12:00Z"),
        ("--token", entry["subject_id"]),
        ("--customer", entry["subject_id"]),
        ("--request", "x"),
    ):
        assert crm_command("audit", "list", "--json", option, value).output == "", option


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("list", "--since", "yesterday"), "--since 'yesterday' is no time. Write 2026-01-31"),
        (("list", "--customer", "7"), "--customer '7' is no key."),
        (("verify", "--head", "7"), "'7' is no head of the audit chain. Give POSITION:HASH"),
        (("verify", "--head", "x:ab"), "is no head of the audit chain."),
    ],
)
def test_what_does_not_fit(crm_command: Crm, arguments: tuple[str, ...], said: str) -> None:
    ran = crm_command("audit", *arguments)
    assert (ran.code, said in ran.errors) == (1, True), ran


def test_what_was_removed_is_named(crm_command: Crm, database_url: str) -> None:
    for name in ("a", "b"):
        crm_command("token", "create", name, "--admin")
    head = crm_command("audit", "head").output.strip()
    asyncio.run(_unseal(database_url))
    ran = crm_command("audit", "verify", "--patience", "0")
    assert (ran.code, "the entry is not in the chain" in ran.errors) == (1, True)
    ran = crm_command("audit", "verify", "--head", head, "--patience", "100000")
    assert (ran.code, "its end was removed" in ran.errors) == (1, True)
    assert "1 entries were sealed." in crm_command("audit", "seal").output
    assert crm_command("audit", "verify", "--head", head).code == 0


async def _unseal(url: str) -> None:
    """Takes the last link away, as one who may drop triggers can."""
    async with await Database.open(url, apps=CORE_APPS) as database, database.unit_of_work() as tx:
        if tx.dialect == "sqlite":
            await tx.execute("DROP TRIGGER crm_audit_chain_guard_delete")
        else:
            await tx.execute("DROP TRIGGER crm_audit_chain_guard ON crm_audit_chain")
        await tx.execute("DELETE FROM crm_audit_chain WHERE position = 2")


def test_with_a_key(crm_command: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    crm_command("token", "create", "before", "--admin")
    monkeypatch.setenv("CRM_AUDIT_KEYS", "short")
    assert "shorter than 16 characters" in crm_command("audit", "head").errors
    monkeypatch.setenv("CRM_AUDIT_KEYS", "an audit key of the tests")
    crm_command("token", "create", "after", "--admin")
    assert crm_command("audit", "verify").code == 0
    monkeypatch.setenv("CRM_AUDIT_KEYS", "another key of the tests")
    ran = crm_command("audit", "verify")
    assert (ran.code, "was made with an audit key" in ran.errors) == (1, True)
    monkeypatch.setenv("CRM_AUDIT_KEYS", "another key of the tests,an audit key of the tests")
    assert crm_command("audit", "verify").code == 0


def test_a_database_without_tables(crm_at: Callable[[str], Crm], empty_database_url: str) -> None:
    ran = crm_at(empty_database_url)("audit", "verify")
    assert (ran.code, "Run `crm migrate`." in ran.errors) == (1, True)
