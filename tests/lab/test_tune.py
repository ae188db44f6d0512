"""`headgate tune` from end to end: a page with comments, a ledger with audits, and the gate that is open over both."""

import asyncio
import gzip
import json
import time
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest
from msgspec.structs import replace

from headgate.app import open_gate
from headgate.config.rewriting import rewrite
from headgate.core.audits import Opinion
from headgate.core.candidates import cuts_for
from headgate.core.effects import Record
from headgate.core.errors import ConfigError
from headgate.core.settings import with_settings
from headgate.core.tuning import tune
from headgate.lab.past import read_past
from headgate.lab.tuning import apply, tune_ledger
from headgate.lab.watching import follow, keep_tuned, subject_of, watch
from headgate.ledger.audits import Judged, keep_findings
from headgate.ledger.changes import all_changes, note_change
from headgate.ledger.opening import open_for_writing
from headgate.ledger.opinions import give_opinion
from headgate.ledger.queries import LedgerReader
from headgate.ledger.reporting import weekly_report
from prepared_python import headgate
from tune_desk import PAGE, Desk, a_week, rows
from tuning_world import recorded, truth, world

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "week-2025-42.jsonl.gz"


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def test_the_users_week_raising_4000_to_5000_moves_the_predicted_share_home(desk):
    asks = a_week()
    desk.record(asks)
    reasons = dict(
        rows(
            desk.ledger,
            "SELECT n.text, count(*) FROM requests r JOIN names n ON n.id = r.fallback GROUP BY 1",
        )
    )
    assert reasons["token count"] > 0.6 * sum(reasons.values())
    long_audits = rows(
        desk.ledger,
        "SELECT n.text, count(*) FROM audits a JOIN names n ON n.id = a.verdict JOIN requests r ON r.n = a.request "
        "WHERE r.tokens BETWEEN 4001 AND 5000 GROUP BY 1",
    )
    assert dict(long_audits)["unnecessary"] > 0.9 * sum(dict(long_audits).values())
    tuned = tune_ledger(desk.config, 0.985, 0.0)
    assert [setting.word for setting in tuned.found.settings] == ["routes.long.tokens_over=5000"]
    judged, now = tuned.found.judged, tuned.found.now
    assert 0.05 <= judged.home.expected - now.home.expected <= 0.10
    again = a_week(seed=2)  # the next week
    before, after = (at_home(again, policy) for policy in (desk.config.policy, policy_after(desk, tuned)))
    assert judged.home.low - 0.02 <= after <= judged.home.high + 0.02
    assert after > before
    assert truth(again, policy_after(desk, tuned))[0] >= 0.985


def policy_after(desk, tuned):
    return with_settings(desk.config.policy, tuned.found.settings)


def at_home(asks, policy):
    """The share of requests that home answers, in truth."""
    came = [recorded(ask, policy).example.model == "small" for ask in asks]
    return sum(came) / len(came)


def test_it_says_what_it_would_write_and_writes_nothing(desk):
    desk.record(a_week())
    before = desk.page.read_bytes()
    done = desk.run("--floor", "98.5")
    assert "-tokens_over = 4000   # Bob: above that it gets slow" in done.stdout
    assert "+tokens_over = 5000   # Bob: above that it gets slow" in done.stdout
    for said in ("dollars a week", "answered at home", "at least 9", "98.5 %, 95 % sure", "audits"):
        assert said in done.stdout
    assert "nothing has been changed" in done.stderr
    assert desk.page.read_bytes() == before
    assert all_changes(desk.ledger) == ()
    told = json.loads(desk.run("--floor", "98.5", "--json").stdout)
    assert (told["proposed"], told["found"]["aim"]) == (True, "cheaper")
    assert told["found"]["settings"] == [{"table": "routes.long", "key": "tokens_over", "value": 5000}]


@pytest.mark.parametrize(
    "words", [("tune", "--floor", "nan"), ("replay", "--since", "nan"), ("replay", "--until", "1e300"),
              *((command, "--days", "9" * 20) for command in ("tune", "replay", "learn")), ("log", "-n", "9" * 20)]
)  # fmt: skip
def test_figures_that_are_none_or_out_of_all_bounds_are_refused(desk, words):
    desk.record(a_week(requests=10))
    done = headgate(words[0], "--config", str(desk.page), *words[1:])
    assert (done.returncode, done.stdout) == (2, "")
    assert f"Invalid value for '{words[1]}'" in done.stderr


def test_options_that_do_not_go_together_are_refused(desk):
    assert "--status and --apply do not go together" in desk.run("--status", "--apply", code=2).stderr
    done = headgate("learn", "--use", "none", "--list", "--config", str(desk.page))
    assert (done.returncode, "--use and --list do not go together" in done.stderr) == (2, True)


def test_apply_keeps_the_comments_and_marks_the_change(desk):
    desk.record(a_week())
    before = desk.page.read_text()
    desk.run("--floor", "98.5", "--apply", code=2)  # nobody can be asked
    desk.run("--floor", "98.5", "--apply", "--json", code=2)
    assert desk.page.read_text() == before
    done = desk.run("--floor", "98.5", "--apply", "--yes")
    assert desk.page.read_text() == before.replace("tokens_over = 4000", "tokens_over = 5000")
    assert desk.page.with_name("headgate.toml.before-tune").read_text() == before
    assert "tune --status" in done.stderr
    (change,) = all_changes(desk.ledger)
    assert (change.state, change.floor, change.undo) == ("watched", 0.985, ("routes.long.tokens_over=4000",))
    shown = desk.run("--status").stdout
    assert "routes.long.tokens_over 4000 -> 5000" in shown
    assert "watched" in shown
    assert json.loads(desk.run("--status", "--json").stdout)["changes"][0]["state"] == "watched"


def test_a_page_that_was_changed_meanwhile_is_left_alone(desk):
    desk.record(a_week())
    tuned = tune_ledger(desk.config, 0.985, 0.0)
    desk.page.write_text(desk.page.read_text() + "\n# Ann was here\n")
    with pytest.raises(ConfigError, match="changed meanwhile"):
        apply(desk.config, tuned, time.time())
    assert desk.page.read_text().endswith("# Ann was here\n")
    assert all_changes(desk.ledger) == ()


def test_a_page_keeps_the_ends_of_its_lines_and_its_rights(desk):
    raw = PAGE.format(ledger=desk.ledger).replace("\n", "\r\n").encode()
    desk.page.write_bytes(raw)
    desk.page.chmod(0o640)
    desk.record(a_week())
    desk.apply(0.985)
    assert desk.page.read_bytes() == raw.replace(b"tokens_over = 4000", b"tokens_over = 5000")
    assert desk.page.stat().st_mode & 0o777 == 0o640


def test_a_page_behind_a_link_is_changed_where_it_lies(desk, tmp_path):
    true = tmp_path / "dotfiles" / "gate.toml"
    true.parent.mkdir()
    desk.page.rename(true)
    desk.page.symlink_to(true)
    rewrite(desk.page, true.read_bytes(), "[server]\n")
    assert desk.page.is_symlink()
    assert true.read_text() == "[server]\n"


def test_routes_in_one_line_are_edited_too(desk):
    page = desk.page.read_text()
    start = page.index("[[routes]]")
    head = """routes = [
  { name = "long", tokens_over = 4000, try = ["paid"] }, # Bob
  { name = "code", tasks = ["code"], try = ["small", "paid"] },
  { name = "rest", try = ["small", "paid"] },
]
"""
    desk.page.write_text(head + page[:start])
    desk.record(a_week())
    desk.apply(0.985)
    assert '{ name = "long", tokens_over = 5000, try = ["paid"] }, # Bob' in desk.page.read_text()


# ── Judges that err ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_labels_tell_of_a_judge_is_taken_out_of_its_verdicts(desk):
    """It calls one of twelve good answers bad. At its word the floor is broken; of forty labels of each verdict some say otherwise."""
    desk.record(a_week(bad_from=9000), errs=0.08)
    believed = json.loads(desk.run("--json", "--floor", "97").stdout)["found"]
    assert believed["now"]["quality"]["expected"] < 0.96
    assert believed["aim"] == "safer"


def test_labels_bring_home_what_a_judge_kept_away(desk):
    desk.record(a_week(bad_from=9000), errs=0.08, labels=40)
    found = json.loads(desk.run("--json", "--floor", "97").stdout)["found"]
    assert found["now"]["quality"]["expected"] > 0.985
    assert found["aim"] == "cheaper"
    assert "routes.long" in {setting["table"] for setting in found["settings"]}


def test_what_a_judge_says_that_labels_show_to_be_hardly_better_than_chance_is_not_believed(desk):
    """It calls more than half of the good answers bad: at its word the floor would surely be broken."""
    desk.record(a_week(), errs=0.6, labels=60)
    told = json.loads(desk.run("--json").stdout)
    assert told["corrected"] == []
    assert told["found"]["reason"] == "floor not sure"


def test_a_label_does_not_hide_what_its_judge_had_said(desk):
    desk.record(a_week(requests=300), errs=0.5, labels=20)
    with LedgerReader(desk.ledger) as reader:
        past = read_past(reader, cuts_for(desk.config.policy)).past
    found = [found for one in past for found in one.found]
    overruled = [one for one in found if one.good and one.judged is False]
    assert {one.judge for one in found} == {"local model"}
    assert sum(one.audits for one in overruled) > 20
    assert sum(one.audits for one in found if one.good) < sum(one.audits for one in found)


def test_what_callers_praise_of_their_own_accord_proves_nothing_of_the_rest(desk):
    """A program that is content with every second answer from home says nothing of those that it is silent about."""
    desk.record(a_week(requests=800), local_sample=0)
    with closing(open_for_writing(desk.ledger)) as db:
        db.execute("BEGIN IMMEDIATE")
        numbers = [row[0] for row in db.execute("SELECT n FROM requests WHERE fallback IS NULL")][::2]
        praise = Opinion(verdict="good", judge="caller")
        keep_findings(
            db,
            [Judged(request=n, opinions=(praise,), in_force=praise, at=1.0, model="small") for n in numbers],
        )
        db.execute("COMMIT")
    found = json.loads(desk.run("--json").stdout)["found"]
    assert found["reason"] == "floor not sure"
    assert found["now"]["quality"]["low"] < 0.8


def test_a_caller_speaks_unasked_of_what_was_audited_too(desk):
    """As estimates have it: whoever is audited beside him stands for those of which no caller has spoken."""
    desk.record(a_week(requests=300))
    audited = [row[0] for row in rows(desk.ledger, "SELECT request FROM audits")]
    give_opinion(desk.ledger, audited[0], Opinion(verdict="good", judge="caller"), time.time())
    with LedgerReader(desk.ledger) as reader:
        past = read_past(reader, cuts_for(desk.config.policy)).past
    found = [found for one in past for found in one.found]
    assert [one.audits for one in found if not one.by_chance] == [1]
    assert Record(past=past).audits == len(audited) - 1


# ── Refusals ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_without_a_ledger_it_says_so(desk):
    assert "ledger" in desk.run(code=1).stderr


def test_without_audits_it_says_what_to_do_first(desk):
    desk.record(a_week(requests=400), sample=0, local_sample=0)
    error = desk.run(code=1).stderr
    assert "no request was audited" in error
    assert "[audit] sample" in error
    assert "60 more audits" in error


def test_audits_that_cannot_be_used_are_counted_with_the_reason(desk):
    desk.record(a_week(requests=600))
    with closing(open_for_writing(desk.ledger)) as db:
        db.execute("UPDATE audits SET probability = NULL, model = NULL")
    at_home = "SELECT request FROM attempts JOIN models ON models.id = attempts.model WHERE local"
    ((unanswered, all_),) = rows(desk.ledger, f"SELECT sum(request NOT IN ({at_home})), count(*) FROM audits")
    error = desk.run(code=1).stderr
    assert f"{all_} requests were audited, but none of these audits tells" in error
    assert f"in {unanswered} no model at home has answered" in error
    assert f"{all_ - unanswered} were not chosen with a known probability" in error
    assert "audit.probability" in error, "an import may say it"
    told = json.loads(desk.run("--json", code=1).stdout)["found"]
    assert told["reason"] == "no audit tells"
    assert told["unused"] == {"no answer": unanswered, "not by chance": all_ - unanswered}


def test_of_the_example_week_it_says_what_its_lines_lack(desk):
    with gzip.open(EXAMPLE, "rt") as week:
        lines = list(islice(week, 1000))
    (desk.page.parent / "week.jsonl").write_text("".join(lines))
    done = headgate("ledger", "import", str(desk.page.parent / "week.jsonl"), "--config", str(desk.page))
    assert done.returncode == 0, done.stderr
    audited = [line for line in map(json.loads, lines) if "audit" in line]
    home = [line for line in audited if any(call["engine"] != "anthropic" for call in line["attempts"])]
    error = desk.run("--days", "5000", code=1).stderr
    assert "of 1,000 more nobody can tell: they were imported from lines" in error
    assert f"{len(audited)} audits do not count: in {len(audited) - len(home)} no model at home" in error
    assert f"{len(home)} were not chosen with a known probability" in error
    assert "headgate ledger export" in error
    assert "look further back" not in error


def test_unclear_audits_beside_too_few_are_counted(desk):
    desk.record(a_week(requests=300))
    with closing(open_for_writing(desk.ledger)) as db:
        db.execute("BEGIN IMMEDIATE")
        unclear = Opinion(verdict="unclear", judge="local model")
        numbers = [row[0] for row in db.execute("SELECT request FROM audits")]
        found = [
            Judged(request=n, opinions=(unclear,), in_force=unclear, at=1.0, model="small", probability=0.3)
            for n in numbers
        ]
        keep_findings(db, found[:-5])
        db.execute("COMMIT")
    error = desk.run(code=1).stderr
    assert f"5 requests were audited, and tuning wants 60; {len(numbers) - 5} audits do not count" in error
    assert f"{len(numbers) - 5} are unclear" in error


def test_ten_rows_are_too_few(desk):
    desk.record(a_week(requests=10))
    error = desk.run(code=1).stderr
    assert "there are 10 requests, and tuning wants 200" in error
    assert "190 more requests" in error
    told = json.loads(desk.run("--json", code=1).stdout)
    assert (told["proposed"], told["found"]["reason"]) == (False, "too few requests"), (
        "a script is told the same"
    )


def test_labels_that_contradict_are_counted(desk):
    desk.record(a_week(requests=600))
    with closing(open_for_writing(desk.ledger)) as db:
        db.execute("BEGIN IMMEDIATE")
        numbers = [row[0] for row in db.execute("SELECT request FROM audits LIMIT 8")]
        for n in numbers:
            good, bad = (Opinion(verdict=v, judge=j) for v, j in (("good", "person"), ("missed", "caller")))
            keep_findings(db, [Judged(request=n, opinions=(good, bad), in_force=good, at=1.0)])
        db.execute("COMMIT")
    error = desk.run(code=1).stderr
    assert "8 of 8 requests that were labelled twice" in error


def test_a_model_that_vanished_from_the_config_is_named(desk):
    desk.record(a_week(requests=600))
    page = desk.page.read_text()
    desk.page.write_text(
        page.replace("models.small", "models.other")
        .replace('"small"', '"other"')
        .replace('id = "s"', 'id = "o"')
    )
    error = desk.run(code=1).stderr
    assert "small, which the config has no more" in error
    assert "60 more audits" in error


@pytest.mark.parametrize("bad", [0.0, 0.004], ids=["all are good", "some are bad"])
def test_a_floor_that_no_number_of_audits_makes_sure_of_is_said_to_be_one(desk, bad):
    desk.record(a_week(bad=bad, bad_long=0.0))
    said = desk.run("--floor", "100").stdout
    assert "below the floor of 100.0 %, and not even 200 times as many audits" in said
    assert "before more is known" not in said
    assert "for more:" not in said
    said = desk.run("--floor", "99.7").stdout
    assert "before more is known" in said
    assert "more audits of local answers" in said


def test_a_search_over_weeks_that_a_proposal_has_seen_leaves_less_to_chance(desk, monkeypatch):
    told = []

    def spy(*parts, searched, **more):
        told.append(searched)
        return tune(*parts, searched=searched, **more)

    desk.record(a_week())
    monkeypatch.setattr("headgate.lab.tuning.tune", spy)
    desk.apply(0.985)
    tune_ledger(desk.config, 0.985, 0.0)
    assert told == [0, 1], "it was applied after all that is judged by"


def test_a_page_that_is_none_of_the_users_is_not_changed(desk, tmp_path, monkeypatch):
    desk.record(a_week(requests=300))
    config = replace(desk.config, source=None)
    with pytest.raises(ConfigError, match=r"no headgate\.toml"):
        tune_ledger(config, 0.98, 0.0)


# ── Watching ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def changed(desk):
    """A desk whose page has a change that is watched."""
    desk.record(a_week())
    desk.apply(0.985)
    return desk


def look(desk, days=7.5):
    (change,) = all_changes(desk.ledger)
    seen = watch(desk.config, change, change.applied + days * 86_400)
    note_change(desk.ledger, seen)
    return seen


def test_a_change_that_the_new_weeks_audits_call_wrong_is_taken_back(changed):
    before = changed.page.read_text()
    changed.record(a_week(seed=9, bad=0.3), since=time.time() + 60)
    seen = look(changed)
    assert seen.state == "rolled back"
    assert "surely below the floor of 98.5 %" in seen.why
    assert changed.page.read_text() == before.replace("tokens_over = 5000", "tokens_over = 4000")
    assert all_changes(changed.ledger)[0].state == "rolled back"
    assert "rolled back" in changed.run("--status").stdout


def test_a_change_is_held_against_what_it_has_changed_however_odd_that_was(desk):
    desk.page.write_text(desk.page.read_text().replace("4000", "4096"))
    desk.record(a_week())
    desk.apply(0.985)
    assert "tokens_over = 4096" not in desk.page.read_text()
    asks = world(5, 1000, bad=0.0, long_share=0.0, task="qa")
    for index, ask in enumerate(asks):  # what is between both is bad, and no round figure is between them
        ask.tokens, ask.score, ask.good = 4050 if index < 50 else 4300, 0.9, index < 50
    desk.record(asks, since=time.time() + 60)
    assert look(desk).state == "rolled back"
    assert "tokens_over = 4096" in desk.page.read_text()


def test_a_change_that_was_right_is_kept(changed):
    changed.record(a_week(seed=9, bad=0.0), since=time.time() + 60)
    before = changed.page.read_text()
    assert look(changed).state == "kept"
    assert changed.page.read_text() == before


def test_lines_that_the_user_has_changed_since_are_his(changed):
    changed.record(a_week(seed=9, bad=0.3), since=time.time() + 60)
    changed.page.write_text(changed.page.read_text().replace("tokens_over = 5000", "tokens_over = 5500"))
    assert look(changed).state == "undone"
    assert "tokens_over = 5500" in changed.page.read_text()


def test_other_lines_that_the_user_has_changed_stay(changed):
    changed.record(a_week(seed=9, bad=0.3), since=time.time() + 60)
    changed.page.write_text(changed.page.read_text().replace("Ask Ann", "Ask Eve").replace("32768", "16384"))
    assert look(changed).state == "rolled back"
    page = changed.page.read_text()
    assert "16384" in page
    assert "tokens_over = 4000" in page


def test_weeks_in_which_nothing_was_asked_do_not_keep_a_change(changed):
    seen = look(changed, days=60)
    assert (seen.state, seen.looks) == ("watched", ())
    changed.record(a_week(seed=9, bad=0.3), since=time.time() + 60)
    assert look(changed, days=61).state == "rolled back"


def test_a_page_that_is_read_only_is_left_alone_and_people_are_told_once(changed):
    changed.record(a_week(seed=9, bad=0.3), since=time.time() + 60)
    before = changed.page.read_text()
    changed.page.chmod(0o444)
    seen = look(changed)
    assert (seen.state, changed.page.read_text()) == ("watched", before)
    assert seen.why.startswith("it was wrong, and cannot be taken back")
    assert "is read-only" in changed.run("--status").stdout
    assert subject_of(seen) == "Headgate cannot take a change back: routes.long.tokens_over=5000"
    assert look(changed) == seen, "so there is no news of it"
    changed.page.chmod(0o644)
    assert look(changed).state == "rolled back"


def test_a_read_only_page_is_not_changed(desk):
    desk.record(a_week())
    desk.page.chmod(0o444)
    done = desk.run("--floor", "98.5", "--apply", "--yes", code=3)
    assert "is read-only" in done.stderr
    assert "make the file and its folder writable" in done.stderr
    assert "tokens_over = 4000" in desk.page.read_text()
    assert all_changes(desk.ledger) == ()


class Way:
    """What of a gate follows the page."""

    def __init__(self, policy):
        self.policy = policy


def test_every_gate_follows_what_any_of_them_has_taken_back(desk):
    desk.record(a_week())
    config, ways, followed = desk.config, [Way(desk.config.policy), Way(desk.config.policy)], [{}, {}]
    limits = lambda: [way.policy.routes[0].tokens_over for way in ways]  # noqa: E731
    desk.apply(0.985)  # after the page was read, before the first look at the changes
    for way, seen in zip(ways, followed, strict=True):
        follow(way, config, all_changes(desk.ledger), seen)
    assert limits() == [5000, 5000]
    desk.record(a_week(seed=9, bad=0.3), since=time.time() + 60)
    assert look(desk).state == "rolled back"  # by a third one
    for way, seen in zip(ways, followed, strict=True):
        follow(way, config, all_changes(desk.ledger), seen)
    assert limits() == [4000, 4000]


def test_an_open_gate_takes_a_change_and_takes_it_back_by_itself(desk, monkeypatch):
    desk.record(a_week())
    told = []

    async def play():
        async with open_gate(desk.config) as gate:
            limit = lambda: gate.road.policy.routes[0].tokens_over  # noqa: E731
            models = gate.road.policy.models
            keeping = asyncio.create_task(
                keep_tuned(gate.road, gate.config, lambda *said: told.append(said), every=0.05, pause=0.0)
            )
            await asyncio.sleep(0.2)
            await asyncio.to_thread(desk.apply, 0.985)
            while limit() != 5000:
                await asyncio.sleep(0.02)
            assert gate.road.policy.models is models, "prices are followed in there"
            await asyncio.to_thread(desk.record, a_week(seed=9, bad=0.3), since=time.time(), weeks=0.001)
            while limit() != 4000 or not told:
                await asyncio.sleep(0.02)
            keeping.cancel()

    asyncio.run(asyncio.wait_for(play(), 60))
    assert "tokens_over = 4000" in desk.page.read_text()
    ((subject, text),) = told
    assert "routes.long.tokens_over is 4000 again" in subject
    assert "surely below the floor" in text


def test_the_weeks_report_tells_of_a_change_and_of_its_end(changed):
    changed.record(a_week(seed=9, bad=0.3), since=time.time() + 60, weeks=0.001)
    report = weekly_report(changed.config, "this")
    assert any("changed routes.long.tokens_over from 4000 to 5000" in note for note in report.notes)
    look(changed, days=0.001)
    report = weekly_report(changed.config, "this")
    assert any("was taken back: " in note for note in report.notes)
