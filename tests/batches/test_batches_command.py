"""`headgate agents run … --batch`, as a person uses it: money, forecasts, bad inputs, what it says and how it ends."""

import json

import pytest
from batch_shell import NANO

from headgate.testing import AnthropicDouble

PAID = """
[engines.anthropic]
kind = "anthropic"
url = "{claude}"
key = "env:TEST_KEY"

[models.claude]
engine = "anthropic"
id = "claude-sonnet-5-5"
label = "stand-in"
price = {{ input = 1000, output = 5000 }}

[agents.unsure]
system = "Classify this support email as billing, technical, feature-request or escalation."
labels = ["billing", "technical", "feature-request", "escalation"]
try = ["nano", "claude"]
threshold = 0.9999999
max_tokens = 12

[agents.letter]
system = "Write a letter."
input = "Dear {{client}}, about {{matter}}"
"""


@pytest.fixture
def claude(shell):
    pytest.importorskip("xllamacpp")
    with AnthropicDouble(answer="billing").in_thread() as double:
        shell.write(NANO + PAID.format(claude=double.url))
        yield double


def letters(many):
    return [f"I was charged twice for order {n}." for n in range(many)]


def test_a_budget_ends_the_paying_and_what_needed_more_is_incomplete(shell, claude):
    shell.items(letters(40))
    said = shell(*shell.batch("--budget", "1.00", "--json", agent="unsure"))
    assert said.code == 1, said.err
    lines = shell.results()
    assert len(lines) == 40
    paid = [line for line in lines if line["cost"]]
    assert paid
    assert all(line["status"] == "escalated" and line["model"] == "claude" for line in paid)
    assert len(claude.calls) == len(paid)
    assert 0.8 < sum(line["cost"] for line in paid) <= 1.0
    others = [line for line in lines if not line["cost"]]
    assert {line["status"] for line in others} == {"incomplete"}
    assert all(line["reason"].startswith("the budget of $1.00 is used up") for line in others)
    summary = said.events[-1]
    assert summary["over_budget"]
    assert summary["cost"] == pytest.approx(sum(line["cost"] for line in paid))
    assert summary["next"] == [
        "headgate agents run unsure --batch in.jsonl --out results.jsonl --retry incomplete --budget 2"
    ]
    again = shell(*shell.batch("--budget", "1.00", agent="unsure"))
    assert len(claude.calls) == len(paid), "what was spent before counts"
    assert "0 items answered now" in again.out
    more = shell(*shell.batch("--budget", "2.00", "--retry", "incomplete", agent="unsure"))
    assert "cost $1." in more.out
    assert sum(line["cost"] for line in shell.results()) <= 2.0
    assert len(claude.calls) > len(paid)


def test_a_local_batch_pays_nobody(shell, claude):
    shell.items(letters(5))
    said = shell(*shell.batch("--local", agent="unsure"))
    assert not claude.calls
    assert len(shell.results()) == 5
    assert said.code == 1
    assert "incomplete 5" in said.out or "failed 5" in said.out


def test_a_dry_run_calls_no_model_and_says_what_it_rests_on(shell, claude):
    shell.items([*letters(9), 7])
    said = shell(*shell.batch("--dry-run", "--json", agent="unsure"))
    assert said.code == 0, said.err
    told = json.loads(said.out)
    assert (told["items"], told["asked"], told["bad"]) == (10, 9, 1)
    nano, paid = told["models"]
    assert (nano["items"], nano["cost"]) == ([9, 9], [0.0, 0.0])
    assert paid["items"] == [0, 9]
    assert "nobody knows how many nano leaves over" in paid["rests_on"]
    each = told["tokens_in"] / 9 * 1000 / 1e6 + 12 * 5000 / 1e6
    assert told["cost"][0] == 0
    assert told["cost"][1] == pytest.approx(9 * each, rel=0.02)
    assert not claude.calls
    assert not (shell.home / "results.jsonl").exists()
    shown = shell(*shell.batch("--dry-run", agent="unsure")).out
    assert "9 of 10 items of in.jsonl would be asked; no model was" in shown
    assert "not measured: headgate models bench nano" in shown


def test_a_dry_run_of_a_batch_that_began_goes_by_what_it_has_seen(shell, claude):
    shell.items(letters(25))
    shell(*shell.batch(agent="unsure"))
    calls = len(claude.calls)
    shell.items(letters(125))
    told = json.loads(shell(*shell.batch("--dry-run", "--json", agent="unsure")).out)
    assert (told["there"], told["asked"]) == (25, 100)
    assert told["models"][1]["items"] == [100, 100], "all of them went to claude so far"
    assert "100% of the results so far came to it" in told["models"][1]["rests_on"]
    assert len(claude.calls) == calls


def test_bad_items_are_named_and_the_others_are_answered(shell, claude):
    (shell.home / "in.csv").write_text("id,text\n1,I was charged twice.\n2,too,many\n3,The app crashes.\n")
    said = shell(*shell.batch(inputs="in.csv"))
    assert said.code == 1
    assert [line["status"] for line in shell.results()] == ["ok", "failed", "ok"]
    assert "failed: in.csv:3: a row of 3 fields, and the header has 2" in said.out
    assert "next: headgate agents run kind --batch in.csv --out results.jsonl --retry failed" in said.out
    assert [line["id"] for line in shell.results()] == ["1", "", "3"]


def test_an_input_that_lacks_a_field_of_the_template_fails_alone(shell, claude):
    shell.items([{"client": "Acme", "matter": "x"}, {"client": "Acme"}, "a text"])
    said = shell(*shell.batch(agent="letter"))
    lines = shell.results()
    assert lines[0]["output"], lines[0]
    assert [line["status"] for line in lines[1:]] == ["failed", "failed"]
    assert "the input has no matter" in lines[1]["reason"]
    assert "the input has no client and no matter" in lines[2]["reason"]
    assert "in.jsonl:2" in said.out


def test_an_empty_item_fails_and_gets_no_label(shell, claude):
    shell.items(["", {}, {"input": None}, {"subject": "", "body": " "}, {"subject": "", "body": "Wrong."}])
    said = shell(*shell.batch())
    assert said.code == 1
    results = shell.results()
    assert [line["status"] for line in results] == ["failed"] * 4 + ["ok"]
    assert {line["reason"] for line in results[:4]} == {"the input is empty; give a text"}
    assert not any(line["requests"] for line in results[:4]), "nobody was asked"


def test_a_folder_of_mails_is_a_batch(shell, claude):
    mails = shell.home / "mails"
    mails.mkdir()
    (mails / "a.eml").write_bytes(b"Subject: Invoice\nFrom: a@example.com\n\nI was charged twice.\n")
    (mails / "b.txt").write_text("The app crashes.")
    (mails / "again").symlink_to(mails)
    said = shell(*shell.batch(inputs="mails"))
    lines = shell.results()
    assert [line["source"] for line in lines] == ["mails/a.eml", "mails/again", "mails/b.txt"]
    assert [line["label"] for line in lines] == ["billing", "", "technical"]
    assert said.code == 1, said.out


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (("kind", "--batch", "in.jsonl"), "a batch needs a file for its results"),
        (("kin", "--batch", "in.jsonl", "--out", "r.jsonl"), 'there is no agent "kin"'),
        (("kind", "--batch", "no.jsonl", "--out", "r.jsonl"), "there is no no.jsonl"),
        (("kind", "--batch", "in.jsonl", "--out", "in.jsonl"), "in.jsonl line 1 is no result of a batch"),
        (("kind", "--batch", "in.jsonl", "--out", "/dev/null"), "/dev/null is no file"),
        (("kind", "--batch", "in.jsonl", "--out", "."), ". is no file"),
        (("kind", "--batch", "in.jsonl", "--out", "no/folder/r.jsonl"), "No such file or directory"),
        (("kind", "--batch", "in.jsonl", "--out", "r.jsonl", "--explain"), "--explain is for single inputs"),
    ],
)
def test_what_cannot_be_is_said_before_anybody_is_asked(shell, claude, words, wrong):
    shell.items([{"text": "a"}])
    said = shell("agents", "run", *words)
    assert said.code != 0
    assert wrong in said.err
    assert shell.home.joinpath("in.jsonl").read_text() == '{"text": "a"}\n'


def test_an_empty_input_is_said_to_be_one(shell, claude):
    shell.items([])
    said = shell(*shell.batch())
    assert said.code == 2
    assert "there is nothing in in.jsonl" in said.err
    shell.items(letters(2))
    assert shell(*shell.batch()).code == 0
    shell.items([])
    assert shell(*shell.batch()).code == 2
    assert len(shell.results()) == 2, "an export that went wrong takes no results with it"


def test_an_agent_below_its_bar_begins_only_with_a_yes(shell, claude):
    page = (shell.home / "headgate.toml").read_text()
    tests = 'bar = 0.9\ntests = [{input = "I was charged twice.", output = "escalation"}, {input = "The app crashes.", output = "technical"}]\n'
    shell.write(page.replace("[agents.kind]\n", f"[agents.kind]\n{tests}"))
    shell.items(letters(2))
    untested = shell(*shell.batch())
    assert untested.code == 0, untested.err
    assert "note: kind has a bar of 90%, but was not tested" in untested.err
    tested = shell("agents", "test", "kind")
    assert tested.code in (0, 1, 5), tested.err
    refused = shell(*shell.batch(out="more.jsonl"))
    assert refused.code == 2
    assert "kind is below its bar of 90%" in refused.err
    assert not (shell.home / "more.jsonl").exists()
    assert shell(*shell.batch("--yes", out="more.jsonl")).code == 0


def test_when_the_models_are_gone_the_batch_ends_and_says_how_far_it_is(shell):
    shell.write(
        NANO.replace('kind = "llamacpp"', 'kind = "ollama"\nurl = "http://127.0.0.1:9"').replace(
            'id = "headgate-nano"', 'id = "headgate-nano"\ncontext = 512'
        )
    )
    shell.items(letters(200))
    said = shell(*shell.batch("--json"))
    assert said.code == 4, said.err
    assert "25 items in a row got no answer" in said.err
    assert said.events[-1]["event"] == "ended"
    assert 25 <= len(shell.results()) <= 25 + 8
    assert f"{len(shell.results())} items have a result in results.jsonl" in said.err


def test_the_same_input_by_another_name_is_the_same(shell, claude):
    shell.items(letters(3))
    assert shell(*shell.batch()).code == 0
    again = shell(*shell.batch(inputs="./in.jsonl"))
    assert again.code == 0, again.err
    assert "3 had a result" in again.out
    shell.items(letters(3), "other.jsonl")
    other = shell(*shell.batch(inputs="other.jsonl"))
    assert other.code == 2
    assert "results.jsonl holds the results of in.jsonl, not of other.jsonl" in other.err
    moved = shell.home / "moved"
    moved.mkdir()
    for name in ("in.jsonl", "results.jsonl", "results.jsonl.batch"):
        (shell.home / name).rename(moved / name)
    there = shell(*shell.batch(inputs="moved/in.jsonl", out="moved/results.jsonl"))
    assert "3 had a result" in there.out, there.err


def test_a_budget_too_small_for_one_answer_pays_for_none(shell, claude):
    shell.items(letters(3))
    said = shell(*shell.batch("--budget", "0.01", agent="unsure"))
    assert not claude.calls
    assert said.code == 1
    assert "incomplete 3" in said.out
    assert "the budget is used up" in said.out


def test_an_agent_that_is_told_otherwise_does_not_mix_its_answers_with_the_earlier_ones(shell, claude):
    shell.items(letters(2))
    assert shell(*shell.batch()).code == 0
    page = (shell.home / "headgate.toml").read_text()
    shell.write(
        page.replace('system = "Classify this support email as', 'system = "Sort this support email into')
    )
    said = shell(*shell.batch())
    assert said.code == 2
    assert "results.jsonl holds results of another version of kind" in said.err
    assert len(shell.results()) == 2
