"""The page of the doctor has every check as the code has it, and its example is what the command says."""

import re

from docs_pages import DOCS, ROOT, blocks, coded, rows, section

from headgate.cli.checkup.findings import Finding
from headgate.cli.checkup.kinds import KINDS
from headgate.cli.checkup.programs import LEAST_OLLAMA
from headgate.cli.checkup.rounds import LIMIT
from headgate.cli.doctor import QUICK

PAGE = DOCS / "doctor.md"
SOURCES = [*sorted((ROOT / "src/headgate/cli/checkup").glob("*.py")), ROOT / "src/headgate/cli/doctor.py"]


def test_the_page_has_every_check_with_what_it_looks_at_and_when_it_fails_or_warns():
    told = {cells[0].strip("`"): tuple(cells[1:]) for cells in rows(section(PAGE, "## What is checked"))}
    wanted = {name: (kind.looks_at, kind.fails, kind.warns) for name, kind in KINDS.items()}
    assert told == wanted
    assert list(told) == list(wanted)


def test_a_check_fails_and_warns_where_its_row_says_that_it_may():
    code = "".join(path.read_text(encoding="utf-8") for path in SOURCES)
    made = set(re.findall(r'\b(passed|warned|failed)\(\s*"(\w+)"', code))
    assert {name for _, name in made} == set(KINDS)
    for verb, said in (("failed", "fails"), ("warned", "warns")):
        may = {name for name, kind in KINDS.items() if getattr(kind, said)}
        assert {name for made_by, name in made if made_by == verb} == may


def test_the_example_is_what_the_command_says_on_such_a_machine():
    screen = (ROOT / "tests/data/screens/doctor-faults.txt").read_text(encoding="utf-8").splitlines()
    (example,) = blocks(PAGE, "text")
    lines = example.text.splitlines()
    assert len(lines) > 10
    assert [line for line in lines if line not in screen] == []


def test_the_figures_of_the_page_are_those_of_the_code():
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    assert ".".join(map(str, LEAST_OLLAMA)) in text
    assert f"within {LIMIT:g} s" in text
    assert f"({QUICK.removesuffix('s')} s;" in text
    assert {"name", *Finding.__struct_fields__} <= set(coded(section(PAGE, "## For programs")))
