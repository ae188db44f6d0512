#!/usr/bin/env python3
"""The packages of other people that are files in our wheel: fetched from npm, unpacked, and described.

python scripts/vendor.py                    say which version lies there, and whether it is what npm has under that number
python scripts/vendor.py --write            put the version below there
python scripts/vendor.py --write 6.2.0      ... or another one

Nothing of the package is changed, so that anybody can compare it with the original.
"""

import argparse
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "src" / "headgate" / "reports" / "vendor" / "echarts"
VERSION = "6.1.0"
FILES = {"dist/echarts.min.js": "echarts.min.js", "LICENSE": "LICENSE", "NOTICE": "NOTICE"}
README = """# Apache ECharts {version}

The charts of the page. Taken unchanged from the npm package `echarts` {version} (licence {licence}, see LICENSE and NOTICE).

To renew it: `python scripts/vendor.py --write VERSION`; then look at the page in both themes.
"""


def fetched(version: str) -> dict[str, bytes]:
    """The files as they lie here, by name, made of the package that npm has."""
    with tempfile.TemporaryDirectory() as folder:
        order = [
            "npm",
            "pack",
            "--silent",
            f"echarts@{version}",
        ]  # which program that is, the caller's PATH says
        subprocess.run(order, check=True, cwd=folder, stdout=subprocess.DEVNULL)  # noqa: S603
        (package,) = Path(folder).glob("echarts-*.tgz")
        with tarfile.open(package) as tar:
            described = json.loads(_read(tar, "package.json"))
            files = {ours: _read(tar, theirs) for theirs, ours in FILES.items()}
    files["README.md"] = README.format(version=described["version"], licence=described["license"]).encode()
    return files


def _read(tar: tarfile.TarFile, name: str) -> bytes:
    member = tar.extractfile(f"package/{name}")
    assert member is not None
    return member.read()


def main() -> int:
    """Compare, or write."""
    parser = argparse.ArgumentParser(description="Renew the chart library in the wheel.")
    parser.add_argument("version", nargs="?", default=VERSION)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    files = fetched(asked.version)
    if asked.write:
        FOLDER.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (FOLDER / name).write_bytes(content)
        return 0
    other = [name for name, content in files.items() if (FOLDER / name).read_bytes() != content]
    verdict = f"differs in {', '.join(other)}" if other else "is the original"
    sys.stdout.write(f"echarts {asked.version}: {verdict}\n")
    return 1 if other else 0


if __name__ == "__main__":
    sys.exit(main())
