"""How long `headgate import` reads an export, and how much memory that takes.

    python benchmarks/import_proof.py [--lines 1000000] [--write]

Makes an export in our own form (a third with prompts, as three different asks with pasted text; the others usage alone), runs the command in
a process of its own, and reports its wall time and its largest memory. `--write` puts the figures into docs/proof.md.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

PAGE = Path(__file__).parents[1] / "docs" / "proof.md"
MARKS = ("<!-- figures: begin (benchmarks/import_proof.py --write) -->", "<!-- figures: end -->")
ASKS = (
    "Summarise this meeting in three lines:\n\n",
    "Is this e-mail billing, technical, feature-request or escalation?\n\n",
    "Draft a friendly reply to this client:\n\n",
)


def make(path: Path, lines: int) -> None:
    """Write an export of so many calls."""
    chance = random.Random(1)
    pasted = " ".join(["Anna spoke about the budget, and we decided to wait until spring."] * 20)
    with path.open("w", encoding="utf-8") as file:
        for number in range(lines):
            call = {
                "id": f"call-{number}",
                "time": 1_790_000_000 + number * 2,
                "model": chance.choice(("gpt-4o", "claude-sonnet-5-5", "gpt-4o-mini")),
                "usage": {
                    "prompt_tokens": chance.randint(50, 9_000),
                    "completion_tokens": chance.randint(5, 600),
                },
                "user": f"user-{number % 40}",
            }
            if number % 3 == 0:
                call["messages"] = [{"role": "user", "content": chance.choice(ASKS) + pasted}]
            file.write(json.dumps(call) + "\n")


def run(path: Path, home: str) -> tuple[float, float]:
    """Seconds and megabytes of the command."""
    begun = perf_counter()
    subprocess.run(
        [sys.executable, "-m", "headgate", "import", "jsonl", str(path), "--json"],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=home,
        env=os.environ | {"HOME": home},
    )
    return perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def main() -> None:
    """Measure, print, and write if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.jsonl"
        make(path, given.lines)
        size = path.stat().st_size / 1e6
        seconds, megabytes = run(path, folder)
    table = (
        "| calls | file | time | memory |\n|---:|---:|---:|---:|\n"
        f"| {given.lines:,} | {size:,.0f} MB | {seconds:,.0f} s | {megabytes:,.0f} MB |"
    )
    print(table)
    if given.write:
        text = PAGE.read_text(encoding="utf-8")
        before, after = text.split(MARKS[0])[0], text.split(MARKS[1])[1]
        PAGE.write_text(f"{before}{MARKS[0]}\n{table}\n{MARKS[1]}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
