#!/usr/bin/env python3
"""What the core install brings: packages, megabytes, import times.

    python scripts/dependencies.py            build the wheel, install it into an empty environment, measure, print
    python scripts/dependencies.py --write    the same, and put the figures into docs/dependencies.md

Sizes are bytes on disk of the files that each package's RECORD lists, the .pyc files that pip compiles included, in
megabytes of a million bytes. pip and setuptools do not count. Import times are the best of three fresh interpreters, which
say little about a cold disk. `closure` and `size_of` work in any environment, so a test can hold the limits without
installing anything.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "dependencies.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
NOT_OURS = {"pip", "setuptools", "wheel"}
REQUIREMENT = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?")
LICENCES = {"MIT License": "MIT"}
"""Long names as the licence field has them → the short ones; where there is none, the classifier is asked."""

MODULES = {"markdown-it-py": "markdown_it"}
"""What a distribution's module is called where it is not called the same."""


def plain_name(name: str) -> str:
    """A distribution's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements(
    distribution: metadata.Distribution, extras: Iterable[str] = ()
) -> list[tuple[str, list[str]]]:
    """What a distribution asks for, with the extras it asks for; what its own other extras ask for is left out."""
    found = []
    for line in distribution.requires or ():
        wanted, _, marker = line.partition(";")
        if "extra" in marker and not any(f"'{one}'" in marker or f'"{one}"' in marker for one in extras):
            continue
        match = REQUIREMENT.match(wanted.strip())
        if match is not None:
            more = [extra.strip() for extra in (match[2] or "").split(",") if extra.strip()]
            found.append((plain_name(match[1]), more))
    return found


def direct_names() -> list[str]:
    """The core dependencies that pyproject.toml names, whatever is installed here."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [plain_name(REQUIREMENT.match(line)[1]) for line in project["dependencies"]]  # type: ignore[index]  # each line has a name


def closure(*names: str) -> dict[str, metadata.Distribution]:
    """These distributions and everything that they need, as far as it is installed here."""
    found: dict[str, metadata.Distribution] = {}
    waiting: list[tuple[str, list[str]]] = [(plain_name(name), []) for name in names]
    while waiting:
        name, extras = waiting.pop()
        if name in found and not extras:
            continue
        try:
            found[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # its marker is for another platform
        waiting += requirements(found[name], extras)
    return found


def size_of(distribution: metadata.Distribution, ending: str = "") -> int:
    """Bytes on disk of the files that its RECORD lists, or of those with this ending."""
    places = (Path(str(file.locate())) for file in distribution.files or () if file.name.endswith(ending))
    return sum(place.stat().st_size for place in places if place.is_file())


def licence_of(distribution: metadata.Distribution) -> str:
    """The short name of its licence."""
    given = distribution.metadata
    said: str = given["License-Expression"] or (given["License"] or "").split("\n")[0].strip()
    if not said:
        classifiers = (line for line in given.get_all("Classifier") or () if line.startswith("License ::"))
        said = next(classifiers, "?").rpartition(":: ")[2]
    return LICENCES.get(said, said)


def import_time(module: str) -> float:
    """Milliseconds to import a module in a fresh interpreter, the best of three."""
    program = f"from time import perf_counter as t; a = t(); import {module}; print((t() - a) * 1000)"
    order = [sys.executable, "-c", program]
    return min(float(subprocess.run(order, check=True, capture_output=True).stdout) for _ in range(3))  # noqa: S603  # our own program


def measure() -> dict[str, object]:
    """Everything about the environment that this interpreter belongs to."""
    everything = closure("headgate")
    direct = [name for name in direct_names() if name in everything]
    rows = []
    for name in direct:
        others = closure(*(one for one in direct if one != name))
        only = {one: dist for one, dist in closure(name).items() if one not in others and one != name}
        rows.append(
            {
                "name": name,
                "version": everything[name].version,
                "licence": licence_of(everything[name]),
                "megabytes": size_of(everything[name]) / 1e6,
                "brings": len(only),
                "brings_megabytes": sum(map(size_of, only.values())) / 1e6,
                "import_ms": import_time(MODULES.get(name, name.replace("-", "_"))),
            }
        )
    installed = [dist for dist in metadata.distributions() if plain_name(dist.name) not in NOT_OURS]
    return {
        "packages": len(installed),
        "megabytes": sum(map(size_of, installed)) / 1e6,
        "compiled_megabytes": sum(size_of(dist, ".pyc") for dist in installed) / 1e6,
        "own_megabytes": size_of(everything["headgate"]) / 1e6,
        "python": ".".join(map(str, sys.version_info[:2])),
        "platform": sys.platform,
        "rows": rows,
    }


def measure_fresh() -> dict[str, object]:
    """Build the wheel, install it without extras into an empty environment, and measure there."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        venv.create(place / "venv", with_pip=True)
        python = str(place / "venv" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python"))
        run([python, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, str(ROOT)])
        run([python, "-m", "pip", "install", "-q", *map(str, place.glob("headgate-*.whl"))])
        inside = run([python, str(Path(__file__).resolve()), "--here"])
    found: dict[str, object] = json.loads(inside)
    return found


def run(order: list[str]) -> bytes:
    """Run a program and return what it prints."""
    return subprocess.run(order, check=True, stdout=subprocess.PIPE).stdout  # noqa: S603  # orders are written above


def draw(found: dict[str, object]) -> str:
    """The figures as markdown."""
    own, compiled = f"{found['own_megabytes']:.1f} MB", f"{found['compiled_megabytes']:.0f} MB"
    total = f"**{found['packages']} packages, {found['megabytes']:.1f} MB**"
    lines = [
        f"{total}: {own} of it are Headgate, {compiled} .pyc files. Python {found['python']} on {found['platform']}.",
        "",
        "| package | version | licence | MB | brings along, alone | import, ms |",
        "|---|---|---|---|---|---|",
    ]
    rows = found["rows"]
    assert isinstance(rows, list)
    for row in rows:
        more = (
            f"{row['brings']} {'package' if row['brings'] == 1 else 'packages'}, {row['brings_megabytes']:.1f} MB"
            if row["brings"]
            else ""
        )
        lines.append(
            f"| {row['name']} | {row['version']} | {row['licence']} | {row['megabytes']:.1f} | {more} | {row['import_ms']:.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure and print, or write."""
    parser = argparse.ArgumentParser(description="Measure the core install.")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/dependencies.md")
    parser.add_argument("--here", action="store_true", help="measure this environment and print JSON")
    given = parser.parse_args()
    if given.here:
        sys.stdout.write(json.dumps(measure()))
        return
    table = draw(measure_fresh())
    if not given.write:
        sys.stdout.write(table + "\n")
        return
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()
