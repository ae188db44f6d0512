"""Pairs of answers on the page's paths: looked at blind, judged by choice or verdict, and by admins only."""

import json
import sqlite3
from contextlib import closing
from functools import partial

import pytest

from headgate.lab.reviewing import local_first
from headgate.ledger.keys import create_key

AT_HOME = "The figures of the quarter are complete and were sent on Monday."
PAID = "Everything for the quarter has been sent; it went out on Monday."
AUDIT = (
    '\n[audit]\nsample = 1.0\nlocal_sample = 1.0\npaid_per_week = 1.0\nidle_for = "50ms"\njudge = "none"\n'
)


def audited(page):
    return page + AUDIT


@pytest.fixture
def make(tmp_path):
    return partial(create_key, tmp_path / "ledger.db", now=0.0)


async def pairs_of(bench, number=1):
    """The pairs, once so many are there."""
    import asyncio

    async with asyncio.timeout(60):
        while True:
            found = (await bench.send("GET", "/admin/audits/pairs")).json
            if len(found["data"]) >= number:
                return found["data"]
            await asyncio.sleep(0.02)


async def say(bench, id_, **body):
    return await bench.send("POST", f"/admin/audits/{id_}/opinion", json.dumps(body).encode())


def audits(bench):
    query = (
        "SELECT v.text, j.text FROM audits a JOIN names v ON v.id = a.verdict JOIN names j ON j.id = a.judge"
    )
    with closing(sqlite3.connect(bench.ledger)) as db:
        return db.execute(query).fetchall()


async def test_a_pair_does_not_say_whose_its_answers_are_before_the_choice(open_bench):
    async with open_bench(change=audited, local=AT_HOME, paid=PAID) as bench:
        request = (await bench.ask()).headers["x-headgate-request-id"]
        (pair,) = await pairs_of(bench)
        assert pair["id"] == request
        assert {pair["first"], pair["second"]} == {AT_HOME, PAID}
        assert (pair["first"] == AT_HOME) == local_first(request)
        assert "llama" not in json.dumps(pair)
        assert "claude" not in json.dumps(pair)
        choice = "2" if local_first(request) else "1"
        said = (await say(bench, request, choice=choice)).json
        assert said["verdict"] == "missed"
        assert {said["first"], said["second"]} == {"llama", "claude"}
        assert audits(bench) == [("missed", "person")]
        assert (await bench.send("GET", "/admin/audits/pairs")).json["data"] == []
        again = (await bench.send("GET", "/admin/audits/pairs?judged=yes")).json["data"]
        assert [(one["verdict"], one["judge"]) for one in again] == [("missed", "person")]


async def test_a_verdict_overrules_and_null_takes_it_back(open_bench):
    async with open_bench(change=audited, local=AT_HOME, paid=PAID) as bench:
        request = (await bench.ask()).headers["x-headgate-request-id"]
        await pairs_of(bench)
        assert (await say(bench, request, verdict="good", reason="read it")).json["verdict"] == "good"
        assert audits(bench) == [("good", "person")]
        assert (await say(bench, request, verdict=None)).json["verdict"] is None
        assert ("good", "person") not in audits(bench)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"choice": "1", "verdict": "good"}, 400),
        ({"choice": "3"}, 400),
        ({"verdict": "unclear"}, 400),
        ({"verdict": "necessary"}, 409),
        ({"verdict": "good", "by": "me"}, 400),
    ],
)
async def test_what_is_no_opinion_on_it_is_refused(open_bench, body, status):
    async with open_bench(change=audited, local=AT_HOME, paid=PAID) as bench:
        request = (await bench.ask()).headers["x-headgate-request-id"]
        await bench.written()
        said = await say(bench, request, **body)
        assert (said.status, bool(said.json["error"]["hint"])) == (status, True), said.body


async def test_what_nobody_asked_cannot_be_judged(open_bench):
    async with open_bench(change=audited) as bench:
        for body in ({"choice": "1"}, {"verdict": "good"}, {"verdict": None}):
            assert (await say(bench, "0" * 19, **body)).status == 404


async def test_only_admins_look_at_what_others_asked(open_bench, make):
    caller, admin = make("web"), make("boss", admin=True)

    def required(page):
        return audited(page).replace("[server]", '[server]\nkeys = "required"')

    async with open_bench(change=required) as bench:
        for key, status in ((caller, 403), (admin, 200)):
            said = await bench.send("GET", "/admin/audits/pairs", authorization=f"Bearer {key}")
            assert said.status == status
