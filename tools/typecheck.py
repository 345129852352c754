"""Runs mypy --strict over the package with its tests, and over every plugin and example with theirs.

One run per distribution, in its own folder: two plugins may have tests of one name.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    plugins = sorted(found.parent for found in ROOT.glob("*/*/pyproject.toml"))
    failed = check(ROOT, ["crm_framework", "tests", "tools", "benchmarks"], plugins)
    for plugin in plugins:
        others = [ROOT, *(other for other in plugins if other != plugin)]
        failed |= check(plugin, [plugin_package(plugin), "tests"], others)
    return failed


def plugin_package(plugin: Path) -> str:
    return next(
        found.parent.name for found in sorted(plugin.glob("*/__init__.py")) if found.parent.name != "tests"
    )


def check(folder: Path, parts: list[str], beside: list[Path]) -> int:
    """mypy's exit code for the parts of `folder` that hold Python; `beside` are what they import."""
    present = [part for part in parts if list((folder / part).rglob("*.py"))]
    print("mypy", folder.relative_to(ROOT), *present, flush=True)
    command = [sys.executable, "-m", "mypy", f"--config-file={ROOT / 'pyproject.toml'}"]
    command += [f"--cache-dir={ROOT / '.mypy_cache'}", *present]
    path = os.pathsep.join(map(str, beside))
    return subprocess.run(command, cwd=folder, env={**os.environ, "MYPYPATH": path}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
