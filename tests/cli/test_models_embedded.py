"""The verbs of `headgate models` on the embedded engine: its files are fetched, shown and removed without starting it."""

import random
import struct

import pytest

from headgate.testing import HuggingFaceDouble

NAME = "hf.co/owner/model-GGUF:Q4_K_M"
PAGE = """
[engines.embedded]
kind = "llamacpp"

[models.nano]
engine = "embedded"
id = "headgate-nano"
context = 512

[[routes]]
name = "all"
try = ["nano"]
"""


def gguf(size):
    """A file with a head that says its architecture, and nothing that could be loaded."""

    def text(word):
        return struct.pack("<Q", len(word)) + word

    head = b"GGUF" + struct.pack("<IQQ", 3, 0, 1)
    head += text(b"general.architecture") + struct.pack("<I", 8) + text(b"llama")
    return head + random.Random(1).randbytes(size - len(head))


@pytest.fixture
def run(shell):
    shell.write(PAGE)
    with HuggingFaceDouble({"owner/model-GGUF": {"model-Q4_K_M.gguf": gguf(3_000_000)}}).in_thread() as hub:

        def run(*args):
            data = str(shell.home / "data")
            return shell("models", *args, HF_ENDPOINT=hub.url, HEADGATE_DATA=data)

        run.write = shell.write
        run.folder = shell.home / "data" / "models"
        yield run


def files(folder):
    return [path.name for path in folder.rglob("*.gguf")]


def test_a_model_is_pulled_shown_listed_and_removed(run):
    said = run("pull", NAME, "--engine", "embedded", "--yes")
    assert said.code == 0, said.err
    assert said.out.startswith(f"{NAME} is there on embedded, whole and checked: 3.0 MB in ")
    assert f"free in {run.folder}" in said.err
    assert files(run.folder) == ["model-Q4_K_M.gguf"]
    told = run("show", NAME, "--engine", "embedded", "--json").json
    assert (told["listed"]["size"], told["loaded"]) == (3_000_000, None)
    others = [row["id"] for row in run("list", "--json").json["others"]]
    assert others == ["headgate-micro", "headgate-clerk", "headgate-embed", "owner/model-GGUF/model-Q4_K_M"]
    run.write(PAGE + f'\n[models.pulled]\nengine = "embedded"\nid = "{NAME}"\n')
    others = [row["id"] for row in run("list", "--json").json["others"]]
    assert others == ["headgate-micro", "headgate-clerk", "headgate-embed"]
    said = run("rm", NAME, "--engine", "embedded", "--yes")
    assert said.code == 0, said.err
    assert files(run.folder) == []


def test_a_list_puts_no_model_into_memory(run):
    (row,) = run("list", "--json").json["models"]
    assert (row["there"], row["loaded"]) == (True, None)
    assert "loaded" not in run("list").out


def test_a_damaged_file_is_called_so_and_not_missing(run):
    run.folder.mkdir(parents=True)
    (run.folder / "odd.gguf").write_bytes(b"GGUF" + bytes(100))
    said = run("show", "odd", "--engine", "embedded")
    assert said.code == 1
    assert "cannot be used: it is a GGUF file, but cut short or damaged" in said.err
    assert "hint: download it again" in said.err


def test_the_shipped_model_is_shown_and_never_removed(run):
    said = run("show", "nano")
    assert "in the gate's own memory, if it is open" in said.out
    assert "1 x 512 tokens, estimated" in said.out
    said = run("rm", "nano", "--yes")
    assert said.code == 1
    assert "error: " in said.err
    assert "\n\nhint: " in said.err


@pytest.mark.parametrize("verb", ["show", "rm", "pull"])
def test_a_model_that_is_nowhere_is_said_so(run, verb):
    more = ["--yes"] if verb != "show" else []
    said = run(verb, "hf.co/owner/nothing:Q4_K_M", "--engine", "embedded", *more)
    assert said.code == 1
    assert "error: " in said.err
    assert "\n\nhint: " in said.err


def test_what_the_gate_holds_is_shown_while_it_is_open(shell):
    pytest.importorskip("xllamacpp")
    shell.write(PAGE)
    closed = shell("models", "ps", "--json")
    assert (closed.json, "which is closed" in closed.err) == ({"engines": []}, True)
    assert shell("up", "-d", "--listen", "127.0.0.1:0").code == 0
    try:
        (engine,) = shell("models", "ps", "--json").json["engines"]
        (row,) = engine["loaded"]
        assert (row["engine"], row["models"], row["context"]) == ("embedded", ["nano"], 512)
        assert row["memory"] > 0
        assert "loaded   nano (" in shell().out
    finally:
        shell("down")
