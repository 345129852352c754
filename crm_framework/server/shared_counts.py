"""The counts of all processes of a node, so that any one of them can tell the sum.

Each writes into small files of its own in one folder, mapped into memory: counting costs no more than a
store, and what a process has counted is there after it was killed. Numbers, not process ids, tell the files
apart: a process that replaces another one counts on in its files.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, values
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Where prometheus_client keeps the files."""

_folder: Path | None = None


def share_counts(folder: Path, number: int) -> None:
    """Has this process count in `folder`, under a number that no other living one has.

    Counts that exist already are not shared.
    """
    global _folder
    _folder = folder
    os.environ[FOLDER] = str(folder)
    values.ValueClass = values.MultiProcessValue(lambda: number)  # type: ignore[no-untyped-call]  # untyped there


def shared_registry() -> CollectorRegistry | None:
    """The counts of all processes, read anew at each question; None where this one is alone."""
    if _folder is None:
        return None
    registry = CollectorRegistry()
    registry.register(CountsIn(_folder))
    return registry


class CountsIn:
    """What the files in a folder come to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        files = [str(file) for file in sorted(self._folder.glob("*.db")) if file.stat().st_size]
        yield from MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]  # untyped there
