"""What a request really costs is in its row: energy at home, the baseline's own tokens, the cheap cloud beside it."""

import asyncio

import pytest

from headgate.core.recount import PRIMING
from headgate.engines.tokenizer import load_counter
from headgate.ledger.queries import LedgerReader
from headgate.ledger.schema import power
from headgate.ledger.units import MICRO

ENERGY = """
[energy]
price_per_kwh = 0.40
watts = 300
idle_watts = 50
"""


def with_energy(page):
    return page + ENERGY


async def test_an_answer_at_home_has_energy_and_its_price(open_bench):
    async with open_bench(change=with_energy) as bench:
        said = await bench.ask("How are you?")
        assert said.status == 200
        (outcome,) = await bench.written()
        (attempt,) = outcome.attempts
        assert outcome.model == "llama"
        assert 0 < attempt.energy <= 250 * outcome.seconds
        assert outcome.energy == attempt.energy
        assert outcome.energy_cost == pytest.approx(outcome.energy / 3.6e6 * 0.40, abs=1e-9)


async def test_a_paid_answer_draws_nothing_here(open_bench):
    async with open_bench(change=with_energy) as bench:
        await bench.ask("How are you?", model="claude")
        (outcome,) = await bench.written()
        assert outcome.model == "claude"
        assert outcome.energy == 0
        assert outcome.energy_cost == 0


async def test_what_a_failed_attempt_at_home_drew_is_in_the_request(open_bench):
    async with open_bench(change=with_energy, local="I'm sorry, I can't help with that.") as bench:
        await bench.ask("Write a note to the team about the move on Friday.", stream=False)
        (outcome,) = await bench.written()
        assert outcome.model == "claude"
        assert [attempt.energy > 0 for attempt in outcome.attempts] == [True, False]
        assert outcome.energy == outcome.attempts[0].energy


async def test_a_stream_and_a_caller_who_leaves_draw_too(open_bench):
    async with open_bench(change=with_energy) as bench:
        await bench.ask("How are you?", stream=True)
        (outcome,) = await bench.written()
        assert outcome.energy > 0


async def test_without_any_word_on_energy_it_is_unknown_or_measured_but_has_no_price(open_bench):
    async with open_bench() as bench:
        await bench.ask("How are you?")
        (outcome,) = await bench.written()
        assert outcome.energy_cost is None


async def test_energy_of_the_hour_is_kept_when_the_gate_closes(open_bench):
    async with open_bench(change=with_energy) as bench:
        await bench.ask("How are you?")
        await asyncio.sleep(1.1)  # whole seconds are kept
        (outcome,) = await bench.written()
        ledger = bench.ledger
    with LedgerReader(ledger) as reader, reader.connect() as db:
        rows = db.execute(power.select()).all()
    assert {row.source for row in rows} == {"typed"}
    assert sum(row.requests_energy for row in rows) == round(outcome.energy * MICRO)
    idle = sum(row.energy - row.requests_energy for row in rows) / MICRO
    seconds = sum(row.seconds for row in rows)
    # Parts of a second are not kept, and their energy is.
    assert 50 * seconds * 0.4 < idle < 50 * (seconds + len(rows)) * 1.1


async def test_the_cheap_cloud_stands_beside_every_answer(open_bench):
    async with open_bench() as bench:
        await bench.ask("How are you?")
        (outcome,) = await bench.written()
        assert outcome.alternative == "groq/llama-3.1-8b-instant"
        tokens = outcome.usage.prompt, outcome.usage.output
        assert outcome.alternative_cost == pytest.approx(
            (tokens[0] * 0.05 + tokens[1] * 0.08) / 1e6, abs=1e-9
        )
        assert outcome.alternative_cost < outcome.baseline_cost


async def test_what_must_stay_at_home_has_no_alternative(open_bench):
    async with open_bench() as bench:
        await bench.ask("How are you?", model="auto:local")
        (outcome,) = await bench.written()
        assert outcome.alternative == ""
        assert outcome.alternative_cost is None


async def test_the_baseline_is_charged_for_its_own_tokens_once_they_are_learned(open_bench):
    text = (
        "Explain in one paragraph why the tide comes twice a day, and why it is late by some fifty minutes."
    )
    async with open_bench() as bench:
        await bench.ask(text)
        recounts = bench.gate.road.recounts
        await recounts.count()
        tally = recounts.tallies["llama"]
        assert bench.gate.road.tokenizer.counter is None, "its 80 MB stay out of the gate"
        counter = load_counter()
        assert tally.answers == 1
        await bench.ask(text)
        first, second = await bench.written(2)
    assert (first.baseline_input, first.baseline_output) == (None, None)
    assert second.baseline_input == counter(text) + 4 + PRIMING
    assert second.baseline_output == counter("Fine, thank you. It was a quiet morning at the desk.")
    price = 2.5, 10.0
    assert second.baseline_cost == pytest.approx(
        (second.baseline_input * price[0] + second.baseline_output * price[1]) / 1e6, abs=1e-9
    )


async def test_what_was_learned_outlives_the_gate(open_bench):
    async with open_bench() as bench:
        await bench.ask("How are you today, and what is there to do?")
        await bench.gate.road.recounts.count()
        await bench.ask("How are you today, and what is there to do?")
        await bench.written(2)
    async with open_bench() as bench:
        await bench.ask("How are you today, and what is there to do?")
        outcome = (await bench.written(1))[-1]
        assert outcome.baseline_output is not None


async def test_a_baseline_whose_tokenizer_nobody_has_is_charged_for_what_was_reported(open_bench):
    async with open_bench(change=lambda page: page + '\n[report]\nbaseline = "claude"\n') as bench:
        await bench.ask("How are you?")
        await bench.gate.road.recounts.count()
        (outcome,) = await bench.written()
        assert outcome.baseline_input is None
        usage = outcome.usage
        assert outcome.baseline_cost == pytest.approx((usage.prompt * 2 + usage.output * 10) / 1e6, abs=1e-9)
