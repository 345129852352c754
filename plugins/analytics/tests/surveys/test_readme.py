"""What the README shows of surveys is what happens."""

import json
import re
from pathlib import Path
from typing import Any

from crm_framework import tag_customers
from crm_framework.testing import CrmClient, run_jobs

from .asking import own, person

README = (Path(__file__).parents[2] / "README.md").read_text()
TEXT = README[README.index("## Surveys") : README.index("## Customers")]
BLOCKS = re.findall(r"```(graphql|json)\n(.*?)```", TEXT, re.DOTALL)


def named(shown: Any, found: Any, names: dict[str, str]) -> Any:
    """What is shown, with the ids that were found where it has names; new names are noted."""
    if isinstance(shown, dict) and isinstance(found, dict):
        return {key: named(value, found.get(key), names) for key, value in shown.items()}
    if isinstance(shown, list) and isinstance(found, list) and len(shown) == len(found):
        return [named(one, other, names) for one, other in zip(shown, found, strict=True)]
    if isinstance(shown, str) and re.fullmatch(r"<\w+>", shown):
        return names.setdefault(shown, found)
    return shown


async def test_surveys_go_as_it_is_told(client: CrmClient) -> None:
    ada = await person(client)
    others = [
        await person(client, "Ben"),
        await person(client, "Cleo", consent="OPTED_OUT"),
        await person(client, "Dora", email=False),
    ]
    async with client.service.database.unit_of_work() as tx:
        await tag_customers(tx, [ada, *others], add=["new"])
    names: dict[str, str] = {}
    asking = client
    assert [kind for kind, _ in BLOCKS] == ["graphql", "json"] * 7
    for (_, query), (_, answer) in zip(BLOCKS[::2], BLOCKS[1::2], strict=True):
        for name, id in names.items():
            query = query.replace(name, id)
        asking = await own(client, ada) if "me {" in query else client if "surveys {" in query else asking
        found = await asking.data(query)
        assert found == named(json.loads(answer), found, names), query
        await run_jobs(client)
