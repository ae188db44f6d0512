"""The README is one page whose every claim can be run."""

import re
import stat
import subprocess
import tomllib
from pathlib import Path

from docs_pages import ROOT, blocks

from headgate.config.load import starter_text

README = ROOT / "README.md"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_it_can_be_read_in_one_go():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 150


def test_it_has_exactly_two_commands_and_their_extras_exist():
    main, tests = (block.text for block in blocks(README, "bash"))
    assert main.count("\n") == tests.count("\n") == 1
    assert main.endswith("/headgate demo\n")
    assert tests.endswith("-m pytest -n 3\n")
    for command in (main, tests):
        (extra,) = re.findall(r'"\.\[(\w+)\]"', command)
        assert extra in PROJECT["optional-dependencies"]
        assert command.startswith("python3 -m venv .venv && ")


def test_ci_runs_both_commands_as_they_stand():
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & stat.S_IXUSR
    text = script.read_text(encoding="utf-8")
    extract = text[
        text.index("readme_command() {") : text.index("\n}\n", text.index("readme_command() {")) + 3
    ]
    for number, block in enumerate(blocks(README, "bash"), 1):
        done = subprocess.run(
            ["bash", "-c", f"{extract}readme_command {number}"],
            check=False,
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert done.stdout == block.text
        assert f"readme_command {number}" in text


def test_contributing_repeats_the_readmes_test_command():
    assert blocks(ROOT / "CONTRIBUTING.md", "bash")[0].text == blocks(README, "bash")[1].text


def test_its_routes_are_routes_of_the_starter_page_in_their_order():
    (page,) = blocks(README, "toml")
    shown, starter = (tomllib.loads(text)["routes"] for text in (page.text, starter_text()))
    assert len(shown) >= 3
    assert shown == [route for route in starter if route in shown]
    assert shown[-1] == starter[-1]


def test_its_report_is_a_report_and_its_figures_add_up():
    (block,) = blocks(README, "text")
    text = block.text
    heads = [
        "WEEKLY ROUTING SUMMARY",
        "Total requests:",
        "Period:",
        "Model ",
        "TOTAL",
        "Baseline (all ",
        "Savings this week:",
    ]
    heads += ["FALLBACK ANALYSIS", "  Triggered:", "  Unnecessary:", "  Top fallback reasons:"]
    places = [text.index(head) for head in heads]
    assert places == sorted(places)
    body, total = text[text.index("\n---") :].split("TOTAL")
    served = [int(row.split("|")[1].replace(",", "")) for row in body.splitlines() if "|" in row]
    assert sum(served) == int(total.split("|")[1].replace(",", ""))
    assert "[stand-in]" in text, "nobody may take the demo's paid model for a real one"
    money = {
        name: float(re.search(rf"{name}.*\$([\d.]+)", text)[1]) for name in ("TOTAL", "Baseline", "Savings")
    }
    assert abs(money["Baseline"] - money["TOTAL"] - money["Savings"]) < 0.02
    fallbacks = [
        int(line.rsplit(": ", 1)[1].replace(",", ""))
        for line in text.splitlines()
        if line.startswith("    - ")
    ]
    assert sum(fallbacks) == int(re.search(r"Triggered:\s+([\d,]+)", text)[1].replace(",", ""))


def test_its_first_sentence_is_the_packages():
    assert PROJECT["description"] in README.read_text(encoding="utf-8")


def test_no_page_tells_of_this_machine():
    home = str(Path.home())
    for page in (README, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")):
        text = page.read_text(encoding="utf-8")
        assert "/work/" not in text.replace("models/work/", "")
        assert home not in text
