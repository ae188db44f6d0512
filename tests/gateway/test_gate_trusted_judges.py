"""Whom [audit] judge = "auto" lets judge: a model that was seen to tell good answers from bad ones, tried once for each version of it."""

import asyncio
import json
import sqlite3
from contextlib import closing

import pytest
from click.testing import CliRunner

from headgate.cli.main import command
from headgate.core.judges.trust import PAIRS
from headgate.lab.trying_judges import hard_pairs
from headgate.ledger.audit_jobs import AuditJobs
from headgate.testing import Answer, ServedModel

HOME = "Yes, the figures of the third quarter are complete and were sent on Monday morning."
PAID = "Not at all: nothing was sent to anybody in the third quarter, as far as we can see from here."
LONG = "The zebra minutes of the day. " * 700
AUDIT = '\n[audit]\nsample = 1.0\nidle_for = "50ms"\njudge = "{judge}"\n'
FOUND = (
    "SELECT v.text, j.text, a.request FROM audits a JOIN names v ON v.id = verdict JOIN names j ON j.id = judge "
    "ORDER BY a.request"
)


@pytest.fixture
def few(monkeypatch):
    """A trial takes so many pairs."""
    monkeypatch.setattr("headgate.lab.auditing.trusting.PAIRS", 24)
    return 24


def is_judging(call):
    return "You compare two answers" in call.json["messages"][0]["content"]


def lines(text):
    return {f"| {line}" for line in text.strip().splitlines()}


TRUTH = [
    (lines(pair.pair.local.text), lines(pair.pair.paid.text), pair.as_good)
    for pair in sorted(hard_pairs(), key=lambda pair: -len(pair.pair.local.text + pair.pair.paid.text))
]


def sees_the_truth(call):
    """The better answer of a shipped pair; of any other, that both are as good."""
    asked = call.json["messages"][1]["content"]
    one, _, other = asked.partition("[ANSWER B")
    one, other = set(one.partition("[ANSWER A")[2].splitlines()), set(other.splitlines())
    for local, paid, as_good in TRUTH:
        if local <= one and paid <= other:
            return "same" if as_good else "B"
        if local <= other and paid <= one:
            return "same" if as_good else "A"
    return "same"


def judging_by(better):
    """A model at home that answers HOME, and judges by a function."""

    def home(call):
        return f'{{"why": "so", "better": "{better(call)}"}}' if is_judging(call) else HOME

    return home


def rows(bench, query):
    with closing(sqlite3.connect(f"file:{bench.ledger}?mode=ro", uri=True)) as db:
        return db.execute(query).fetchall()


async def audits_of(bench, number):
    async with asyncio.timeout(60):
        while len(found := rows(bench, FOUND)) < number:
            await asyncio.sleep(0.01)
    return found


def judged(bench):
    return len([call for call in bench.ollama.calls if call.path == "/api/chat" and is_judging(call)])


def audited(judge="auto"):
    return lambda page: page + AUDIT.format(judge=judge)


async def test_a_model_that_tells_good_from_bad_judges_and_is_tried_only_once(open_bench):
    async with open_bench(change=audited(), local=judging_by(sees_the_truth), paid=PAID) as bench:
        await bench.ask(LONG)
        ((verdict, judge, _),) = await audits_of(bench, 1)
        assert (verdict, judge) == ("unnecessary", "local model")
        assert judged(bench) == 2 * PAIRS + 2
    async with open_bench(change=audited(), local=judging_by(sees_the_truth), paid=PAID) as bench:
        await bench.ask(LONG)
        await audits_of(bench, 2)
        assert judged(bench) == 2, "the ledger knows"
    pulled = {"llama3.1:8b": ServedModel(quantization="Q8_0")}
    async with open_bench(
        change=audited(), library=pulled, local=judging_by(sees_the_truth), paid=PAID
    ) as bench:
        await bench.ask(LONG)
        await audits_of(bench, 3)
        assert judged(bench) == 2 * PAIRS + 2, "another version under the same name is tried anew"


async def test_a_model_that_calls_everything_good_judges_only_where_it_is_named(open_bench, tmp_path, few):
    def onto_disk(page):
        (tmp_path / "headgate.toml").write_text(text := audited()(page))
        return text

    async with open_bench(change=onto_disk, local=judging_by(lambda _: "same"), paid=PAID) as bench:
        await bench.ask(LONG)
        ((verdict, judge, n),) = await audits_of(bench, 1)
        assert (verdict, judge) == ("unclear", "facts")
        story = AuditJobs(bench.ledger).material(n).reasons[judge]
        assert "llama is not trusted as a judge" in story
        assert "0 of 10 bad ones bad" in story
        assert judged(bench) < 2 * few, "it need not be asked to the end"
        config = ["--config", str(tmp_path / "headgate.toml")]
        shown = await asyncio.to_thread(
            CliRunner().invoke, command, ["audit", "judges", "--labels-only", *config]
        )
        assert "warning: llama is not trusted, so it judges nothing" in shown.stderr
        assert "headgate audit review" in shown.stderr
        told = await asyncio.to_thread(CliRunner().invoke, command, ["doctor", "--json", *config])
        (check,) = [one for one in json.loads(told.stdout)["checks"] if one["check"] == "judge"]
        assert check["state"] == "warn"
        assert "llama is not trusted" in check["found"]
        report = await asyncio.to_thread(CliRunner().invoke, command, ["report", "--week", "this", *config])
        assert "llama is not trusted, so it judges nothing" in " ".join(report.stdout.split())
    async with open_bench(change=audited("llama"), local=judging_by(lambda _: "same"), paid=PAID) as bench:
        await bench.ask(LONG)
        assert (await audits_of(bench, 2))[-1][:2] == ("unnecessary", "local model"), (
            "the user's word is obeyed"
        )


async def test_a_trial_that_makes_way_goes_on_where_it_was(open_bench, few):
    asked = []

    def home(call):
        if not is_judging(call):
            return HOME
        asked.append(call.json["messages"][1]["content"])
        slow = len(asked) == 2 * 7 + 1  # the eighth pair
        said = f'{{"why": "so", "better": "{sees_the_truth(call)}"}}'
        return Answer(said, delay=30.0) if slow else said

    async with open_bench(change=audited(), local=home, paid=PAID) as bench:
        await bench.ask(LONG)
        async with asyncio.timeout(60):
            while len(asked) < 2 * 7 + 1:
                await asyncio.sleep(0.01)
        await bench.ask("How are you?")
        ((verdict, judge, _),) = await audits_of(bench, 1)
        assert (verdict, judge) == ("unnecessary", "local model")
        assert len(asked) == 2 * few + 2 + 1, "seven pairs were not asked again"


async def test_labels_that_do_not_bear_a_judge_out_take_its_trust_away(open_bench, few):
    async with open_bench(change=audited(), local=judging_by(sees_the_truth), paid=PAID) as bench:
        await bench.ask(LONG)
        await audits_of(bench, 1)
        label(bench, {"unnecessary": "unnecessary", "necessary": "necessary"})
        await bench.ask(LONG)
        assert (await audits_of(bench, 2))[-1][:2] == ("unnecessary", "local model")
        label(bench, {"unnecessary": "necessary", "necessary": "unnecessary"})
        await bench.ask(LONG)
        verdict, judge, n = (await audits_of(bench, 3))[-1]
        assert (verdict, judge) == ("unclear", "facts")
        story = AuditJobs(bench.ledger).material(n).reasons[judge]
        assert "of your own labelled requests it called 0 of 12 good answers good" in story


def label(bench, truth):
    """Twelve verdicts of either kind by the model at home, and what a person says of the same answers."""
    with closing(sqlite3.connect(bench.ledger)) as db:
        words = ("unnecessary", "necessary", "person", "local model")
        db.executemany("INSERT OR IGNORE INTO names (text) VALUES (?)", [(word,) for word in words])
        number = dict(db.execute("SELECT text, id FROM names").fetchall())
        db.executemany(
            "INSERT OR REPLACE INTO opinions (request, judge, verdict, given, story) VALUES (?, ?, ?, 0, ?)",
            [
                (1000 + at, number[judge], number[word], story)
                for at in range(24)
                for judge, word, story in (
                    ("local model", words[at % 2], '{"by": "llama"}'),
                    ("person", truth[words[at % 2]], None),
                )
            ],
        )
        db.commit()
