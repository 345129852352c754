"""The examples: installed as a plugin's author would, and doing what they say."""

from pathlib import Path

from crm_framework.testing import CrmClient, PluginConformance
from crm_framework.testing.apps import OpenClient

HELLO = Path(__file__).resolve().parents[1] / "examples" / "hello"


class TestHello(PluginConformance):
    module = "crm_hello"


async def test_hello_greets(open_client: OpenClient) -> None:
    client: CrmClient = await open_client("hello")
    answer = await client.data(
        'mutation { createCustomer(input: {name: "Ann"}) { customer { greeting } errors { message } } }'
    )
    assert answer["createCustomer"] == {"customer": {"greeting": "Hello, Ann!"}, "errors": []}


def test_hello_is_two_short_files() -> None:
    files = [file for file in HELLO.rglob("*") if file.suffix in (".py", ".toml")]
    assert sorted(file.name for file in files) == ["__init__.py", "pyproject.toml"]
    code = [line for line in (HELLO / "crm_hello" / "__init__.py").read_text().splitlines() if line]
    assert len(code) == 9
