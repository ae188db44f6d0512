"""`headgate kb ask`: a person asks a base on the command line; the embedder is the shipped one, the answering model a double."""

import re
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import pytest

from headgate.testing import OpenAIDouble

pytestmark = pytest.mark.skipif(find_spec("xllamacpp") is None, reason="needs the embedded engine")

PAGE = """
[engines.embedded]
kind = "llamacpp"

[engines.openai]
kind = "openai"
url = "{url}/v1"
key = "env:TEST_KEY"
local = false

[models.embed]
engine = "embedded"
id = "headgate-embed"
kind = "embedding"

[models.writer]
engine = "openai"
id = "gpt-4o-mini"

[[routes]]
name = "everything else"
try = ["writer"]
"""
HANDBOOK = "# Refunds\n\nRefunds take five working days.\n\n# People\n\nAnna Klein leads billing.\n"


def number_of(call, words):
    asked = call.fields["messages"][-1]["content"]
    return next(
        n for n, text in re.findall(r"\[(\d+)\] ((?:(?!\n\n\[).)*)", asked, re.DOTALL) if words in text
    )


@dataclass
class Asking:
    """A shell with a config and a base, and the double that answers."""

    shell: Any
    writer: OpenAIDouble
    says: Any = None

    def __call__(self, *words, says=None):
        self.says = says or true_answer
        return self.shell("kb", "ask", *words)

    @property
    def asked(self):
        return [call for call in self.writer.calls if call.path.endswith("/chat/completions")]


@pytest.fixture
def ask(shell):
    def answer(call):
        return made.says(call)

    made = Asking(shell, OpenAIDouble(answer=answer))
    with made.writer.in_thread() as writer:
        shell.write(PAGE.format(url=writer.url))
        (shell.home / "docs").mkdir()
        (shell.home / "docs" / "handbook.md").write_text(HANDBOOK, encoding="utf-8")
        added = shell("kb", "add", "handbook", "docs")
        assert added.code == 0, added.err
        yield made


def true_answer(call):
    return f"Refunds take five working days [{number_of(call, 'five working')}]."


def test_an_answer_is_printed_with_its_footnotes_and_explained_on_stderr(ask):
    ran = ask("handbook", "How long do refunds take?", "--explain")
    assert ran.code == 0, ran.err
    first, blank, *notes = ran.out.strip().splitlines()
    assert (first, blank) == ("Refunds take five working days [1].", "")
    assert re.fullmatch(r"\[1\] docs/handbook\.md:\d+–\d+ · Refunds", notes[0])
    assert "cited" in ran.err
    assert "writer" in ran.err


def test_json_has_the_run(ask):
    ran = ask("handbook", "How long do refunds take?", "--json")
    run = ran.json
    assert (run["agent"], run["status"], run["model"]) == ("kb:handbook", "ok", "writer")
    assert run["output"]["found"] is True
    assert run["output"]["citations"][0]["quote"] == "Refunds take five working days."
    assert run["output"]["citations"][0]["source"].endswith("/docs/handbook.md")


def test_an_untrue_answer_is_not_told(ask):
    lie = lambda call: f"Refunds take nine working days [{number_of(call, 'five working')}]."  # noqa: E731
    ran = ask("handbook", "How long do refunds take?", says=lie)
    assert ran.code == 0
    assert ran.out.startswith("Not in the documents.")
    assert "nine" not in ran.out
    assert "docs/handbook.md" in ran.out


def test_what_is_not_there_asks_nobody(ask):
    ran = ask("handbook", "Which planet has rings?")
    assert ran.out.startswith("Not in the documents.")
    assert not ask.asked


def test_nothing_leaves_the_machine_with_local(ask):
    ran = ask("handbook", "How long do refunds take?", "--local")
    assert ran.code == 4
    assert "must stay on your machines" in ran.err
    assert "hint:" in ran.err
    assert not ask.asked


def test_a_base_that_is_not_there_is_named(ask):
    ran = ask("handbok", "How long?")
    assert ran.code == 2
    assert 'there is no knowledge base "handbok"' in ran.err
    assert "did you mean handbook?" in ran.err


def test_an_empty_question_is_none(ask):
    ran = ask("handbook", "  ")
    assert ran.code == 2
    assert "there is no question" in ran.err
