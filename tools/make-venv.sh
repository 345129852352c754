#!/bin/sh
# make-venv.sh FOLDER: a virtual environment of the first Python that is new enough.
set -eu
for candidate in "${PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11 python3 python; do
    command -v "$candidate" >/dev/null 2>&1 || continue
    "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
    found=$candidate
    break
done
if [ -z "${found:-}" ]; then
    echo "Python 3.11 or later is needed and was not found. Install it, or name it: make PYTHON=/path/to/python3" >&2
    exit 1
fi
if ! "$found" -c 'import ensurepip, venv' 2>/dev/null; then
    echo "$found has no venv. Install it (on Debian and Ubuntu: the package python3-venv) and try again." >&2
    exit 1
fi
"$found" -m venv "$1"
