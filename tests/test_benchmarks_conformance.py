"""The three columns of docs/conformance.md: drawn from the findings, complete, and without a silent failure of ours."""

import re
from pathlib import Path

import pytest

from headgate.testing.conformance import CASES

ROOT = Path(__file__).parents[1]
with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(ROOT / "benchmarks")  # programs, not a package
    import conformance


def cells(text: str, wanted: int) -> list[list[str]]:
    """The rows with so many cells."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"
    ]
    return [row for row in rows if len(row) == wanted and not set(row[0]) <= {"-"}]


def test_the_columns_and_the_silent_failures_are_drawn_from_the_findings():
    def found(silent: str) -> list[dict]:
        return [
            {"case": one.name, "stream": one.stream, "detail": "half | an answer"}
            | {"verdict": "silent" if one.name == silent else "survived"}
            for one in CASES
        ]

    text = conformance.render({"headgate": found("nothing"), "portkey": found("half-open")})
    table = cells(text, 4)
    assert ["`half-open`", "whole", "survived", "**silently**"] in table
    assert ["`half-open`", "stream", "survived", "**silently**"] in table
    assert ["survived", str(len(CASES)), str(len(CASES) - 2)] in cells(text, 3)
    assert ["**silently**", "0", "2"] in cells(text, 3)
    assert text.count("| `half-open` | whole | portkey | half \\| an answer |") == 1


def test_the_page_has_every_case_and_no_silent_failure_of_ours():
    page = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
    part = re.search(f"{re.escape(conformance.BEGIN)}(.*?){re.escape(conformance.END)}", page, re.DOTALL)
    table = [row for row in cells(part[1], 5) if row[0].startswith("`")]
    asked = {False: "whole", True: "stream"}
    assert [row[:2] for row in table] == [[f"`{one.name}`", asked[one.stream]] for one in CASES]
    assert {row[2] for row in table} == {"survived", "loudly"}
