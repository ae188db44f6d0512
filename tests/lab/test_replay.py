"""A replay against the truth: the same prompts really sent through a gate with the other settings, on the models that ship."""

import asyncio
import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from importlib.util import find_spec

import msgspec
import pytest
from msgspec.structs import replace

import headgate.demo.folder as demo_folder
from headgate.config.changes import set_words
from headgate.config.load import load_config
from headgate.core.errors import ConfigError, LedgerError, UsageError
from headgate.core.past import Cuts, cuts_of
from headgate.demo.caller import call_all
from headgate.demo.stage import open_stage
from headgate.demo.week import Ask, week
from headgate.lab import pieces
from headgate.lab.past import read_past, without_evidence
from headgate.lab.replays import plain, replay_ledger
from headgate.ledger import processes
from headgate.ledger.queries import LedgerReader
from prepared_python import headgate

pytestmark = [
    pytest.mark.skipif(find_spec("xllamacpp") is None, reason="the embedded engine is an extra"),
    pytest.mark.timeout(300),
]

REQUESTS = 160
TEMPLATE = demo_folder.template()
BODY = Ask.body.fget


def played(folder, change=lambda page: page):
    """The config of a gate that has answered the week by a changed page; every answer without chance."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo_folder, "template", lambda: change(TEMPLATE))
        patch.setattr(Ask, "body", property(lambda ask: BODY(ask) | {"temperature": 0}))

        async def play():
            asks = week(REQUESTS)
            async with open_stage(asks, folder) as stage:
                async for answered in call_all(stage.url, asks):
                    assert answered.status == 200, answered.text
                return stage.config

        # on a thread of its own: a browser's tests may have left a loop on this one
        with ThreadPoolExecutor(1) as aside:
            return aside.submit(lambda: asyncio.run(play())).result()


def sums(config):
    """Requests answered at home, and dollars."""
    with LedgerReader(config.ledger.path) as ledger:
        outcomes = [entry.outcome for entry in ledger.all()]
    home = sum(outcome.model in ("nano", "micro") for outcome in outcomes)
    return home, sum(outcome.cost for outcome in outcomes)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    return played(tmp_path_factory.mktemp("recorded") / "demo")


def test_under_the_same_settings_every_request_goes_where_it_went(recorded):
    answer = replay_ledger(recorded, ())
    all_ = answer.replayed.all
    assert (all_.requests, all_.unchanged) == (REQUESTS, REQUESTS)
    assert (all_.dollars.low, all_.dollars.expected, all_.dollars.high) == (0, 0, 0)
    assert (answer.replayed.moves, answer.replayed.drifted, answer.changed.lines) == ((), 0, ())
    assert all_.paid_before == pytest.approx(sums(recorded)[1])
    with LedgerReader(recorded.ledger.path) as ledger:
        routes = {entry.outcome.decision.route for entry in ledger.all()}
    assert set(answer.replayed.by_route) == routes


CHANGES = {
    "a longer prompt may stay at home": (
        "routes.long.tokens_over=800",
        lambda page: page.replace("tokens_over = 500", "tokens_over = 800"),
    ),
    "a lower bar": ("quality.pass_at=0.4", lambda page: page.replace("pass_at = 0.60", "pass_at = 0.4")),
    "a higher bar": ("quality.pass_at=0.75", lambda page: page.replace("pass_at = 0.60", "pass_at = 0.75")),
    "another first model": (
        "routes.labels.try=micro,claude",
        lambda page: page.replace('try = ["nano", "micro", "claude"]', 'try = ["micro", "claude"]'),
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_a_replay_foretells_comes_true_within_its_ends(recorded, tmp_path, name):
    word, change = CHANGES[name]
    all_ = replay_ledger(recorded, (word,)).replayed.all
    home, dollars = sums(recorded)
    truly_home, true_dollars = sums(played(tmp_path / "demo", change))
    assert all_.unknown <= 3, "what nobody can tell may go either way"
    assert all_.home.low - all_.unknown - 1e-9 <= truly_home - home <= all_.home.high + all_.unknown + 1e-9
    if not all_.unknown:
        assert all_.dollars.low - 1e-9 <= true_dollars - dollars <= all_.dollars.high + 1e-9


def test_what_was_recorded_is_known_exactly_and_said_to_be(recorded, tmp_path):
    all_ = replay_ledger(recorded, ("quality.pass_at=0.4",)).replayed.all
    assert (all_.exact + all_.unchanged, all_.estimated) == (REQUESTS, 0)
    assert all_.exact >= all_.now_passing > 0
    assert all_.dollars.low == all_.dollars.high < 0
    home, dollars = sums(recorded)
    truly = sums(played(tmp_path / "demo", CHANGES["a lower bar"][1]))
    assert all_.home.expected == pytest.approx(truly[0] - home)
    assert all_.dollars.expected == pytest.approx(truly[1] - dollars, abs=1e-9)


def test_requests_that_are_alike_are_one_and_none_is_lost(recorded):
    with LedgerReader(recorded.ledger.path) as ledger:
        past = read_past(ledger, cuts_of((recorded.policy,))).past
    assert sum(one.requests for one in past) == REQUESTS
    assert len(past) < REQUESTS / 2
    with LedgerReader(recorded.ledger.path) as ledger:
        first = min(entry.outcome.received for entry in ledger.all())
        assert read_past(ledger, cuts_of((recorded.policy,)), until=first).past == ()


def test_a_model_that_was_never_asked_for_a_task_is_unknown_and_moves_nothing_that_is_expected(recorded):
    replayed = replay_ledger(recorded, ("routes.everything else.try=nano,claude",)).replayed
    assert replayed.all.unknown > 0
    assert sum(replayed.unknown.values()) == replayed.all.unknown
    assert any("nano was never asked for" in why for why in replayed.unknown)
    assert replayed.by_route["everything else"].dollars.expected == 0
    assert replayed.all.good.expected == 0
    said = headgate("replay", "--config", recorded.source, "--set", "routes.everything else.try=nano,claude")
    assert f"{replayed.all.unknown} are unknown, so judged by nobody" in said.stdout
    assert replayed.all.quality.after.low < replayed.all.quality.before.low, "they may all be bad"


def test_a_surer_classifier_sends_what_it_was_unsure_of_to_the_last_route(recorded):
    moves = replay_ledger(recorded, ("quality.task_confidence=1",)).replayed.moves
    assert moves
    assert {move.to_route for move in moves} == {"everything else"}


def test_the_command_says_the_same_in_words_and_in_json(recorded):
    given = ("replay", "--config", recorded.source, "--set", "quality.pass_at=0.4")
    words = headgate(*given)
    told = json.loads(headgate(*given, "--json").stdout)
    assert told == json.loads(json.dumps(plain(replay_ledger(recorded, ("quality.pass_at=0.4",)))))
    assert f"{REQUESTS} recorded requests" in words.stdout
    assert f"would come home     {round(told['to_home']['expected'])}" in words.stdout
    assert told["lines"] == ["[quality]", "pass_at = 0.4"]
    assert "pass_at = 0.4" in words.stderr
    assert recorded.source.read_text().count("0.4") == 0, "nothing is changed"


# ── Quality, from audits ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def audited(recorded, tmp_path_factory):
    """The same week, in which each tenth answer from home and each second fallback has been audited: half of them are as good."""
    folder = shutil.copytree(recorded.source.parent, tmp_path_factory.mktemp("audited") / "demo")
    page = folder / recorded.source.name
    page.write_text(page.read_text().replace(str(recorded.source.parent), str(folder)))
    config = load_config(str(page))
    with LedgerReader(config.ledger.path) as ledger:
        entries = list(ledger.all())
    home = [entry for entry in entries if entry.outcome.model in ("nano", "micro")][::2]
    rejected = [entry for entry in entries if entry.outcome.fallback == "quality check failed"]
    found = [(e, "good" if i % 10 else "missed", 500_000, e.outcome.model) for i, e in enumerate(home)]
    found += [
        (e, "unnecessary" if i % 2 else "necessary", 1_000_000, e.outcome.attempts[0].model)
        for i, e in enumerate(rejected)
    ]
    with sqlite3.connect(config.ledger.path) as db:
        for word in ("good", "missed", "unnecessary", "necessary", "exact"):
            db.execute("INSERT OR IGNORE INTO names (text) VALUES (?)", (word,))
        db.executemany(
            "INSERT INTO audits (request, verdict, judge, audited, probability, model) SELECT ?, v.id, j.id, 0, ?, "
            "(SELECT max(id) FROM models WHERE name = ?) FROM names v, names j WHERE v.text = ? AND j.text = 'exact'",
            [(entry.n, probability, model, verdict) for entry, verdict, probability, model in found],
        )
    return config


def copied(config, folder):
    """The config with a ledger of its own: with what still lies beside the file, too."""
    path = folder / "ledger.db"
    with closing(sqlite3.connect(config.ledger.path)) as db, closing(sqlite3.connect(path)) as other:
        db.backup(other)
    return replace(config, ledger=replace(config.ledger, path=path))


def test_audits_say_what_a_lower_bar_risks_and_how_good_it_was_before(audited):
    all_ = replay_ledger(audited, ("quality.pass_at=0.4",)).replayed.all
    quality = all_.quality
    # each tenth audited answer from home was missed; which kinds they are of goes by the order in which the answers came
    assert quality.before.expected == pytest.approx(1 - 0.1 * (1 - quality.paid / REQUESTS), abs=0.05)
    assert quality.before.expected < 1
    assert all_.good.expected < 0, "half of what would pass was audited, and is not as good"
    assert all_.good.low < all_.good.expected
    assert quality.sure < quality.after.expected < quality.before.expected
    assert quality.paid + quality.audited + quality.inferred + quality.unjudged == pytest.approx(REQUESTS)
    assert quality.audited > 20


def test_what_other_models_answered_in_an_audit_is_read_and_keeps_audits_apart(audited, tmp_path):
    config = copied(audited, tmp_path)
    with closing(sqlite3.connect(config.ledger.path)) as db, db:
        ((number,),) = db.execute("SELECT max(id) FROM models WHERE name = 'micro'")
        audits = [n for (n,) in db.execute("SELECT request FROM audits ORDER BY 1")]
        for score, some in ((2000, audits[:10]), (5000, audits[10:20]), (9000, audits[20:30])):
            told = [(json.dumps([[number, score]]), n) for n in some]
            db.executemany("UPDATE audits SET rejected = ? WHERE request = ?", told)
    with LedgerReader(config.ledger.path) as ledger:
        past = read_past(ledger, Cuts(scores=(0.4, 0.6))).past
    counted = Counter()
    for found in [found for one in past for found in one.found]:
        (score,) = [score for _, score in found.rejected] or (None,)
        assert {name for name, _ in found.rejected} <= {"micro"}
        counted[score] += found.audits
    assert counted == {0.2: 10, 0.5: 10, 0.9: 10, None: len(audits) - 30}
    gone = [without_evidence(one, frozenset(("micro",))) for one in past]
    assert not any(found.rejected for one in gone for found in one.found), "another version is another model"


@pytest.mark.parametrize(("score", "home"), [(2000, 0), (9000, 1)])
def test_a_long_prompt_that_one_model_had_failed_does_not_come_home_to_it(audited, tmp_path, score, home):
    """Audits asked nano first, and compared micro's answers; nano was never asked anything as long."""
    config = copied(audited, tmp_path)
    with LedgerReader(config.ledger.path) as ledger:
        long = [entry.n for entry in ledger.all() if entry.outcome.decision.route == "long"]
    with closing(sqlite3.connect(config.ledger.path)) as db, db:
        ((nano, micro),) = db.execute(
            "SELECT max(iif(name = 'nano', id, 0)), max(iif(name = 'micro', id, 0)) FROM models"
        )
        db.executemany(
            "INSERT INTO audits (request, verdict, judge, audited, probability, model, score, rejected) "
            "SELECT ?, v.id, j.id, 0, 500000, ?, 9000, ? FROM names v, names j "
            "WHERE v.text = 'unnecessary' AND j.text = 'exact'",
            [(n, micro, json.dumps([[nano, score]])) for n in long],
        )
    moved = replay_ledger(config, ("routes.long.try=nano,claude",)).replayed.by_route["long"]
    assert moved.to_home.expected == pytest.approx(home * len(long))


def test_however_many_requests_are_read_at_a_time_a_replay_says_the_same(audited, monkeypatch):
    whole = replay_ledger(audited, ("quality.pass_at=0.4",)).replayed.all
    monkeypatch.setattr("headgate.lab.past.PIECE", 7)
    assert shown(replay_ledger(audited, ("quality.pass_at=0.4",)).replayed.all) == shown(whole)
    assert whole.quality.audited > 20


def test_however_many_processes_read_a_replay_says_the_same_to_the_last_digit(audited, monkeypatch, tmp_path):
    (tmp_path / "pickle.py").write_text(
        "raise ImportError('what lies in the folder that we are in is none of ours')"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("headgate.lab.past.PIECE", 7)
    words = ("quality.pass_at=0.4",)
    alone = replay_ledger(audited, words)
    monkeypatch.setattr(pieces, "MANY", 2)
    monkeypatch.setattr(pieces, "PROCESSES", 3)
    read = []
    shared = replay_ledger(audited, words, progress=lambda done, many: read.append((done, many)))
    assert plain(shared) == plain(alone)
    assert len(read) > 20
    assert read == sorted(read)
    assert read[-1] == (REQUESTS, REQUESTS)


def test_a_process_that_cannot_read_is_told_of(audited, monkeypatch):
    monkeypatch.setattr("headgate.lab.past.PIECE", 7)
    monkeypatch.setattr(pieces, "MANY", 2)
    monkeypatch.setattr(pieces, "PROCESSES", 2)
    monkeypatch.setattr(processes.sys, "executable", "/bin/false")
    with pytest.raises(LedgerError, match="cannot be read: a process was ended"):
        replay_ledger(audited, ("quality.pass_at=0.4",))


def test_whatever_else_a_process_prints_is_none_of_what_it_found(audited, monkeypatch, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("print('good morning' * 9_000)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr("headgate.lab.past.PIECE", 7)
    monkeypatch.setattr(pieces, "MANY", 2)
    monkeypatch.setattr(pieces, "PROCESSES", 2)
    with pytest.raises(LedgerError, match="cannot be read"):
        replay_ledger(audited, ("quality.pass_at=0.4",))


def test_a_damaged_ledger_is_told_of_in_a_sentence(audited, tmp_path):
    damaged = tmp_path / "ledger.db"
    shutil.copy(audited.ledger.path, damaged)
    with sqlite3.connect(damaged) as db:
        (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'audits'").fetchone()
        (size,) = db.execute("PRAGMA page_size").fetchone()
    with damaged.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    with LedgerReader(damaged) as ledger, pytest.raises(LedgerError, match="damaged"):
        read_past(ledger, Cuts())


def test_a_process_that_reads_does_not_wait_for_modules_that_it_does_not_need():
    told = "import sys, headgate.lab.pieces; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", told], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    assert "sqlite3" in loaded.split()
    assert not {"sqlalchemy", "headgate.core.policy"} & {*loaded.split()}


def shown(found):
    """A replay's figures, without the last digits, which depend on the order of a sum."""
    return json.loads(
        json.dumps(msgspec.to_builtins(found)), parse_float=lambda figure: f"{float(figure):.9g}"
    )


def test_without_audits_a_replay_says_that_quality_is_unknown_and_what_to_do(recorded):
    words = headgate("replay", "--config", recorded.source).stdout
    assert "quality             unknown (at least " in words
    assert "`headgate audit status`" in words


def test_the_command_says_how_good_answers_would_be_and_who_says_so(audited):
    given = ("replay", "--config", audited.source, "--set", "quality.pass_at=0.4")
    words = headgate(*given).stdout
    told = json.loads(headgate(*given, "--json").stdout)
    quality = told["quality"]
    assert f"{quality['before']['expected']:.1%} -> {quality['after']['expected']:.1%}" in words
    assert f"{quality['sure']:.1%} or more for sure" in words
    assert f"answered as well    {round(told['good']['expected']):+}" in words
    assert (
        f"{quality['audited']:.0f} audited, {quality['inferred']:.0f} told by audits of others like them"
        in words
    )
    assert {(good["model"], good["then"]) for good in told["goods"]} == {
        ("nano", "accepted"),
        ("micro", "accepted"),
    }


# ── Another page ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_another_page_is_tried_as_a_whole_and_settings_are_put_into_it(recorded, tmp_path):
    page = tmp_path / "new.toml"
    page.write_text(recorded.source.read_text().replace("pass_at = 0.60", "pass_at = 0.4"))
    lower = replay_ledger(recorded, ("quality.pass_at=0.4",)).replayed
    assert replay_ledger(recorded, (), page=page).replayed == lower
    both = replay_ledger(recorded, ("routes.long.tokens_over=800",), page=page)
    assert both.replayed.all.exact >= lower.all.exact
    assert both.replayed.all.estimated > 0
    assert both.changed.lines == ('[[routes]]  # "long"', "tokens_over = 800")


@pytest.mark.parametrize("wrong", ["pas_at = 0.6", "pass_at = [", "pass_at = 0.6\npass_at = 0.7"])
def test_a_page_that_is_wrong_is_refused_as_config_check_refuses_it(recorded, tmp_path, wrong):
    page = tmp_path / "new.toml"
    page.write_text(re.sub(r"pass_at = [0-9.]+", wrong, recorded.source.read_text()))
    refused = headgate("replay", "--config", recorded.source, "--policy", page)
    checked = headgate("config", "check", "--config", page)
    assert (refused.returncode, refused.stderr) == (checked.returncode, checked.stderr)
    assert f"{page}, line " in refused.stderr
    missing = headgate("replay", "--config", recorded.source, "--policy", tmp_path / "none.toml")
    assert missing.returncode == 3
    assert "none.toml" in missing.stderr


def test_settings_that_cannot_be_are_refused_with_what_was_meant(recorded):
    def refused(*words):
        with pytest.raises((UsageError, ConfigError)) as caught:
            replay_ledger(recorded, words)
        return caught.value.message, caught.value.hint

    assert refused("routes.lang.tokens_over=5") == ('there is no route "lang"', 'did you mean "long"?')
    assert "is no setting" in refused("limits.attempts=2")[0]
    assert "'many' is not a whole number" in refused("routes.long.tokens_over=many")[0]
    assert 'tries "gpt"' in refused("routes.long.try=gpt")[0]
    assert refused("models.nano.confidence_for.sentimentt=-0.5") == (
        'there is no task "sentimentt"',
        'did you mean "sentiment"?',
    )


def test_days_count_back_from_the_end_that_is_given(recorded):
    def asked(*words):
        done = headgate("replay", "--config", recorded.source, "--json", *words)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["requests"]

    with LedgerReader(recorded.ledger.path) as ledger:
        times = [entry.outcome.received for entry in ledger.all()]
    behind = max(times) + 1
    every = asked("--since", min(times) - 1, "--until", behind)
    assert every == len(times) > 0
    assert asked("--days", 36_500, "--until", behind) == every
    assert asked("--days", 1, "--until", behind) == sum(at >= behind - 86_400 for at in times)


def test_of_one_setting_that_is_given_twice_the_last_counts_and_stands_in_the_lines():
    changed = set_words("[quality]\npass_at = 0.5\n", ("quality.pass_at=0.7", "quality.pass_at=0.2"))
    assert changed.lines == ("[quality]", "pass_at = 0.2")
    assert changed.text == "[quality]\npass_at = 0.2\n"


def test_lines_to_write_keep_the_pages_comments_and_name_the_route():
    page = '# mine\n[[routes]]\nname = "a.b"  # odd\ntry = ["x"]\ntokens_over = 5\n'
    changed = set_words(page, ("routes.a.b.tokens_over=none", "quality.pass_at=0.7"))
    assert changed.text.startswith('# mine\n[[routes]]\nname = "a.b"  # odd\n')
    assert "tokens_over" not in changed.text
    assert changed.lines == ('[[routes]]  # "a.b"', "# without tokens_over", "", "[quality]", "pass_at = 0.7")


def test_requests_on_two_sides_of_a_limit_a_bar_or_a_confidence_are_not_alike(recorded):
    with LedgerReader(recorded.ledger.path) as ledger:

        def kinds(**cuts):
            return read_past(ledger, Cuts(**cuts)).past

        plain, entries = kinds(), list(ledger.all())
        signals = sorted({entry.outcome.signals.tokens for entry in entries})
        middle = signals[len(signals) // 2]
        assert len(kinds(tokens=(middle,))) > len(plain)
        assert {one.longest <= middle for one in kinds(tokens=(middle,))} == {True, False}
        scores = sorted({a.score for entry in entries for a in entry.outcome.attempts if a.score is not None})
        bar = scores[len(scores) // 2]
        for one in kinds(scores=(bar,)):
            assert one.requests == 1 or one.example.attempts
        assert len(kinds(scores=(bar,))) > len(plain)
        assert len(kinds(confidences=(0.7,))) > len(plain)
        assert len(kinds(verdicts=True)) > len(plain)
