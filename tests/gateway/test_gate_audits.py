"""Audits in an open gate: made while nobody is there, within their money, and in nobody's way. The models are doubles."""

import asyncio
import json
import sqlite3
from contextlib import closing

import pytest

from headgate.lab.auditing.auditor import FIRST_LOOK, Auditor
from headgate.ledger.audit_jobs import AuditJobs
from headgate.ledger.keys import create_key
from headgate.testing import Answer, Fault, FaultKind, OpenAIDouble, ServedModel

SAME = "Yes, the figures of the third quarter are complete and were sent on Monday morning."
LONG = "The zebra minutes of the day. " * 700
ALL = 'sample = 1.0\nlocal_sample = 1.0\npaid_per_week = 1.0\nidle_for = "50ms"\njudge = "none"'
HOME_ONLY = 'sample = 1.0\nidle_for = "50ms"\njudge = "none"'
NEVER_IDLE = 'sample = 1.0\nlocal_sample = 1.0\npaid_per_week = 1.0\nidle_for = "1h"\njudge = "none"'
WORDS = (
    "SELECT requests.id, v.text, j.text, audits.cost, audits.probability, models.name, audits.score FROM audits "
    "JOIN requests ON requests.n = audits.request JOIN names v ON v.id = verdict JOIN names j ON j.id = judge "
    "LEFT JOIN models ON models.id = audits.model ORDER BY audits.request"
)


def audited(lines=ALL):
    return lambda page: f"{page}\n[audit]\n{lines}\n"


def rows(bench, query, *values):
    with closing(sqlite3.connect(f"file:{bench.ledger}?mode=ro", uri=True)) as db:
        return db.execute(query, values).fetchall()


async def until(found, patience=60.0):
    """Wait until there is something, looked for again and again."""
    async with asyncio.timeout(patience):
        while not (value := found()):
            await asyncio.sleep(0.01)
    return value


async def audits_of(bench, number=1):
    return await until(lambda: len(found := rows(bench, WORDS)) >= number and found)


def states(bench):
    return rows(bench, "SELECT state, tries, error FROM audit_jobs ORDER BY n")


async def test_a_fallback_is_repeated_at_home_and_paying_was_unnecessary(open_bench):
    async with open_bench(change=audited(), local=SAME, paid=SAME) as bench:
        said = await bench.ask(LONG)
        assert (said.headers["x-headgate-model"], said.headers["x-headgate-reason"]) == (
            "claude",
            "token count",
        )
        ((request, verdict, judge, cost, probability, model, score),) = await audits_of(bench)
        assert (request, verdict, judge, cost, probability, model) == (
            said.headers["x-headgate-request-id"],
            "unnecessary",
            "exact",
            0,
            1_000_000,
            "llama",
        )
        assert score is not None
        assert [
            call.json["messages"][-1]["content"] for call in bench.ollama.calls if call.path == "/api/chat"
        ] == [LONG]
        assert len(bench.claude.calls) == 1
        assert rows(bench, "SELECT count(*) FROM requests") == [(1,)], "an audit is nobody's request"
        assert states(bench) == [("judged", 1, None)]


async def test_a_local_answer_is_checked_against_the_paid_model_and_its_price_is_counted(open_bench):
    async with open_bench(change=audited(), local=SAME, paid=SAME) as bench:
        said = await bench.ask()
        assert said.headers["x-headgate-model"] == "llama"
        ((_, verdict, judge, cost, _, model, _),) = await audits_of(bench)
        assert (verdict, judge, model) == ("good", "exact", "llama")
        assert len(bench.claude.calls) == 1
        assert len(bench.ollama.calls) == len([c for c in bench.ollama.calls if c.path != "/api/chat"]) + 1
        ((paid,),) = rows(bench, "SELECT cost FROM audit_payments")
        assert cost == paid > 0
        report = (await bench.send("GET", "/admin/audits")).json
        assert report["paid_this_week"] == pytest.approx(paid / 1e9)
        assert (report["queue"]["judged"], report["paid_per_week"], report["on"]) == ({"local": 1}, 1.0, True)
        assert bench.gate.road.budgets.paid_today == pytest.approx(paid / 1e9)


async def test_a_rejected_local_answer_is_used_as_it_is_and_not_asked_for_again(open_bench):
    sort = 'Classify this e-mail as "work" or "private", with one word: the quarterly zebra figures are due.'
    async with open_bench(change=audited(), local="zebra", paid="work") as bench:
        assert (await bench.ask(sort)).headers["x-headgate-reason"] == "quality check failed"
        ((_, verdict, _, _, _, model, score),) = await audits_of(bench)
        assert (verdict, model) == ("necessary", "llama")
        assert score < 6000
        assert len([call for call in bench.ollama.calls if call.path == "/api/chat"]) == 1


async def test_what_another_model_at_home_answered_before_the_compared_one_is_written_down(open_bench):
    """The first model at home names no label, the second does; what the paid one was asked for goes by its length."""

    def two(page):
        second = '[models.second]\nengine = "ollama"\nid = "qwen3:8b"\ncontext = 8192\n\n[models.claude]'
        page = page.replace("[models.claude]", second, 1)
        at = page.rindex('try = ["llama"')
        return audited(HOME_ONLY)(page[:at] + 'try = ["llama", "second"' + page[at + len('try = ["llama"') :])

    def local(call):
        return "work" if call.json["model"].startswith("qwen") else "zebra"

    library = {"llama3.1:8b": ServedModel(), "qwen3:8b": ServedModel()}
    ask = f'Classify this e-mail as "work" or "private", with one word: {LONG}'
    async with open_bench(change=two, library=library, local=local, paid="work") as bench:
        assert (await bench.ask(ask)).headers["x-headgate-model"] == "claude"
        ((_, verdict, _, _, _, model, score),) = await audits_of(bench)
        ((rejected,),) = rows(bench, "SELECT rejected FROM audits")
        ((llama,),) = rows(bench, "SELECT max(id) FROM models WHERE name = 'llama'")
        assert (verdict, model, score) == ("unnecessary", "second", 10_000)
        ((first, failed),) = json.loads(rejected)
        assert first == llama
        assert failed < 6_000


async def test_without_any_answer_from_home_paying_was_necessary(open_bench):
    async with open_bench(change=audited(), local=SAME, paid=SAME) as bench:
        bench.ollama.inject(Fault(FaultKind.CONTEXT_OVERFLOW))
        await bench.ask(LONG)
        ((_, verdict, _, _, _, model, score),) = await audits_of(bench)
        assert (verdict, model, score) == ("necessary", None, None)
        reasons = AuditJobs(bench.ledger).material(1).reasons
        assert "context_overflow" in reasons["exact"]


async def test_a_model_that_is_down_is_asked_again_later_and_not_taken_for_unable(open_bench):
    async with open_bench(change=audited(), local=SAME, paid=SAME) as bench:
        bench.ollama.inject(Fault(FaultKind.SERVER_ERROR))
        await bench.ask(LONG)
        ((state, tries, error),) = await until(lambda: [row for row in states(bench) if row[2]])
        assert (state, tries) == ("waiting", 1)
        assert "llama" in error
        assert rows(bench, WORDS) == []


async def test_a_busy_gate_makes_no_audit(open_bench):
    slow = Answer(SAME, delay=0.05)
    async with open_bench(change=audited(ALL.replace("50ms", "600ms")), local=slow, paid=SAME) as bench:
        await bench.ask(LONG)
        for _ in range(5):
            await bench.ask("How are you?")
            await asyncio.sleep(0.3)  # long enough for an audit, and too short for one to be begun
            assert rows(bench, WORDS) == []
        found = await audits_of(bench)
        assert found, "once it is quiet, they are made"


async def test_an_audit_makes_way_at_once_for_a_request_that_needs_its_slot(open_bench):
    answers = iter([Answer(SAME, delay=0.3), Answer(SAME, delay=30.0)])
    async with open_bench(
        change=audited(),
        ollama_more="parallel = 1",
        queue_for="10ms",
        local=lambda _: next(answers, Answer(SAME)),
        paid=SAME,
    ) as bench:
        await bench.ask("How are you?")  # from here on the pace is known, and waiting would take too long
        await bench.ask(LONG)
        await until(lambda: bench.ollama.in_flight)
        began = asyncio.get_running_loop().time()
        said = await bench.ask("How are you?")
        assert said.headers["x-headgate-model"] == "llama", "nobody is paid because of an audit"
        assert asyncio.get_running_loop().time() - began < 5
        assert bench.ollama.abandoned == 1
        assert len(await audits_of(bench, 3)) == 3, "it was given back, and made afterwards"
        assert {tries for _, tries, _ in states(bench)} == {1}, "making way is no try"


async def test_a_paid_answer_under_way_is_waited_for_unless_it_has_the_last_slot(open_bench):
    answers = iter([Answer(SAME, delay=0.5)])
    async with open_bench(change=audited(), local=SAME, paid=lambda _: next(answers, Answer(SAME))) as bench:
        await bench.ask()
        await until(lambda: bench.claude.in_flight)
        await bench.ask(LONG)
        await audits_of(bench, 2)
        assert bench.claude.abandoned == 0
        assert len(bench.claude.calls) == 2
        assert len(rows(bench, "SELECT * FROM audit_payments")) == 1


async def test_the_last_slot_of_a_paid_model_is_given_back_and_what_it_took_is_counted(open_bench):
    answers = iter([Answer(SAME, delay=30.0)])

    def change(page):
        return audited()(page.replace('key = "env:TEST_KEY"', 'key = "env:TEST_KEY"\nparallel = 1'))

    async with open_bench(change=change, local=SAME, paid=lambda _: next(answers, Answer(SAME))) as bench:
        await bench.ask()
        await until(lambda: bench.claude.in_flight)
        said = await bench.ask(LONG)
        assert said.headers["x-headgate-model"] == "claude"
        await audits_of(bench, 2)
        first, second = rows(bench, "SELECT cost FROM audit_payments ORDER BY n")
        assert first > second > (0,), (
            "nobody knows what the first one took, so the most that it can have cost counts"
        )
        (cost,) = rows(bench, "SELECT cost FROM audits WHERE cost > 0")
        assert cost[0] == first[0] + second[0]


async def test_the_weeks_money_holds_over_restarts(open_bench):
    little = ALL.replace("paid_per_week = 1.0", "paid_per_week = 0.004")
    for start in range(2):
        async with open_bench(change=audited(little), local=SAME, paid=SAME) as bench:
            for _ in range(20):
                await bench.ask(max_tokens=100)
            await until(
                lambda: (
                    not rows(
                        bench, "SELECT 1 FROM audit_jobs WHERE state = 'waiting' AND due < unixepoch() * 1e6"
                    )
                    or (rows(bench, "SELECT sum(cost) > 2500000 FROM audit_payments") == [(1,)])
                )
            )
            await asyncio.sleep(0.5)
            ((spent,),) = rows(bench, "SELECT sum(cost) FROM audit_payments")
            assert 0 < spent <= 4_000_000, start
            state = (await bench.send("GET", "/admin/audits")).json
            assert state["queue"]["waiting"]["local"] > 0
            assert len(bench.claude.calls) < 20


async def test_hard_budgets_hold_for_audits_too(open_bench):
    async with open_bench(change=audited(), limits="paid_per_day = 0.000001", local=SAME, paid=SAME) as bench:
        await bench.ask()
        ((state, _, error),) = await until(lambda: [row for row in states(bench) if row[2]])
        assert state == "waiting"
        assert "budget" in error
        assert len(bench.claude.calls) == 0


async def test_without_money_local_answers_wait_and_fallbacks_are_audited(open_bench):
    async with open_bench(change=audited(NEVER_IDLE), local=SAME, paid=SAME) as bench:
        await bench.ask()
        await bench.written()
    async with open_bench(change=audited(HOME_ONLY), local=SAME, paid=SAME) as bench:
        await bench.ask(LONG)
        ((_, verdict, *_),) = await audits_of(bench)
        assert verdict == "unnecessary"
        assert len(bench.claude.calls) == 1, "the request itself"
        assert [state for state, *_ in states(bench)] == ["waiting", "judged"]
        run = (await bench.send("GET", "/admin/audits/run")).json
        assert (run["audits"], run["unable"], run["most"]) == ({"fallback": 0, "local": 0}, 1, 0.0)


async def test_what_must_stay_at_home_never_reaches_a_paid_model(open_bench):
    def private(page):
        last = page.rindex('try = ["llama", "claude"]')
        return audited()(page[:last] + 'local_only = true\ntry = ["llama"]' + page[last + 25 :])

    async with open_bench(change=audited(NEVER_IDLE), local=SAME, paid=SAME) as bench:
        await bench.ask()
        await bench.written()
    async with open_bench(change=private, local=SAME, paid=SAME) as bench:
        ((state, _, error),) = await until(lambda: [row for row in states(bench) if row[2]])
        assert state == "waiting"
        assert "your machines" in error
        assert len(bench.claude.calls) == 0


async def test_an_admin_has_audits_made_now_one_at_a_time(open_bench):
    async with open_bench(change=audited(NEVER_IDLE), local=SAME, paid=SAME) as bench:
        await bench.ask(LONG)
        await bench.ask()
        await bench.written(2)
        foreseen = (await bench.send("GET", "/admin/audits/run")).json
        assert (foreseen["audits"], foreseen["paid"]) == ({"fallback": 1, "local": 1}, ["claude"])
        assert 0 < foreseen["most"] <= foreseen["left"] == 1.0
        only = (await bench.send("GET", "/admin/audits/run?kind=fallback&limit=5")).json
        assert (only["audits"], only["most"]) == ({"fallback": 1}, 0.0)
        made = (await bench.send("POST", "/admin/audits/run", b'{"kind": "local"}')).json["made"]
        assert (made["kind"], made["state"], made["verdict"], made["judge"]) == (
            "local",
            "judged",
            "good",
            "exact",
        )
        assert 0 < made["cost"] <= foreseen["most"]
        assert (await bench.send("POST", "/admin/audits/run", b'{"kind": "local"}')).json == {"made": None}
        assert (await bench.send("POST", "/admin/audits/run")).json["made"]["verdict"] == "unnecessary"
        wrong = await bench.send("POST", "/admin/audits/run", b'{"kind": "all"}')
        assert wrong.status == 400


async def test_a_gate_that_is_closed_gives_back_what_it_had_in_hand(open_bench):
    async with open_bench(change=audited(), local=Answer(SAME, delay=30.0), paid=SAME) as bench:
        await bench.ask(LONG)
        await until(lambda: bench.ollama.in_flight)
    assert states(bench) == [("waiting", 0, None)]
    async with open_bench(change=audited(), local=SAME, paid=SAME) as bench:
        ((_, verdict, *_),) = await audits_of(bench)
        assert verdict == "unnecessary"


OTHER = "Not at all: nothing was sent to anybody in the third quarter, as far as we can see from here."


def is_judging(call):
    return "You compare two answers" in call.json["messages"][0]["content"]


async def test_a_model_at_home_judges_in_both_orders_and_is_no_request_either(open_bench):
    def home(call):
        return '{"why": "both decline", "better": "same"}' if is_judging(call) else SAME

    async with open_bench(
        change=audited(HOME_ONLY.replace('"none"', '"llama"')), local=home, paid=OTHER
    ) as bench:
        await bench.ask(LONG)
        ((_, verdict, judge, cost, *_),) = await audits_of(bench)
        assert (verdict, judge, cost) == ("unnecessary", "local model", 0)
        chats = [call for call in bench.ollama.calls if call.path == "/api/chat"]
        assert [is_judging(call) for call in chats] == [False, True, True]
        assert rows(bench, "SELECT count(*) FROM requests") == [(1,)]


async def test_a_judge_that_is_down_is_asked_later_and_in_the_end_its_reason_is_told(open_bench):
    def home(call):
        return SAME

    def change(page):
        judge = '[engines.away]\nkind = "ollama"\nurl = "http://127.0.0.1:9"\n\n[models.judge]\nengine = "away"\nid = "judge"\n\n'
        lines = HOME_ONLY.replace('"none"', '"judge"')
        return audited(lines)(page.replace("[[routes]]", judge + "[[routes]]", 1))

    async with open_bench(change=change, local=home, paid=OTHER) as bench:
        await bench.ask(LONG)
        for tried in range(1, 6):
            await until(lambda tried=tried: [row for row in states(bench) if row[1] == tried and row[2]])
            assert states(bench)[0][0] == "waiting"
            with closing(sqlite3.connect(bench.ledger)) as db:
                db.execute("UPDATE audit_jobs SET due = 0")
                db.commit()
            await bench.send("POST", "/admin/audits/run")
        ((state, tries, error),) = await until(lambda: [row for row in states(bench) if row[0] == "failed"])
        assert (state, tries) == ("failed", 6)
        assert error.startswith("no judge could say: judge: ")
        report = (await bench.send("GET", "/admin/audits")).json["queue"]
        assert report["failures"] == {error: 1}
        assert len([call for call in bench.ollama.calls if call.path == "/api/chat"]) == 1, (
            "its answer was kept"
        )


async def test_a_judge_in_the_cloud_is_paid_from_the_same_money(open_bench):
    async with OpenAIDouble(deciding=lambda _text, _question: 0.95) as openai:

        def change(page):
            judge = (
                f'[engines.openai]\nkind = "openai"\nurl = "{openai.url}/v1"\nkey = "env:TEST_KEY"\n\n'
                '[models.luna]\nengine = "openai"\nid = "gpt-6-luna"\nprice = { input = 1.0, output = 0.0 }\n\n'
            )
            return audited(ALL.replace('"none"', '"luna"'))(
                page.replace("[[routes]]", judge + "[[routes]]", 1)
            )

        async with open_bench(change=change, local=SAME, paid=OTHER) as bench:
            await bench.ask()
            ((_, verdict, judge, cost, *_),) = await audits_of(bench)
            assert (verdict, judge) == ("good", "decisions")
            payments = [row[0] for row in rows(bench, "SELECT cost FROM audit_payments")]
            assert len(payments) == 3
            assert cost == sum(payments)
            assert [call.path for call in openai.calls] == ["/v1/decisions"] * 2
        async with open_bench(
            change=lambda page: change(page).replace("paid_per_week = 1.0", "paid_per_week = 0.0"),
            local=SAME,
            paid=OTHER,
        ) as bench:
            await bench.ask(LONG)
            found = await audits_of(bench, 2)
            assert found[-1][1] == "unclear", "without money nobody in the cloud is asked"
            assert len(openai.calls) == 2


def make_due(bench):
    with closing(sqlite3.connect(bench.ledger)) as db:
        db.execute("UPDATE audit_jobs SET due = 0")
        db.commit()


async def test_an_audit_that_an_admin_wants_makes_way_though_the_worker_looks_up_meanwhile(open_bench):
    slow = [Answer(SAME, delay=0.3)]
    async with open_bench(
        change=audited(HOME_ONLY),
        ollama_more="parallel = 1",
        queue_for="10ms",
        local=lambda _: slow.pop() if slow else Answer(SAME),
        paid=SAME,
    ) as bench:
        await bench.ask("How are you?")
        bench.ollama.inject(Fault(FaultKind.SERVER_ERROR))
        await bench.ask(LONG)
        await until(lambda: [row for row in states(bench) if row[2]])
        await asyncio.sleep(0.2)  # the worker looks away: there is nothing to do
        slow.append(Answer(SAME, chunk_delay=0.5))
        make_due(bench)
        run = asyncio.create_task(bench.send("POST", "/admin/audits/run"))
        await until(lambda: bench.ollama.in_flight)
        await asyncio.sleep(3.5)  # it looks again, and waits for its turn
        said = await asyncio.wait_for(bench.ask("How are you?"), 5)
        assert said.headers["x-headgate-model"] == "llama", "nobody is paid because of an audit"
        assert (await run).json["made"]["state"] == "interrupted"


async def test_a_judge_at_home_whose_engine_turns_out_to_be_elsewhere_is_shown_nothing(open_bench):
    library = {"llama3.1:8b": ServedModel(), "far": ServedModel(remote_host="https://ollama.com")}

    def change(page):
        judge = '[models.far]\nengine = "ollama"\nid = "far"\n\n[[routes]]'
        return audited(HOME_ONLY.replace('"none"', '"far"'))(page.replace("[[routes]]", judge, 1))

    def home(call):
        return '{"why": "so", "better": "same"}' if is_judging(call) else SAME

    async with open_bench(change=change, library=library, local=home, paid=OTHER) as bench:
        await bench.ask(LONG)
        ((state, _, error),) = await until(
            lambda: [row for row in states(bench) if row[2] or row[0] == "judged"]
        )
        assert state == "waiting"
        assert error.startswith("no judge could say: far: ")
        assert [call for call in bench.ollama.calls if call.path == "/api/chat" and is_judging(call)] == []


async def test_an_audit_that_made_way_for_a_long_time_has_lost_no_try(open_bench, monkeypatch):
    monkeypatch.setattr("headgate.lab.auditing.auditor.LEASE", 0.1)
    answers = iter([Answer(SAME, delay=30.0)])
    async with open_bench(
        change=audited(HOME_ONLY),
        ollama_more="parallel = 1",
        local=lambda _: next(answers, Answer(SAME, delay=0.3)),
        paid=SAME,
    ) as bench:
        await bench.ask(LONG)
        await until(lambda: bench.ollama.in_flight)
        await bench.ask("How are you?")
        await audits_of(bench)
        assert states(bench) == [("judged", 1, None)]


async def test_an_audit_is_paid_from_nobodys_budget_whoever_asks_for_it(open_bench, tmp_path):
    boss = create_key(tmp_path / "ledger.db", "boss", admin=True, now=0.0)
    budget = '\n[[budgets]]\nname = "boss"\nper = "day"\ndollars = 0\nkey = "boss"\n'
    async with open_bench(
        change=lambda page: audited(NEVER_IDLE)(page) + budget, local=SAME, paid=SAME
    ) as bench:
        await bench.ask()
        await bench.written()
        made = await bench.send("POST", "/admin/audits/run", b"{}", authorization=f"Bearer {boss}")
        assert made.json["made"]["state"] == "judged", made.json


async def test_an_engine_that_is_slow_to_begin_is_asked_again_and_says_nothing_of_its_model(open_bench):
    """Its first token has a clock of its own, one second here; a request may take five."""
    slow = [Answer(SAME, delay=3.0)]
    async with open_bench(
        change=audited(HOME_ONLY), local=lambda _: slow.pop() if slow else Answer(SAME), paid=SAME
    ) as bench:
        await bench.ask(LONG)
        ((state, _, error),) = await until(lambda: [row for row in states(bench) if row[2]])
        assert state == "waiting"
        assert "timeout" in error
        make_due(bench)
        await until(lambda: [row for row in states(bench) if row[0] == "judged"])


async def test_whoever_came_and_went_between_two_looks_is_followed_by_an_early_one(open_bench, monkeypatch):
    pauses, look_away = [], Auditor._look_away

    async def noted(self, seconds):
        pauses.append(seconds)
        return await look_away(self, seconds)

    monkeypatch.setattr(Auditor, "_look_away", noted)
    async with (
        open_bench(change=audited('idle_for = "0s"')) as bench,
        asyncio.timeout(60),
    ):
        while len(pauses) < 2:
            await asyncio.sleep(0.01)
        with bench.gate.road.presence:
            pass
        while len(pauses) < 3:
            await asyncio.sleep(0.01)
    assert pauses[:3] == [FIRST_LOOK, 2 * FIRST_LOOK, FIRST_LOOK]


async def test_whoever_came_and_went_while_it_looked_is_followed_by_an_early_look(open_bench, monkeypatch):
    pauses, looks = [], []
    make_next, look_away = Auditor.make_next, Auditor._look_away

    async def visited(self, *args, **kwargs):
        looks.append(self)
        if len(looks) == 3:
            with self._presence:
                pass
        return await make_next(self, *args, **kwargs)

    async def noted(self, seconds):
        pauses.append(seconds)
        return await look_away(self, 0.01)

    monkeypatch.setattr(Auditor, "make_next", visited)
    monkeypatch.setattr(Auditor, "_look_away", noted)
    async with (
        open_bench(change=audited('idle_for = "0s"')),
        asyncio.timeout(60),
    ):
        while len(pauses) < 5:
            await asyncio.sleep(0.01)
    assert pauses[:5] == [FIRST_LOOK, 2 * FIRST_LOOK, FIRST_LOOK, FIRST_LOOK, 2 * FIRST_LOOK]
