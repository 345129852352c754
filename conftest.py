"""How the processes that run the tests go about it.

Where there are several, tests marked `alone` have the machine to themselves: they measure processor time,
which is up to three times as much while the other cores are busy too.
"""

import fcntl
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crm_framework.server.memory import rest_what_is_loaded

GATE = Path(__file__)
ROOM = Path(__file__).with_name("pyproject.toml")
"""Files that are there for all processes, and stay as they are: only locks are put on them."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "alone: no other test of this run may go on at the same time")


def pytest_collection_finish() -> None:
    # tests have the loaded modules looked through for garbage so often that it takes a seventh of their time
    rest_what_is_loaded()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return (yield)
    alone = item.get_closest_marker("alone") is not None
    # Whoever waits for the room holds the gate: those who come later cannot pass by.
    with locked(GATE, fcntl.LOCK_EX) as gate, locked(ROOM, fcntl.LOCK_EX if alone else fcntl.LOCK_SH):
        fcntl.flock(gate, fcntl.LOCK_UN)
        return (yield)


@contextmanager
def locked(path: Path, how: int) -> Iterator[int]:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(file, how)
        yield file
    finally:
        os.close(file)
