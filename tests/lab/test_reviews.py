"""`headgate audit review`, `overrule` and `judges`: a person's word on two answers, by keys on a terminal and by scripts without."""

import json
import os
import pty
import re
import select
import signal
import sqlite3
import sys
import time
from contextlib import closing
from itertools import count

import pytest
from click.testing import CliRunner

from headgate.cli.main import command
from headgate.core.audits import Material, Opinion, Said
from headgate.core.judge_errors import Verdicts
from headgate.core.material import material_bytes
from headgate.core.sampled import Sampled
from headgate.core.types import Attempt, Decision, Message, Outcome, Request, Signals
from headgate.lab.reviewing import local_first, reviews
from headgate.ledger.facts import count_facts
from headgate.ledger.opinions import give_opinion, read_opinions
from headgate.ledger.queries import LedgerReader
from headgate.ledger.writer import LedgerWriter
from prepared_python import headgate

PAGE = """
[engines.home]
kind = "ollama"
url = "http://127.0.0.1:9"

[models.llama]
engine = "home"
id = "llama3.1:8b"

[[routes]]
name = "all"
try = ["llama"]

[ledger]
path = "{ledger}"
"""
LATE = 4_000_000_000.0
NUMBERS = count(1)


def outcome(kind, local, paid, *, answered=None, before=()):
    """An answered request that was chosen for an audit, with what is kept for it."""
    id_ = f"{next(NUMBERS):019x}"
    compared = [
        Said(model=model, local=model == "llama", text=text)
        for model, text in (("llama", local), ("claude", paid))
        if text is not None
    ]
    said = (*before, *compared)
    winner = answered or ("claude" if kind == "fallback" else "llama")
    material = Material(
        id=id_,
        kind=kind,
        request=Request(id=id_, asked="auto", messages=(Message("user", "What is the plan?"),)),
        task="qa",
        route="all",
        chain=("llama", "claude"),
        said=said,
        answered=winner,
        pass_at=0.6,
        checks=(),
    )
    return Outcome(
        id=id_,
        received=time.time() - 60 + next(NUMBERS) / 1000,
        asked="auto",
        stream=False,
        signals=Signals(task="qa", task_confidence=0.9, task_by="rules", tokens=5, tokens_exact=False),
        decision=Decision(
            route="all",
            why="",
            candidates=(),
            checks=(),
            pass_at=0.6,
            mode="hold",
            within=60.0,
            attempts_at_most=2,
        ),
        attempts=(Attempt(model=winner, started=0.0, ended=1.0),),
        status="ok",
        model=winner,
        fallback="quality check failed" if kind == "fallback" else None,
        seconds=1.0,
        cost=0.01,
        baseline="claude",
        baseline_cost=0.01,
        audit=Sampled(kind, 0.25, LATE, material_bytes(material)),
    )


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("HEADGATE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("USER", "anna")
    monkeypatch.setenv("LOGNAME", "anna")
    page = tmp_path / "headgate.toml"
    page.write_text(PAGE.format(ledger=tmp_path / "ledger.db"))
    return page


@pytest.fixture
def keep(config):
    """Writes requests into the ledger; their ids."""

    def kept(*outcomes):
        writer = LedgerWriter(config.parent / "ledger.db")
        writer.start()
        for one in outcomes:
            writer.put(one)
        writer.close()
        return [one.id for one in outcomes]

    return kept


def run(*args, config):
    return CliRunner().invoke(command, [*args, "--config", str(config)], catch_exceptions=True)


def audits(config):
    query = (
        "SELECT r.id, v.text, j.text, a.probability FROM audits a JOIN requests r ON r.n = a.request "
        "JOIN names v ON v.id = a.verdict JOIN names j ON j.id = a.judge"
    )
    with closing(sqlite3.connect(config.parent / "ledger.db")) as db:
        return {id_: (verdict, judge, chance) for id_, verdict, judge, chance in db.execute(query)}


def states(config):
    with closing(sqlite3.connect(config.parent / "ledger.db")) as db:
        return [state for (state,) in db.execute("SELECT state FROM audit_jobs ORDER BY n")]


class Terminal:
    """A person's terminal with `headgate audit review` in it."""

    def __init__(self, config, *args):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ |= {"TERM": "xterm", "COLUMNS": "120", "LINES": "40", "PAGER": "cat"}
            line = [sys.executable, "-m", "headgate", "audit", "review", "--config", str(config), *args]
            os.execv(sys.executable, line)
        self.seen = ""

    def until(self, words, patience=30.0):
        """Read until some words have come."""
        end = time.monotonic() + patience
        start = len(self.seen)
        while words not in self.seen[start:]:
            left = end - time.monotonic()
            assert left > 0, f"{words!r} never came; there was {self.seen!r}"
            if select.select([self.fd], [], [], left)[0]:
                try:
                    piece = os.read(self.fd, 65536)
                except OSError:
                    piece = b""
                assert piece, f"it ended before {words!r}; there was {self.seen!r}"
                self.seen += re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", piece.decode("utf-8", "replace"))
        return self.seen[start:]

    def press(self, key, words):
        os.write(self.fd, key.encode())
        return self.until(words)

    def close(self):
        os.close(self.fd)
        if os.waitpid(self.pid, os.WNOHANG) == (0, 0):
            os.kill(self.pid, signal.SIGTERM)
            os.waitpid(self.pid, 0)


@pytest.fixture
def terminal(config):
    made = []

    def opened(*args):
        made.append(Terminal(config, *args))
        return made[-1]

    yield opened
    for one in made:
        one.close()


def key_of(id_, whose):
    return "1" if local_first(id_) == (whose == "local") else "2"


def test_both_answers_are_shown_without_names_until_a_key_is_pressed(config, keep, terminal):
    (id_,) = keep(outcome("fallback", "Go by train", "Take the bus"))
    review = terminal()
    shown = review.until("q: quit")
    assert "Go by train" in shown
    assert "Take the bus" in shown
    assert "What is the plan?" in shown
    assert "llama" not in shown
    assert "claude" not in shown
    told = review.press(key_of(id_, "local"), "1 judged, 0 left")
    assert "was llama (at home)" in told
    assert "was claude (paid)" in told
    assert audits(config) == {id_: ("unnecessary", "person", 250_000)}
    assert states(config) == ["judged"], "nobody else has to look"


@pytest.mark.parametrize(
    "case", [("fallback", "paid", "necessary"), ("local", "local", "good"), ("local", "paid", "missed")]
)
def test_a_key_means_the_answer_that_stands_there(config, keep, terminal, case):
    kind, whose, verdict = case
    ids = keep(*[outcome(kind, "one", "two") for _ in range(3)])
    review = terminal()
    review.until("q: quit")
    newest_first = list(reversed(ids))
    for id_ in newest_first[:2]:
        review.press(key_of(id_, whose), "q: quit")
    review.press(key_of(newest_first[2], whose), "3 judged, 0 left")
    assert {found[0] for found in audits(config).values()} == {verdict}


def test_what_another_model_at_home_answered_is_kept_beside_a_persons_word(config, keep, terminal):
    tiny = Said(model="tiny", local=True, text="none", score=0.25)
    (id_,) = keep(outcome("fallback", "one", "two", before=(tiny,)))
    review = terminal()
    review.until("q: quit")
    review.press(key_of(id_, "local"), "1 judged, 0 left")
    with closing(sqlite3.connect(config.parent / "ledger.db")) as db:
        ((compared, rejected),) = db.execute(
            "SELECT m.name, rejected FROM audits JOIN models m ON m.id = model"
        ).fetchall()
        (tinys,) = db.execute("SELECT id FROM models WHERE name = 'tiny'").fetchone()
    assert (compared, json.loads(rejected)) == ("llama", [[tinys, 2500]])


def test_a_tie_says_that_the_local_answer_is_as_good_and_can_be_undone(config, keep, terminal):
    (first, second) = keep(outcome("fallback", "a", "b"), outcome("fallback", "c", "d"))
    review = terminal()
    review.until("q: quit")
    review.press("=", "q: quit")
    assert audits(config)[second][0] == "unnecessary"
    review.press("u", "q: quit")
    assert audits(config) == {}
    assert states(config) == ["waiting", "waiting"]
    review.press(key_of(second, "paid"), "q: quit")
    assert audits(config)[second][0] == "necessary"
    review.press("s", "1 judged, 0 left")
    assert first not in audits(config)


def test_a_judge_whose_reason_nobody_has_any_more_is_told_without_one(config, keep, terminal):
    keep(outcome("fallback", "a", "b"))
    give_opinion(config.parent / "ledger.db", 1, Opinion(verdict="unclear", judge="local model"), 1.0)
    review = terminal()
    review.until("q: quit")
    told = review.press("=", "1 judged, 0 left")
    assert "before, by local model: unclear" in told
    assert "()" not in told


def test_other_keys_do_nothing_and_q_ends_it(config, keep, terminal):
    keep(outcome("fallback", "a", "b"))
    review = terminal()
    review.until("q: quit")
    review.press("x", "q: quit")
    review.press("q", "0 judged, 1 left")
    assert audits(config) == {}


def test_a_long_answer_is_cut_on_the_screen_and_read_whole_in_a_pager(config, keep, terminal):
    keep(outcome("fallback", "\n".join(f"line {at}" for at in range(200)) + "\nthe very end", "short"))
    review = terminal()
    assert "the very end" not in review.until("q: quit")
    assert "more lines (m)" in review.seen
    assert "the very end" in review.press("m", "q: quit")


def test_what_a_judge_was_unsure_of_comes_first_and_what_a_person_judged_not_again(config, keep):
    old, unsure, judged = keep(*[outcome("fallback", "a", "b") for _ in range(3)])
    path = config.parent / "ledger.db"
    numbers = {one.id: one.n for one in reviews(path, None).pairs}
    give_opinion(path, numbers[judged], Opinion(verdict="unnecessary", judge="person"), 1.0)
    unclear = Opinion(verdict="unclear", judge="local model", by="llama")
    give_opinion(path, numbers[unsure], unclear, 1.0)
    assert [one.id for one in reviews(path, None).pairs] == [unsure, old]
    assert len(reviews(path, None, judged_too=True).pairs) == 3
    assert len(reviews(path, None, limit=1).pairs) == 1
    assert reviews(path, None, kind="local").pairs == ()


def test_verdicts_of_judges_take_turns_and_chance_chooses_among_those_of_one(config, keep):
    """People are to see the few that a judge called bad, not the many that it called good."""
    ids = keep(*[outcome("local", "a", "b") for _ in range(12)])
    path = config.parent / "ledger.db"
    for n, verdict in enumerate(["good"] * 8 + ["missed"] * 2 + ["unclear"], start=1):
        give_opinion(path, n, Opinion(verdict=verdict, judge="local model"), 1.0)
    shown = [one.verdict for one in reviews(path, None).pairs]
    assert shown == ["unclear", "missed", "missed", *["good"] * 8, None], "one waits for a judge"
    good = [ids.index(one.id) for one in reviews(path, None).pairs if one.verdict == "good"]
    assert good not in (sorted(good), sorted(good, reverse=True))
    assert good == [ids.index(one.id) for one in reviews(path, None).pairs if one.verdict == "good"]


def test_a_judges_word_stays_known_where_a_person_overrules_it(config, keep):
    keep(*[outcome("local", "a", "b") for _ in range(4)])
    path = config.parent / "ledger.db"
    for n, judge, verdict in (
        (1, "similarity", "good"),
        (1, "local model", "missed"),
        (1, "person", "good"),
        (2, "local model", "unclear"),
        (2, "person", "missed"),
        (3, "local model", "good"),
        (4, "local model", "good"),
        (4, "caller", "missed"),
    ):
        give_opinion(path, n, Opinion(verdict=verdict, judge=judge), 1.0)
    with LedgerReader(path) as ledger:
        facts = count_facts(ledger, 0.0, LATE)
    told = {one.request: (one.verdict, one.judge, one.judged, one.judged_by) for one in facts.findings}
    assert told == {
        1: ("good", "person", "missed", "local model"),
        2: ("missed", "person", None, ""),
        3: ("good", "local model", None, ""),
        4: ("missed", "caller", "good", "local model"),
    }
    callers, local = facts.confusions["local model"].groups
    assert (local.good, local.bad) == (Verdicts(1, 0, 0), Verdicts(1, 1, 0))
    assert (callers.good, callers.bad) == (Verdicts(1, 1, 0), Verdicts())


def test_a_pair_takes_two_answers(config, keep):
    keep(outcome("fallback", None, "paid"), outcome("local", "home", None))
    assert reviews(config.parent / "ledger.db", None).pairs == ()


def test_off_a_terminal_it_refuses_and_says_what_does_it(config, keep):
    keep(outcome("fallback", "a", "b"))
    done = headgate("audit", "review", "--config", config)
    assert done.returncode == 2
    assert "takes a terminal" in done.stderr
    assert "headgate audit overrule" in done.stderr


def test_programs_get_the_pairs_in_full(config, keep):
    (id_,) = keep(outcome("local", "home", "away"))
    done = run("audit", "review", "--list", "--json", config=config)
    (pair,) = json.loads(done.stdout)["pairs"]
    assert (pair["id"], pair["kind"], pair["verdict"]) == (id_, "local", None)
    assert (pair["local"]["text"], pair["paid"]["text"]) == ("home", "away")
    assert pair["asked"] == [{"role": "user", "content": "What is the plan?"}]


def test_without_pairs_it_says_what_to_do_first(config, keep, terminal):
    keep()
    review = terminal()
    assert "sample = 0.05" in review.until("audits are off") + review.seen


def test_a_list_of_no_pairs_says_so_and_what_to_do(config, keep):
    keep()
    off = run("audit", "review", "--list", config=config)
    assert (off.exit_code, off.stdout) == (0, "")
    assert "audits are off: write sample = 0.05" in off.stderr
    config.write_text(config.read_text() + "\n[audit]\nsample = 0.05\n")
    assert (
        "there is no pair to look at; headgate audit run"
        in run("audit", "review", "--list", config=config).stderr
    )


def test_overrule_puts_a_persons_word_in_force_and_takes_it_back(config, keep):
    (id_,) = keep(outcome("fallback", "a", "b"))
    path = config.parent / "ledger.db"
    give_opinion(path, 1, Opinion(verdict="necessary", judge="local model", by="llama"), 1.0)
    done = run("audit", "overrule", id_, "unnecessary", "--reason", "same plan", config=config)
    assert done.exit_code == 0, done.output
    assert audits(config)[id_][:2] == ("unnecessary", "person")
    mine = next(one for one in read_opinions(path, 1) if one.judge == "person")
    assert (mine.by, mine.reason) == ("anna", "same plan")
    shown = run("log", "show", id_, config=config).output
    assert "local model llama  necessary\n" in shown
    assert re.search(r"person anna +unnecessary \(in force\)  same plan\n", shown)
    told = json.loads(run("log", "show", id_, "--json", config=config).stdout)["opinions"]
    assert [(one["judge"], one["verdict"], one["reason"]) for one in told] == [
        ("local model", "necessary", ""),
        ("person", "unnecessary", "same plan"),
    ]
    assert run("audit", "overrule", id_, "withdraw", "--json", config=config).exit_code == 0
    assert audits(config)[id_][:2] == ("necessary", "local model")


def test_overrule_takes_the_beginning_of_an_id_and_the_last_one(config, keep):
    first, last = keep(outcome("fallback", "a", "b"), outcome("local", "a", "b"))
    several = headgate("audit", "overrule", "0", "good", "--config", config)
    assert several.returncode == 2
    assert "several requests begin with '0'" in several.stderr
    said = run("audit", "overrule", "last", "good", config=config)
    assert said.output.startswith(f"{last} is good"), said.output
    different = next(n for n, (one, other) in enumerate(zip(first, last, strict=True)) if one != other)
    assert run("audit", "overrule", first[: different + 1], "necessary", config=config).exit_code == 0
    assert {id_: told[0] for id_, told in audits(config).items()} == {first: "necessary", last: "good"}
    assert run("audit", "overrule", "last", "withdraw", config=config).exit_code == 0
    assert set(audits(config)) == {first}


def test_overrule_refuses_what_does_not_fit(config, keep):
    (id_,) = keep(outcome("fallback", "a", "b"))
    for args, words in (
        ((id_, "missed"), "cannot be missed"),
        (("0" * 19, "good"), "the ledger has no request"),
        ((id_, "withdraw"), "said nothing"),
    ):
        done = headgate("audit", "overrule", *args, "--config", config)
        assert done.returncode == 2, args
        assert words in done.stderr
        assert "hint:" in done.stderr
    assert audits(config) == {}


def test_labels_and_their_contradictions_are_counted_beside_the_judges(config, keep):
    keep(*[outcome("local", "a", "b") for _ in range(3)])
    path = config.parent / "ledger.db"
    for n, judge, verdict in (
        (1, "local model", "good"),
        (1, "person", "good"),
        (2, "local model", "good"),
        (2, "caller", "missed"),
        (3, "person", "good"),
        (3, "caller", "missed"),
    ):
        by = "llama" if judge == "local model" else ""
        give_opinion(path, n, Opinion(verdict=verdict, judge=judge, by=by), 1.0)
    done = run("audit", "judges", "--labels-only", "--json", config=config)
    labels = json.loads(done.stdout)["labels"]
    assert (labels["labelled"], labels["contradictions"]) == (3, 1)
    (model,) = labels["judges"]
    assert (model["by"], model["pairs"], model["agreed"], model["false_good"]) == ("llama", 2, 1, 1)
    text = run("audit", "judges", "--labels-only", config=config)
    assert "contradict each other" in text.output


def test_a_judge_that_comes_later_does_not_put_a_label_out_of_force(config, keep):
    (id_,) = keep(outcome("local", "a", "b"))
    path = config.parent / "ledger.db"
    give_opinion(path, 1, Opinion(verdict="missed", judge="caller"), 1.0)
    in_force = give_opinion(path, 1, Opinion(verdict="good", judge="exact"), 2.0)
    assert in_force.judge == "caller"
    assert audits(config)[id_][:2] == ("missed", "caller")


def test_an_opinion_on_a_request_that_is_gone_is_refused(config, keep):
    from headgate.core.errors import LedgerError

    keep(outcome("local", "a", "b"))
    with pytest.raises(LedgerError, match="no longer in the ledger"):
        give_opinion(config.parent / "ledger.db", 99, Opinion(verdict="good", judge="person"), 1.0)


def test_an_answer_gives_no_orders_to_the_terminal(config, keep, terminal):
    keep(outcome("fallback", "Fine.\x1b]0;owned\x07\x1b[2J\r\nBye.", "Well\x9b2J."))
    review = terminal()
    shown = review.until("q: quit")
    assert "owned" in shown
    assert "Bye." in shown
    review.press("m", "q: quit")
    assert not {"\x1b", "\x07", "\x9b"} & set(review.seen)
