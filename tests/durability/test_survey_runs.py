"""A worker that is killed while it asks the customers of a survey, and while its letters leave: everybody is
asked, and nobody twice. A letter that left unnoticed leaves again as the same one.
"""

import asyncio
import signal
from asyncio.subprocess import Process
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from crm_framework.testing import CrmClient
from crm_framework.testing.apps import OpenClient
from tests.outgoing.mail import Mail, MailServer, mail_server

from .workers import end_pauses, let_time_pass, worker

NUMBER, BATCH, COMMITTED = 24, 5, 2
URL, SECRET = "https://crm.example.com", "correct horse battery staple"
DIES = f"""
import os, signal
from crm_analytics.surveys import sending
from crm_framework.cli import main

async def send_batch(*given):
    global batches
    more = await whole(*given)
    if batches == {COMMITTED}:
        os.kill(os.getpid(), signal.SIGKILL)
    batches += 1
    return more

batches, whole = 0, sending.send_batch
sending.BATCH, sending.send_batch = {BATCH}, send_batch
main()
"""
"""A worker that dies when all of a batch is done but its commit."""


@pytest.fixture
async def client(open_client: OpenClient) -> CrmClient:
    return await open_client("analytics", analytics={"survey_url": URL, "survey_secrets": [SECRET]})


async def test_everybody_is_asked_once_whenever_the_worker_is_killed(
    client: CrmClient, tmp_path: Path
) -> None:
    await begun(client)
    async with mail_server() as server:
        await asyncio.to_thread((tmp_path / "crm.toml").write_text, configured(server))

        process = await worker(client, tmp_path, "analytics", program=DIES)
        _, errors = await asyncio.wait_for(process.communicate(), 300)
        assert process.returncode == -signal.SIGKILL, errors.decode()
        assert await number(client, "analytics_invitation WHERE state = 'SENT'") == BATCH * COMMITTED
        await let_time_pass(client)

        process = await worker(client, tmp_path, "analytics")
        unnoticed = await killed_by_a_letter(process, server)
        await let_time_pass(client)

        process = await worker(client, tmp_path, "analytics")
        for _ in range(3_000):
            sent = await number(client, "crm_message WHERE state = 'SENT'")
            if sent == NUMBER and await number(client, "analytics_survey_run WHERE finished_at IS NOT NULL"):
                break
            await end_pauses(client)
            await asyncio.sleep(0.1)
        process.terminate()
        await asyncio.wait_for(process.communicate(), 300)
    await everybody_was_asked_once(client)
    letters: dict[str, list[str]] = defaultdict(list)
    for mail in server.taken:
        letters[mail.recipients[0]].append(mail.message_id)
    assert len(letters) == NUMBER
    assert all(len(set(ids)) == 1 for ids in letters.values())
    assert len(letters[unnoticed.recipients[0]]) == 2
    assert len({ids[0] for ids in letters.values()}) == NUMBER


def configured(server: MailServer) -> str:
    return (
        f'[analytics]\nsurvey_url = "{URL}"\nsurvey_secrets = ["{SECRET}"]\n'
        f'[email]\nsmtp_url = "smtp://127.0.0.1:{server.port}"\nsender = "crm@example.com"\n'
    )


async def begun(client: CrmClient) -> None:
    """A run of a survey to all these customers, which no worker has looked at."""
    rows = [
        {
            "name": f"K{one}",
            "contactPoints": [{"channel": "email", "value": f"k{one}@example.com", "consent": "OPTED_IN"}],
        }
        for one in range(NUMBER)
    ]
    await change(client, "importCustomers", "created", rows=rows)
    made = await change(
        client, "createSurvey", "survey { id }", name="After sale", kind="NPS", question="Well?"
    )
    key = made["survey"]["id"]
    sent = await change(
        client, "sendSurvey", "toAsk", survey=key, filter={"name": {"startsWith": "K"}}, idempotencyKey="once"
    )
    assert sent["toAsk"] == NUMBER


async def change(client: CrmClient, mutation: str, select: str, **given: Any) -> dict[str, Any]:
    kind = mutation[0].upper() + mutation[1:]
    text = f"mutation ($i: {kind}Input!) {{ {mutation}(input: $i) {{ {select} errors {{ message }} }} }}"
    payload: dict[str, Any] = (await client.data(text, i=given))[mutation]
    assert payload["errors"] == []
    return payload


async def killed_by_a_letter(process: Process, server: MailServer) -> Mail:
    """Kills it when the server has a first letter to somebody, of which it is not told; the letter."""
    fatal: list[Mail] = []
    known = {mail.recipients[0] for mail in server.taken}

    async def kill(mail: Mail) -> None:
        if mail.recipients[0] in known:
            return  # it left before, and the worker that died then had not noted it
        if not fatal:
            fatal.append(mail)
            process.kill()
        await process.wait()

    server.after = kill
    _, errors = await asyncio.wait_for(process.communicate(), 300)
    server.after = None
    assert process.returncode == -signal.SIGKILL, errors.decode()
    return fatal[0]


async def everybody_was_asked_once(client: CrmClient) -> None:
    for query in (
        "analytics_invitation WHERE state = 'SENT' AND message_id IS NOT NULL",
        "crm_message WHERE state = 'SENT'",
        "(SELECT DISTINCT recipient FROM crm_message) AS each_once",
        "crm_interaction WHERE kind = 'survey' AND direction = 'OUTBOUND'",
        "(SELECT DISTINCT customer_id FROM crm_interaction WHERE kind = 'survey') AS each_once",
        "crm_event WHERE type = 'analytics.survey_asked'",
    ):
        assert await number(client, query) == NUMBER, query
    assert await number(client, "crm_event WHERE type = 'analytics.survey_run_finished'") == 1
    assert await number(client, "crm_job WHERE name = 'analytics.send_survey' AND status <> 'DONE'") == 0


async def number(client: CrmClient, query: str) -> int:
    [row] = await client.service.database.fetch(f"SELECT COUNT(*) AS n FROM {query}")
    return int(row["n"])
