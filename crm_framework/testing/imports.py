"""What a module imports, and what importing it does."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import crm_framework

_PROGRAM = """
import importlib, json, sys
seen = []
def audit(event, arguments):
    if event.startswith("socket.") and event not in ("socket.__new__", "socket.gethostname"):
        seen.append(f"{event} {arguments[1:]}")
sys.addaudithook(audit)
importlib.import_module(sys.argv[1])
print(json.dumps(seen))
"""


def network_uses(module: str) -> list[str]:
    """What importing the module in a new interpreter does with the network."""
    result = subprocess.run(
        [sys.executable, "-c", _PROGRAM, module], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, f"importing {module} failed: {result.stderr.strip()[-2000:]}"
    uses: list[str] = json.loads(result.stdout.splitlines()[-1])
    return uses


def private_imports(module: ModuleType) -> list[str]:
    """`file:line name` for each import of crm_framework that is no public name."""
    assert module.__file__ is not None
    file = Path(module.__file__)
    files = sorted(file.parent.rglob("*.py")) if file.name == "__init__.py" else [file]
    return [f"{path.name}:{line} {name}" for path in files for line, name in _private(path)]


def _private(path: Path) -> Iterator[tuple[int, str]]:
    public = {*crm_framework.__all__, "*"}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("crm_framework."):
                    yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            if node.module.startswith("crm_framework."):
                yield node.lineno, node.module
            elif node.module == "crm_framework":
                for alias in node.names:
                    if alias.name not in public:
                        yield node.lineno, f"crm_framework.{alias.name}"
