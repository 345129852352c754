"""The whole run at a tiny size, so that the benchmarks go on working. Nothing here looks at a time."""

import io

import pytest
from rich.console import Console

from benchmarks.__main__ import main
from benchmarks.workloads import WORKLOADS
from crm_framework.testing.templates import TestDatabases

TINY = ["--customers=60", "--interactions=600", "--seconds=0.05", "--rounds=1", "--connections=2"]


@pytest.fixture(autouse=True)
def server_of_the_tests(test_databases: TestDatabases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_TEST_DATABASE_URL", test_databases.postgres.url("postgres"))


def test_every_workload_is_measured_on_both_databases() -> None:
    console = Console(file=io.StringIO(), width=200, record=True)
    main(TINY, console)
    said = console.export_text()
    assert [said.count(workload.title) for workload in WORKLOADS] == [2] * len(WORKLOADS)
    assert "SQLite" in said
    assert "PostgreSQL" in said
    assert "The client took" in said


def test_a_profile_names_the_functions_that_take_the_time() -> None:
    console = Console(file=io.StringIO(), width=200, record=True)
    main([*TINY, "--profile", "--workload=one", "--database=sqlite"], console)
    assert isinstance(console.file, io.StringIO)
    said = console.file.getvalue()
    assert said.count("its process:") == 2
    assert "_run_once" in said
