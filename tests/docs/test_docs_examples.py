"""The examples are run: commands as a user types them, requests to a real gate with the embedded engine."""

import json
import os
import re
import shlex
import urllib.error
import urllib.request
from dataclasses import dataclass

import pytest
from docs_pages import DOCS, PAGES, ROOT, blocks, coded, rows, section

from prepared_python import python

GATE = "http://127.0.0.1:4141"


@dataclass(frozen=True)
class Example:
    """A command of a console block, and what the page says that it prints."""

    where: str
    command: str
    output: str

    def __str__(self) -> str:
        return f"{self.where} {self.command[:40]}"


def examples(word: str) -> list[Example]:
    """Every example whose command begins so."""
    found = []
    for page in PAGES:
        for block in blocks(page, "console"):
            for text in re.split(r"(?m)^\$ ", block.text)[1:]:
                command, _, output = text.partition("\n")
                if command.split()[0] == word:
                    found.append(Example(str(block), command.partition("  #")[0].strip(), output.strip()))
    return found


def blurred(text: str) -> str:
    """The text with every figure as one #, since prices, counts and confidences move."""
    return re.sub(r"\d[\d.,]*", "#", text).strip()


@pytest.mark.parametrize("example", [one for one in examples("headgate") if one.output], ids=str)
def test_a_command_prints_what_the_page_says(example, tmp_path):
    smallest = blocks(DOCS / "config.md", "toml")[0].text
    typo = smallest.replace("try =", 'tasks = ["sumarization"]\ntry =')
    (tmp_path / "typo.toml").write_text(typo, encoding="utf-8")
    environment = os.environ | {"HEADGATE_DATA": str(tmp_path / "data"), "XDG_CONFIG_HOME": str(tmp_path)}
    environment.pop("HEADGATE_CONFIG", None)
    done = python("-m", *shlex.split(example.command), cwd=tmp_path, env=environment)
    assert blurred(done.stdout if done.returncode == 0 else done.stderr) == blurred(example.output)


@pytest.mark.parametrize("example", examples("headgate"), ids=str)
def test_a_command_of_a_page_is_one_that_can_be_typed(example):
    import click

    from headgate.cli.main import command

    found: click.Command = command
    words = shlex.split(example.command)[1:]
    while isinstance(found, click.Group) and words and not words[0].startswith("-"):
        inner = found.get_command(click.Context(found), words[0])
        if inner is None:
            break
        found, words = inner, words[1:]
    assert found.make_context("headgate", words) is not None


def send(url: str, body: bytes | None = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body."""
    lines = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, lines), timeout=60) as reply:
            return reply.status, dict(reply.headers), reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


@pytest.mark.parametrize("example", examples("curl"), ids=str)
def test_a_request_of_a_page_is_answered(example, open_gate):
    words = shlex.split(example.command)[1:]
    given = {"-H": [], "-d": []}
    url = ""
    while words:
        word = words.pop(0)
        if word in given:
            given[word].append(words.pop(0))
        else:
            assert not word.startswith("-"), f"this test does not know curl's {word}"
            url = word
    assert url.startswith(GATE)
    headers = dict(line.split(": ", 1) for line in given["-H"])
    body = given["-d"][0].encode() if given["-d"] else None
    status, got, answer = send(url.replace(GATE, open_gate.url), body, **headers)
    assert status == 200
    value = json.loads(answer)
    if body is not None:
        if "/embeddings" in url:
            assert value["data"]
        elif "/runs" in url:
            assert value["output"]
            return
        else:
            holder = value if "/api/" in url else value["choices"][0]
            assert holder["message"]["content"]
        promised = {cells[0].strip("`") for cells in rows(section(DOCS / "api.md", "## The answer"))}
        more = {"x-headgate-cached"} if "/embeddings" in url else set()
        assert {name for name in got if name.startswith("x-headgate-")} == promised | more


def test_the_state_of_the_gate_has_what_the_page_says(open_gate):
    _, _, answer = send(f"{open_gate.url}/healthz")
    value = json.loads(answer)
    said = set(coded(section(DOCS / "api.md", "## /healthz")))
    fields = {*value, *value["ledger"], *next(iter(value["engines"].values()))} - {"pid", "version"}
    assert fields <= said
    assert value["status"] == "ok"


def test_the_error_of_the_page_is_the_gates(open_gate):
    body = b'{"model": "gpt-5000", "messages": [{"role": "user", "content": "Hello"}]}'
    status, headers, answer = send(
        f"{open_gate.url}/v1/chat/completions", body, content_type="application/json"
    )
    assert json.loads(answer) == json.loads(blocks(DOCS / "api.md", "json")[0].text)
    assert (status, headers["x-should-retry"]) == (404, "false")


@pytest.mark.parametrize(
    ("header", "word", "wanted"),
    [
        ("x-headgate-task", "code", "everything else"),
        ("x-headgate-task", "sentiment", "labels"),
        ("x-headgate-privacy", "local_only", None),
        ("x-headgate-within", "20", None),
    ],
)
def test_a_request_header_of_the_page_does_what_it_says(open_gate, header, word, wanted):
    assert f"`{header}: {word}`" in (DOCS / "api.md").read_text(encoding="utf-8") or word == "sentiment"
    body = json.dumps(
        {"model": "auto", "messages": [{"role": "user", "content": "Is this fine? It is good."}]}
    )
    status, got, _ = send(f"{open_gate.url}/v1/chat/completions", body.encode(), **{header: word})
    assert status == 200
    assert wanted in (None, got["x-headgate-route"])


def test_a_stream_that_flows_does_not_claim_to_know_its_cost(open_gate):
    ask = {"model": "claude", "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
    _, held, answer = send(f"{open_gate.url}/v1/chat/completions", json.dumps(ask).encode())
    assert answer.rstrip().endswith(b"data: [DONE]")
    assert "x-headgate-cost" in held, "a short answer is held to its end"


def test_the_readmes_client_works_as_it_stands(open_gate, capsys):
    pytest.importorskip("openai")
    (snippet,) = blocks(ROOT / "README.md", "python")
    assert GATE in snippet.text
    exec(compile(snippet.text.replace(GATE, open_gate.url), "README.md", "exec"), {})
    answer, told = capsys.readouterr().out.strip().split("\n")
    assert answer
    model, *_, saved = told.split()
    assert model in ("nano", "micro", "claude")
    assert re.fullmatch(r"-?\d+\.\d{6}", saved)
