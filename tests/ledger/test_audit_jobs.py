"""The queue of audits: what happens to a job from the request that was chosen to what was found, and what is left of it."""

import json
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from cryptography.fernet import Fernet
from ledger_samples import realistic
from msgspec.structs import replace

from headgate.core.audits import Material, Opinion, Said
from headgate.core.errors import LedgerError
from headgate.core.material import material_bytes
from headgate.core.sampled import Sampled
from headgate.core.sampling import Known, Stratum
from headgate.core.types import Message, Request
from headgate.ledger import audit_queue
from headgate.ledger.audit_jobs import LEASE, TRIES, AuditJobs
from headgate.ledger.audit_payments import paid_since, promise, settle
from headgate.ledger.audit_standing import read_standing
from headgate.ledger.audit_strata import known_strata
from headgate.ledger.audits import Judged, keep_findings
from headgate.ledger.compacting import compact
from headgate.ledger.exporting import export_requests
from headgate.ledger.facts import count_facts
from headgate.ledger.importing import import_lines
from headgate.ledger.opening import open_for_writing
from headgate.ledger.opinions import give_opinion, read_opinions
from headgate.ledger.queries import Filter, LedgerReader
from headgate.ledger.retention import Keep
from headgate.ledger.sealing import Seal
from headgate.ledger.verifying import verify
from headgate.ledger.writer import LedgerWriter

NOW = 1_763_000_000.0
"""A month after the samples' first requests."""
LATE = 4_000_000_000.0


def chosen(outcome, kind="fallback", probability=0.05, *, expires=LATE, words="the quarterly figures"):
    request = Request(id=outcome.id, asked="auto", messages=(Message("user", words),))
    material = Material(
        id=outcome.id,
        kind=kind,
        request=request,
        task="qa",
        route="r",
        chain=("llama", "claude"),
        said=(Said(model="claude", local=False, text="paid"),),
        answered="claude",
        pass_at=0.6,
        checks=(),
    )
    return replace(outcome, audit=Sampled(kind, probability, expires, material_bytes(material)))


@pytest.fixture
def queue(store, path):
    """Five requests, the first three of them chosen."""
    outcomes = list(realistic(5))
    store([*(chosen(outcome) for outcome in outcomes[:3]), *outcomes[3:]])
    return AuditJobs(path)


def state_of(path, request=1):
    with closing(sqlite3.connect(path)) as db:
        db.row_factory = sqlite3.Row
        row = db.execute("SELECT * FROM audit_jobs WHERE request = ?", (request,)).fetchone()
        return None if row is None else dict(row)


def found(job, verdict="unnecessary", judge="exact", **more):
    opinion = Opinion(verdict=verdict, judge=judge, score=0.75, reason="the same text", by="", cost=0.001)
    return Judged(
        request=job.request,
        opinions=(opinion,),
        in_force=opinion,
        at=LATE,
        probability=job.probability,
        **more,
    )


def findings(path):
    with closing(sqlite3.connect(path)) as db:
        return db.execute(
            "SELECT request, v.text, j.text, a.cost, a.probability, m.name, a.score FROM audits a JOIN names v ON v.id = verdict "
            "JOIN names j ON j.id = judge LEFT JOIN models m ON m.id = a.model ORDER BY 1"
        ).fetchall()


def test_jobs_are_taken_in_order_and_each_by_one_only(queue):
    assert queue.waiting() == {"fallback": 3, "local": 0}
    assert [queue.take(LATE - 1).request for _ in range(3)] == [1, 2, 3]
    assert queue.take(LATE - 1) is None
    assert queue.take(LATE - 1, ("local",)) is None
    assert queue.waiting() == {"fallback": 3, "local": 0}, "taken is not done"


def test_a_job_in_the_hands_of_a_process_that_died_is_taken_again(queue):
    first = queue.take(NOW + 86_400)
    again = [queue.take(NOW + 86_400 + LEASE).request for _ in range(3)]
    assert again == [2, 3, first.request], "after those that waited for longer"
    assert queue.take(NOW + 86_400 + LEASE) is None
    assert queue.resume(NOW + 86_400 + LEASE + 1) == 3, "a new start need not wait for that"
    tries = {job.request: job.tries for job in [queue.take(NOW + 86_400 + LEASE + 1) for _ in range(3)]}
    assert tries == {1: 3, 2: 2, 3: 2}


def test_what_was_put_back_is_due_at_once_and_its_try_does_not_count(queue):
    job = queue.take(NOW + 86_400)
    queue.put_back(job, NOW)
    tries = {job.request: job.tries for job in [queue.take(NOW) for _ in range(3)]}
    assert tries == {1: 1, 2: 1, 3: 1}


def test_a_job_that_fails_is_tried_later_each_time_and_then_given_up(store, path):
    store([chosen(next(iter(realistic(1))))])
    queue, at, pauses = AuditJobs(path), NOW, []
    for _ in range(TRIES - 1):
        queue.fail(queue.take(at), "the model is down", at)
        due = state_of(path)["due"] / 1e6
        assert queue.take(due - 1) is None
        pauses.append(due - at)
        at = due
    assert pauses == pytest.approx([60 * 4**n for n in range(TRIES - 1)])
    assert read_standing(path).delayed == {"the model is down": 1}
    queue.fail(queue.take(at), "the model is down", at)
    row = state_of(path)
    assert (row["state"], row["error"], row["material"]) == ("failed", "the model is down", None)


def test_a_job_that_kills_whoever_takes_it_is_given_up_too(queue, path):
    with closing(open_for_writing(path)) as db:
        db.execute("UPDATE audit_jobs SET tries = ? WHERE request = 1", (TRIES,))
    assert queue.take(NOW + 86_400).request == 2
    assert state_of(path)["error"] == "it was begun too often and never ended"


def test_a_job_that_cannot_be_read_is_given_up_and_stops_nobody(queue, path):
    with closing(open_for_writing(path)) as db:
        db.execute("UPDATE audit_jobs SET material = ? WHERE request = 1", (b'{"material": 1}',))
    assert queue.take(NOW + 86_400).request == 2
    assert state_of(path)["state"] == "failed"


def test_a_finding_is_written_with_its_opinions_and_the_answers_stay_for_a_person(queue, path):
    job = queue.take(NOW + 86_400)
    queue.finish(
        job,
        found(job, model="llama", score=0.4, cost=0.002),
        [Said(model="llama", local=True, text="the new answer")],
    )
    assert state_of(path)["state"] == "judged"
    assert findings(path) == [(1, "unnecessary", "exact", 3_000_000, 50_000, "llama", 4_000)]
    assert [said.text for said in queue.material(1).said] == ["paid", "the new answer"]
    standing = read_standing(path)
    assert (standing.chosen, standing.waiting, standing.judged) == (
        {"fallback": 3},
        {"fallback": 2},
        {"fallback": 1},
    )
    assert (standing.verdicts, standing.cost, standing.sealed, standing.kept) == (
        {"unnecessary": 1},
        0.003,
        0,
        3,
    )
    assert verify(path).problems == ()


def test_a_persons_word_stands_and_what_was_known_of_the_audit_is_not_lost(queue, path):
    job = queue.take(NOW + 86_400)

    def say(judge, verdict):
        opinion = Opinion(verdict=verdict, judge=judge)
        with closing(open_for_writing(path)) as db:
            db.execute("BEGIN IMMEDIATE")
            keep_findings(db, [Judged(request=1, opinions=(opinion,), in_force=opinion, at=LATE)])
            db.execute("COMMIT")

    say("caller", "necessary")
    assert findings(path)[0][:3] == (1, "necessary", "caller")
    queue.finish(job, found(job, model="llama", score=0.4))
    assert findings(path) == [(1, "necessary", "caller", 1_000_000, 50_000, "llama", 4_000)]
    say("person", "unnecessary")
    say("caller", "necessary")
    say("local model", "necessary")
    assert findings(path) == [(1, "unnecessary", "person", 1_000_000, 50_000, "llama", 4_000)]
    say("person", "unclear")
    assert findings(path)[0][1] == "unclear", "and a person may change his mind"


def test_a_person_who_is_no_longer_sure_leaves_the_word_to_others(queue, path):
    job = queue.take(NOW + 86_400)
    give_opinion(path, 1, Opinion(verdict="unnecessary", judge="person"), LATE)
    queue.finish(job, found(job, verdict="necessary"))
    assert findings(path)[0][1:3] == ("unnecessary", "person")
    give_opinion(path, 1, Opinion(verdict="unclear", judge="person"), LATE + 1)
    assert findings(path)[0][1:3] == ("necessary", "exact")


def test_a_finding_of_a_request_whose_row_is_gone_is_left_out(queue, path):
    job = queue.take(NOW + 86_400)
    with closing(open_for_writing(path)) as db:
        db.execute("DELETE FROM attempts WHERE request = 1")
        db.execute("DELETE FROM requests WHERE n = 1")
    assert "1 rows are of requests that are not there" in "".join(verify(path).problems)
    queue.finish(job, found(job))
    assert findings(path) == []


def test_jobs_and_opinions_go_with_the_rows_of_their_requests(queue, path):
    job = queue.take(NOW + 86_400)
    queue.finish(job, found(job))
    compact(path, Keep(rows=1.0), lambda *_: None)
    with closing(sqlite3.connect(path)) as db:
        counts = [
            db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("requests", "audits", "audit_jobs", "opinions")
        ]
        assert counts == [0, 0, 0, 0]
        assert db.execute("SELECT sum(requests), sum(cost) FROM audit_rollups").fetchone() == (1, 1_000_000)
    assert verify(path).problems == ()


def test_what_is_judged_is_forgotten_in_time_and_its_finding_stays(store, path):
    store([chosen(next(iter(realistic(1))), expires=LATE)])
    with closing(open_for_writing(path)) as db:
        db.execute("UPDATE audit_jobs SET expires = ?", (round((NOW + 3 * 86_400) * 1e6),))
    queue = AuditJobs(path)
    job = queue.take(NOW + 86_400 * 2)
    queue.finish(job, found(job))
    done = compact(path, Keep(), lambda *_: None)
    assert done is not None
    row = state_of(path)
    assert (row["state"], row["material"], row["error"]) == ("judged", None, None)
    assert queue.material(1) is None
    assert len(findings(path)) == 1
    assert b"quarterly" not in path.read_bytes()


def test_a_job_that_has_expired_is_not_taken(store, path):
    store([chosen(next(iter(realistic(1))), expires=NOW + 86_400 * 3)])
    assert AuditJobs(path).take(NOW + 86_400 * 3) is None


def test_so_many_may_wait_and_the_others_are_counted(store, path, monkeypatch):
    monkeypatch.setattr(audit_queue, "MOST_WAITING", 2)
    store([chosen(outcome) for outcome in realistic(5)])
    assert AuditJobs(path).waiting()["fallback"] == 2
    assert read_standing(path).failures == {"too many others were waiting": 3}
    monkeypatch.setattr(audit_queue, "MOST_WAITING", 100)
    monkeypatch.setattr(audit_queue, "MOST_BYTES", 2_000)
    store([chosen(replace(outcome, id=f"more {outcome.id}"), words="x" * 1_500) for outcome in realistic(1)])
    assert read_standing(path).failures == {"too many others were waiting": 4}


def test_audits_with_their_opinions_come_back_from_an_export(queue, path, tmp_path):
    job = queue.take(NOW + 86_400)
    queue.finish(job, found(job, model="llama", score=0.4))
    export_requests(path, tmp_path / "all.jsonl", Filter(), lambda *_: None)
    assert b"quarterly" not in (tmp_path / "all.jsonl").read_bytes(), "what is kept for audits stays here"
    other = tmp_path / "other.db"
    import_lines(tmp_path / "all.jsonl", other, lambda trouble: pytest.fail(trouble.problem), lambda *_: None)
    assert findings(other) == findings(path)
    query = "SELECT request, j.text, v.text, given, score, cost, story FROM opinions JOIN names j ON j.id = judge JOIN names v ON v.id = verdict"
    told = []
    for file in (path, other):
        with closing(sqlite3.connect(file)) as db:
            told.append(db.execute(query).fetchall())
    assert told[0] == told[1] != []
    assert told[0][0][-1] is None, "why a judge said it stays with the answers"
    assert b"the same text" not in (tmp_path / "all.jsonl").read_bytes()


@pytest.mark.parametrize("sealed", [False, True])
def test_why_a_judge_said_it_is_kept_sealed_and_forgotten_with_the_answers_that_it_may_quote(
    store, path, sealed
):
    seal = Seal(Fernet.generate_key().decode()) if sealed else None
    store([chosen(next(iter(realistic(1))))])
    queue = AuditJobs(path, seal)
    job = queue.take(NOW + 86_400)
    queue.finish(job, found(job, judge="local model"))
    assert queue.material(job.request).reasons == {"local model": "the same text"}
    dumped = dump(path)
    assert ("the same text" in dumped) is not sealed
    with closing(open_for_writing(path)) as db:
        db.execute("UPDATE audit_jobs SET expires = ?", (round(NOW * 1e6),))
    compact(path, Keep(), lambda *_: None)
    assert "the same text" not in dump(path)
    assert findings(path)[0][1:3] == ("unnecessary", "local model"), "what was said stays"


def test_why_a_judge_said_it_is_forgotten_of_a_ledger_that_kept_it_for_as_long_as_its_request(queue, path):
    for judge in ("local model", "facts"):
        job = queue.take(NOW + 86_400)
        queue.finish(job, found(job, judge=judge))
    for n, judge, words in ((2, "person", "words of a person"), (3, "caller", "words of a caller")):
        give_opinion(path, n, Opinion(verdict="necessary", judge=judge, reason=words), NOW)
    before = findings(path)
    with closing(sqlite3.connect(path)) as db:  # as version 9 has kept them
        db.execute(
            """UPDATE opinions SET story = '{"by":"llama","reason":"it says Zanzibar"}' WHERE story IS NULL AND request = 1"""
        )
        db.execute("""UPDATE opinions SET story = '{"reason":"it says Zanzibar"}' WHERE story IS NULL""")
        db.execute("UPDATE audits SET story = 'it says Zanzibar' WHERE story IS NULL")
        db.execute("PRAGMA user_version = 9")
        db.commit()
    assert dump(path).count("Zanzibar") == 3
    open_for_writing(path).close()
    assert "Zanzibar" not in dump(path)
    assert dump(path).count("words of a person") == dump(path).count("words of a caller") == 2
    assert [one.by for one in read_opinions(path, 1)] == ["llama"]
    assert findings(path) == before
    assert queue.material(1).reasons == {"local model": "the same text"}, "what a later version kept stays"


REJECTED = "SELECT a.request, m.name, json_extract(one.value, '$[1]') FROM audits a, json_each(a.rejected) one JOIN models m ON m.id = json_extract(one.value, '$[0]')"


def test_answers_that_nobody_compared_are_kept_with_what_a_person_says_later_and_go_out_and_in_again(
    queue, path, tmp_path
):
    job = queue.take(NOW + 86_400)
    queue.finish(job, found(job, model="large", score=0.8, rejected=(("small", 0.31), ("tiny", 0.2))))
    give_opinion(path, 1, Opinion(verdict="necessary", judge="person"), NOW)
    give_opinion(
        path,
        2,
        Opinion(verdict="necessary", judge="person"),
        NOW,
        model="large",
        score=0.4,
        rejected=(("tiny", 0.1),),
    )
    kept = [(1, "small", 3100), (1, "tiny", 2000), (2, "tiny", 1000)]
    with closing(sqlite3.connect(path)) as db:
        assert db.execute(REJECTED).fetchall() == kept
    file, other = tmp_path / "all.jsonl", tmp_path / "other.db"
    export_requests(path, file, Filter(), lambda *_: None)
    assert '"rejected":{"small":0.31,"tiny":0.2}' in file.read_text()
    import_lines(file, other, lambda trouble: pytest.fail(trouble.problem), lambda *_: None)
    with closing(sqlite3.connect(other)) as db:
        assert db.execute(REJECTED).fetchall() == kept


def test_a_ledger_of_version_12_knows_of_no_such_answers_and_of_later_ones(queue, path):
    job = queue.take(NOW + 86_400)
    queue.finish(job, found(job, model="small", score=0.8))
    with closing(sqlite3.connect(path)) as db:
        db.execute("ALTER TABLE audits DROP COLUMN rejected")
        db.execute("PRAGMA user_version = 12")
        db.commit()
    before = findings(path)
    open_for_writing(path).close()
    assert findings(path) == before
    job = queue.take(NOW + 86_400)
    queue.finish(job, found(job, model="small", score=0.8, rejected=(("tiny", 0.2),)))
    with closing(sqlite3.connect(path)) as db:
        assert db.execute(REJECTED).fetchall() == [(job.request, "tiny", 2000)]


def test_why_a_judge_said_it_is_not_read_in_from_what_an_older_version_has_exported(path, tmp_path):
    opinions = [
        {"judge": "local model", "verdict": "necessary", "by": "llama", "reason": "it says Zanzibar"},
        {"judge": "person", "verdict": "necessary", "reason": "words of a person"},
    ]
    lines = [
        {"time": NOW, "audit": {"verdict": "necessary", "judge": judge, "reason": words, "opinions": said}}
        for judge, words, said in (
            ("local model", "it says Zanzibar", opinions[:1]),
            ("person", "words of a person", opinions),
            ("anna", "words of a stranger", []),
        )
    ]
    file = tmp_path / "old.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)))
    import_lines(file, path, lambda trouble: pytest.fail(trouble.problem), lambda *_: None)
    kept = dump(path)
    assert "Zanzibar" not in kept
    assert (kept.count("words of a person"), kept.count("words of a stranger")) == (2, 1)
    assert len(findings(path)) == 3


def dump(path):
    """All that stands in the ledger, bytes too."""
    with closing(sqlite3.connect(path)) as db:
        return "\n".join(
            str([value.decode("latin-1") if isinstance(value, bytes) else value for value in row])
            for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for row in db.execute(f"SELECT * FROM {table}")
        )


def test_the_strata_are_those_of_the_traffic_with_what_was_found_in_them(store, path):
    outcomes = list(realistic(300))
    store([chosen(outcome, "fallback" if outcome.fallback else "local") for outcome in outcomes])
    paid = [outcome for outcome in outcomes if outcome.fallback and outcome.status in ("ok", "imperfect")]
    strata = known_strata(path)
    fallbacks = {stratum: known for stratum, known in strata.items() if stratum.kind == "fallback"}
    assert sum(known.requests for known in fallbacks.values()) == len(paid)
    of = outcomes.index(paid[0]) + 1
    verdicts = ["unnecessary", "unclear"]
    with closing(open_for_writing(path)) as db:
        db.execute("BEGIN")
        for verdict in verdicts:
            opinion = Opinion(verdict=verdict, judge="exact")
            judged = Judged(request=of, opinions=(opinion,), in_force=opinion, at=NOW, probability=0.5)
            keep_findings(db, [judged])
            if verdict == "unnecessary":
                db.execute("COMMIT")
                stratum = Stratum("fallback", paid[0].decision.route, paid[0].signals.task)
                known = known_strata(path)[stratum]
                assert known == Known(fallbacks[stratum].requests, 1, 1)
                db.execute("BEGIN")
        db.execute("COMMIT")
    assert known_strata(path)[stratum].found == 0, "unclear says nothing"
    assert known_strata(path.with_name("none.db")) == {}


def test_the_writer_keeps_a_request_and_its_job_together_or_not_at_all(path):
    writer = LedgerWriter(path)
    writer.start()
    (template,) = realistic(1)
    for number in range(200):
        writer.put(
            chosen(replace(template, id=f"{number}")) if number % 2 else replace(template, id=f"{number}")
        )
    writer.close()
    with closing(sqlite3.connect(path)) as db:
        pairs = db.execute(
            "SELECT id, request IS NOT NULL FROM requests LEFT JOIN audit_jobs ON request = requests.n"
        )
        assert {int(id_) % 2 == has for id_, has in pairs} == {True}
    assert path.stat().st_mode & 0o077 == 0, "only the user may read it"


def test_what_is_put_back_too_late_stays_with_whoever_has_taken_it_meanwhile(queue, path):
    late = queue.take(NOW + 86_400)
    for _ in range(3):
        last = queue.take(NOW + 86_400 + LEASE)
    assert last.request == late.request
    queue.put_back(late, NOW)
    assert queue.take(NOW + 86_400 + LEASE) is None
    assert state_of(path)["tries"] == 2
    queue.put_back(last, NOW)
    assert state_of(path)["tries"] == 1


def test_a_second_gate_on_a_ledger_leaves_the_first_what_it_has_in_hand(queue, path):
    queue.take(NOW + 86_400)
    with closing(open_for_writing(path)) as db:
        db.execute(
            "INSERT INTO runs (pid, version, started, last, written, lost) VALUES (?, '1', 0, 0, 0, 0)",
            (os.getppid(),),
        )
    assert queue.resume(NOW + 86_400) == 0
    with closing(open_for_writing(path)) as db:
        db.execute("DELETE FROM runs WHERE pid = ?", (os.getppid(),))
    assert queue.resume(NOW + 86_400) == 1


def test_what_has_expired_is_not_due(queue, path):
    with closing(open_for_writing(path)) as db:
        db.execute("UPDATE audit_jobs SET expires = ? WHERE request < 3", (round(NOW * 1e6),))
    assert queue.due(NOW + 86_400) == {"fallback": 1, "local": 0}
    assert len(queue.look("fallback", NOW + 86_400, 10)) == 1


def test_a_job_that_a_person_has_judged_meanwhile_does_not_fail_any_more(queue, path):
    with closing(open_for_writing(path)) as db:
        db.execute("UPDATE audit_jobs SET tries = ? WHERE request = 1", (TRIES - 1,))
    job = queue.take(NOW + 86_400)
    give_opinion(path, 1, Opinion(verdict="necessary", judge="person"), LATE)
    queue.fail(job, "the judge is down", NOW)
    row = state_of(path)
    assert (row["state"], row["material"] is None) == ("judged", False)


def test_the_money_of_a_week_is_promised_once_however_many_ask_for_it(queue, path):
    def one(_):
        try:
            return promise(path, 1, 0.3, NOW, since=NOW - 1, limit=1.0)
        except LedgerError:
            return None

    with ThreadPoolExecutor(8) as pool:
        made = [n for n in pool.map(one, range(8)) if n is not None]
    assert len(made) == 3
    assert paid_since(path, NOW - 1) == pytest.approx(0.9)
    settle(path, made[0], 0.0)
    assert one(0) is not None
    assert promise(path, 1, 1.0, NOW + 10, since=NOW + 5, limit=1.0), "another week has its own"


def test_what_was_paid_for_an_audit_that_came_to_nothing_is_in_the_cost(queue, path, store):
    for request, dollars in ((1, 0.2), (2, 0.03), (3, 0.004)):
        promise(path, request, dollars, NOW, since=0.0, limit=10.0)
    first = queue.take(NOW + 86_400)
    queue.finish(first, found(first, cost=0.199))
    give_opinion(path, 2, Opinion(verdict="necessary", judge="person"), LATE)
    promise(path, 5, 0.0, NOW + 90 * 86_400, since=0.0, limit=10.0)
    with LedgerReader(path) as reader:
        before = count_facts(reader, 0.0, LATE)
    assert before.judging == pytest.approx(0.234), "judged, judged by a person, and not judged"
    assert read_standing(path).cost == pytest.approx(0.234)
    with closing(open_for_writing(path)) as db:
        db.execute("DELETE FROM audit_payments WHERE request = 3")
    compact(path, Keep(rows=1.0), lambda _share, _words: None)
    with LedgerReader(path) as reader:
        assert reader.count() == 0
        assert count_facts(reader, 0.0, LATE).judging == pytest.approx(0.23)


def test_while_the_ledger_cannot_be_written_what_waits_for_audits_is_bounded(path, monkeypatch):
    outcomes = [chosen(outcome, words="word " * 400) for outcome in realistic(5)]
    monkeypatch.setattr("headgate.ledger.writer.MOST_HELD", 2 * len(outcomes[0].audit.material) + 100)
    writer = LedgerWriter(path)
    writer.start()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for outcome in outcomes[:4]:
            writer.put(outcome)
        other.execute("ROLLBACK")
    assert writer.flush()
    writer.put(outcomes[4])
    writer.close()
    with closing(sqlite3.connect(path)) as db:
        kept = db.execute("SELECT material IS NOT NULL FROM audit_jobs ORDER BY n").fetchall()
    assert kept == [(1,), (1,), (0,), (0,), (1,)], "all requests are there, and there is room again"
