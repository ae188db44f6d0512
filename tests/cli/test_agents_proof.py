"""`headgate agents test` and `new`: tests are added, run over each model, and told; the bar; what paid models cost before they are asked."""

import json
import os
import pty
import re
import select
import subprocess
import sys
import tomllib

import pytest

from headgate.cli.agents_bar import check_bar
from headgate.config.load import load_config
from headgate.ledger.trials import newest_trials
from headgate.testing import AnthropicDouble

pytest.importorskip("xllamacpp")

PAGE = """
[engines.embedded]
kind = "llamacpp"

[engines.anthropic]
kind = "anthropic"
url = "{claude}"
key = "env:TEST_KEY"

[models.nano]
engine = "embedded"
id = "headgate-nano"
context = 2048

[models.claude]
engine = "anthropic"
id = "claude-sonnet-5-5"

[[routes]]
name = "everything"
try = ["nano", "claude"]

[ledger]
path = "{home}/ledger.db"
flush = "20ms"
"""

TESTS = [
    ("I was charged twice this month.", "billing"),
    ("Please send me the invoice for May.", "billing"),
    ("My card was billed after I cancelled.", "billing"),
    ("What does the pro plan cost?", "billing"),
    ("The app crashes when I log in.", "technical"),
    ("I get error 500 on upload.", "technical"),
    ("How do I reset my password?", "technical"),
    ("The export button does nothing.", "technical"),
    ("It would be great to have a dark mode.", "feature-request"),
    ("Please add an export to Excel.", "feature-request"),
    ("Your price list is out of date.", "billing"),
    ("My lawyer will contact you.", "escalation"),
]


@pytest.fixture
def desk(shell):
    with AnthropicDouble(
        answer=json.dumps({"category": "escalation", "reason": "anger"})
    ).in_thread() as claude:
        shell.claude = claude
        shell.write(PAGE.format(claude=claude.url, home=shell.home))
        (shell.home / "tests.jsonl").write_text(
            "".join(json.dumps({"input": given, "output": label}) + "\n" for given, label in TESTS)
        )
        yield shell


@pytest.fixture
def triage(desk):
    """The desk with a triage of its own, that has tests."""
    assert desk("agents", "new", "--from", "triage", "--models", "nano,claude").code == 0
    return desk


def page_of(desk, name):
    return tomllib.loads((desk.home / "agents" / f"{name}.toml").read_text())


# ── test ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_proof_tells_accuracy_speed_confusion_and_what_a_threshold_would_do_in_80_columns(triage):
    ran = triage("agents", "test", "triage", "--add", "tests.jsonl")
    assert ran.code == 0, ran.err
    assert "12 tests added to" in ran.err
    assert "claude costs money and is not asked; --paid asks it, for about $0.0" in ran.err
    assert not triage.claude.calls
    assert re.search(r"^nano +\d+ of 12 +\d+% +\d+%-\d+% +100% +\d+ms +\d+ms +free$", ran.out, re.MULTILINE)
    assert re.search(r"more would have gone on to claude, which was not asked", ran.out)
    assert re.search(r"^billing +\d", ran.out, re.MULTILINE)
    assert re.search(r"^ +0\.60 .*<- its own$", ran.out, re.MULTILINE)
    assert "12 tests leave it between" in ran.out
    assert "add 20-50 more with --add FILE" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80


def test_what_was_found_is_kept_as_a_trial_and_shown(triage):
    told = triage("agents", "test", "triage", "--add", "tests.jsonl", "--json").json
    (nano,) = told["models"]
    trial = newest_trials(triage.home / "ledger.db")["triage", "nano"]
    assert (trial.n, trial.right, trial.failed) == (12, nano["right"], 0)
    assert trial.right + len(nano["wrong"]) == 12
    assert sum(sum(row.values()) for row in trial.confusion.values()) == 12
    assert sum(trial.confusion[label].get(label, 0) for label in trial.confusion) == trial.right
    assert f"nano {trial.accuracy:.0%} → claude" in triage("agents", "list").out
    assert f"{trial.accuracy:.0%} of 12" in triage("agents", "show", "triage").out
    page = triage.home / "agents" / "triage.toml"
    page.write_text(page.read_text().replace("Sort this", "Please sort this"))
    assert "never tested as it is now" in triage("agents", "show", "triage").out


def test_tests_cost_what_they_cost_and_save_nothing(triage):
    assert triage("agents", "test", "triage", "--add", "tests.jsonl", "--yes").code == 0
    report = triage("report", "--json").json
    assert report["requests"] == 24
    assert report["cost"] > 0
    assert (report["savings"]["requests"], report["savings"]["unknown"]) == (0, 24)


def test_with_a_yes_paid_models_are_asked_and_the_chain_is_what_its_models_make_of_it(triage):
    told = triage("agents", "test", "triage", "--add", "tests.jsonl", "--paid", "--json")
    assert "12 tests of claude: about $0.0" in told.err
    nano, claude = told.json["models"]
    assert len(triage.claude.calls) == 12
    assert claude["right"] == 1
    assert claude["cost"] > 0
    chain = told.json["whole_chain"]
    assert chain["beyond"] == 0
    assert chain["n"] == 12
    unsure = 12 - next(row["kept"] for row in nano["thresholds"] if row["threshold"] == 0.6)
    assert chain["escalated"] == unsure
    assert 0 < unsure < 12
    assert chain["cost"] == pytest.approx(claude["cost"] * unsure / 12, rel=0.2)
    assert newest_trials(triage.home / "ledger.db")["triage", ""].right == chain["right"]


def test_the_chain_answers_in_earnest_as_it_was_counted(triage):
    counted = triage("agents", "test", "triage", "--add", "tests.jsonl", "--paid", "--json").json[
        "whole_chain"
    ]
    (triage.home / "mails.csv").write_text("input\n" + "".join(f'"{given}"\n' for given, _ in TESTS))
    ran = triage("agents", "run", "triage", "mails.csv", "--json")
    runs = [json.loads(line) for line in ran.out.splitlines()]
    assert sum(run["status"] == "escalated" for run in runs) == counted["escalated"]
    right = [run["label"] == label for run, (_, label) in zip(runs, TESTS, strict=True)]
    assert sum(right) == counted["right"]


def test_a_second_proof_finds_what_the_first_one_found(triage):
    twice = "".join(
        json.dumps({"input": given + mark, "output": label}) + "\n"
        for given, label in TESTS
        for mark in ("", " Please.")
    )
    (triage.home / "twice.jsonl").write_text(twice)
    first = triage("agents", "test", "triage", "--add", "twice.jsonl", "--json").json["models"][0]
    again = triage("agents", "test", "triage", "--json").json["models"][0]
    assert first["temperature"] != 1.0
    assert again["temperature"] == pytest.approx(first["temperature"], rel=0.02)
    assert again["ece"] == pytest.approx(first["ece"], abs=0.01)


def test_below_the_bar_the_exit_code_says_so(triage):
    page = triage.home / "agents" / "triage.toml"
    page.write_text(page.read_text().replace("threshold = 0.6", "threshold = 0.6\nbar = 0.99"))
    ran = triage("agents", "test", "triage", "--add", "tests.jsonl")
    assert ran.code == 5
    assert re.search(r"nano is below its bar of 99% with \d+%", ran.out)
    page.write_text(page.read_text().replace("bar = 0.99", "bar = 0.1"))
    assert triage("agents", "test", "triage").code == 0


def test_models_that_do_not_answer_are_named_and_leave_no_trial(triage):
    triage("agents", "test", "triage", "--add", "tests.jsonl", "--first", "1")
    triage.claude.answer = "this is no JSON"
    ran = triage("agents", "test", "triage", "--models", "claude", "--yes")
    assert ran.code == 4
    assert ran.err.rstrip().rpartition("error: ")[2].startswith("triage was not tested: ")
    assert newest_trials(triage.home / "ledger.db") == {}


def test_tests_go_where_the_agent_has_its_tests_and_no_test_twice(triage):
    assert triage("agents", "test", "triage", "--add", "tests.jsonl", "--first", "1").code == 0
    assert page_of(triage, "triage")["tests"] == "triage.tests.jsonl"
    kept = triage.home / "agents" / "triage.tests.jsonl"
    assert len(kept.read_text().splitlines()) == 12
    (triage.home / "more.csv").write_text(
        "input,output\n" + f"{TESTS[0][0]},billing\n" + '"Fix it, now!",escalation\n'
    )
    ran = triage("agents", "test", "triage", "--add", "more.csv", "--first", "1")
    assert "1 test added to" in ran.err
    assert "1 were there already" in ran.err
    assert json.loads(kept.read_text().splitlines()[-1]) == {"input": "Fix it, now!", "output": "escalation"}


@pytest.mark.parametrize(
    ("tests", "where"),
    [
        ("", "kind.tests.jsonl"),
        ('tests = "mine.csv"', "mine.csv"),
        ('tests = "mine.jsonl"', "mine.jsonl"),
        ('[[agents.kind.tests]]  # the first\ninput = "It hurts"\noutput = "technical"', "headgate.toml"),
    ],
)
def test_an_agent_of_the_page_gets_its_tests_in_its_own_way(desk, tests, where):
    page = desk.home / "headgate.toml"
    agent = f'\n[agents.kind]\nsystem = "Sort it."\nlabels = ["billing", "technical"]\n{tests}\n'
    page.write_text(page.read_text() + agent)
    (desk.home / "mine.csv").write_text("output,input\ntechnical,It hurts\n")
    (desk.home / "mine.jsonl").write_text('{"input": "It hurts", "output": "technical"}')
    (desk.home / "more.csv").write_text('input,output\n"Too dear, ""really""",billing\nIt hurts,technical\n')
    ran = desk("agents", "test", "kind", "--add", "more.csv", "--first", "1", "--models", "nano")
    assert f"added to {desk.home / where}" in ran.err, ran.err
    shown = desk("agents", "show", "kind", "--json").json["tests"]
    given = [(test["given"], test["output"]) for test in shown]
    assert sorted(given) == [("It hurts", "technical"), ('Too dear, "really"', "billing")]
    assert ("# the first" in page.read_text()) is ("# the first" in tests)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"input": "x", "output": "bill"}', "bill"),
        ('{"input": "x"}', "output"),
        ("not json", "more.jsonl, line 2"),
    ],
)
def test_tests_that_do_not_fit_change_nothing(triage, line, said):
    page = triage.home / "agents" / "triage.toml"
    before = page.read_text()
    (triage.home / "more.jsonl").write_text(f'{{"input": "y", "output": "billing"}}\n{line}\n')
    ran = triage("agents", "test", "triage", "--add", "more.jsonl")
    assert ran.code in (2, 3)
    assert said in ran.err
    assert page.read_text() == before
    assert [file.name for file in page.parent.iterdir()] == ["triage.toml"]


# ── new ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_subagent_is_made_from_options_and_works_at_once(desk):
    ran = desk(
        "agents",
        "new",
        "mood",
        "--system",
        'Sort this support e-mail\ninto "one" category.',
        "--labels",
        "billing,technical",
        "--models",
        "nano",
    )
    assert ran.code == 0, ran.err
    page = page_of(desk, "mood")
    assert page["system"].strip() == 'Sort this support e-mail\ninto "one" category.'
    assert (page["labels"], page["try"], page["task"]) == (
        ["billing", "technical"],
        ["nano"],
        "classification",
    )
    answered = desk("agents", "run", "mood", "-i", "I was charged twice.", "--local")
    assert answered.out.strip() in ("billing", "technical")


def at_a_terminal(desk, args, answers):
    """What a person sees who types these answers, each when a question stands there."""
    ours, theirs = pty.openpty()
    order = [sys.executable, "-m", "headgate", *args]
    program = subprocess.Popen(order, cwd=desk.home, env=desk.env, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen, asked, left = "", "", list(answers)
    while True:
        ready, _, _ = select.select([ours], [], [], 30)
        assert ready, f"nothing more came after {seen!r}"
        try:
            piece = os.read(ours, 65536).decode()
        except OSError:
            break
        if not piece:
            break
        seen, asked = seen + piece, asked + piece
        if left and asked.endswith((": ", "]: ")):
            os.write(ours, f"{left.pop(0)}\n".encode())
            asked = ""
    os.close(ours)
    return program.wait(), seen


def test_on_a_terminal_it_asks_what_the_agent_does_and_writes_that_down(desk):
    answers = [
        *("spam", "Say whether this mail is spam.", "labels", "spam, ham", "unwanted mail", ""),
        *("Buy now!", "spam", "", "nano"),
    ]
    code, seen = at_a_terminal(desk, ["agents", "new"], answers)
    assert code == 0, seen
    page = page_of(desk, "spam")
    assert page["system"] == "Say whether this mail is spam."
    assert page["labels"] == {"spam": "unwanted mail", "ham": ""}
    assert page["examples"] == [{"input": "Buy now!", "output": "spam"}]
    assert page["try"] == ["nano"]
    assert "headgate agents run spam" in seen
    told = desk("agents", "show", "spam", "--json").json["prompt"][0]["content"]
    assert "spam: unwanted mail" in told
    assert "ham:" not in told.replace("spam:", "")


def test_an_answer_that_cannot_be_is_asked_for_again_and_none_before_it_is_lost(desk):
    answers = [
        *("a bill", "bill", "Read the bill.", "fields", "name, sum"),
        *("Bill of 3 EUR", "", "3 EUR", "", "nanno", "nano"),
    ]
    code, seen = at_a_terminal(desk, ["agents", "new"], answers)
    assert code == 0, seen
    assert "use letters, digits and dashes" in seen
    assert 'did you mean "nano"?' in seen
    assert page_of(desk, "bill")["try"] == ["nano"]
    shown = desk("agents", "show", "bill", "--json").json
    assert shown["examples"][0]["output"] == {"name": None, "sum": "3 EUR"}


def test_on_a_terminal_paid_models_are_asked_after_a_question_with_the_sum(triage):
    order = ["agents", "test", "triage", "--add", "tests.jsonl"]
    code, seen = at_a_terminal(triage, order, ["n"])
    assert (code, len(triage.claude.calls)) == (0, 0)
    assert re.search(r"12 tests of claude will cost about \$0\.\d+\. Ask them\? \[y/N\]: n", seen)
    code, _ = at_a_terminal(triage, order, ["y"])
    assert (code, len(triage.claude.calls)) == (0, 12)


def test_a_schema_in_a_file_is_found_from_the_agents_own_place(desk):
    (desk.home / "bill.json").write_text('{"type": "object", "properties": {"sum": {"type": "number"}}}')
    ran = desk("agents", "new", "bill", "--system", "Read the bill.", "--schema", "bill.json")
    assert ran.code == 0, ran.err
    assert page_of(desk, "bill")["schema"] == "../bill.json"
    assert desk("agents", "show", "bill", "--json").json["schema"]["properties"] == {
        "sum": {"type": "number"}
    }


def test_a_copy_is_the_users_own_and_wins_over_what_is_built_in(desk):
    ran = desk("agents", "new", "--from", "triage", "--system", "Sort it.", "--json")
    assert ran.json == {"agent": "triage", "file": str(desk.home / "agents" / "triage.toml")}
    shown = desk("agents", "show", "triage", "--json").json
    assert (shown["system"], shown["builtin"], shown["threshold"]) == ("Sort it.", False, 0.6)


@pytest.mark.parametrize(
    ("args", "said", "hint"),
    [
        (["one"], "there is nobody to ask", "--from triage"),
        (["one", "--system", "x", "--labels", "a"], "at least two labels", "add the other labels"),
        (["one", "--system", "x", "--task", "sorting"], '"sorting" is not one of the words for task', ""),
        (["a/b", "--system", "x"], '"a/b" cannot name an agent', "letters"),
        (["one", "--from", "triag"], 'there is no agent "triag"', 'did you mean "triage"?'),
        (["one", "--system", "x", "--models", "nan"], 'there is no model "nan"', "nano"),
        (["one", "--system", "x", "--schema", "gone.json"], "there is no file gone.json", ""),
        (
            ["one", "--from", "triage", "--labels", "a,b"],
            "a copy has the form of what it copies",
            "leave out",
        ),
    ],
)
def test_what_cannot_be_made_is_said_and_leaves_nothing_behind(desk, args, said, hint):
    ran = desk("agents", "new", *args)
    assert ran.code in (2, 3)
    assert said in ran.err.partition("hint:")[0]
    assert hint in ran.err.partition("hint:")[2]
    assert not list((desk.home / "agents").glob("*"))


def test_a_file_that_is_there_is_written_over_only_with_force(desk):
    assert desk("agents", "new", "--from", "triage").code == 0
    again = desk("agents", "new", "triage", "--system", "Other.")
    assert (again.code, "--force" in again.err) == (2, True)
    assert desk("agents", "new", "triage", "--system", "Other.", "--labels", "a,b", "--force").code == 0
    broken = desk("agents", "new", "triage", "--system", "Third.", "--labels", "a", "--force")
    assert broken.code == 3
    assert page_of(desk, "triage")["system"] == "Other.", "what does not load does not replace what does"


def test_without_a_page_an_agent_has_no_place(desk):
    (desk.home / "headgate.toml").unlink()
    ran = desk("agents", "new", "one", "--system", "x")
    assert (ran.code, "headgate init writes one" in ran.err) == (2, True)


# ── The bar before a batch ───────────────────────────────────────────────────────────────────────────────────────────


def standing(desk, name="triage"):
    config = load_config(str(desk.home / "headgate.toml"))
    return check_bar(config, config.policy.agents[name], newest_trials(config.ledger.path))


def test_before_a_batch_the_newest_trial_is_held_against_the_bar(triage):
    page = triage.home / "agents" / "triage.toml"
    assert standing(triage).standing == "no bar"
    assert "never tested" in standing(triage).sentence
    page.write_text(page.read_text().replace("threshold = 0.6", "threshold = 0.6\nbar = 0.99"))
    untested = standing(triage)
    assert (untested.standing, untested.asks, untested.refuses) == ("untested", True, False)
    assert "--add FILE" in untested.hint
    assert triage("agents", "test", "triage", "--add", "tests.jsonl").code == 5
    below = standing(triage)
    assert (below.standing, below.asks, below.refuses) == ("below", False, True)
    assert re.fullmatch(r"triage is below its bar of 99%: nano was right in \d+% of 12 tests", below.sentence)
    page.write_text(page.read_text().replace("bar = 0.99", "bar = 0.2"))
    above = standing(triage)
    assert (above.standing, above.asks, above.refuses, above.accuracy) == (
        "above",
        False,
        False,
        below.accuracy,
    )
    page.write_text(page.read_text().replace("Sort this", "Sort now this"))
    assert standing(triage).standing == "untested", "told otherwise, it is another agent"


def test_the_chain_counts_where_it_was_tested_as_a_whole(triage):
    page = triage.home / "agents" / "triage.toml"
    page.write_text(page.read_text().replace("threshold = 0.6", "threshold = 0.6\nbar = 0.2"))
    triage("agents", "test", "triage", "--add", "tests.jsonl", "--paid")
    assert "its chain was right in" in standing(triage).sentence
    page.write_text(page.read_text().replace('"nano", "claude"', '"claude", "nano"'))
    assert "claude was right in 8% of 12 tests" in standing(triage).sentence
