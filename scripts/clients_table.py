#!/usr/bin/env python3
"""Which client does what through the gate: run them all, and draw the table of docs/clients.md.

    python scripts/clients_table.py            run every client, print the table
    python scripts/clients_table.py --write    the same, and put it into docs/clients.md

It fetches the clients from their registries when they are not there yet (see tests/clients/client_environments.py), and
runs what the tests run. It ends with 1 if a client did not get what it asked for.
"""

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "clients.md"
BEGIN, END = "<!-- tried: begin -->", "<!-- tried: end -->"

sys.path.insert(0, str(ROOT / "tests" / "clients"))

from client_roster import CLIENTS, COLUMNS  # noqa: E402  # the path is set just above
from client_stage import Stage, open_stage  # noqa: E402


def draw(stage: Stage) -> tuple[str, list[str]]:
    """The table, and what went wrong."""
    names = ["client", "version", "door", *COLUMNS.values()]
    lines = [row(names), row(["---", "---", "---", *[":-:"] * len(COLUMNS)])]
    wrong = []
    for client in CLIENTS:
        cells = []
        for feature in COLUMNS:
            problems = stage.problems(client, feature) if feature in client.features else []
            wrong += [f"{client.name}, {feature}: {problem}" for problem in problems]
            cells.append("✗" if problems else "✓" if feature in client.features else "")
        version = next(line["version"] for line in stage.said(client, "plain"))
        lines.append(row([client.name, f"`{client.package}` {version}", f"`{client.door}`", *cells]))
    return "\n".join(lines), wrong


def row(cells: list[str]) -> str:
    """A line of a markdown table."""
    return f"| {' | '.join(cells)} |".replace("  ", " ")


def main() -> int:
    """Run and print, or write."""
    parser = argparse.ArgumentParser(description="Run every client through the gate.")
    parser.add_argument("--write", action="store_true", help="put the table into docs/clients.md")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, open_stage(Path(folder)) as stage:
        table, wrong = draw(stage)
    sys.stderr.write("".join(f"{line}\n" for line in wrong))
    if given.write:
        text = PAGE.read_text(encoding="utf-8")
        before, _, rest = text.partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    else:
        sys.stdout.write(table + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
