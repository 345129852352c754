"""`crm jobs`: jobs can be run, seen, and run again."""

import re
from pathlib import Path

import pytest

from .conftest import Crm

MOODY = '''
"""Fails unless there is a file `good`."""

from pathlib import Path

from crm_framework import Job, Plugin


async def run(job):
    if not Path("good").exists():
        raise ValueError(f"not in the mood for {job.payload}")


plugin = Plugin(
    name="moody", requires_api="1.0", summary="Moods.", jobs=[Job("moody.run", "Runs.", run, attempts=1)]
)
'''


@pytest.fixture
def moody(crm_command: Crm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Crm:
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "moody.py").write_text(MOODY)
    monkeypatch.setenv("CRM_PLUGIN_DIR", str(folder))
    monkeypatch.setenv("CRM_PLUGINS", "moody")
    return crm_command


def test_a_job_fails_is_seen_and_runs_again(moody: Crm, tmp_path: Path) -> None:
    assert moody("jobs", "list").output == "There is no job.\n"
    ran = moody("jobs", "run", "moody.run", "--payload", '{"n": 1}')
    assert ran.code == 1
    assert "not in the mood for {'n': 1}" in ran.errors
    listed = moody("jobs", "list", "--status", "failed").output
    found = re.search(r"^(\S{36}) +moody\.run +failed +1 ", listed, re.MULTILINE)
    assert found, listed
    shown = moody("jobs", "show", found[1]).output
    assert shown.startswith("moody.run: failed after 1 attempt(s)\n")
    assert '"n": 1' in shown
    (tmp_path / "good").touch()
    assert moody("jobs", "retry", found[1]).output == "Jobs that run again: 1.\n"
    assert moody("worker", "--once").output == "Pieces of work done: 1.\n"
    assert moody("jobs", "show", found[1]).output.startswith("moody.run: done after 1 attempt(s)\n")


def test_what_is_wrong_is_said_in_a_line(moody: Crm) -> None:
    assert "Did you mean moody.run?" in moody("jobs", "run", "moody.runn").errors
    assert "--payload is no JSON" in moody("jobs", "run", "moody.run", "--payload", "{").errors
    assert "--payload is no object" in moody("jobs", "run", "moody.run", "--payload", "[]").errors
    assert "There is no job" in moody("jobs", "show", "nonsense").errors
    assert "There is no job" in moody("jobs", "retry", "01890000-0000-7000-8000-000000000000").errors
