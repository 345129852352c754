"""`--peers`: installs them, with the package managers of their languages and nobody's settings but theirs."""

import shutil
import subprocess
import venv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType

from rich.console import Console

from benchmarks.peers import Peer, environment_of, idiomatic, postgraphile, strawberry_django

JAVASCRIPT = (postgraphile,)
PYTHON = (strawberry_django, idiomatic)
DONE = "installed.txt"
"""Written into an environment when everything is in it, with what that is."""


def installed(console: Console) -> Sequence[Peer]:
    """The peers that can be started here; says of others why not."""
    return [*_those(console, JAVASCRIPT, _npm), *_those(console, PYTHON, _pip)]


def _those(
    console: Console, peers: Sequence[ModuleType], install: Callable[[Path, Sequence[str]], None]
) -> Iterator[Peer]:
    for peer in peers:
        folder = environment_of(peer.__name__.rpartition(".")[2])
        wanted = "\n".join(peer.PACKAGES)
        done = folder / DONE
        if not done.exists() or done.read_text() != wanted:
            console.print(f"Installing {peer.NAME} into {folder} …")
            try:
                install(folder, peer.PACKAGES)
            except (OSError, subprocess.CalledProcessError) as error:
                said = getattr(error, "stderr", None) or str(error)
                console.print(f"{peer.NAME} is left out: {said[-1000:]}", markup=False)
                continue
            done.write_text(wanted)
        yield peer.PEER


def _npm(folder: Path, packages: Sequence[str]) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise OSError("npm is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text('{"private": true}')
    _run(npm, "install", "--no-audit", "--no-fund", *packages, cwd=folder)


def _pip(folder: Path, packages: Sequence[str]) -> None:
    venv.create(folder, with_pip=True, clear=True)
    _run(str(folder / "bin/python"), "-m", "pip", "install", "--quiet", *packages, cwd=folder)


def _run(*command: str, cwd: Path) -> None:
    subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True)
