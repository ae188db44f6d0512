"""`headgate models bench` as a person runs it: cards that are kept whole or not at all, and the errors of a first try."""

import signal
from dataclasses import replace

import pytest

from headgate.ledger.cards import newest_cards
from headgate.testing import Answer, Fault

EMBEDDED = """
[engines.embedded]
kind = "llamacpp"

[models.nano]
engine = "embedded"
id = "headgate-nano"
context = 1024

[models.embed]
engine = "embedded"
id = "headgate-embed"
kind = "embedding"

[[routes]]
name = "everything"
try = ["nano"]

[ledger]
path = "{home}/ledger.db"
"""


def kept(shell):
    return newest_cards(shell.home / "ledger.db")


@pytest.fixture
def local(world):
    """The world, with its ledger where a test finds it."""
    page = (world.shell.home / "headgate.toml").read_text()
    world.shell.write(page.replace("[ledger]", f'[ledger]\npath = "{world.shell.home}/ledger.db"'))
    return world


def test_real_models_get_cards_that_are_kept_shown_and_reported(shell):
    pytest.importorskip("xllamacpp")
    shell.write(EMBEDDED.format(home=shell.home))
    said = shell("models", "bench", "--all", "--json")
    assert said.code == 0, said.err
    nano, embed = said.json["cards"]
    assert (nano["model"], nano["engine"], nano["id"]) == ("nano", "embedded", "headgate-nano")
    assert nano["tasks"]["classification"]["passed"] >= 3
    assert nano["tasks"]["code"] == {"passed": 0, "of": 7}
    assert nano["speed"] > 0
    assert (embed["model"], embed["dimensions"], embed["tasks"]) == ("embed", 64, {})
    assert "nano: exam: classification" in said.err
    cards = kept(shell)
    assert set(cards) == {("embedded", "headgate-nano"), ("embedded", "headgate-embed")}
    assert cards["embedded", "headgate-nano"].measured == nano["measured"]
    report = shell("report").out
    assert "LOCAL MODELS" in report
    assert "headgate-nano (embedded)" in report
    assert "code 0/7" in report


def test_a_quick_measurement_shows_the_speeds_and_keeps_the_exam_of_the_one_before(local):
    shell = local.shell
    assert shell("models", "bench", "llama").code == 0
    before = kept(shell)["ollama", "llama3.1:8b"]
    said = shell("models", "bench", "llama", "--quick")
    assert said.code == 0, said.err
    assert said.out.startswith("llama: llama3.1:8b on ollama\n")
    assert "tokens/s" in said.out
    assert "exam: " not in said.err
    after = kept(shell)["ollama", "llama3.1:8b"]
    assert after.measured > before.measured
    assert after.tasks == before.tasks
    assert after.tasks["code"].passed == 0
    assert shell("log", "--json").out == ""


def test_a_card_is_made_beside_an_open_gate_which_writes_on(local):
    shell = local.shell
    assert shell("up", "-d").code == 0
    try:
        said = shell("models", "bench", "llama", "--quick")
        assert said.code == 0, said.err
        assert "the gate is open at" in said.err
        assert "loading it anew" not in said.err
        assert shell("ask", "How are you?").code == 0
    finally:
        shell("down")
    assert len(kept(shell)) == 1
    assert len(shell("log", "--json").out.splitlines()) == 1


def test_an_engine_that_is_down_ends_in_code_4_and_no_card(local):
    local.ollama.inject(Fault.refuse())
    said = local.shell("models", "bench", "llama", "--json")
    assert said.code == 4
    assert said.json["cards"] == []
    assert "ollama does not answer" in said.json["failed"][0]["error"]
    assert "error: llama was not measured: ollama does not answer" in said.err
    assert "headgate engines start ollama" in said.err
    plain = local.shell("models", "bench", "llama")
    assert (plain.code, plain.out) == (4, "")
    assert kept(local.shell) == {}


def test_a_model_that_is_not_there_spoils_nothing_for_the_others(local):
    page = (local.shell.home / "headgate.toml").read_text()
    gone = '[models.gone]\nengine = "ollama"\nid = "mistral:7b"\n\n[[routes]]\nname = "long"'
    local.shell.write(page.replace('[[routes]]\nname = "long"', gone))
    said = local.shell("models", "bench", "--all", "--quick")
    assert said.code == 4
    assert "gone was not measured: ollama has no mistral:7b" in said.err
    assert said.out.startswith("llama: ")
    assert "claude" not in said.out
    assert set(kept(local.shell)) == {("ollama", "llama3.1:8b")}


def test_of_a_model_with_several_contexts_one_lane_is_measured(local):
    page = (local.shell.home / "headgate.toml").read_text()
    local.shell.write(page.replace("context = 8192", "context = [4096, 8192]"))
    for names in (("--all",), ("llama@8k", "llama")):
        said = local.shell("models", "bench", *names, "--quick", "--json")
        assert said.code == 0, said.err
        (card,) = said.json["cards"]
        assert (card["model"], card["context"]) == ("llama", 4096)


def test_an_engine_that_goes_away_in_the_middle_leaves_no_card(local):
    def leaves(call):
        if "capital of Portugal" in call.prompt:
            local.ollama.inject(Fault.refuse())
        return "A fine answer from home."

    local.ollama.answer = leaves
    said = local.shell("models", "bench", "llama")
    assert said.code == 4
    assert "llama was not measured" in said.err
    assert kept(local.shell) == {}


def test_stopping_it_in_the_middle_leaves_no_card(local):
    local.ollama.answer = Answer("A fine answer from home.", delay=0.1)
    running = local.shell.start("models", "bench", "llama")
    assert running.stderr is not None
    for line in running.stderr:
        if "exam: tools" in line:
            running.send_signal(signal.SIGINT)
            break
    out, err = running.communicate(timeout=30)
    assert running.returncode == 130
    assert out == ""
    assert "error: stopped" in err
    assert kept(local.shell) == {}


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((), ["no model was named", "--all"]),
        (("lama",), ['there is no model "lama"', 'did you mean "llama"?']),
        (("claude",), ["costs money"]),
        (("llama", "--within", "soon"), ['"soon" is not a duration']),
        (("llama", "--within", "0s"), ["must be longer than nothing"]),
    ],
)
def test_a_mistake_of_the_command_line_measures_nothing(local, args, words):
    said = local.shell("models", "bench", *args)
    assert (said.code, said.out) == (2, "")
    for word in words:
        assert word in said.err
    assert not local.ollama.calls


def test_only_what_has_changed_since_is_measured_again(local):
    shell, library = local.shell, local.ollama.models
    assert shell("models", "bench", "--all", "--quick").code == 0
    settled = shell("models", "bench", "--stale", "--json")
    assert (settled.code, settled.json["cards"]) == (0, [])
    assert "every local model has a card that counts" in settled.err
    library["llama3.1:8b"] = replace(library["llama3.1:8b"], revision="another")
    before = kept(shell)["ollama", "llama3.1:8b"]
    again = shell("models", "bench", "--stale", "--quick", "--json")
    assert [card["model"] for card in again.json["cards"]] == ["llama"]
    assert kept(shell)["ollama", "llama3.1:8b"].digest != before.digest
