"""Renews plugins/analytics/crm_analytics/report/vendor: Vega as npm publishes it, with its licences.

Needs npm. Run it as `python -m tools.vendor_vega`.
"""

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from tools.vendor_graphiql import licences

TARGET = (
    Path(__file__).resolve().parent.parent / "plugins" / "analytics" / "crm_analytics" / "report" / "vendor"
)
PACKAGES = {"vega": "6.4.0", "vega-lite": "6.5.0", "vega-embed": "7.3.0"}
FILES = ("vega/build/vega.min.js", "vega-lite/build/vega-lite.min.js", "vega-embed/build/vega-embed.min.js")


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
            text = (modules / file).read_text()
            # the maps are left out, and a browser would ask for them
            text = "".join(
                line for line in text.splitlines(True) if not line.startswith("//# sourceMappingURL")
            )
            name = file.rsplit("/", 1)[1]
            (TARGET / name).write_text(text)
            sums.append(f"{hashlib.sha256(text.encode()).hexdigest()}  {name}\n")
        (TARGET / "SHA256SUMS").write_text("".join(sums))
        (TARGET / "LICENSES.txt").write_text(licences(modules))


if __name__ == "__main__":
    main()
