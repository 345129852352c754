"""The day of a support team in the README is what happens, and so is the conversation by e-mail."""

import json
import re
from datetime import UTC, datetime, timedelta
from email import message_from_string
from email.policy import default
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from crm_framework.testing import CrmClient, frozen, run_jobs
from tests.outgoing.mail import Mail, mail_server

README = (Path(__file__).parents[1] / "README.md").read_text()
DAY = README[README.index("## A day of a support team") : README.index("## Clocks")]
MAIL = README[README.index("### A conversation by e-mail") : README.index("## Other systems")]
STEPS = re.split(r"^### (\d\d:\d\d) .*$", DAY, flags=re.MULTILINE)[1:]


def moment(clock: str) -> datetime:
    hour, minute = map(int, clock.split(":"))
    return datetime(2026, 3, 2, hour, minute, tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)


def named(shown: Any, found: Any, names: dict[str, str]) -> Any:
    """What was shown, with the ids that were found where it has names; new names are noted."""
    if isinstance(shown, dict) and isinstance(found, dict):
        return {key: named(value, found.get(key), names) for key, value in shown.items()}
    if isinstance(shown, list) and isinstance(found, list) and len(shown) == len(found):
        return [named(one, other, names) for one, other in zip(shown, found, strict=True)]
    if isinstance(shown, str) and re.fullmatch(r"<\w+>", shown):
        return names.setdefault(shown, found)
    return shown


def with_names(text: str, names: dict[str, str]) -> str:
    """The text with what was found in the place of its names."""
    for name, found in names.items():
        text = text.replace(name, found)
    return text


async def test_the_day_goes_as_it_is_told(client: CrmClient) -> None:
    names: dict[str, str] = {}
    queries = 0
    for clock, text in zip(STEPS[::2], STEPS[1::2], strict=True):
        await run_jobs(client, at=moment(clock) - timedelta(minutes=1))
        blocks = re.findall(r"```(graphql|json)\n(.*?)```", text, re.DOTALL)
        assert [kind for kind, _ in blocks] == ["graphql", "json"] * (len(blocks) // 2)
        for (_, query), (_, answer) in zip(blocks[::2], blocks[1::2], strict=True):
            query = with_names(query, names)
            with frozen(moment(clock)):
                found = await client.data(query)
            assert found == named(json.loads(answer), found, names), query
            queries += 1
    assert queries > 10


async def test_the_conversation_goes_as_it_is_told(open_client: Any) -> None:
    names: dict[str, str] = {}
    async with mail_server() as server:
        client: CrmClient = await open_client(
            "ticketing",
            ticketing={"mail_address": "help@shop.example", "mail_replies": True},
            email={"smtp_url": f"smtp://127.0.0.1:{server.port}", "sender": "Help <help@shop.example>"},
        )
        found: Any = None
        for kind, text in re.findall(r"```(\w+)\n(.*?)```", MAIL, re.DOTALL):
            if kind == "json":
                assert found == named(json.loads(text), found, names)
            elif kind == "graphql":
                found = await client.data(with_names(text, names))
            elif text.startswith("From: Ada"):
                found = await handed_over(client, with_names(text, names))
            else:
                await run_jobs(client, sending=True)
                [sent] = server.taken
                as_shown(text, sent, names)
    assert len(names) == 2


async def handed_over(client: CrmClient, text: str) -> Any:
    headers = {"Authorization": f"Bearer {client.token}"}
    answer = await client.http.post("/plugins/ticketing/mail", content=text.encode(), headers=headers)
    return answer.json()


def as_shown(text: str, sent: Mail, names: dict[str, str]) -> None:
    shown = message_from_string(text, policy=default)
    for header, value in shown.items():
        assert str(sent.parsed[header]) == named(str(value), str(sent.parsed[header]), names), header
    assert sent.text.strip() == str(shown.get_payload()).strip()
