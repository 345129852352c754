"""`crm new-plugin`: a distribution with a table, a migration, fields, a mutation and tests that pass."""

import shutil
from importlib.resources import files
from pathlib import Path
from string import Template

import click

from crm_framework import API_VERSION
from crm_framework.cli.running import console
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.hooks.checks import COMMANDS, NAME, RESERVED
from crm_framework.settings import FIELDS

TEMPLATES = files("crm_framework.cli") / "templates" / "plugin"

PLACES = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "__init__.py": "crm_{name}/__init__.py",
    "settings.py": "crm_{name}/settings.py",
    "events.py": "crm_{name}/events.py",
    "models.py": "crm_{name}/models.py",
    "notes.py": "crm_{name}/notes.py",
    "graphql.py": "crm_{name}/graphql.py",
    "privacy.py": "crm_{name}/privacy.py",
    "migration.py": "crm_{name}/migrations/0001_initial.py",
    "test_conformance.py": "tests/test_conformance.py",
    "test_notes.py": "tests/test_notes.py",
}
"""Template → place in the new folder."""

EMPTY = ("crm_{name}/py.typed", "crm_{name}/migrations/__init__.py")


@click.command("new-plugin")
@click.argument("name")
@click.option(
    "--into", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Parent folder."
)
def command(name: str, into: Path) -> None:
    """Makes the folder crm-NAME with a plugin that keeps notes on customers: a place to start from."""
    folder = create_plugin(name, into)
    console.print(f"Made {folder}. What to do next:", markup=False)
    console.print(f"  pip install -e '{folder}[test]'", markup=False)
    console.print(f"  python -m pytest {folder}", markup=False)
    console.print(f"  crm plugins enable {name} && crm migrate", markup=False)


def create_plugin(name: str, into: Path) -> Path:
    """The new folder. BAD_INPUT for a name that no plugin may have, CONFLICT where the folder is there."""
    if not NAME.fullmatch(name) or name in RESERVED | COMMANDS or name in FIELDS:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{name!r} cannot be the name of a plugin.",
            hint="Use small letters, digits and single underscores, no word of the core: web_tracking.",
        )
    dashed = name.replace("_", "-")
    folder = into / f"crm-{dashed}"
    words = [word.capitalize() for word in name.split("_")]
    values = {
        "name": name,
        "Name": "".join(words),
        "camel": name.split("_")[0] + "".join(words[1:]),
        "dashed": dashed,
        "api": API_VERSION,
        "dollar": "$",
    }
    texts = {
        place.format(name=name): Template((TEMPLATES / f"{template}.txt").read_text("utf-8")).substitute(
            values
        )
        for template, place in PLACES.items()
    }
    texts |= {place.format(name=name): "" for place in EMPTY}
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise CrmError(
            ErrorCode.CONFLICT, f"{folder} is there already.", hint="Choose another name."
        ) from None
    except OSError as error:
        raise CrmError(ErrorCode.BAD_INPUT, f"{folder} cannot be made: {error.strerror}.") from None
    try:
        for place, text in texts.items():
            file = folder / place
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise CrmError(ErrorCode.BAD_INPUT, f"{folder} cannot be written: {error.strerror}.") from None
    return folder
