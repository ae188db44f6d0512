"""The programs of docs/python.md are run, each by itself, beside a page with the embedded engine."""

import os
import subprocess
import sys

import msgspec
import pytest
from docs_pages import DOCS, blocks, coded, rows, section

from headgate.core.runs import Run

PAGE = """
[engines.embedded]
kind = "llamacpp"

[models.nano]
engine = "embedded"
id = "headgate-nano"
context = 2048

[models.embed]
engine = "embedded"
id = "headgate-embed"
kind = "embedding"

[[routes]]
name = "everything"
try = ["nano"]
"""


@pytest.mark.parametrize("block", blocks(DOCS / "python.md", "python"), ids=str)
def test_a_program_of_the_page_runs_as_it_stands(block, tmp_path):
    pytest.importorskip("xllamacpp")
    (tmp_path / "headgate.toml").write_text(PAGE, encoding="utf-8")
    environment = os.environ | {"HEADGATE_DATA": str(tmp_path / "data")}
    environment.pop("HEADGATE_CONFIG", None)
    done = subprocess.run(
        [sys.executable, "-c", block.text],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 2


def test_the_page_tells_all_of_a_run():
    table = section(DOCS / "python.md", "## Subagents")
    told = {word for cells in rows(table) for word in coded(cells[0])} - {"run."}
    assert told == {field.name for field in msgspec.structs.fields(Run)} - {"agent"}
