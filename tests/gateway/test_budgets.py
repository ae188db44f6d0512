"""Money in budgets: nobody can overrun them, all that was promised is given back, and people are told."""

import asyncio
import json
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

import pytest

from headgate.core.budgets import Budget
from headgate.gateway.budgets import Budgets, Reservation
from headgate.ledger.keys import create_key
from headgate.testing import Answer, Fault

BERLIN = ZoneInfo("Europe/Berlin")
PAID = "Very well. I hope that your day is going as it should."
REFUSAL = "I'm sorry, but I can't help with that."
EACH = (16 * 2 + 300 * 10) / 1e6
"""Dollars of an answer of 300 tokens, about: what is estimated, too."""


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


def budget(**more) -> Budget:
    return Budget(**({"name": "all", "per": "day", "dollars": 1.0} | more))


def page(*tables: str):
    """Adds budgets to the bench's page."""
    return lambda text: text + "".join(f"\n[[budgets]]\n{table}\n" for table in tables)


# ── Accounts ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_request_reserves_in_all_its_budgets_or_in_none():
    budgets = Budgets([budget(), budget(name="team", team="web", dollars=0.5)], BERLIN)
    ours, others = budgets.of("", "web", None), budgets.of("", "", None)
    assert (len(ours), len(others)) == (2, 1)
    first = budgets.reserve(ours, 0.4)
    assert isinstance(first, Reservation)
    short = budgets.reserve(ours, 0.2)
    assert short.budget.name == "team"
    assert [one.reserved for one in budgets.standings()] == [0.4, 0.4], "nothing of it was set aside anywhere"
    assert isinstance(budgets.reserve(others, 0.2), Reservation)
    budgets.release(first)
    budgets.settle(ours, 0.1)
    assert [(one.reserved, one.spent) for one in budgets.standings()] == [(0.2, 0.1), (0.0, 0.1)]


def test_what_was_set_aside_is_given_back_to_the_last_cent():
    budgets = Budgets([budget(dollars=1000)], BERLIN)
    everybody = budgets.of("", "", None)
    for _ in range(1000):
        held = [budgets.reserve(everybody, dollars) for dollars in (0.1, 0.2, 0.0000301, 1 / 3)]
        for one in reversed(held):
            budgets.release(one)
    assert budgets.standings()[0].reserved == 0


def test_a_new_day_brings_new_money_and_a_clock_that_jumps_back_does_not():
    now = [at("2026-10-25 23:59")]
    budgets = Budgets([budget()], BERLIN, clock=lambda: now[0])
    everybody = budgets.of("", "", None)
    budgets.settle(everybody, 1.0)
    assert budgets.allowances(everybody)[0].left == 0
    now[0] = at("2026-10-26 00:00")
    assert (budgets.allowances(everybody)[0].left, budgets.paid_today) == (1.0, 0.0)
    budgets.settle(everybody, 1.0)
    now[0] = at("2026-10-25 12:00")
    assert budgets.allowances(everybody)[0].left == 0, "the day before gives nothing again"
    budgets.settle(everybody, 0.5)
    now[0] = at("2026-10-26 12:00")
    assert budgets.standings()[0].spent == 1.5, "what was paid meanwhile is not lost"
    assert budgets.paid_today == 1.5


def test_a_clock_that_was_years_ahead_does_not_leave_a_budget_in_a_year_to_come():
    now = [at("2026-11-28 12:00")]
    budgets = Budgets([budget()], BERLIN, clock=lambda: now[0])
    everybody = budgets.of("", "", None)
    budgets.settle(everybody, 0.5)
    now[0] = at("2031-01-01 12:00")
    budgets.settle(everybody, 0.25)
    now[0] = at("2026-11-28 12:05")
    assert budgets.allowances(everybody)[0].left == 0.25, "what was paid on that day, and meanwhile"
    assert (budgets.paid_today, budgets.standings()[0].ends) == (0.75, at("2026-11-29 00:00"))
    now[0] = at("2026-11-29 00:00")
    assert budgets.allowances(everybody)[0].left == 1.0, "and the next day is a new one"


def test_what_is_promised_over_midnight_is_promised_of_the_new_day():
    now = [at("2026-11-27 23:59")]
    budgets = Budgets([budget()], BERLIN, clock=lambda: now[0])
    everybody = budgets.of("", "", None)
    held = budgets.reserve(everybody, 0.75)
    now[0] = at("2026-11-28 00:01")
    assert budgets.allowances(everybody)[0].left == 0.25
    budgets.release(held)
    budgets.settle(everybody, 0.75)
    assert (budgets.standings()[0].reserved, budgets.standings()[0].spent) == (0, 0.75)


def test_each_level_is_told_once_a_period():
    now, told = [at("2026-11-28 09:00")], []
    budgets = Budgets([budget()], BERLIN, clock=lambda: now[0], on_level=told.append)
    everybody = budgets.of("", "", None)
    for _ in range(15):
        budgets.settle(everybody, 0.1)
    assert [alert.level for alert in told] == [50, 80, 100]
    assert len({alert.title for alert in told}) == 3
    now[0] = at("2026-11-29 09:00")
    budgets.settle(everybody, 0.6)
    assert [alert.level for alert in told] == [50, 80, 100, 50]
    assert told[-1].begun == at("2026-11-29")


def test_a_hard_budget_whose_last_cents_buy_nothing_counts_as_spent():
    told = []
    budgets = Budgets([budget()], BERLIN, on_level=told.append)
    everybody = budgets.of("", "", None)
    budgets.settle(everybody, 0.6)
    assert not isinstance(budgets.reserve(everybody, 0.5), Reservation)
    assert [alert.level for alert in told] == [50], "one large request says nothing about the budget"
    budgets.settle(everybody, 0.35)
    assert not isinstance(budgets.reserve(everybody, 0.1), Reservation)
    assert [alert.level for alert in told] == [50, 80, 100]


# ── A hundred at once ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_hundred_requests_at_once_cannot_overrun_a_budget(open_bench):
    async with open_bench(
        local=Answer(REFUSAL, delay=0.02),
        paid=Answer(PAID, output_tokens=300, delay=0.1),
        ollama_more="parallel = 100",
        change=page('name = "all"\nper = "month"\ndollars = 0.05'),
    ) as bench:
        said = await asyncio.gather(*(bench.ask(max_tokens=300) for _ in range(100)))
        assert {one.status for one in said} == {200}
        outcomes = await bench.written(100)
        (all_of_it,) = bench.gate.road.budgets.standings()
        paid = sum(outcome.model == "claude" for outcome in outcomes)
        assert 0.05 - 2 * EACH < all_of_it.spent <= 0.05, "here estimates are right"
        assert all_of_it.reserved == 0
        assert all_of_it.spent == pytest.approx(sum(outcome.cost for outcome in outcomes))
        assert 15 <= paid <= 17
        kept = [one for one in said if one.headers["x-headgate-model"] == "llama"]
        assert len(kept) == 100 - paid
        assert all(
            one.headers["x-headgate-notice"].startswith("budget: all's month has $0.0") for one in kept
        )
        skips = [outcome.decision.skipped.get("claude") for outcome in outcomes if outcome.model == "llama"]
        assert set(skips) == {"budget"}


@pytest.mark.parametrize("limit", [{}, {"max_tokens": 16_000}])
@pytest.mark.parametrize("streamed", [False, True])
async def test_a_hundred_answers_as_long_as_they_may_be_cannot_overrun_a_budget(open_bench, limit, streamed):
    """Nobody knows beforehand how long they get: fifty times the estimate, and each of them is charged in full."""
    longest = lambda call: Answer(PAID, output_tokens=call.fields["max_tokens"], delay=0.1)  # noqa: E731
    async with open_bench(
        local=Answer(REFUSAL, delay=0.02),
        paid=longest,
        ollama_more="parallel = 100",
        change=page('name = "all"\nper = "month"\ndollars = 0.30'),
    ) as bench:
        said = await asyncio.gather(*(bench.ask(stream=streamed, **limit) for _ in range(100)))
        assert {one.status for one in said} == {200}
        outcomes = await bench.written(100)
        (all_of_it,) = bench.gate.road.budgets.standings()
        assert 0.20 < all_of_it.spent <= 0.30
        assert all_of_it.reserved == 0
        paid = [outcome for outcome in outcomes if outcome.model == "claude"]
        assert len(paid) > 10, "none takes all that is left"
        assert any("what the money left buys" in " ".join(outcome.adjusted) for outcome in paid)


async def test_with_money_enough_no_answer_is_shortened(open_bench):
    async with open_bench(
        local=REFUSAL, paid=PAID, change=page('name = "all"\nper = "month"\ndollars = 2')
    ) as bench:
        for limit in ({}, {"max_tokens": 16_000}):
            assert "x-headgate-adjusted" not in (await bench.ask(**limit)).headers


@pytest.mark.parametrize("streamed", [False, True])
async def test_whatever_becomes_of_requests_the_money_that_was_promised_is_given_back(open_bench, streamed):
    """Answered, failed, cut off, too late, and left by their callers in the middle, all at the same time."""
    async with open_bench(
        local=Answer(REFUSAL),
        paid=Answer("word " * 300, delay=0.05),
        ollama_more="parallel = 100",
        change=page('name = "all"\nper = "week"\ndollars = 100'),
    ) as bench:
        bench.claude.inject(Fault.server_error(), times=10)
        bench.claude.inject(Fault.cut_mid_stream(2), times=10)
        bench.claude.inject(Fault.cut_before_headers(), times=5)
        bench.claude.inject(Fault.stall_mid_stream(2, 5), times=5)
        asked = [asyncio.create_task(bench.ask(stream=streamed, model="claude")) for _ in range(100)]
        left = asked[::4]
        async with asyncio.timeout(60):
            while not bench.gate.road.budgets.standings()[0].reserved:
                await asyncio.sleep(0.001)
        for one in left:
            one.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        async with asyncio.timeout(60):
            while bench.gate.http.open:
                await asyncio.sleep(0.01)
        (standing,) = bench.gate.road.budgets.standings()
        assert standing.reserved == 0
        assert standing.spent > 0


async def test_batches_are_paid_from_budgets_too(open_bench):
    lines = [
        {
            "custom_id": str(number),
            "params": {
                "model": "auto",
                "max_tokens": 300,
                "messages": [{"role": "user", "content": "How are you?"}],
            },
        }
        for number in range(20)
    ]
    async with open_bench(
        local=Answer(REFUSAL),
        paid=Answer(PAID, output_tokens=300),
        change=page(f'name = "all"\nper = "day"\ndollars = {3.5 * EACH}'),
    ) as bench:
        made = await bench.send("POST", "/v1/messages/batches", json.dumps({"requests": lines}).encode())
        assert made.status == 200, made.body
        async with asyncio.timeout(60):
            while (await bench.send("GET", f"/v1/messages/batches/{made.json['id']}")).json[
                "processing_status"
            ] != "ended":
                await asyncio.sleep(0.02)
        (standing,) = bench.gate.road.budgets.standings()
        assert standing.reserved == 0
        assert 2 * EACH < standing.spent < 3.6 * EACH


# ── What a spent budget does ─────────────────────────────────────────────────────────────────────────────────────────


async def test_where_nothing_may_be_paid_any_more_models_at_home_stand_in(open_bench):
    """The route for long prompts names a paid model alone."""
    async with open_bench(
        change=lambda text: page('name = "all"\nper = "month"\ndollars = 0')(
            text.replace("tokens_over = 4000", "tokens_over = 10")
        )
    ) as bench:
        said = await bench.ask("How are you? " * 30)
        assert (said.status, said.headers["x-headgate-model"]) == (200, "llama")
        assert said.headers["x-headgate-notice"] == (
            "budget: all's month has $0.00 left of $0.00; only models at home answer until "
            + bench.gate.road.budgets.allowances(bench.gate.road.budgets.of("", "", None))[0].ends
        )
        (outcome,) = await bench.written()
        assert outcome.decision.skipped == {"claude": "budget"}
        assert not bench.claude.calls


DIALECTS = {
    "openai": ("/v1/chat/completions", 429),
    "responses": ("/v1/responses", 429),
    "anthropic": ("/v1/messages", 402),
    "ollama": ("/api/chat", 429),
}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_budget_that_refuses_says_so_in_each_dialect(open_bench, dialect, streamed):
    path, status = DIALECTS[dialect]
    refusing = page('name = "all"\nper = "month"\ndollars = 0.000001\nwhen_spent = "refuse"')
    async with open_bench(change=refusing) as bench:
        limit = "max_output_tokens" if dialect == "responses" else "max_tokens"
        body = {"model": "auto", limit: 100, "stream": streamed}
        words = [{"role": "user", "content": "How are you?"}]
        body |= {"input": words} if dialect == "responses" else {"messages": words}
        said = await bench.send("POST", path, json.dumps(body).encode())
        assert said.status == status, said.body
        assert said.headers["x-should-retry"] == "false"
        ends = bench.gate.road.budgets.allowances(bench.gate.road.budgets.of("", "", None))[0].ends
        error = said.json["error"]
        message = error if dialect == "ollama" else error["message"]
        assert "all's month has $0.0000 left" in message
        assert ends in message
        if dialect == "openai":
            assert (error["type"], error["code"]) == ("insufficient_quota", "insufficient_quota")
        if dialect == "anthropic":
            assert error["type"] == "billing_error"
        assert not [call for call in bench.ollama.calls if call.path == "/api/chat"], (
            "home is not asked either"
        )
        (outcome,) = await bench.written()
        assert set(outcome.decision.skipped.values()) == {"budget"}


async def test_a_budget_that_refuses_leaves_alone_what_cannot_cost_anything(open_bench):
    refusing = page('name = "all"\nper = "month"\ndollars = 0\nwhen_spent = "refuse"')
    async with open_bench(change=refusing) as bench:
        assert (await bench.ask(model="llama")).status == 200
        assert (await bench.ask(model="claude")).status == 429


async def test_a_soft_budget_that_is_spent_puts_models_at_home_first_and_keeps_paid_ones_behind(open_bench):
    soft = page('name = "soft"\nper = "week"\ndollars = 0.000001\nwhen_spent = "prefer_local"')
    turned = lambda text: soft(text.replace('try = ["llama", "claude"]', 'try = ["claude", "llama"]'))  # noqa: E731
    async with open_bench(change=turned) as bench:
        first = await bench.ask()
        assert first.headers["x-headgate-model"] == "claude"
        assert "x-headgate-notice" not in first.headers
        second = await bench.ask()
        assert second.headers["x-headgate-model"] == "llama"
        assert "models at home go first" in second.headers["x-headgate-notice"]
        bench.ollama.inject(Fault.server_error(), times=1)
        assert (await bench.ask()).headers["x-headgate-model"] == "claude"
        assert (await bench.written(3))[1].decision.order == "home first"


async def test_budgets_of_keys_teams_and_tasks_bind_only_those_that_they_name(open_bench, tmp_path):
    make = partial(create_key, tmp_path / "ledger.db", now=0.0)
    web, shop, other = make("web", team="it"), make("shop", team="it"), make("other")
    budgets = page(
        'name = "web"\nper = "day"\ndollars = 0\nkey = "web"',
        'name = "code"\nper = "day"\ndollars = 0\ntask = "code"',
        'name = "it"\nper = "day"\ndollars = 5\nteam = "it"',
    )
    async with open_bench(change=budgets, local=REFUSAL) as bench:

        async def who(key: str, text: str = "How are you?", **more: str) -> str:
            said = await bench.ask(text, headers={"authorization": f"Bearer {key}", **more})
            return said.headers["x-headgate-model"]

        assert [await who(key) for key in (web, shop, other)] == ["llama", "claude", "claude"]
        assert await who(other, x_headgate_task="code") == "llama"
        outcomes = await bench.written(4)
        assert [(one.key, one.team) for one in outcomes] == [
            ("web", "it"),
            ("shop", "it"),
            ("other", ""),
            ("other", ""),
        ]
        spent = {one.name: one.spent for one in bench.gate.road.budgets.standings()}
        assert spent == {"web": 0, "code": 0, "it": pytest.approx(outcomes[1].cost)}


async def test_an_alert_is_told_once_also_after_a_restart_and_counted(open_bench, caplog):
    change = page('name = "all"\nper = "month"\ndollars = 0.01')
    paid = Answer(PAID, output_tokens=300)
    heard = []
    async with open_bench(change=change, local=REFUSAL, paid=paid) as bench:
        bench.gate.alerts.hear(heard.append)
        for _ in range(4):
            await bench.ask()
        async with asyncio.timeout(60):
            while len(heard) < 3:
                await asyncio.sleep(0.01)
        assert [alert.level for alert in heard] == [50, 80, 100]
        shown = (await bench.send("GET", "/metrics")).body.decode()
        assert 'headgate_budget_alerts_total{budget="all",level="100"} 1.0' in shown
        assert 'headgate_budget_dollars{budget="all",per="month",what="limit"} 0.01' in shown
        health = (await bench.send("GET", "/healthz")).json
        (standing,) = health["budgets"]
        assert standing["level"] >= 80
        before = standing["spent"]
        assert health["paid_today"] == before
    again = []
    async with open_bench(change=change, local=REFUSAL, paid=paid) as bench:
        bench.gate.alerts.hear(again.append)
        (standing,) = bench.gate.road.budgets.standings()
        assert standing.spent == pytest.approx(before)
        assert (await bench.ask()).headers["x-headgate-model"] == "llama"
    assert again == []
    assert sum("of all's month" in record.getMessage() for record in caplog.records) == len(heard)
