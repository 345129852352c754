"""A program run under the shim, and the record of what it did to the files of one folder."""

import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SHIM = Path(__file__).with_name("shim.c")
_HEAD = struct.Struct("<cQQQ")


@cache
def compiler() -> str | None:
    """The C compiler of this machine, where it can make what is preloaded into a program."""
    if sys.platform != "linux":
        return None
    named = os.environ.get("CC", "").split()
    for found in filter(None, map(shutil.which, [*named[:1], "cc", "gcc", "clang"])):
        check = [found, "-shared", "-fPIC", "-x", "c", "-o", os.devnull, "-"]
        includes = "#include <stdio.h>\n#include <dlfcn.h>\n"  # they come with another package than it
        if subprocess.run(check, input=includes, text=True, capture_output=True, check=False).returncode == 0:
            return found
    return None


def built(folder: Path) -> Path:
    """The shim, as a shared library in `folder`."""
    cc = compiler()
    assert cc is not None
    target = folder / "shim.so"
    flags = ["-O1", "-shared", "-fPIC", "-U_FORTIFY_SOURCE"]
    subprocess.run([cc, *flags, "-o", str(target), str(SHIM), "-ldl", "-lpthread"], check=True)
    return target


@dataclass(frozen=True)
class Deed:
    """One operation: `o`pen, `w`rite, `t`runcate, `s`ync, `u`nlink."""

    kind: str
    handle: int
    offset: int
    data: bytes

    @property
    def name(self) -> str:
        return self.data.decode()


def recorded(arguments: Sequence[str], shim: Path, folder: Path, log: Path) -> list[Deed]:
    """What a program does to the files below `folder`, until it ends by itself."""
    ended = subprocess.run(
        [sys.executable, *arguments],
        env={
            **os.environ,
            "LD_PRELOAD": str(shim),
            "POWER_FOLDER": str(folder.resolve()),
            "POWER_LOG": str(log),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert ended.returncode == 0, ended.stderr
    return deeds_of(log.read_bytes())


def deeds_of(record: bytes) -> list[Deed]:
    deeds, at = [], 0
    while at < len(record):
        kind, handle, offset, size = _HEAD.unpack_from(record, at)
        at += _HEAD.size
        deeds.append(Deed(kind.decode(), handle, offset, record[at : at + size]))
        at += size
    return deeds
