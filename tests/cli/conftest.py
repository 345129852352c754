import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from crm_framework.cli import crm
from crm_framework.errors import CrmError

DATA = Path(__file__).parent.parent / "data"


@dataclass(frozen=True)
class Ran:
    """How a call of the command ended, as a person at the terminal sees it."""

    code: int
    output: str
    errors: str


Crm = Callable[..., Ran]


@pytest.fixture
def cdnow() -> Path:
    """6,919 real purchases of 2,357 customers, without any id; equal rows occur."""
    return DATA / "cdnow.csv"


@pytest.fixture
def crm_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Crm]:
    """The command, on a database, in an empty folder."""
    for name in [name for name in os.environ if name.startswith("CRM_") and "TEST" not in name]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def at(url: str) -> Crm:
        def call(*arguments: str) -> Ran:
            return invoke(arguments, {"CRM_DATABASE_URL": url})

        return call

    return at


@pytest.fixture
def crm_command(crm_at: Callable[[str], Crm], database_url: str) -> Crm:
    """The command, on a migrated database of either kind."""
    return crm_at(database_url)


def invoke(arguments: Sequence[str], environment: dict[str, str]) -> Ran:
    result = CliRunner().invoke(crm, list(arguments), env={"COLUMNS": "240", **environment})
    if isinstance(result.exception, CrmError):
        return Ran(1, result.stdout, f"crm: {result.exception}")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ran(result.exit_code, result.stdout, result.stderr)
