"""The example of docs/tools.md does what the page says, and so do its figures."""

import json
import re
from pathlib import Path

from worker_gate import call, script, worker_gate

from headgate.core import mapreduce
from headgate.core.subagent import Bounds
from headgate.workers import functions, loop, tools

DOCS = Path(__file__).resolve().parents[2] / "docs"
TOOLS = (DOCS / "tools.md").read_text()
LONG = (DOCS / "long_inputs.md").read_text()


def block(language: str) -> str:
    return re.search(rf"```{language}\n(.*?)```", TOOLS, re.DOTALL)[1]


async def test_the_first_example_runs_as_the_page_shows(tmp_path):
    shown = json.loads(block("json"))
    home = script(
        call("find_order", number="AB-1"), call("find_order", number="AB-9"), "Order AB-1 was shipped."
    )
    agents = block("toml")
    async with worker_gate(tmp_path, agents, home=home, files={"orders.py": block("python")}) as bench:
        run = await bench.run("desk", "Where is my order?")
        assert (run["status"], run["output"]) == ("ok", shown["output"])
        steps = [
            step | {"request": "", "what": step["what"].replace("llama", "qwen")} for step in run["steps"]
        ]
        assert steps[:2] == [step | {"request": ""} for step in shown["steps"][:2]]
        told = bench.told(2)[1]
        assert f"`{told}`" in TOOLS, "the error is the page's"


def test_the_figures_of_the_pages_are_those_of_the_code():
    assert f"longer than {loop.TOOL_WITHIN:.0f} s" in TOOLS
    assert f"the first {tools.LONGEST_RESULT:,} of" in TOOLS
    assert loop.IN_A_ROW == 3
    assert functions.MOST_HANGING == 4
    assert Bounds() == Bounds(steps=5, within=120.0, spend=None)
    assert loop.KEPT_BACK == 1 / 5
    assert f"more than {mapreduce.PROSE} words" in LONG
