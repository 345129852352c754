"""The shop's year of the README is what happens. CRM_TEST_RENEW_GOLDEN=1 writes the answers anew."""

import json
import os
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from crm_framework.testing import CrmClient, frozen, run_jobs

README = Path(__file__).parents[1] / "README.md"
RENEW = os.environ.get("CRM_TEST_RENEW_GOLDEN") == "1"
STEP = re.compile(
    r"```graphql\n# at (?P<at>\S+?Z)(?:, keeps (?P<keeps>\w+))?\n(?P<text>.*?)```\n"
    r"(?:\n```json\n(?P<answer>.*?)```\n)?",
    re.DOTALL,
)
HIDDEN = "…"


async def test_the_shops_year_is_what_happens(client: CrmClient) -> None:
    text = README.read_text(encoding="utf-8")
    steps = list(STEP.finditer(text))
    assert len(steps) > 20
    kept: dict[str, str] = {}
    shown: list[str] = []
    since = datetime.fromisoformat("2026-01-01T00:00:00Z")
    for step in steps:
        at = datetime.fromisoformat(step["at"])
        await run_jobs(client, at=at - timedelta(seconds=1), since=since)
        since = at
        wanted = set(re.findall(r"\$(\w+):", step["text"]))
        with frozen(at):
            answer = await client.data(step["text"], **{name: kept[name] for name in wanted})
        if step["keeps"]:
            kept[step["keeps"]] = next(found(answer))
        hidden = hide(answer)
        if RENEW:
            shown.append(json.dumps(hidden, indent=2, ensure_ascii=False))
            continue
        assert step["answer"] is not None, step["text"]
        assert hidden == json.loads(step["answer"]), step["text"]
    if RENEW:
        README.write_text(renewed(text, steps, shown), encoding="utf-8")


def found(answer: Any) -> Iterator[str]:
    """Ids and codes, the outermost first."""
    if isinstance(answer, dict):
        yield from (value for name, value in answer.items() if name in ("id", "code") and value)
        for value in answer.values():
            yield from found(value)
    elif isinstance(answer, list):
        for value in answer:
            yield from found(value)


def hide(answer: Any) -> Any:
    """Without what differs from one shop to the next."""
    if isinstance(answer, list):
        return [hide(value) for value in answer]
    if not isinstance(answer, dict):
        return answer
    return {
        name: HIDDEN if secret(name, value) else [HIDDEN] if name == "tiers" else hide(value)
        for name, value in answer.items()
    }


def secret(name: str, value: Any) -> bool:
    return value is not None and (name == "id" or (name == "code" and value not in ("REFUSED", "BAD_INPUT")))


def renewed(text: str, steps: list[re.Match[str]], shown: list[str]) -> str:
    parts, last = [], 0
    for step, answer in zip(steps, shown, strict=True):
        keeps = f", keeps {step['keeps']}" if step["keeps"] else ""
        parts.append(text[last : step.start()])
        parts.append(f"```graphql\n# at {step['at']}{keeps}\n{step['text']}```\n\n```json\n{answer}\n```\n")
        last = step.end()
    return "".join([*parts, text[last:]])
