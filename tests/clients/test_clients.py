"""Every client, as its registry gives it, does through the gate what it does with the service it was written for.

The page about them, docs/clients.md, is held to it: its table is that of the roster, and what it shows is run.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest
from client_environments import environment
from client_roster import CLIENTS, COLUMNS
from client_stage import QUIET
from scripted_engines import QUESTIONS

pytestmark = pytest.mark.timeout(
    600
)  # the first of them fetches the clients, and one of each script's runs all of it

PAGE = Path(__file__).parents[2] / "docs" / "clients.md"
GATE = "http://127.0.0.1:4141"
FENCE = re.compile(r"(?ms)^```(\w+)\n(.*?)^```$")
ENVIRONMENTS = {
    "OpenAI, Python": "current",
    "OpenAI, Node": "node",
    "Anthropic, Python": "current",
    "Anthropic, Node": "node",
    "Ollama, Python": "current",
    "Ollama, JavaScript": "node",
    "LangChain": "current",
    "LlamaIndex": "openai2",
    "pydantic-ai": "current",
    "LiteLLM": "openai2",
    "Vercel AI SDK": "node",
    "llm": "current",
}
"""Heading of the page → where its examples are run."""


CASES = [
    pytest.param(client, feature, id=f"{client.name}: {feature}")
    for client in CLIENTS
    for feature in COLUMNS
    if feature in client.features
]


@pytest.mark.parametrize(("client", "feature"), CASES)
def test_a_client_gets_what_it_asks_for(stage, client, feature):
    assert stage.problems(client, feature) == []


def examples() -> dict[str, list[tuple[str, str]]]:
    """Heading of the page → its fenced blocks, each with its language."""
    sections = re.split(r"(?m)^## ", PAGE.read_text(encoding="utf-8"))[1:]
    found = {text.partition("\n")[0]: FENCE.findall(text) for text in sections}
    return {heading: blocks for heading, blocks in found.items() if blocks}


@pytest.mark.parametrize("heading", ENVIRONMENTS)
def test_what_the_page_shows_of_a_client_is_what_points_it_at_the_gate(stage, heading, tmp_path):
    place = environment(ENVIRONMENTS[heading])
    given = os.environ | QUIET | {"LLM_USER_PATH": str(tmp_path)}
    wanted = QUESTIONS["plain"]["answer"].format(model="llama")
    for language, text in examples()[heading]:
        text = text.replace(GATE, stage.url)  # noqa: PLW2901  # the same example, at the gate that is open here
        match language:
            case "yaml":
                (tmp_path / "extra-openai-models.yaml").write_text(text)
                continue
            case "python":
                order = [str(place.interpreter), "-c", text]
            case "javascript":
                order = [str(place.interpreter), "--input-type=module", "--eval", text]
            case _:
                order = ["sh", "-c", text.removeprefix("$ ")]
                given["PATH"] = f"{place.programs}{os.pathsep}{given['PATH']}"
        done = subprocess.run(
            order, cwd=place.folder, env=given, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.stdout.strip() == wanted, done.stderr[-2000:]


def test_the_page_shows_how_every_client_is_pointed_at_the_gate():
    assert list(examples()) == list(ENVIRONMENTS)


def test_the_table_of_the_page_is_that_of_the_roster():
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert header[3:] == list(COLUMNS.values())
    told = {(row[0], feature) for row in rows for feature, cell in zip(COLUMNS, row[3:], strict=True) if cell}
    assert told == {(client.name, feature) for client in CLIENTS for feature in client.features}
