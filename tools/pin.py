"""pin.py FILE: writes the installed versions, one `name==version` a line, without the repository's own."""

import sys
from importlib.metadata import distributions
from pathlib import Path

from packaging.utils import canonicalize_name

NOT_OURS_TO_PIN = {"pip", "setuptools", "wheel"}

HEAD = """\
# The versions that the tests ran with. `make run`, `make test` and `.ci/run` install these.
# Renew with: make clean test && make constraints, after changing a range in pyproject.toml.
"""


def main(target: Path) -> None:
    pins = set()
    for found in distributions():
        name = canonicalize_name(found.metadata["Name"])
        if not name.startswith("crm-") and name not in NOT_OURS_TO_PIN:
            pins.add(f"{name}=={found.version}")
    target.write_text(HEAD + "".join(f"{pin}\n" for pin in sorted(pins)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
