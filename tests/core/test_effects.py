"""What settings come to by one part of the record: whose audits tell of what, and what money is compared with."""

import pytest
from msgspec.structs import replace

from headgate.core.effects import Record, Weights
from headgate.core.past import Found
from headgate.core.policy import Policy, Route, token_limits
from headgate.core.settings import Setting, with_settings
from headgate.core.spans import Span
from tuning_world import LARGE, MODELS, TODAY, policy, record, recorded, truth, world

LONG = "routes.long"


def test_of_what_one_model_at_home_answered_another_ones_answer_is_not_known():
    """The audited answers are all good. Those of the model that would be asked first, nobody has seen."""
    models = {**MODELS, "large": LARGE}
    today = policy(models=models)
    _, part = record(1, 1000, today=today, bad=0.0, long_share=0.0)
    weights = Weights(part, today)
    assert weights.effect(today).quality.low > 0.98
    other = policy(rest=("large", "small", "paid"), code=("large", "small", "paid"), models=models)
    assert weights.effect(other).quality.low < 0.2


def test_money_is_what_the_settings_in_force_cost_and_not_those_that_were_when_it_was_recorded():
    asks, part = record(1, bad=0.0)
    longer = with_settings(TODAY, (Setting(LONG, "tokens_over", 6000),))
    paid = with_settings(longer, (Setting("routes.code", "try", ("paid", "small")),))
    before, now = Weights(part, TODAY), Weights(part, longer)
    in_force, other, back = (now.effect(settings) for settings in (longer, paid, TODAY))
    assert in_force.dollars == Span(0, 0, 0)
    assert in_force.dollars_before == pytest.approx(truth(asks, longer)[1], rel=0.05)
    assert in_force.dollars_before < 0.9 * before.effect(longer).dollars_before
    assert before.effect(longer).dollars.high < 0 < back.dollars.low
    assert back.dollars.expected == pytest.approx(-before.effect(longer).dollars.expected)
    dearer = truth(asks, paid)[1] - truth(asks, longer)[1]
    assert other.dollars.low <= dearer <= other.dollars.high
    assert other.dollars.low > 0


def audited_by_two(*found):
    """A hundred long prompts that were paid for, of which some were audited: on the small model, or on the large one behind it."""
    models = {**MODELS, "large": LARGE}
    today = policy(rest=("small", "large", "paid"), models=models)
    ask = next(ask for ask in world(1, 300, bad=0.0) if 5000 < ask.tokens < 5500 and ask.task == "qa")
    return replace(recorded(ask, today), requests=100, costs=(1.0,), found=found)


def ten(model, score=0.7, good=True, **rejected):
    """Audits that compared a model's answer, after others whose scores were so low."""
    others = tuple(rejected.items())
    return Found(model=model, good=good, score=score, rejected=others, audits=10, speaks_for=40, squares=160)


def chained(*chain, pass_at=0.6):
    return policy(over=6000, rest=chain, pass_at=pass_at, models={**MODELS, "large": LARGE})


def test_what_two_models_at_home_do_is_known_where_an_audit_had_the_answers_of_both():
    """The small model does one half, and where it failed, the large one the other."""
    one = audited_by_two(ten("small"), ten("large", small=0.5))
    weights = Weights(Record(past=(one,)), chained("paid"))
    both, swapped = (
        weights.effect(chained("small", "large", "paid")),
        weights.effect(chained("small", "paid", "large")),
    )
    assert (both.dollars.expected, both.home.expected, both.audits) == (pytest.approx(-1.0), 1.0, 20)
    assert (swapped.dollars.expected, swapped.home.expected) == (pytest.approx(-0.5), 0.5)
    assert swapped.audits == 20
    for bar in (0.55, 0.65):
        assert weights.effect(chained("small", "paid", "large", pass_at=bar)) == swapped
    laxer = weights.effect(chained("small", "paid", "large", pass_at=0.5))
    assert (laxer.audits, laxer.dollars.expected) == (10, swapped.dollars.expected)
    assert laxer.quality.low < swapped.quality.low, "of how good the rejected ones are nothing is known"


def test_of_how_good_the_first_is_an_audit_of_the_second_tells_nothing_where_the_first_was_busy():
    """Half of what the small model does is bad. That the large one was compared more often makes it no better."""
    few, many = (
        Weights(
            Record(past=(audited_by_two(ten("small", good=False), ten("small"), *[ten("large")] * large),)),
            chained("small", "paid", "large"),
        ).effect(chained("small", "paid", "large"))
        for large in (1, 5)
    )
    assert many.quality == few.quality
    assert few.quality.expected == pytest.approx(0.5)


def test_a_bad_answer_from_the_second_model_is_none_where_only_the_first_is_asked():
    one = audited_by_two(ten("small"), ten("large", good=False, small=0.5))
    weights = Weights(Record(past=(one,)), chained("paid"))
    alone, both = (weights.effect(chained(*chain, "paid")) for chain in (("small",), ("small", "large")))
    assert (alone.quality.expected, alone.home.expected) == (1, 0.5)
    assert (both.quality.expected, both.home.expected) == (0.5, 1)
    busy = Weights(Record(past=(audited_by_two(ten("small"), ten("large", good=False)),)), chained("paid"))
    assert busy.effect(chained("small", "large", "paid")).audits == 10, (
        "the small one may do what it was not asked"
    )


@pytest.mark.parametrize(("bar", "saves"), [(0.65, 0.5), (0.6, 0.5), (0.55, 0.0)])
def test_what_an_audit_rejected_may_be_home_already_where_less_is_wanted(bar, saves):
    """So the way back from a paid model between two at home is worth what the large one does, as long as the small one did not pass."""
    one = audited_by_two(ten("large", small=0.58), ten("small"))
    now = Weights(Record(past=(one,)), chained("small", "paid", "large", pass_at=bar))
    back = now.effect(chained("small", "large", "paid", pass_at=bar))
    assert now.effect(chained("small", "paid", "large", pass_at=bar)).dollars == Span(0, 0, 0)
    assert back.dollars_before == pytest.approx(0.5)
    assert back.dollars.expected == pytest.approx(-saves)
    assert (back.dollars.high < 0) == bool(saves)


def test_a_model_that_stands_before_the_asked_one_says_nothing_of_it():
    """The small one passed, and so the large one was never asked: under settings that ask it alone all may be home already."""
    one = audited_by_two(ten("small"), ten("small"))
    weights = Weights(Record(past=(one,)), chained("large", "paid"))
    assert weights.effect(chained("small", "paid")).dollars.high >= 0


def test_an_audit_of_an_answer_from_home_says_nothing_of_other_models_there():
    models = {**MODELS, "large": LARGE}
    short = Route(name="short", chain=("small", "paid"), tokens_under=4000)
    rest = Route(name="rest", chain=("large", "paid"))

    def limited(tokens):
        routes = replace(short, tokens_under=tokens), rest
        return Policy(routes=routes, models=models, token_limits=token_limits(routes, models.values()))

    ask = next(ask for ask in world(1, 300, bad=0.0) if 2500 < ask.tokens < 3500 and ask.score > 0.6)
    one = replace(recorded(ask, limited(4000)), requests=100, found=(ten("small"), ten("small")))
    back = Weights(Record(past=(one,)), limited(2000)).effect(limited(4000))
    assert back.moved == 100
    assert back.dollars.high >= 0, "the large one may do them all"


def test_what_the_second_model_answered_by_itself_says_nothing_of_one_that_would_be_asked_before_it():
    """Its own answers were audited, on a route that asks no other: whether the small one has something that passes, nobody has seen."""
    models = {**MODELS, "large": LARGE}
    alone, three = (
        policy(rest=("large",), models=models),
        policy(rest=("small", "paid", "large"), models=models),
    )
    ask = next(
        ask for ask in world(1, 300, bad=0.0) if ask.task == "qa" and ask.tokens < 4000 and ask.score > 0.6
    )
    one = replace(recorded(ask, alone), requests=100, found=(ten("large"), ten("large")))
    assert one.example.model == "large"
    back = Weights(Record(past=(one,)), three).effect(alone)
    assert back.dollars.expected < 0
    assert back.dollars.high >= 0, "the small one may do them all"


def test_in_whatever_order_audits_are_read_only_what_differs_is_in_doubt():
    spans = set()
    for order in ((0, 1, 2), (2, 1, 0)):
        found = (ten("small"), ten("large", small=0.5), ten("small", score=0.62))
        one = audited_by_two(*[found[place] for place in order])
        weights = Weights(Record(past=(one,)), chained("small", "paid", "large"))
        spans.add(weights.effect(chained("small", "paid", "large", pass_at=0.65)).dollars)
    (span,) = spans
    assert span.expected == pytest.approx(1 / 3)
    assert span.low > 0.05
    assert span.high < 0.55


def test_what_nobody_can_tell_saves_nothing_when_it_can_be_told_again():
    """A guess that was recorded as no evidence, or whose task cannot be told under the settings in force, is in no difference."""
    one = audited_by_two(ten("small"))
    signals = replace(one.example.signals, task=None, task_by="none", task_confidence=0.72)
    one = replace(one, example=replace(one.example, signals=signals))
    in_force = replace(chained("small", "paid"), task_confidence=0.7)
    weights = Weights(Record(past=(one,)), in_force)
    stricter = weights.effect(replace(in_force, task_confidence=0.75))
    assert stricter.dollars == Span(0, 0, 0)
    assert (stricter.moved, stricter.unpriced) == (100, 100)


def test_settings_in_force_move_nothing_whatever_was_recorded_under_others():
    _, part = record(1, bad=0.0)
    longer = with_settings(TODAY, (Setting(LONG, "tokens_over", 6000),))
    now, before = Weights(part, longer).effect(longer), Weights(part, TODAY).effect(longer)
    assert (now.moved, now.modelled, now.audits_moved) == (0, 0, 0)
    assert before.moved == before.modelled > 100
    assert before.audits_moved > 20


def test_a_model_without_a_price_is_in_no_dollar_whichever_settings_ask_it():
    free = replace(MODELS["paid"], name="unpriced", id="u", price=None)
    models = {**MODELS, "unpriced": free}
    _, part = record(1, bad=0.0)
    today, other = policy(models=models), policy(rest=("unpriced",), models=models)
    there, back = Weights(part, today).effect(other), Weights(part, other).effect(today)
    assert there.dollars == back.dollars == Span(0, 0, 0)
    assert there.unpriced == back.unpriced == there.moved > 0


def test_where_more_confidence_is_wanted_of_a_model_its_audits_tell_nothing_of_its_answers():
    """Their scores are of what was wanted then; so nobody knows whether they would still go out."""
    checks = {"qa": ("confidence",)}

    def confident(least, *chain):
        models = {**MODELS, "small": replace(MODELS["small"], confidence=least), "large": LARGE}
        routes = tuple(
            [replace(route, checks=checks) for route in policy(over=6000, rest=chain, models=models).routes]
        )
        return Policy(routes=routes, models=models, token_limits=token_limits(routes, models.values()))

    one = audited_by_two(ten("small"), ten("small"))
    for chain, told in ((("small", "large"), 20), (("small", "paid"), 20)):
        weights = Weights(Record(past=(one,)), confident(-0.5, "paid"))
        assert weights.effect(confident(-0.5, *chain)).audits == told
        assert weights.effect(confident(-0.2, *chain)).audits == 0
