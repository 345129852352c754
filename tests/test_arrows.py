"""The arrows between the rooms: which part of the package may import which."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "crm_framework"

FOUNDATION = {
    "errors",
    "events",
    "settings",
    "email_settings",
    "settings_file",
    "secret",
    "hiding",
    "tracing",
    "zones",
    "memory",
    "hooks",
    "security",
}
"""What every room but the engine may import; among themselves they keep to ALLOWED."""

ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "events": {"errors"},
    "secret": set(),
    "hiding": {"secret"},
    "tracing": set(),
    "zones": {"errors"},
    "memory": set(),
    "settings": {"errors", "secret", "settings_file", "email_settings", "zones"},
    "email_settings": {"errors", "secret"},
    "settings_file": {"errors"},
    "hooks": {"errors", "events", "secret", "hiding", "settings", "zones"},
    "security": {"errors", "events", "secret", "settings", "hooks", "storage"},
    "engine": set(),
    "storage": {"errors", "events", "settings", "tracing", "hooks", "security"},
    "migrations": {"storage"},
    "outgoing": {"errors", "settings", "email_settings", "tracing"},
    "domain": FOUNDATION | {"storage", "outgoing"},
    "schema": FOUNDATION | {"storage", "outgoing", "domain", "engine"},
    "worker": FOUNDATION | {"storage", "outgoing", "domain"},
    "server": FOUNDATION | {"storage", "domain", "engine", "schema"},
    "runtime": FOUNDATION | {"storage", "domain", "schema"},
    "app": FOUNDATION | {"storage", "domain", "engine", "schema", "server", "worker", "runtime"},
}
"""Room → rooms that its running code may import. `cli` and `testing` may import every one."""

EVERYTHING = {"cli", "testing"}

PLUGIN_MAY_IMPORT = {PACKAGE, f"{PACKAGE}.testing"}


@dataclass(frozen=True)
class Import:
    """One import statement; `module` is absolute. `types_only` stands under `if TYPE_CHECKING`."""

    file: Path
    line: int
    module: str
    types_only: bool

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line} imports {self.module}"


def imports_of(file: Path, root: Path) -> list[Import]:
    parts = file.relative_to(root).with_suffix("").parts
    package = parts[:-1]  # of a module as of a package's __init__: both count dots from their folder
    found: list[Import] = []

    def visit(node: ast.AST, types_only: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend(Import(file, node.lineno, name.name, types_only) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            found.append(Import(file, node.lineno, module, types_only))
            # `from package import name` may name a module, whose room counts
            found.extend(
                Import(file, node.lineno, f"{module}.{name.name}", types_only)
                for name in node.names
                if (root / Path(*module.split("."), name.name)).with_suffix(".py").exists()
                or (root / Path(*module.split("."), name.name)).is_dir()
            )
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for guarded in node.body:
                visit(guarded, True)
            for other in node.orelse:
                visit(other, types_only)
        else:
            for child in ast.iter_child_nodes(node):
                visit(child, types_only)

    visit(ast.parse(file.read_text(encoding="utf-8")), False)
    return found


def room(module: str) -> str | None:
    """The room of a module of the package; None for the package itself and for what is not ours."""
    parts = module.split(".")
    return parts[1] if parts[0] == PACKAGE and len(parts) > 1 else None


def files(folder: Path) -> Iterator[Path]:
    return (file for file in sorted(folder.rglob("*.py")) if "__pycache__" not in file.parts)


def crossings(root: Path = ROOT) -> Iterator[tuple[str, str, Import]]:
    """Every import of one room by another: (from, to, import)."""
    for file in files(root / PACKAGE):
        parts = file.relative_to(root / PACKAGE).with_suffix("").parts
        if parts == ("__init__",):
            continue  # names where each public name lives; it loads none of them
        for found in imports_of(file, root):
            target = room(found.module)
            if target is not None and target != parts[0]:
                yield parts[0], target, found


def test_every_room_has_its_arrows() -> None:
    rooms = {file.relative_to(ROOT / PACKAGE).with_suffix("").parts[0] for file in files(ROOT / PACKAGE)}
    assert rooms - {"__init__"} - EVERYTHING <= ALLOWED.keys()


def test_rooms_import_along_the_arrows() -> None:
    wrong = [
        str(found)
        for source, target, found in crossings()
        if source not in EVERYTHING and target not in ALLOWED[source] and not found.types_only
    ]
    assert wrong == []


def test_engine_imports_nothing_of_the_package_even_for_types() -> None:
    assert [str(found) for source, _, found in crossings() if source == "engine"] == []


def test_nothing_imports_a_plugin() -> None:
    plugins = {folder.name for folder in ROOT.glob("*/*/crm_*") if folder.is_dir()}
    wrong = [
        str(found)
        for file in files(ROOT / PACKAGE)
        for found in imports_of(file, ROOT)
        if found.module.split(".")[0] in plugins
    ]
    assert wrong == []


def test_plugins_import_only_the_public_names() -> None:
    wrong = [
        str(found)
        for manifest in sorted(ROOT.glob("*/*/pyproject.toml"))
        for file in files(manifest.parent)
        for found in imports_of(file, manifest.parent)
        if found.module.split(".")[0] == PACKAGE and found.module not in allowed_in(file, manifest.parent)
    ]
    assert wrong == []


def allowed_in(file: Path, plugin: Path) -> set[str]:
    return PLUGIN_MAY_IMPORT if "tests" in file.relative_to(plugin).parts else {PACKAGE}


@pytest.mark.parametrize(
    ("text", "module", "types_only"),
    [
        ("from ..engine import fields", f"{PACKAGE}.engine.fields", False),
        ("from .. import server", f"{PACKAGE}.server", False),
        ("def late():\n    import crm_framework.cli.main", f"{PACKAGE}.cli.main", False),
        ("if TYPE_CHECKING:\n    from crm_framework.schema import compose", f"{PACKAGE}.schema", True),
        ("if not x:\n    from ..server.http import run", f"{PACKAGE}.server.http", False),
    ],
)
def test_every_form_of_import_is_seen(tmp_path: Path, text: str, module: str, types_only: bool) -> None:
    file = tmp_path / PACKAGE / "storage" / "example.py"
    for folder in ("storage", "engine", "server"):
        (tmp_path / PACKAGE / folder).mkdir(parents=True)
    (tmp_path / PACKAGE / "engine" / "fields.py").write_text("")
    file.write_text(text)
    assert (module, types_only) in {(found.module, found.types_only) for found in imports_of(file, tmp_path)}
