"""The page on webhooks: its example receives what is really sent, and its figures are those of the code."""

import re
from pathlib import Path
from typing import Any

import pytest

from crm_framework.domain.webhooks.sending import MAX_ATTEMPTS
from crm_framework.outgoing.signatures import new_secret
from tests.webhooks.conftest import Office, office  # noqa: F401  # the fixture

TEXT = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text(encoding="utf-8")


async def test_the_example_receives(office: Office, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811  # so are fixtures asked for
    (example,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(example, "docs/webhooks.md", "exec"), names)
    made = await office.made()
    customer = await office.customer()
    await office.work()
    (got,) = office.receiver.received
    receive = names["receive"]
    assert receive(new_secret(), got.body, got.headers) == 401
    assert receive(made["secret"], got.body, got.headers) == 200
    assert receive(made["secret"], got.body, got.headers) == 200
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("customer.created 20")
    assert line.endswith(customer)


async def test_the_mutation_works(office: Office) -> None:  # noqa: F811  # so are fixtures asked for
    (example,) = re.findall(r"```graphql\n(.*?)```", TEXT, re.DOTALL)
    answer = await office.client.data(example.replace("loyalty.*", "purchase.*"))
    assert answer["createWebhook"]["errors"] == []


def test_the_table_of_waits_is_complete() -> None:
    (heading,) = re.findall(r"^\| After attempt (.*)$", TEXT, re.MULTILINE)
    assert re.findall(r"\d+", heading) == [str(number) for number in range(1, MAX_ATTEMPTS + 1)]
