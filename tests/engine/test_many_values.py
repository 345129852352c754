"""Variables with so many values that to look at each of them would hold up everybody else."""

import threading
from typing import Any

import pytest

from crm_framework.engine import arguments
from crm_framework.engine.execute import MANY_VALUES
from crm_framework.testing.apps import OpenClient

IMPORT = """mutation($input: ImportCustomersInput!) {
    importCustomers(input: $input) { created failed rows { index error { message } } } }"""


@pytest.mark.parametrize("many", [False, True])
async def test_they_are_counted_and_made_into_arguments_aside(
    open_client: OpenClient, monkeypatch: pytest.MonkeyPatch, many: bool
) -> None:
    client = await open_client()
    here = threading.get_ident()
    on_the_loop: dict[str, list[bool]] = {"counted": [], "made": []}
    items, values = arguments._items, arguments.ArgumentPlan.values

    def counting(value: Any) -> int:
        on_the_loop["counted"].append(threading.get_ident() == here)
        return items(value)

    def making(plan: arguments.ArgumentPlan, *given: Any, **more: Any) -> dict[str, Any]:
        found = values(plan, *given, **more)
        if "input" in found:
            on_the_loop["made"].append(threading.get_ident() == here)
        return found

    monkeypatch.setattr(arguments, "_items", counting)
    monkeypatch.setattr(arguments.ArgumentPlan, "values", making)
    number = MANY_VALUES if many else 2
    rows = [{"name": "" if index == 1 else f"Ada {index}"} for index in range(number)]
    answer = (await client.data(IMPORT, input={"rows": rows, "dryRun": True}))["importCustomers"]
    assert (answer["created"], answer["failed"], len(answer["rows"])) == (number - 1, 1, number)
    assert answer["rows"][1]["error"]["message"]
    assert on_the_loop == {"counted": [not many], "made": [not many]}
