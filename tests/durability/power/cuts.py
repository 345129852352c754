"""Cuts the power of a recorded run at many moments, and looks at what is found each time."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import orjson

from crm_framework.domain.models import Staff
from crm_framework.storage.database import Database
from crm_framework.testing.fixtures import CORE_APPS
from tests.durability import books
from tests.durability.clerks import Note

from .outage import Disk, Fate, laid_out
from .recording import Deed
from .writer import ACKNOWLEDGED, FILE

FATES: tuple[Fate, ...] = ("lost", "torn", "kept")


@dataclass
class Findings:
    """What was seen over all cuts of a run."""

    cuts: int = 0
    acknowledged: int = 0
    """Most changes that were acknowledged before a cut."""
    faults: list[str] = field(default_factory=list)
    faulty: int = 0
    """Cuts after which something was wrong."""
    fates: Counter[str] = field(default_factory=Counter)


def moments(deeds: Sequence[Deed], count: int, rng: Random) -> list[int]:
    """Numbers of operations before which the power is cut: half of them right after an acknowledgement or
    beside a flush, where it matters most, the others anywhere."""
    told = {deed.handle for deed in deeds if deed.kind == "o" and deed.name == ACKNOWLEDGED}
    near = [
        number + rng.choice((0, 1))
        for number, deed in enumerate(deeds)
        if deed.kind == "s" or (deed.kind == "w" and deed.handle in told)
    ]
    near_ones = rng.sample(near, min(len(near), count // 2))
    return sorted(near_ones + [rng.randint(1, len(deeds)) for _ in range(count - len(near_ones))])


def cut(
    before: Path, deeds: Sequence[Deed], cuts: Sequence[int], rng: Random
) -> Iterator[tuple[int, dict[str, bytes], list[Note], Fate]]:
    """The moment, the files that are found, what was noted before, and the fate of what was not flushed.

    `before` is a copy of the folder as it was when the run began.
    """
    disk, done = Disk.of(before), 0
    for moment in cuts:
        for deed in deeds[done:moment]:
            disk.do(deed)
        done = moment
        fate = rng.choices(FATES, (5, 5, 1))[0]
        files = disk.found(fate, rng)
        files.pop(ACKNOWLEDGED, None)
        noted = disk.names.get(ACKNOWLEDGED)
        text = noted.content("kept", rng) if noted else b""  # its reader was elsewhere, and has power
        yield moment, files, [orjson.loads(line) for line in text.splitlines()], fate


async def look(folder: Path, files: dict[str, bytes], notes: list[Note], rng: Random) -> list[str]:
    """What is wrong with a database that was found so; it must take another change, too."""
    laid_out(files, folder)
    if rng.random() < 0.5:  # memory that SQLite shares is no file to rely on
        (folder / f"{FILE}-shm").write_bytes(rng.randbytes(32_768))
    async with await Database.open(f"sqlite://{folder}/{FILE}", apps=CORE_APPS, read_pool_size=1) as database:
        found = await books.faults(database, notes)
        async with database.unit_of_work() as tx:
            await Staff.create(name="after the cut", created_at=tx.now, updated_at=tx.now)
        return found + await books.unsound(database)
