"""The power is cut under SQLite: only what was flushed is found again, and nothing acknowledged is missing.

A run is recorded once, with everything that it did to its files, and cut at many moments afterwards.
"""

import asyncio
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from random import Random

from crm_framework.testing.templates import TestDatabases

from . import office
from .power import writer
from .power.cuts import Findings, cut, look, moments
from .power.outage import Disk, whole
from .power.recording import Deed, built, recorded

CUTS = int(os.environ.get("TORTURE_CUTS", "20"))
SEED = os.environ["TORTURE_SEED"]
DEEDS = 40
"""Changes of each clerk in a run."""
CUTS_OF_A_RUN = 100


@dataclass(frozen=True)
class Run:
    before: Path
    after: Path
    deeds: list[Deed]


def run(databases: TestDatabases, place: Path, seed: str, *less: str) -> Run:
    """A recorded run of the clerks on a new database."""
    place.mkdir()
    before, after = place / "before", place / "after"
    before.mkdir()
    url = databases.copy("sqlite", "office", office.prepare)
    for suffix in ("", "-wal"):
        file = Path(url.removeprefix("sqlite://") + suffix)
        if file.exists():
            shutil.copyfile(file, before / (writer.FILE + suffix))
    databases.drop(url)
    shutil.copytree(before, after)
    arguments = ["-m", writer.__name__, str(after.resolve()), seed, str(DEEDS), *less]
    return Run(before, after, recorded(arguments, built(place), after, place / "log"))


def findings(databases: TestDatabases, place: Path, cuts: int, seed: str, *less: str) -> Findings:
    """Of so many cuts; each hundred is of another run."""
    found = Findings()
    while found.cuts < cuts:
        name = f"{seed}n{found.cuts}x"
        rng, folder = Random(name), place / f"cut at {found.cuts}"
        recording = run(databases, place / name, name, *less)
        chosen = moments(recording.deeds, min(cuts - found.cuts, CUTS_OF_A_RUN), rng)
        for moment, files, notes, fate in cut(recording.before, recording.deeds, chosen, rng):
            faults = asyncio.run(look(folder, files, notes, rng))
            shutil.rmtree(folder)
            found.cuts += 1
            found.fates[fate] += 1
            found.acknowledged = max(found.acknowledged, sum(note["done"] for note in notes))
            found.faulty += bool(faults)
            found.faults += [f"TORTURE_SEED={seed}, before {moment}, {fate}: {fault}" for fault in faults[:5]]
        shutil.rmtree(place / name)
        if cuts > CUTS_OF_A_RUN:
            sys.stderr.write(
                f"\n{found.cuts} of {cuts} cuts, {found.faulty} with faults; TORTURE_SEED={seed}\n"
            )
    return found


def test_the_record_holds_all_that_was_done(test_databases: TestDatabases, tmp_path: Path) -> None:
    """Done again from the record, the run comes to the same files: nothing was written behind its back."""
    recording = run(test_databases, tmp_path / "run", SEED)
    disk = Disk.of(recording.before)
    synced = acknowledged = moved = 0
    for deed in recording.deeds:
        disk.do(deed)
        synced += deed.kind == "s"
        if deed.kind == "w":
            file = disk.handles[deed.handle]
            acknowledged += file is disk.names[writer.ACKNOWLEDGED]
            moved += file is disk.names[writer.FILE] and acknowledged < 2 * 3 * DEEDS
    files = {name: file.content("kept", Random()) for name, file in disk.names.items()}
    assert files == whole(recording.after)
    assert synced > DEEDS
    assert moved > 0, "it ended before anything moved from the write-ahead log into the file"


def test_nothing_acknowledged_is_lost(test_databases: TestDatabases, tmp_path: Path) -> None:
    found = findings(test_databases, tmp_path, CUTS, SEED)
    assert found.faults == []
    assert found.cuts == CUTS
    assert found.acknowledged > DEEDS


def test_flushing_less_is_found_out(test_databases: TestDatabases, tmp_path: Path) -> None:
    """The same with synchronous=NORMAL, which the product refuses: what is lost then is seen here."""
    found = findings(test_databases, tmp_path, 10, SEED, "NORMAL")
    assert found.faulty > 0
    assert any("was acknowledged" in fault for fault in found.faults)
