"""Every hook is documented with its exact signature, when it is called and an example; tested; and used."""

import ast
import re
from pathlib import Path

import pytest

from crm_framework.hooks import specs
from crm_framework.hooks.checks import SPECS

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "hooks.md").read_text()
ROUTES = (ROOT / "docs" / "routes.md").read_text()
SECTIONS = dict(re.findall(r"^## `(\w+)`\n(.*?)(?=^## |\Z)", DOCUMENT, re.MULTILINE | re.DOTALL))
EXAMPLE = re.compile(r"^Example: `([\w./]+)`\n\n```python\n(.*?)```", re.MULTILINE | re.DOTALL)


def signature(hook: str) -> str:
    """As it stands in the specifications, without `self` and the quotes of forward references."""
    assert specs.__file__ is not None
    [found] = [
        node
        for node in ast.walk(ast.parse(Path(specs.__file__).read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == hook
    ]
    parameters = [ast.unparse(argument) for argument in found.args.args if argument.arg != "self"]
    keyword = "async def" if isinstance(found, ast.AsyncFunctionDef) else "def"
    assert found.returns is not None
    text = f"{keyword} {hook}({', '.join(parameters)}) -> {ast.unparse(found.returns)}"
    return re.sub("['\"]", "", text)


def test_the_document_has_a_section_for_each_hook_and_no_other() -> None:
    assert list(SECTIONS) == [name for name in vars(specs.Hooks) if name in SPECS]


@pytest.mark.parametrize("hook", SPECS)
def test_its_section_has_the_exact_signature(hook: str) -> None:
    assert f"```python\n{signature(hook)}\n```" in SECTIONS[hook]


@pytest.mark.parametrize("hook", SPECS)
def test_its_section_says_when_it_is_called(hook: str) -> None:
    assert re.search(r"^\*\*Called\*\* \w.+(\n.+)*\.$", SECTIONS[hook], re.MULTILINE)


@pytest.mark.parametrize("hook", SPECS)
def test_its_section_has_an_example_that_implements_it(hook: str) -> None:
    named = re.findall(r"^Example: `([\w./]+)`", SECTIONS[hook], re.MULTILINE)
    assert named
    for file in named:
        assert hook in implemented(ROOT / file)


@pytest.mark.parametrize(("file", "text"), EXAMPLE.findall(DOCUMENT + ROUTES), ids=lambda value: value[:40])
def test_the_examples_are_the_plugins_that_are_tested(file: str, text: str) -> None:
    assert text == (ROOT / file).read_text()


@pytest.mark.parametrize("hook", SPECS)
def test_a_plugin_of_this_repository_uses_it(hook: str) -> None:
    plugins = [*ROOT.glob("plugins/*/crm_*/__init__.py"), *ROOT.glob("examples/*/*.py")]
    fixtures = list((ROOT / "tests" / "fixture_plugins").glob("*.py"))
    assert [file for file in [*plugins, *fixtures] if hook in implemented(file)]


@pytest.mark.parametrize("hook", SPECS)
def test_it_has_a_test_of_its_own(hook: str) -> None:
    tests = "\n".join(file.read_text() for file in ROOT.glob("tests/hooks/test_fixture_*.py"))
    assert re.search(rf"^(async )?def test_hook_{hook}\w*\(", tests, re.MULTILINE)


def implemented(file: Path) -> set[str]:
    """The hooks that a file implements."""
    return {
        node.name
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for decorator in node.decorator_list
        if ast.unparse(decorator).startswith("hookimpl")
    }
