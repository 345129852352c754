"""The whole run at a tiny size, so that the benchmarks go on working. Nothing here looks at a time."""

import io

import pytest
from rich.console import Console

from benchmarks.__main__ import main
from benchmarks.workloads import READS, WORKLOADS
from crm_framework.testing.templates import TestDatabases

TINY = ["--customers=60", "--interactions=600", "--seconds=0.05", "--rounds=1", "--connections=2"]


@pytest.fixture(autouse=True)
def server_of_the_tests(test_databases: TestDatabases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_TEST_DATABASE_URL", test_databases.postgres.url("postgres"))
    monkeypatch.setattr("benchmarks.workloads.IMPORTED", 50)


def said(*arguments: str) -> str:
    """What a run says."""
    console = Console(file=io.StringIO(), width=250)
    main([*TINY, *arguments], console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_every_workload_is_measured_on_both_databases() -> None:
    told = said()
    for workload in WORKLOADS:
        tables = 1 if workload.bulk or workload.plugins else 3
        assert told.count(workload.title) == 2 * tables, workload.name
    assert "SQLite" in told
    assert "PostgreSQL" in told
    assert "The client took" in told


def test_reads_are_measured_on_ten_times_the_data_and_on_two_processes() -> None:
    told = said("--grow", "--processes", "--database=sqlite")
    assert "600 customers and 6,000 interactions" in told
    assert [told.count(workload.title) for workload in READS] == [2] * len(READS)


def test_memory_is_looked_at_after_each_tenth_of_the_reads() -> None:
    told = said("--memory=100", "--database=sqlite")
    assert all(f" {count} " in told for count in range(10, 101, 10))


def test_a_node_is_held_at_saturation_beside_a_client_that_asks_too_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("benchmarks.hold.BUDGET", 20_000)
    told = said("--hold=0.1")
    assert told.count("told to wait") == 2
    assert told.count("p99 ms without and with the greedy client") == 2


def test_a_profile_names_the_functions_that_take_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.profiling.shutil.which", lambda *_, **__: None)  # no py-spy
    told = said("--profile", "--workload=one", "--database=sqlite")
    assert told.count("its process:") == 2
    assert "(run_asgi)" in told
