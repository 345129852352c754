"""The day of a support team in the README is what happens."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from crm_framework.testing import CrmClient, frozen, run_jobs

README = (Path(__file__).parents[1] / "README.md").read_text()
DAY = README[README.index("## A day of a support team") : README.index("## Clocks")]
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


async def test_the_day_goes_as_it_is_told(client: CrmClient) -> None:
    names: dict[str, str] = {}
    queries = 0
    for clock, text in zip(STEPS[::2], STEPS[1::2], strict=True):
        await run_jobs(client, at=moment(clock) - timedelta(minutes=1))
        blocks = re.findall(r"```(graphql|json)\n(.*?)```", text, re.DOTALL)
        assert [kind for kind, _ in blocks] == ["graphql", "json"] * (len(blocks) // 2)
        for (_, query), (_, answer) in zip(blocks[::2], blocks[1::2], strict=True):
            for name, id in names.items():
                query = query.replace(name, id)
            with frozen(moment(clock)):
                found = await client.data(query)
            assert found == named(json.loads(answer), found, names), query
            queries += 1
    assert queries > 10
