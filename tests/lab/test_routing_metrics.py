"""The measures of routing benchmarks, on cases that can be worked out by hand."""

import numpy as np
import pytest

from headgate.lab.benchmarks import metrics, routing
from headgate.lab.benchmarks.answers import NAMES, answer_figures, said_last, sums, without_marks, worked_out
from headgate.lab.benchmarks.grouping import by_task, folds, near_identical, openings, without_openings
from headgate.lab.benchmarks.learner import GUESSES, Learner
from headgate.lab.benchmarks.nearness import Seen
from headgate.lab.benchmarks.stacking import stack
from headgate.lab.benchmarks.wording import Wording, count


def row(*values):
    return np.array(values, dtype=np.float64)


WEAK, STRONG = row(0, 1, 0, 1), row(1, 1, 1, 1)
"""The strong model is needed for the first and the third of four prompts."""


def test_a_router_that_holds_all_prompts_for_equal_has_an_apgr_of_a_half():
    curve = metrics.share_curve(np.zeros(4), WEAK, STRONG)
    assert metrics.apgr(curve) == pytest.approx(0.5)
    assert metrics.cpt(curve, 0.5) == pytest.approx(50)
    assert metrics.cpt(curve, 0.8) == pytest.approx(80)


def test_the_perfect_order_recovers_the_whole_gap_with_half_of_the_prompts():
    along, up = curve = metrics.share_curve(STRONG - WEAK, WEAK, STRONG)
    assert along.tolist() == [0, 0.5, 1]
    assert up.tolist() == [0, 1, 1]
    assert metrics.apgr(curve) == pytest.approx(0.75)
    assert metrics.cpt(curve, 0.5) == pytest.approx(25)


def test_the_worst_order_is_as_far_below_a_half_as_the_best_is_above():
    curve = metrics.share_curve(WEAK - STRONG, WEAK, STRONG)
    assert metrics.apgr(curve) == pytest.approx(0.25)
    assert metrics.cpt(curve, 0.8) == pytest.approx(90)


def test_a_prompt_that_counts_twice_is_as_two():
    need = row(4, 3, 2, 1)
    twice = metrics.share_curve(need, WEAK, STRONG, row(2, 1, 0, 1))
    written_out = metrics.share_curve(row(4, 4, 3, 1), row(0, 0, 1, 1), row(1, 1, 1, 1))
    assert metrics.apgr(twice) == pytest.approx(metrics.apgr(written_out))


def test_the_hull_leaves_out_what_is_dearer_and_no_better_or_below_a_line():
    along, up = metrics.hull(row(1, 2, 3, 4, 5), row(0.5, 0.55, 0.9, 0.8, 1.0))
    assert along.tolist() == [1, 3, 5]
    assert up.tolist() == [0.5, 0.9, 1.0]


def test_aiq_is_the_mean_height_between_two_costs_and_nothing_before_the_first_point():
    line = (row(0, 1), row(0.4, 0.8))
    assert metrics.aiq(line, 0, 1) == pytest.approx(0.6)
    assert metrics.aiq(line, 0, 2) == pytest.approx(0.7)  # flat after its end
    assert metrics.aiq((row(1, 2), row(0.8, 0.8)), 0, 2) == pytest.approx(0.4)


def test_savings_are_those_of_the_cheapest_point_that_is_good_enough():
    line = (row(1, 11), row(0.5, 1.0))
    assert metrics.saved_at(line, 0.75, 11) == pytest.approx(1 - 6 / 11)
    assert metrics.saved_at(line, 0.4, 11) == pytest.approx(1 - 1 / 11)
    assert metrics.saved_at(line, 1.1, 11) == 0


def test_draws_are_the_same_for_every_router_and_count_every_prompt_once_on_average():
    one, other = metrics.draws(50, 400, 3), metrics.draws(50, 400, 3)
    assert (one == other).all()
    assert (one.sum(axis=1) == 50).all()
    assert one.mean() == pytest.approx(1)


def field(**changes):
    given = {
        "scores": np.stack([WEAK, STRONG], axis=1),
        "costs": np.tile(row(1, 10), (4, 1)),
        "strong": 1,
        "weak": 0,
        "weights": metrics.draws(4, 50, 0),
    }
    return routing.Field(**given | changes)


def test_the_best_choices_save_what_the_strong_model_is_not_needed_for():
    plan = routing.choices(field().scores, field().costs, routing.prices(field().costs))
    saved = routing.measure_chosen(plan, field()).saved[0]
    assert saved.value == pytest.approx(1 - (1 + 1 + 10 + 10) / 40)
    assert saved.low <= saved.value <= saved.high


def test_the_strong_model_for_everything_saves_nothing_and_loses_nothing():
    alone = np.full((1, 4), 1)
    assert [each.value for each in routing.measure_chosen(alone, field()).saved] == [0, 0, 0, 0]


def test_the_price_that_is_picked_is_the_cheapest_of_full_quality():
    cost, score = np.array([[10, 10], [5, 5], [1, 1]]), np.array([[1, 1], [1, 1], [1, 0]])
    assert routing.cheapest(cost, score, row(1, 1), 1.0) == 1
    assert routing.cheapest(cost, score, row(1, 1), 0.5) == 2
    assert routing.cheapest(cost, score - 1, row(1, 1), 1.0) == -1


EXAMPLES = "Here is how it is done.\n" + "Two and two are four, three and three are six.\n" * 8


def test_what_many_prompts_begin_with_is_taken_off_and_a_short_greeting_is_not():
    prompts = [f"{EXAMPLES}Question {number}: what about {number * 7}?" for number in range(9)]
    bodies = without_openings(prompts, openings(prompts))
    assert bodies[3] == "Question 3: what about 21?"
    greeted = [f"Hello!\nQuestion {number}" for number in range(9)]
    assert without_openings(greeted, openings(greeted)) == greeted


def test_questions_that_are_nearly_the_same_are_never_on_both_sides():
    words = [
        "river",
        "candle",
        "engine",
        "velvet",
        "harbour",
        "pepper",
        "violin",
        "glacier",
        "lantern",
        "saddle",
    ]
    bodies = [f"the {one} and the {other} meet near {one}{other}" for one in words for other in words]
    copies = [f"{body.upper()} !!" for body in bodies]
    groups = near_identical([*bodies, *copies])
    assert (groups[: len(bodies)] == groups[len(bodies) :]).all()
    assert len(set(groups)) > len(bodies) // 2
    tested = []
    for fit, test in folds(groups, 5, 0):
        assert not set(groups[fit]) & set(groups[test])
        tested += test.tolist()
    assert sorted(tested) == list(range(200))


def test_copies_of_a_question_are_one_group_though_all_of_its_words_are_everywhere():
    others = [f"unique{number} thing{number}" for number in range(60)]
    groups = near_identical([*["Name a colour."] * 20, *["name  a colour."] * 20, *others])
    assert len(set(groups[:40])) == 1
    assert len(set(groups)) == 61


def test_of_two_kinds_both_are_strongly_of_their_kind():
    texts = [f"{word} {number}" for word in ("river", "candle") for number in range(100, 140)]
    counted = count(texts)
    view = Wording(0).learn(counted).read(counted)
    kinds = np.repeat(["first", "second"], 40)
    measures, _ = Seen(view, counted, kinds, np.ones((80, 2))).measure(view, counted)
    strength = measures[:, 6]
    assert strength[:40].mean() > 0
    assert strength[40:].mean() == pytest.approx(strength[:40].mean(), rel=0.2)


def test_how_often_a_word_stands_there_counts_beside_how_rare_it_is():
    counted = count(["the river", "the river", "the candle", "the candle " * 4])
    view = Wording(0).learn(counted).read(counted)
    counts = view.often.toarray()
    assert (counts[0] == counts[1]).all()
    short, long = np.linalg.norm(counts[2:], axis=1)
    assert (
        long > 1.5 * short
    )  # a longer prompt has a longer row, where words are weighed by how rare they are it has not
    words = np.linalg.norm(view.sparse.toarray()[:, : -counted.plain.shape[1]], axis=1)
    assert words == pytest.approx(np.full(4, np.sqrt(2)))  # of words and of pieces


def test_where_prompts_are_of_one_kind_it_is_usual_words_that_tell():
    chance = np.random.default_rng(0)
    names = [f"{first}{second}" for first in ("ka", "lo", "mi", "tu") for second in chance.permutation(40)]
    steps, prompts = chance.integers(0, 7, 300), []
    for many in steps:
        said = ["each"] * many + ["some"] * (6 - many)
        prompts.append(
            " ".join(f"{word} {name}" for word, name in zip(said, chance.choice(names, 6), strict=True))
        )
    right = (chance.random(300) > steps / 6).astype(np.float64)
    scores = np.stack([right, np.ones(300)], axis=1)
    learner = Learner(0).learn(count(prompts), scores, ["sums"] * 300, np.arange(300))
    worth = dict(zip(GUESSES, learner.worth, strict=False))  # of peers there are none
    assert worth["often"] > 2 * worth["words"]
    assert np.corrcoef(learner.held[:, 0], steps)[0, 1] < -0.8


def test_a_kind_that_is_left_out_is_left_out_whole():
    assert [(task, fit.tolist(), test.tolist()) for task, fit, test in by_task(["b", "a", "b"])] == [
        ("a", [0, 2], [1]),
        ("b", [1], [0, 2]),
    ]


def test_of_two_ways_of_guessing_the_one_that_is_right_is_worth_more():
    chance = np.random.default_rng(0)
    scores = chance.random((90, 3))
    noise = chance.random((90, 3))

    def guess(fit, test):
        return np.stack([scores[test], noise[test]])

    worth, held = stack(guess, scores, np.arange(90), 3, 0)
    assert worth[0] > 0.7
    assert worth[1] < 0.3
    assert np.corrcoef(held.ravel(), scores.ravel())[0, 1] > 0.9


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("4 * 20", 80),
        ("2 + 3 * 4", 14),
        ("10 - 4 - 3", 3),
        ("1,200 / 4", 300),
        ("50% x 8", 4),
        ("3 / 0", None),
    ],
)
def test_a_calculation_is_done_again(written, value):
    assert worked_out(written) == (None if value is None else pytest.approx(value))


def test_a_wrong_sum_is_seen_and_a_right_one_is_left_alone():
    said = dict(
        zip(
            NAMES,
            answer_figures("She has 4 boxes of 20.", "4 * 20 = 80, 80 - 30 = 50, and 80 + 5 = 86."),
            strict=True,
        )
    )
    assert said["sums"] == 3
    assert said["wrong sums"] == 1
    assert said["numbers of the question used"] == 1


def test_marks_of_a_calculator_can_be_taken_out_also_where_they_were_cut():
    assert without_marks("so 4*5 = <<4*5=20>>20 and <<20/") == "so 4*5 = 20 and "
    assert list(sums("<<4*5=20>>")) == [(20, 20)]


def test_an_answer_that_stops_in_the_middle_is_seen():
    def unfinished(answer):
        return answer_figures("?", answer)[NAMES.index("unfinished")]

    assert unfinished("That is 12 / <<36*68") == 1
    assert unfinished("In total 3 +") == 1
    assert unfinished("In total 3 (three).") == 0


def test_two_answers_that_come_to_the_same_are_known_for_it():
    assert said_last("First 3, then\nso it is 42.") == said_last("The answer: 42.0")
    assert said_last("Paris") == said_last("paris.")
    assert said_last("B") != said_last("C")


def test_an_empty_answer_has_figures_too():
    assert len(answer_figures("", "")) == len(NAMES)
