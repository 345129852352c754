"""Numbers that only grow, by name: of this process, or of all of a node, any of which can tell the sums.

Those that share theirs write into two files each, in one folder: a line for each name, and the numbers in the
order of these, which are mapped into memory: counting costs no more than a store, and what a process has
counted is there after it was killed. Numbers, not process ids, tell the files apart: a process that replaces
another one counts on in its files.
"""

import mmap
import os
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path

import orjson

Name = tuple[str, ...]
"""What is counted, and the values of its labels."""

_ROOM = 1_024
"""Numbers for which a file has room at first."""
_BYTES = 8
"""Of a number."""


class Numbers:
    """Those of a process that shares them with nobody."""

    def __init__(self) -> None:
        self.values: array[float] | memoryview[float] = array("d")
        """They are counted up here. After a new name it may be another sequence."""
        self._places: dict[Name, int] = {}

    def place(self, name: Name) -> int:
        """Where in `values` the number of this name is; it is 0 at first."""
        if name not in self._places:
            self._add(name)
            self._places[name] = len(self._places)
        return self._places[name]

    def sums(self) -> Mapping[Name, float]:
        """The number of each name, added up over all who share theirs."""
        return {name: self.values[place] for name, place in self._places.items()}

    def _add(self, name: Name) -> None:
        self.values = array("d", [*self.values, 0.0])


class SharedNumbers(Numbers):
    """Those of one of several processes, under a `number` that no other living one has."""

    def __init__(self, folder: Path, number: int) -> None:
        super().__init__()
        self._folder = folder
        self._file = _opened(folder / f"{number}.db")
        self._map(_ROOM)
        self._names = _opened(folder / f"{number}.names")
        lines = (folder / f"{number}.names").read_bytes()
        os.ftruncate(self._names, lines.rfind(b"\n") + 1)  # its process was killed when it wrote the last one
        self._places = {name: place for place, name in enumerate(_names(lines))}

    def sums(self) -> Mapping[Name, float]:
        found: dict[Name, float] = {}
        for file in sorted(self._folder.glob("*.names")):
            names = _names(file.read_bytes())
            numbers = array("d", file.with_suffix(".db").read_bytes())  # has grown before the names have
            for name, number in zip(names, numbers, strict=False):
                found[name] = found.get(name, 0.0) + number
        return found

    def _add(self, name: Name) -> None:
        if len(self._places) == len(self.values):
            self._map(2 * len(self.values))
        os.write(self._names, orjson.dumps(name) + b"\n")

    def _map(self, least: int) -> None:
        """Has the file in memory, with room for that many numbers at least."""
        size = max(os.fstat(self._file).st_size, least * _BYTES)
        os.ftruncate(self._file, size)
        self.values = memoryview(mmap.mmap(self._file, size)).cast("d")


def _opened(file: Path) -> int:
    """For as long as the process lives: there is nothing to close it before."""
    return os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)


def _names(lines: bytes) -> Iterator[Name]:
    """Those that were written to their ends."""
    for line in lines.split(b"\n")[:-1]:
        yield tuple(orjson.loads(line))


_shared: SharedNumbers | None = None


def share_counts(folder: Path, number: int) -> None:
    """Has what this process counts from now on be part of the sums of all that share theirs in `folder`."""
    global _shared
    _shared = SharedNumbers(folder, number)


def numbers_of_process() -> Numbers:
    """Where this process counts."""
    return _shared or Numbers()
