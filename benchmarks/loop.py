"""Whether the loop is right: agencies with known truth, on which it runs for twelve weeks (`headgate.lab.simulation`).

    python benchmarks/loop.py [--runs 200] [--first 0] [--shifts 50] [--workers 2] [--write]

`--write` puts the tables into docs/simulation.md, between its marks. About 5 s of a processor for each run.
"""

import argparse
import sys
import time
from pathlib import Path

from headgate.lab.simulation.proof import as_markdown, prove

PAGE = Path(__file__).parents[1] / "docs" / "simulation.md"
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"


def tell(said):
    print(f"\r{said}    ", end="", file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="the seed of the first run")
    parser.add_argument("--shifts", type=int, default=50)
    parser.add_argument("--workers", type=int, default=1, help="processes that share the runs")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    began = time.perf_counter()
    proof = prove(given.runs, given.shifts, given.workers, tell, first=given.first)
    table = as_markdown(proof)
    spent = time.perf_counter() - began
    print(f"\n{table}\n\n{spent / 60:.0f} minutes")
    if given.write:
        text = PAGE.read_text()
        before, after = text[: text.index(BEGIN) + len(BEGIN)], text[text.index(END) :]
        PAGE.write_text(f"{before}\n\n{table}\n\n{after}")


if __name__ == "__main__":
    main()
