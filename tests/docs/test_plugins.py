"""The code on the page about writing plugins works."""

import ast
import re
from pathlib import Path

import pytest

import crm_framework
from crm_framework.hooks.loaded import PluginStatus

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "plugins.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
PUBLIC = {"crm_framework": set(crm_framework.__all__), "crm_framework.testing": {"PluginConformance"}}


def test_the_smallest_plugin_is_the_example() -> None:
    assert BLOCKS[0] == (ROOT / "examples" / "hello" / "crm_hello" / "__init__.py").read_text()


@pytest.mark.parametrize("block", BLOCKS)
def test_its_code_imports_public_names(block: str) -> None:
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.ImportFrom):
            assert {alias.name for alias in node.names} <= PUBLIC[node.module or ""]


def test_a_secret_is_as_the_page_says() -> None:
    (block,) = [block for block in BLOCKS if "reveal()" in block]
    exec(compile(block, "docs/plugins.md", "exec"), {"__name__": "page"})


def test_every_status_is_explained() -> None:
    assert re.findall(r"^\| `([A-Z]+)` \|", DOCUMENT, re.MULTILINE) == [*PluginStatus]


@pytest.mark.parametrize("document", ["plugins.md", "hooks.md", "routes.md", "compatibility.md"])
def test_links_lead_somewhere(document: str) -> None:
    text = (ROOT / "docs" / document).read_text()
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
