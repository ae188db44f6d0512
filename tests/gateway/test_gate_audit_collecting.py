"""Which requests are chosen to be audited, and what is kept of them: a real gate in front of doubles, with everything sampled."""

import asyncio
import json
import sqlite3
import time

import pytest
from cryptography.fernet import Fernet
from msgspec.structs import replace

from headgate.core.audits import Opinion
from headgate.core.errors import ConfigError, LedgerError
from headgate.core.sampling import Stratum
from headgate.core.types import Message, Request
from headgate.ledger.audit_jobs import AuditJobs
from headgate.ledger.audits import Judged
from headgate.ledger.opening import open_for_writing
from headgate.ledger.retention import FOR_EVER, step
from headgate.ledger.sealing import Seal
from headgate.testing import Answer, Fault

LOCAL = "Fine, thank you. It was a quiet morning at the desk."
PAID = "Very well. I hope that your day is going as it should."
SORT = 'Classify this e-mail as "work" or "private", with one word: the quarterly zebra figures are due.'
REFUSAL = "I'm sorry, but I can't help with that. As an AI language model I have no access to such things at all, as you know."
ALL = "sample = 1.0\nlocal_sample = 1.0\npaid_per_week = 1.0"


def audited(lines=ALL):
    return lambda page: f"{page}\n[audit]\n{lines}\n"


def jobs_of(path):
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    db.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in db.execute("SELECT * FROM audit_jobs ORDER BY request")]
    finally:
        db.close()


async def one_job(bench):
    await bench.written()
    (row,) = jobs_of(bench.ledger)
    job = await asyncio.to_thread(AuditJobs(bench.ledger).take, time.time())
    assert (job.request, job.kind) == (row["request"], row["kind"])
    return job


async def test_a_fallback_is_kept_with_the_local_answer_that_was_rejected(open_bench):
    async with open_bench(change=audited(), local="zebra", paid="work") as bench:
        said = await bench.ask(SORT, temperature=0.3)
        assert said.headers["x-headgate-reason"] == "quality check failed"
        job = await one_job(bench)
    material = job.material
    assert (job.kind, job.probability, job.tries, material.cause) == ("fallback", 1.0, 1, "known-label")
    assert (material.route, material.task, material.chain) == (
        "labels",
        "classification",
        ("llama", "claude"),
    )
    rejected, delivered = material.said
    assert (rejected.model, rejected.local, rejected.text) == ("llama", True, "zebra")
    assert rejected.score == rejected.scores["known-label"] < material.pass_at
    assert (delivered.model, delivered.local, delivered.text) == ("claude", False, "work")
    assert delivered.cost > 0
    assert material.answered == "claude"
    assert material.request.messages == (Message("user", SORT),)
    assert material.request.temperature == 0.3
    assert 29 * 86_400 < job.expires - time.time() < 31 * 86_400


async def test_a_local_answer_that_passed_is_kept_to_be_checked_the_other_way(open_bench):
    async with open_bench(change=audited()) as bench:
        await bench.ask()
        job = await one_job(bench)
    assert (job.kind, job.material.cause, job.material.answered) == ("local", "", "llama")
    assert [said.text for said in job.material.said] == [LOCAL]


async def test_a_route_without_a_local_model_is_audited_on_those_of_the_last_route(open_bench):
    async with open_bench(change=audited()) as bench:
        said = await bench.ask("The zebra minutes of the day. " * 700)
        assert said.headers["x-headgate-reason"] == "token count"
        job = await one_job(bench)
    assert (job.kind, job.material.route, job.material.cause) == ("fallback", "long", "token count")
    assert job.material.chain == ("claude", "llama")


@pytest.mark.parametrize(
    ("more", "headers", "change"),
    [
        ({"model": "claude"}, {}, audited()),
        ({"model": "llama"}, {}, audited()),
        ({"model": "auto:quality"}, {}, audited()),
        ({}, {"x_headgate_privacy": "local_only"}, audited()),
        ({}, {}, audited("sample = 1.0\nlocal_sample = 1.0")),
        ({}, {}, audited("sample = 1.0\nlocal_sample = 0.0\npaid_per_week = 1.0")),
        ({}, {}, lambda page: page),
    ],
    ids=["paid by name", "home by name", "ablest", "local only", "no money", "no share", "no audits"],
)
async def test_what_is_no_question_or_may_not_leave_is_not_chosen(open_bench, more, headers, change):
    async with open_bench(change=change) as bench:
        assert (await bench.ask(headers=headers, **more)).status == 200
        await bench.written()
        assert jobs_of(bench.ledger) == []


async def test_a_prompt_that_no_local_model_could_take_is_not_chosen(open_bench):
    async with open_bench(change=audited()) as bench:
        assert (await bench.ask("The zebra minutes of the day. " * 3000)).status == 200
        await bench.written()
        assert jobs_of(bench.ledger) == []


async def test_a_route_that_keeps_everything_at_home_is_never_checked_by_a_paid_model(open_bench):
    def change(page):
        private = (
            '[[routes]]\nname = "private"\ntasks = ["summarization"]\ntry = ["llama"]\nlocal_only = true\n\n'
        )
        return audited()(page.replace("[[routes]]", private + "[[routes]]", 1))

    async with open_bench(change=change) as bench:
        said = await bench.ask(headers={"x_headgate_task": "summarization"})
        assert said.headers["x-headgate-route"] == "private"
        await bench.written()
        assert jobs_of(bench.ledger) == []


@pytest.mark.parametrize("mode", ["hold", "peek", "pass"])
async def test_a_stream_is_kept_whole_whichever_way_it_went_out(open_bench, mode):
    async with open_bench(change=audited(), mode=mode) as bench:
        assert (await bench.ask("How are you?", stream=True)).streamed == LOCAL
        job = await one_job(bench)
    assert [said.text for said in job.material.said] == [LOCAL]


async def test_a_streamed_fallback_has_what_was_never_shown(open_bench):
    async with open_bench(change=audited(), local=REFUSAL) as bench:
        assert (await bench.ask("What was decided?", stream=True)).streamed == PAID
        job = await one_job(bench)
    assert [said.text for said in job.material.said] == [REFUSAL, PAID]
    assert job.material.cause == "no-refusal"


async def test_an_answer_that_did_not_go_out_whole_is_not_chosen(open_bench):
    async with open_bench(change=audited(), mode="pass", local=LOCAL) as bench:
        bench.ollama.inject(Fault.cut_mid_stream(4))
        await bench.ask("What was decided?", stream=True)
        bench.ollama.inject(Fault.server_error())
        bench.claude.inject(Fault.server_error())
        assert (await bench.ask()).status >= 500
        bench.ollama.inject(Fault.server_error())
        bench.claude.inject(Fault.cut_mid_stream(4))
        await bench.ask("What was decided?", stream=True)
        outcomes = await bench.written(3)
        assert [outcome.status for outcome in outcomes] == ["broken", "failed", "broken"]
        assert outcomes[2].fallback == "engine unavailable"
        assert jobs_of(bench.ledger) == []


async def test_a_request_whose_caller_hung_up_is_not_chosen(open_bench):
    async with open_bench(change=audited(), mode="pass", local=Answer(LOCAL, chunk_delay=0.2)) as bench:
        body = {"model": "auto", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
        sent = json.dumps(body).encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", int(bench.url.rpartition(":")[2]))
        head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        writer.write(f"{head}content-length: {len(sent)}\r\n\r\n".encode() + sent)
        await reader.readuntil(b'"content":"Fine')
        writer.close()
        (outcome,) = await bench.written()
        assert outcome.status == "cancelled"
        assert jobs_of(bench.ledger) == []


async def test_requests_of_agents_and_of_batches_are_chosen_too(open_bench):
    def change(page):
        return audited()(page + '\n[agents.sorter]\nsystem = "Sort."\nlabels = ["work", "private"]\n')

    async with open_bench(change=change, local="work") as bench:
        assert (await bench.ask("The zebra figures.", model="agent:sorter")).status == 200
        assert (await bench.ask(headers={"x_headgate_priority": "batch"})).status == 200
        await bench.written(2)
        first, second = [AuditJobs(bench.ledger).take(time.time()) for _ in range(2)]
    assert (first.material.request.agent, first.material.said[0].label) == ("sorter", "work")
    assert second.material.request.batch


async def test_what_is_sealed_shows_nothing_of_a_prompt_and_opens_with_its_key(open_bench, monkeypatch):
    key = Fernet.generate_key().decode()
    monkeypatch.setenv("AUDIT_KEY", key)
    async with open_bench(change=audited(f'{ALL}\nkey = "env:AUDIT_KEY"'), local="zebra") as bench:
        await bench.ask(SORT)
        await bench.written()
        files = [path.read_bytes() for path in bench.ledger.parent.glob("ledger.db*")]
        assert len(files) > 1, "what is not in the file yet is in the log beside it"
        assert not any(b"quarterly" in file for file in files)
        now = time.time()
        assert AuditJobs(bench.ledger).take(now) is None, "without the key nobody can make it"
        stranger = AuditJobs(bench.ledger, Seal(Fernet.generate_key().decode()))
        assert stranger.take(now + 4_000) is None
        with pytest.raises(LedgerError, match="another key"):
            stranger.material(1)
        job = AuditJobs(bench.ledger, Seal(key)).take(now + 8_000)
        assert job.material.request.messages[0].text == SORT


@pytest.mark.parametrize(
    ("key", "said"),
    [(None, "the key of [audit] is not there: env:AUDIT_KEY"), ("secret", "no Fernet key")],
)
async def test_a_gate_does_not_open_where_it_cannot_seal(open_bench, monkeypatch, key, said):
    if key is not None:
        monkeypatch.setenv("AUDIT_KEY", key)
    with pytest.raises(ConfigError) as caught:
        async with open_bench(change=audited(f'{ALL}\nkey = "env:AUDIT_KEY"')):
            pass
    assert said in caught.value.message
    assert caught.value.hint


async def test_what_is_kept_is_gone_from_the_file_once_its_time_is_over(open_bench):
    async with open_bench(change=audited(f'{ALL}\nkeep = "1h"')) as bench:
        await bench.ask(SORT)
        await bench.written()
        assert b"quarterly" in b"".join(path.read_bytes() for path in bench.ledger.parent.glob("ledger.db*"))
    db = open_for_writing(bench.ledger)
    while step(db, FOR_EVER, time.time()):
        pass
    assert jobs_of(bench.ledger)[0]["material"] is not None
    while step(db, FOR_EVER, time.time() + 3_601):
        pass
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    (job,) = jobs_of(bench.ledger)
    assert (job["material"], job["state"], job["error"]) == (None, "failed", "nobody made it in time")
    assert b"quarterly" not in bench.ledger.read_bytes()


async def test_a_gate_that_is_never_at_rest_forgets_in_time_too(open_bench):
    async with open_bench(change=audited(f'{ALL}\nkeep = "10ms"')) as bench:
        await bench.ask()
        await bench.written()
        await asyncio.sleep(0.02)
        await bench.ask()
        await bench.written(2)
        first, _ = jobs_of(bench.ledger)
    assert first["material"] is None


async def test_what_is_too_large_is_chosen_but_not_kept(open_bench):
    def change(page):
        return audited()(page.replace("body_limit_mb = 1", "body_limit_mb = 4"))

    async with open_bench(change=change) as bench:
        assert (await bench.ask(notes="A" * 1_000_000)).status == 200
        await bench.written()
        (job,) = jobs_of(bench.ledger)
    assert (job["state"], job["error"], job["material"]) == ("failed", "too large to be kept", None)


async def test_the_chance_that_is_kept_is_the_one_that_was_thrown_for(open_bench):
    async with open_bench(
        change=audited("sample = 0.3\nlocal_sample = 0.3333333\npaid_per_week = 1")
    ) as bench:
        throws = iter([0.3333329, 0.333333, 0.2])
        bench.gate.road.sampling.chance = lambda: next(throws)
        for _ in range(3):
            await bench.ask()
        await bench.written(3)
        assert [(job["request"], job["probability"]) for job in jobs_of(bench.ledger)] == [
            (1, 333_333),
            (3, 333_333),
        ]


async def test_a_gate_that_opens_knows_what_earlier_audits_found(open_bench):
    async with open_bench(change=audited()) as bench:
        for _ in range(15):
            await bench.ask()
            await bench.ask(headers={"x_headgate_task": "writing"})
        await bench.written(30)
        jobs = AuditJobs(bench.ledger)
        while (job := jobs.take(time.time())) is not None:
            if job.material.task == "writing":
                good = Opinion(verdict="good", judge="exact")
                said = Judged(
                    request=job.request, opinions=(good,), in_force=good, at=time.time(), probability=1.0
                )
                jobs.finish(job, said)
                known = Stratum("local", job.material.route, job.material.task)
            else:
                unknown = Stratum("local", job.material.route, job.material.task)
    change = audited("local_sample = 0.2\npaid_per_week = 1.0")
    async with open_bench(change=change) as bench, asyncio.timeout(60):
        sampling = bench.gate.road.sampling
        while sampling.highest == 0.2:
            await asyncio.sleep(0.01)
        assert sampling.probability(known) < 0.2 < sampling.probability(unknown)
        assert sampling.probability(known) + sampling.probability(unknown) == pytest.approx(0.4, abs=1e-5)
        assert sampling.probability(Stratum("local", "a new route", None)) == sampling.highest
        assert sampling.probability(Stratum("fallback", "long", None)) == 0.0


async def test_requests_from_python_are_chosen_like_all_others(open_bench):
    async with open_bench(change=audited()) as bench:
        asked = Request(id="inside", asked="auto", messages=(Message("user", "How are you?"),))
        await bench.gate.ask(asked)
        await bench.gate.ask(replace(asked, id="unpaid", pay=False))
        await bench.written(2)
        assert [job["request"] for job in jobs_of(bench.ledger)] == [1], (
            "what may not be paid for is not checked"
        )
