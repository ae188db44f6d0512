"""A forecast is items × tokens × what is known; what is not known stays so."""

import pytest

from headgate.batches.forecast import Hand, Load, forecast
from headgate.core.cards import Card
from headgate.core.prices import FREE
from headgate.core.trials import Trial
from headgate.core.types import Model, Price

LOAD = Load(items=1000, tokens_in=200_000, tokens_out=50)
HOME = Model(name="home", engine="e", engine_kind="ollama", id="home", local=True, price=FREE)
PAID = Model(
    name="paid", engine="a", engine_kind="anthropic", id="paid", local=False, price=Price(input=3, output=15)
)
CARD = Card(
    engine="e",
    id="home",
    digest="",
    machine="",
    measured=0,
    prompt_speed=2000,
    speed=100,
    speed_parallel=250,
    parallel=4,
)


def trial(model: str, right: int, n: int = 50, seconds: float = 2.0) -> Trial:
    return Trial(
        agent="a", digest="", model=model, engine="", id="", measured=0, n=n, right=right, seconds=seconds
    )


def test_the_card_says_how_long_a_model_takes_alone_and_side_by_side():
    (alone,) = forecast(LOAD, [Hand(model=HOME, card=CARD)], at_once=1).lines
    assert alone.seconds == (pytest.approx(1000 * (0.1 + 0.5)),) * 2
    (together,) = forecast(LOAD, [Hand(model=HOME, card=CARD)], at_once=4).lines
    assert together.seconds == (pytest.approx(1000 * (0.1 + 0.2)),) * 2
    assert "2,000 tokens/s read, 250 written" in together.rests_on[1]


def test_without_evidence_the_paid_part_is_between_nothing_and_all():
    found = forecast(LOAD, [Hand(model=HOME, card=CARD), Hand(model=PAID)], at_once=4)
    assert found.lines[1].items == (0, 1000)
    each = (200 * 3 + 50 * 15) / 1e6
    assert found.cost == (0.0, pytest.approx(1000 * each))
    assert not found.all_timed


def test_the_trial_of_the_first_model_says_how_much_the_second_gets():
    hands = [Hand(model=HOME, card=CARD, trial=trial("home", 40)), Hand(model=PAID, trial=trial("paid", 50))]
    found = forecast(LOAD, hands, at_once=4)
    assert found.lines[1].items == (200, 200)
    assert found.lines[1].seconds == (pytest.approx(200 * 2 / 4),) * 2
    assert found.lines[1].rests_on[0] == "home was wrong in 20% of 50 tests"
    assert found.all_timed


def test_too_few_tests_say_nothing():
    hands = [Hand(model=HOME, trial=trial("home", 4, n=5)), Hand(model=PAID)]
    assert forecast(LOAD, hands, at_once=1).lines[1].items == (0, 1000)


def test_what_has_been_answered_says_more_than_a_trial():
    hands = [Hand(model=HOME, trial=trial("home", 50), reached=1.0), Hand(model=PAID, reached=0.3)]
    assert forecast(LOAD, hands, at_once=1).lines[1].items == (300, 300)


def test_an_unknown_price_makes_the_cost_unknown_unless_nobody_is_asked_for_it():
    unpriced = Model(name="x", engine="a", engine_kind="openai", id="x", local=False)
    assert forecast(LOAD, [Hand(model=HOME), Hand(model=unpriced)], at_once=1).cost is None
    hands = [Hand(model=HOME, trial=trial("home", 50)), Hand(model=unpriced)]
    assert forecast(LOAD, hands, at_once=1).cost == (0.0, 0.0)
