"""What is on the disk after a power cut: what was synced, and of the rest nothing, a part, or all.

The rest is lost by the sector, in any combination, and so are lengths. Names, too, are on disk only once
their folder was synced; until then any number of the last changes of names may be missing, as on a disk that
keeps their order.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Literal

from .recording import Deed

SECTOR = 512
_CREATED, _TRUNCATED, _APPENDING = 1, 2, 4

Fate = Literal["lost", "torn", "kept"]
"""Of what was not synced."""


@dataclass
class File:
    synced: bytearray = field(default_factory=bytearray)
    waiting: list[Deed] = field(default_factory=list)

    def content(self, fate: Fate, rng: Random) -> bytes:
        found = bytearray(self.synced)
        if fate != "lost":
            for deed in self.waiting:
                for piece in pieces(deed) if fate == "torn" else [deed]:
                    if fate == "kept" or rng.random() < 0.5:
                        apply(found, piece)
        return bytes(found)

    def sync(self) -> None:
        for deed in self.waiting:
            apply(self.synced, deed)
        self.waiting.clear()


def pieces(deed: Deed) -> Iterator[Deed]:
    """A write, sector by sector."""
    if deed.kind != "w":
        yield deed
        return
    at, end = deed.offset, deed.offset + len(deed.data)
    while at < end:
        until = min(end, (at // SECTOR + 1) * SECTOR)
        yield Deed("w", deed.handle, at, deed.data[at - deed.offset : until - deed.offset])
        at = until


def apply(content: bytearray, deed: Deed) -> None:
    if deed.kind == "w":
        end = deed.offset + len(deed.data)
        content.extend(bytes(max(0, end - len(content))))
        content[deed.offset : end] = deed.data
    elif deed.offset <= len(content):
        del content[deed.offset :]
    else:
        content.extend(bytes(deed.offset - len(content)))


@dataclass
class Disk:
    """The folder's files as the program sees them, and as they would be found again."""

    names: dict[str, File]
    synced_names: dict[str, File]
    renamings: list[tuple[str, File | None]] = field(default_factory=list)
    """Changes of names that the folder was not synced after."""
    handles: dict[int, File | None] = field(default_factory=dict)
    """None: the folder itself."""

    @classmethod
    def of(cls, folder: Path) -> "Disk":
        """A folder whose files are all on disk."""
        files = {file.name: File(bytearray(file.read_bytes())) for file in _kept(folder)}
        return cls(dict(files), dict(files))

    def do(self, deed: Deed) -> None:
        if deed.kind == "o":
            self._open(deed)
        elif deed.kind == "u":
            del self.names[deed.name]
            self.renamings.append((deed.name, None))
        elif deed.kind == "s":
            file = self.handles[deed.handle]
            if file is None:
                self._name(self.renamings)
                self.renamings = []
            else:
                file.sync()
        else:
            file = self.handles[deed.handle]
            assert file is not None
            file.waiting.append(deed)

    def _open(self, deed: Deed) -> None:
        if not deed.name:
            self.handles[deed.handle] = None
            return
        if deed.offset & _CREATED:
            self.names[deed.name] = File()
            self.renamings.append((deed.name, self.names[deed.name]))
        file = self.names[deed.name]
        if deed.offset & _TRUNCATED:
            file.waiting.append(Deed("t", deed.handle, 0, b""))
        self.handles[deed.handle] = file

    def _name(self, renamings: Iterable[tuple[str, File | None]]) -> None:
        for name, file in renamings:
            if file is None:
                self.synced_names.pop(name, None)
            else:
                self.synced_names[name] = file

    def found(self, fate: Fate, rng: Random) -> dict[str, bytes]:
        """The files after a cut at this moment."""
        reached = {"lost": 0, "torn": rng.randint(0, len(self.renamings)), "kept": len(self.renamings)}[fate]
        files = dict(self.synced_names)
        for name, file in self.renamings[:reached]:
            if file is None:
                files.pop(name, None)
            else:
                files[name] = file
        return {name: file.content(fate, rng) for name, file in files.items()}


def whole(folder: Path) -> dict[str, bytes]:
    """The files as they are, to compare."""
    return {file.name: file.read_bytes() for file in _kept(folder)}


def laid_out(files: dict[str, bytes], folder: Path) -> None:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)


def _kept(folder: Path) -> list[Path]:
    return [file for file in folder.iterdir() if not file.name.endswith("-shm")]
