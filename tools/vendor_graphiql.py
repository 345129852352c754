"""Renews crm_framework/server/static/vendor: GraphiQL and React as npm publishes them, with their licences.

Needs npm. Version 4 is the last GraphiQL that is one script: later ones load workers and modules by address.
"""

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections import defaultdict
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "crm_framework" / "server" / "static" / "vendor"
PACKAGES = {"graphiql": "4.1.2", "graphql": "16.11.0", "react": "18.3.1", "react-dom": "18.3.1"}
FILES = (
    "graphiql/graphiql.min.css",
    "graphiql/graphiql.min.js",
    "react/umd/react.production.min.js",
    "react-dom/umd/react-dom.production.min.js",
)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "package.json").write_text("{}")
        wanted = [f"{name}@{version}" for name, version in PACKAGES.items()]
        subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *wanted], cwd=folder, check=True
        )
        modules = Path(folder, "node_modules")
        shutil.rmtree(TARGET, ignore_errors=True)
        TARGET.mkdir(parents=True)
        sums = []
        for file in FILES:
            content = (modules / file).read_bytes()
            name = file.rsplit("/", 1)[1]
            (TARGET / name).write_bytes(content)
            sums.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
        (TARGET / "SHA256SUMS").write_text("".join(sums))
        (TARGET / "LICENSES.txt").write_text(licences(modules))


def licences(modules: Path) -> str:
    """The licence of every package that may be inside the bundle, each text once."""
    holders: dict[str, list[str]] = defaultdict(list)
    for manifest in sorted(modules.rglob("package.json")):
        above = manifest.parent.parent.name
        if above != "node_modules" and not above.startswith("@"):
            continue  # a folder inside a package, not a package
        package = json.loads(manifest.read_text())
        texts = [file for file in manifest.parent.iterdir() if file.stem.lower() in ("license", "licence")]
        text = texts[0].read_text().strip() if texts else f"Licence: {package['license']}"
        holders[text].append(f"{package['name']} {package['version']}")
    by_holder = sorted(holders.items(), key=lambda item: item[1])
    parts = [f"{', '.join(sorted(set(names)))}\n\n{text}\n" for text, names in by_holder]
    return ("\n" + "=" * 80 + "\n\n").join(parts)


if __name__ == "__main__":
    main()
