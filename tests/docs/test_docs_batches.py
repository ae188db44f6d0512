"""The page about batches: its program is run, its fields are those of a result."""

import json
import subprocess
import sys

import pytest
from docs_pages import DOCS, blocks, coded, rows, section

PAGE = DOCS / "batches.md"


def test_the_fields_of_a_result_are_those_of_the_page():
    from headgate.batches import Result

    named = [name for cells in rows(section(PAGE, "## What comes out")) for name in coded(cells[0])]
    assert named == list(Result.__struct_fields__)
    (example,) = blocks(PAGE, "json")
    assert list(json.loads(example.text)) == named


def test_the_program_of_the_page_runs(open_gate, tmp_path):
    pytest.importorskip("xllamacpp")
    (program,) = blocks(PAGE, "python")
    (tmp_path / "emails.jsonl").write_text('"I was charged twice."\n"The app crashes."\n')
    text = program.text.replace("http://127.0.0.1:4141", open_gate.url)
    done = subprocess.run(
        [sys.executable, "-c", text], check=False, cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "results.jsonl").read_text().splitlines()
    assert [json.loads(line)["item"] for line in lines] == [1, 2]
    assert {json.loads(line)["status"] for line in lines} <= {"ok", "escalated", "incomplete"}, lines


def test_the_figures_of_the_page_are_those_of_the_code():
    from headgate.batches.work import IN_A_ROW, SYNC_EVERY
    from headgate.cli.agents_batch import AHEAD, BESIDE_PAID

    text = " ".join(PAGE.read_text().split())
    assert f"When {IN_A_ROW} items in a row" in text
    assert SYNC_EVERY == 0.25
    assert "every quarter of a second" in text
    assert (AHEAD, BESIDE_PAID) == (2, 4)
    assert "twice as many as the agent's models at home take at a time, and four more" in text
