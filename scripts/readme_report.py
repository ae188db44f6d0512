#!/usr/bin/env python3
"""The report in README.md, written from a run of `headgate demo`, so that it shows what a reader will see.

python scripts/readme_report.py            run the demo and print the block
python scripts/readme_report.py --write    put it into README.md

Only the report's upper half stands there; the figures are those of the machine that it ran on.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "README.md"
BEGIN, END = "<!-- report: begin", "<!-- report: end -->"


def upper_half(report: str) -> str:
    """The report down to the rule below which it goes into detail."""
    lines = report.splitlines()
    rule = next(
        number
        for number, line in enumerate(lines)
        if number and line and set(line) == {"-"} and not lines[number - 1]
    )
    return "\n".join(lines[:rule]).rstrip()


def run_demo() -> str:
    """What `headgate demo` prints, from a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        order = [sys.executable, "-m", "headgate", "demo", "--keep", folder]
        done = subprocess.run(order, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603  # our own program
    return done.stdout


def main() -> None:
    """Print the block, or write it."""
    parser = argparse.ArgumentParser(description="Refresh the report in README.md.")
    parser.add_argument("--write", action="store_true")
    block = upper_half(run_demo())
    if not parser.parse_args().write:
        sys.stdout.write(block + "\n")
        return
    text = PAGE.read_text(encoding="utf-8")
    head, marker, rest = text.partition(BEGIN)
    first_line, _, rest = rest.partition("\n")
    body = f"{head}{marker}{first_line}\n```text\n{block}\n```\n{END}{rest.partition(END)[2]}"
    PAGE.write_text(body, encoding="utf-8")


if __name__ == "__main__":
    main()
