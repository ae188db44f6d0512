"""POST /v1/feedback: what a caller says of his own answers, before the ledger has them, twice, otherwise, and after a restart."""

import json
import sqlite3
from functools import partial

import pytest

from headgate.core.audits import Opinion
from headgate.ledger.keys import create_key
from headgate.ledger.opinions import give_opinion
from headgate.testing import Fault, FaultKind

CHAT = {"model": "auto", "messages": [{"role": "user", "content": "How are you?"}]}
BY_NAME = CHAT | {"model": "claude"}


@pytest.fixture
def make(tmp_path):
    return partial(create_key, tmp_path / "ledger.db", now=0.0)


def required(text: str) -> str:
    return text.replace("[server]", '[server]\nkeys = "required"')


def slowly(text: str) -> str:
    return text.replace('flush = "20ms"', 'flush = "60s"')


async def asked(bench, body=CHAT, **headers: str) -> str:
    said = await bench.send("POST", "/v1/chat/completions", json.dumps(body).encode(), **headers)
    assert said.status == 200, said.body
    return said.headers["x-headgate-request-id"]


async def say(bench, body, **headers: str):
    return await bench.send("POST", "/v1/feedback", json.dumps(body).encode(), **headers)


def kept(path, table: str = "audits") -> list[tuple[str, str]]:
    with sqlite3.connect(path) as db:
        return db.execute(
            f"SELECT v.text, j.text FROM {table} o JOIN names v ON v.id = verdict JOIN names j ON j.id = judge"
        ).fetchall()


async def test_a_thumb_down_on_a_local_answer_counts_as_missed_and_up_as_good(open_bench):
    async with open_bench() as bench:
        said = await say(bench, {"id": await asked(bench), "thumb": "down", "comment": "wrong sum"})
        assert said.status == 200
        assert said.json["counts_as"] == "missed"
        assert said.json["in_force"] is True
        assert kept(bench.ledger) == [("missed", "caller")]
        assert (await say(bench, {"id": said.json["id"], "thumb": "up"})).json["counts_as"] == "good"
        assert kept(bench.ledger) == kept(bench.ledger, "opinions") == [("good", "caller")]


async def test_an_answer_that_is_not_in_the_ledger_yet_can_be_judged_at_once(open_bench):
    async with open_bench(change=slowly) as bench:
        said = await say(bench, {"id": await asked(bench), "thumb": "down"})
        assert (said.status, said.json.get("counts_as")) == (200, "missed")


async def test_the_same_thumb_without_a_comment_keeps_the_one_that_was_there(open_bench):
    async with open_bench() as bench:
        first = await say(bench, {"id": await asked(bench), "thumb": "down", "comment": "wrong sum"})
        body = {"id": first.json["id"], "thumb": "down"}
        assert (await say(bench, body)).json["comment"] == "wrong sum"
        assert (await say(bench, body | {"comment": None})).json["comment"] == "wrong sum"
        assert (await say(bench, body | {"comment": "and too late"})).json["comment"] == "and too late"
        assert (await say(bench, body | {"thumb": "up"})).json["comment"] == "", (
            "it was said of the other thumb"
        )
        assert (await say(bench, body | {"comment": "wrong sum"})).json["comment"] == "wrong sum"
        assert (await say(bench, body | {"comment": ""})).json["comment"] == ""


async def test_saying_the_same_again_changes_nothing(open_bench):
    async with open_bench() as bench:
        body = {"id": await asked(bench), "thumb": "up", "comment": "fine"}
        first = await say(bench, body)
        with sqlite3.connect(bench.ledger) as db:
            before = db.execute("SELECT * FROM opinions").fetchall()
        assert (await say(bench, body)).json == first.json
        with sqlite3.connect(bench.ledger) as db:
            assert db.execute("SELECT * FROM opinions").fetchall() == before


async def test_a_thumb_that_is_taken_back_leaves_no_audit(open_bench):
    async with open_bench() as bench:
        request = await asked(bench)
        await say(bench, {"id": request, "thumb": "down"})
        said = await say(bench, {"id": request, "thumb": None})
        assert (said.status, said.json["thumb"]) == (200, None)
        assert kept(bench.ledger) == kept(bench.ledger, "opinions") == []


async def test_a_thumb_on_a_paid_answer_is_kept_and_says_nothing_about_necessity(open_bench):
    async with open_bench() as bench:
        said = await say(bench, {"id": await asked(bench, BY_NAME), "thumb": "down"})
        assert (said.json["counts_as"], said.json["in_force"]) == (None, False)
        assert kept(bench.ledger) == []
        assert kept(bench.ledger, "opinions") == [("unclear", "caller")]


async def test_the_id_of_the_answer_itself_will_do(open_bench):
    async with open_bench() as bench:
        answer = await bench.send("POST", "/v1/chat/completions", json.dumps(CHAT).encode())
        said = await say(bench, {"id": answer.json["id"], "thumb": "up"})
        assert (said.status, said.json.get("id")) == (200, answer.headers["x-headgate-request-id"])


async def test_a_caller_judges_requests_of_his_own_key_alone_and_an_admin_all(open_bench, make):
    anna, ben, boss = make("anna"), make("ben"), make("boss", admin=True)
    async with open_bench(change=required) as bench:
        request = await asked(bench, authorization=f"Bearer {anna}")
        body = {"id": request, "thumb": "down"}
        stranger = await say(bench, body, authorization=f"Bearer {ben}")
        assert (stranger.status, stranger.json["error"]["code"]) == (404, "request_not_found")
        unknown = await say(bench, body | {"id": "0" * 19}, authorization=f"Bearer {ben}")
        assert (
            unknown.json["error"]["message"].replace("0" * 19, request) == stranger.json["error"]["message"]
        )
        assert (await say(bench, body)).status == 401
        assert kept(bench.ledger) == []
        assert (await say(bench, body, authorization=f"Bearer {anna}")).status == 200
        assert (await say(bench, body | {"thumb": "up"}, authorization=f"Bearer {boss}")).status == 200


async def test_without_a_key_nobody_judges_what_was_asked_with_one(open_bench, make):
    anna = make("anna")
    async with open_bench() as bench:
        request = await asked(bench, authorization=f"Bearer {anna}")
        assert (await say(bench, {"id": request, "thumb": "up"})).status == 404


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"id": "req_42", "thumb": "up"}, 400, "invalid_id"),
        ({"id": "0" * 19, "thumb": "up"}, 404, "request_not_found"),
        ({"id": "0" * 19, "thumb": "sideways"}, 400, None),
        ({"id": "0" * 19}, 400, None),
        ({"id": "0" * 19, "thumb": "up", "comment": "x" * 2001}, 400, None),
        ({"id": "0" * 19, "thumb": "up", "stars": 5}, 400, None),
        ({"id": "", "thumb": "up"}, 400, None),
        ([], 400, None),
    ],
)
async def test_what_is_said_wrongly_is_refused_with_a_hint(open_bench, body, status, code):
    async with open_bench() as bench:
        said = await say(bench, body)
        assert said.status == status
        assert code in (None, said.json["error"]["code"])
        assert said.json["error"]["hint"]
        assert "model" not in said.json["error"]["hint"]


async def test_a_request_without_an_answer_cannot_be_judged(open_bench):
    async with open_bench() as bench:
        bench.ollama.inject(Fault(FaultKind.SERVER_ERROR), times=None)
        bench.claude.inject(Fault(FaultKind.SERVER_ERROR), times=None)
        failed = await bench.ask()
        assert failed.status >= 500
        said = await say(bench, {"id": failed.headers["x-headgate-request-id"], "thumb": "up"})
        assert (said.status, said.json["error"]["code"]) == (409, "nothing_to_judge")


async def test_feedback_works_after_a_restart_and_a_persons_word_stays_in_force(open_bench):
    async with open_bench() as bench:
        request = await asked(bench)
    with sqlite3.connect(bench.ledger) as db:
        (n,) = db.execute("SELECT n FROM requests WHERE id = ?", (request,)).fetchone()
    give_opinion(bench.ledger, n, Opinion(verdict="good", judge="person"), 1.0)
    async with open_bench() as again:
        said = await say(again, {"id": request, "thumb": "down"})
    assert (said.status, said.json["counts_as"], said.json["in_force"]) == (200, "missed", False)
    assert kept(bench.ledger) == [("good", "person")]
    assert sorted(kept(bench.ledger, "opinions")) == [("good", "person"), ("missed", "caller")]
