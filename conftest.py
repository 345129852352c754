"""How the processes that run the tests go about it.

Where there are several, tests marked `alone` have the machine to themselves: they measure processor time,
which is up to three times as much while the other cores are busy too.
"""

import fcntl
import os
from collections.abc import Generator
from pathlib import Path

import pytest

from crm_framework.memory import rest_what_is_loaded

GATE = Path(__file__)
ROOM = Path(__file__).with_name("pyproject.toml")
"""Files that are there for all processes, and stay as they are: only locks are put on them."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "alone: no other test of this run may go on at the same time")


def pytest_collection_finish() -> None:
    # tests have the loaded modules looked through for garbage so often that it takes a seventh of their time
    rest_what_is_loaded()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, object, object]:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return (yield)
    alone = is_alone(item)
    if not room.held:
        room.enter(fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
    try:
        return (yield)
    finally:
        # to wait for the others before each of them would leave this process idle for most of the time
        if not (alone and nextitem is not None and is_alone(nextitem)):
            room.leave()


def is_alone(item: pytest.Item) -> bool:
    return item.get_closest_marker("alone") is not None


class Room:
    """Where the tests of this process take place, by themselves or beside those of others."""

    def __init__(self) -> None:
        self._file: int | None = None

    @property
    def held(self) -> bool:
        return self._file is not None

    def enter(self, how: int) -> None:
        # Whoever waits for the room holds the gate: those who come later cannot pass by.
        gate, self._file = (os.open(path, os.O_RDONLY | os.O_CLOEXEC) for path in (GATE, ROOM))
        try:
            fcntl.flock(gate, fcntl.LOCK_EX)
            fcntl.flock(self._file, how)
        finally:
            os.close(gate)

    def leave(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


room = Room()
