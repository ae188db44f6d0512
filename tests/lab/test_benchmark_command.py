"""`headgate lab benchmark` on made-up folders, through the command line."""

import numpy as np
import pyarrow as pa
import pytest
from made_benchmarks import COSTS, KINDS, benchmark, make_set, measured, row, write_set
from pyarrow import parquet

from headgate.core.errors import HeadgateError
from headgate.lab.benchmarks import leaving_out
from headgate.lab.benchmarks.prepared import like, prepare
from headgate.lab.benchmarks.routing import PRICES, came_of
from headgate.lab.benchmarks.sets import read_set
from headgate.lab.benchmarks.tracks import expect, pick


def refusal(*words):
    done = benchmark(*words)
    assert isinstance(done.exception, HeadgateError)
    return done.exception


LEARNED, ELSEWHERE, GATE = "learned", "learned elsewhere", "the gate's own features and learner"


def test_what_can_be_learned_is_learned_and_stands_between_random_and_oracle(tmp_path):
    make_set(tmp_path / "mixed")
    one = measured(tmp_path, "--quick")["mixed"]
    apgr = {each["router"]: each["measured"]["apgr"] for each in one["rows"]}
    assert apgr["random, weak or strong"]["value"] == pytest.approx(0.5)
    assert 0.65 < apgr[LEARNED]["value"] <= apgr["oracle"]["value"]
    assert apgr[LEARNED]["low"] > 0.55
    saved = row(one, LEARNED)["measured"]["saved"]
    assert 0.2 < saved[3]["value"] < row(one, "oracle")["measured"]["saved"][3]["value"] + 1e-9
    assert (one["strong"], one["weak"], one["unit"]) == ("large", "small", "dollars")
    assert (row(one, GATE)["labels"], row(one, LEARNED)["labels"]) == ("same benchmark", "same benchmark")
    assert apgr[GATE]["low"] > 0.55


def test_labels_in_no_order_teach_nothing(tmp_path):
    make_set(tmp_path / "mixed", many=300, shuffled=True)
    apgr = row(measured(tmp_path, "--quick")["mixed"], LEARNED)["measured"]["apgr"]
    assert apgr["low"] < 0.5 < apgr["high"] or apgr["value"] < 0.5


def test_copies_of_a_question_with_labels_by_chance_are_not_remembered(tmp_path):
    prompts, outcomes = make_set(tmp_path / "twins", many=150, shuffled=True)
    twins = [{**each, "id": f"twin {each['id']}", "prompt": each["prompt"].upper()} for each in prompts]
    again = [{**each, "id": f"twin {each['id']}"} for each in outcomes]
    write_set(tmp_path / "twins", prompts + twins, outcomes + again)
    assert row(measured(tmp_path, "--quick")["twins"], LEARNED)["measured"]["apgr"]["value"] < 0.6


def test_a_weak_answer_that_reckons_wrong_is_seen_and_paid_for(tmp_path):
    make_set(tmp_path / "mixed", kinds=("sums", "proofs"), many=160, shuffled=True, answers=True)
    one = measured(tmp_path, "--quick")["mixed"]
    cascade = row(one, "one answer")["measured"]
    assert cascade["apgr"]["value"] > row(one, LEARNED)["measured"]["apgr"]["value"] + 0.1
    assert cascade["saved"][0]["value"] < row(one, "oracle")["measured"]["saved"][0]["value"]
    assert "one answer" not in [
        each["router"] for each in measured(tmp_path, "--quick", "--track", "predictive")["mixed"]["rows"]
    ]


def test_another_folder_is_scored_on_what_was_fitted_on_the_first(tmp_path):
    make_set(tmp_path / "home" / "mixed", seed=1, many=160)
    make_set(tmp_path / "away" / "mixed", seed=2)
    make_set(tmp_path / "away" / "stranger", seed=3)
    sets = measured("--fit", tmp_path / "home", "--score", tmp_path / "away", "--quick")
    assert sets["mixed"]["fitted"] == 160
    assert row(sets["mixed"], LEARNED)["measured"]["apgr"]["value"] > 0.65
    assert sets["stranger"]["fitted"] == 0
    safe = row(sets["stranger"], "unknown set: all to the strong model")["picked"]
    assert (safe["quality"]["value"], safe["saved"]["value"]) == (1, 0)


def test_prompts_of_an_unseen_kind_go_to_the_strong_model(tmp_path, monkeypatch):
    for kind, (words, _) in KINDS.items():
        monkeypatch.setitem(KINDS, kind, (words, 1.0))  # whatever was seen, the small model could do
    monkeypatch.setitem(
        KINDS, "recipes", ("Zutaten: {} mit {} und {}, bei {} Grad {} Minuten im Ofen backen", 0.0)
    )
    make_set(tmp_path / "home" / "mixed", many=180, kinds=("sums", "proofs", "letters"))
    make_set(tmp_path / "away" / "mixed", kinds=("recipes", "sums"), seed=4)
    one = measured("--fit", tmp_path / "home", "--score", tmp_path / "away", "--quick")["mixed"]
    recipes = next(each for each in one["left_out"] if each["task"] == "recipes")
    assert recipes["to_strong"] > 0.9
    assert recipes["quality"]["value"] > 0.9
    assert row(one, LEARNED)["picked"]["saved"]["value"] > 0.3


def test_prices_that_save_more_let_more_unseen_prompts_in_and_lower_ones_none(tmp_path, monkeypatch):
    for kind, (words, _) in KINDS.items():
        monkeypatch.setitem(KINDS, kind, (words, 1.0))
    monkeypatch.setitem(KINDS, "recipes", ("Zutaten: {} mit {} und {}, bei {} Grad {} Minuten backen", 0.0))
    make_set(tmp_path / "home", many=180, kinds=("sums", "proofs", "letters"))
    make_set(tmp_path / "away", kinds=("recipes", "sums"), seed=4)
    fit = prepare(read_set(tmp_path / "home"), ())
    expected = expect(fit, like(fit, read_set(tmp_path / "away", fit.set.models)), 0)
    picked = pick(fit, expected.held)
    let_in = expected.known[:, ::2].sum(axis=1)
    assert expected.known.shape == (PRICES, 120)
    assert (expected.known[:picked] == expected.known[picked]).all()
    assert let_in[picked] < 6, "of sixty recipes"
    assert (np.diff(let_in) >= 0).all()
    assert let_in[-1] > 30


def test_kinds_that_read_alike_do_not_keep_each_other_at_the_strong_model(tmp_path, monkeypatch):
    monkeypatch.setitem(KINDS, "more sums", KINDS["sums"])
    make_set(tmp_path / "mixed", many=200, kinds=("sums", "more sums", "proofs", "letters"))
    one = measured(tmp_path, "--quick", "--track", "predictive")["mixed"]
    assert row(one, LEARNED)["measured"]["saved"][3]["value"] > 0.3


def test_a_part_that_lacks_a_model_the_costs_and_the_kinds_is_scored_by_what_both_have(tmp_path):
    prompts, outcomes = make_set(tmp_path / "home", many=90)
    middle = [{**each, "model": "middle", "cost_usd": 0.01} for each in outcomes if each["model"] == "small"]
    write_set(tmp_path / "home", prompts, outcomes + middle)
    asked, given = make_set(tmp_path / "away", many=60, seed=2, costs=False)
    stray = {"id": "p0", "model": "stranger", "score": 1.0}
    write_set(
        tmp_path / "away", [{"id": each["id"], "prompt": each["prompt"]} for each in asked], [*given, stray]
    )
    one = measured("--fit", tmp_path / "home", "--score", tmp_path / "away", "--quick")["home"]
    assert (one["models"], one["prompts"], one["fitted"]) == (["large", "small"], 60, 90)
    assert (one["unit"], one["left_out"]) == ("dollars", [])
    assert row(one, LEARNED)["measured"]["apgr"]["value"] > 0.65


def test_what_both_parts_have_is_not_fitted_on(tmp_path):
    prompts, outcomes = make_set(tmp_path / "home", many=160, seed=1)
    asked, given = make_set(tmp_path / "away", many=60, seed=2)
    copies = [{**each, "id": f"copy {each['id']}", "prompt": each["prompt"].upper()} for each in prompts[:50]]
    their = {each["id"] for each in prompts[:50]}
    again = [{**each, "id": f"copy {each['id']}"} for each in outcomes if each["id"] in their]
    write_set(tmp_path / "away", asked + copies, given + again)
    one = measured("--fit", tmp_path / "home", "--score", tmp_path / "away", "--quick")["home"]
    assert (one["prompts"], one["fitted"]) == (110, 110)
    said = refusal("--fit", tmp_path / "home", "--score", tmp_path / "home", "--quick").message
    assert said == "of the 160 prompts of home that are fitted on, 160 are scored as well"


def test_a_part_with_answers_is_scored_where_the_fit_part_has_none(tmp_path):
    make_set(tmp_path / "home", many=60)
    make_set(tmp_path / "away", many=40, seed=2, answers=True)
    one = measured("--fit", tmp_path / "home", "--score", tmp_path / "away", "--quick")["home"]
    assert {each["track"] for each in one["rows"]} == {"bound", "predictive"}


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), -0.02])
def test_a_cost_that_is_no_amount_is_as_good_as_none(tmp_path, odd):
    prompts, outcomes = make_set(tmp_path / "odd", many=60)
    write_set(tmp_path / "odd", prompts, [{**outcomes[0], "cost_usd": odd}, *outcomes[1:]])
    one = measured(tmp_path, "--quick", "--track", "predictive")["odd"]
    assert one["unit"] == "calls of the strong model"


def test_a_model_whose_list_price_is_not_known_has_none(tmp_path):
    make_set(tmp_path / "listed", many=60, costs=False)
    prices = [{"model": model, "usd_per_m_in": 1.0, "usd_per_m_out": None} for model in COSTS]
    prices = [*prices, {"model": "third", "usd_per_m_in": 1.0, "usd_per_m_out": 1.0}]
    parquet.write_table(pa.Table.from_pylist(prices), tmp_path / "listed" / "models.parquet")
    one = measured(tmp_path, "--quick", "--track", "predictive")["listed"]
    assert one["unit"] == "calls of the strong model"


def test_other_sets_tell_of_a_set_without_labels_of_its_own(tmp_path):
    make_set(tmp_path / "home" / "mixed", many=150)
    make_set(tmp_path / "away" / "stranger", many=60, seed=3)
    told = measured("--fit", tmp_path / "home", "--score", tmp_path / "away", "--quick")["stranger"]
    need = row(told, ELSEWHERE)
    assert need["labels"] == "other benchmarks"
    assert need["measured"]["apgr"]["value"] > 0.65
    # The same questions under another name are the same benchmark, of which nothing may be learned.
    make_set(tmp_path / "away" / "copied", many=60)
    copied = measured("--fit", tmp_path / "home", "--score", tmp_path / "away", "--quick", "--set", "copied")
    assert ELSEWHERE not in [each["router"] for each in copied["copied"]["rows"]]


def test_every_kind_is_left_out_once(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "headgate.lab.benchmarks.running.SMALL_FOLDS", 2
    )  # the folds are not what is looked at
    monkeypatch.setattr("headgate.lab.benchmarks.running.DRAWS", 100)
    make_set(tmp_path / "mixed", many=180)
    page = tmp_path / "page.md"
    found = measured(tmp_path, "--write", page)["mixed"]
    left = found["left_out"]
    assert [each["task"] for each in left] == ["letters", "proofs", "sums", "all of them"]
    assert [each["prompts"] for each in left] == [60, 60, 60, 180]
    # At each tenth that is saved on kinds that were seen, the page says what the same price does to the others.
    seen, strange = row(found, "learned")["along"], left[-1]["along"]
    for along in (seen, strange):
        assert along[0]["saved"]["value"] < along[-1]["saved"]["value"], (
            "the first price counts quality alone"
        )
    saved = [each["saved"]["value"] for each in seen]
    tenths = [tenth / 10 for tenth in range(1, 10) if max(saved) >= tenth / 10]
    at = sorted({next(n for n, each in enumerate(saved) if each >= tenth) for tenth in tenths})
    assert at
    told = [
        [saved[n], seen[n]["quality"]["value"], strange[n]["quality"]["value"], strange[n]["saved"]["value"]]
        for n in at
    ]
    shown = [line[: len(told[0])] for line in figures_in(page, "| saved, seen |")]
    assert shown == [pytest.approx([100 * each for each in line], abs=0.51) for line in told]
    lines = figures_in(page, "| kind left out |")
    assert [line[-1] for line in lines] == [
        pytest.approx(100 * each["saved"]["value"], abs=0.51) for each in left
    ]
    assert "-0" not in page.read_text().split("| kind left out |")[1]


def figures_in(page, heading):
    """The first number of each cell of a table's rows, without cells of words."""
    _, _, *lines = page.read_text().split(heading)[1].split("\n\n")[0].splitlines()
    cells = [[cell.split()[0] for cell in line.strip("|").split("|")] for line in lines]
    return [[float(cell.rstrip("%")) for cell in row if cell[:1] in "-0123456789"] for row in cells]


def test_where_all_prompts_are_of_unseen_kinds_nothing_is_said_of_seen_ones(tmp_path, monkeypatch):
    monkeypatch.setitem(KINDS, "recipes", ("Zutaten: {} mit {} und {}, bei {} Grad {} Minuten backen", 0.0))
    make_set(tmp_path / "home" / "mixed", many=180, kinds=("sums", "proofs", "letters"))
    make_set(tmp_path / "away" / "mixed", kinds=("recipes",), seed=4)
    page = tmp_path / "page.md"
    done = benchmark("--fit", tmp_path / "home", "--score", tmp_path / "away", "--quick", "--write", page)
    assert done.exit_code == 0, done.output
    for told in (done.stdout, page.read_text().split("## In short")[1]):
        assert "recipes" in told
        assert "seen at quality" not in told
        assert "that were seen" not in told


def test_what_is_saved_of_nothing_is_not_known():
    ones = np.ones((1, 4))
    every = np.array([[1.0, 1, 1, 1], [0, 0, 2, 2], [2, 2, 0, 0]])
    (free,) = came_of(ones, ones, np.zeros(4), np.ones(4), every)
    assert free.saved is None
    assert free.quality.value == 1
    (some,) = came_of(
        ones, ones, np.array([0.0, 0, 4, 4]), np.ones(4), every
    )  # one of the draws has none that costs
    assert (some.saved.value, some.saved.low, some.saved.high) == (0.5, 0.75, 0.75)


def test_copies_of_a_kinds_prompts_are_left_out_with_it(tmp_path, monkeypatch):
    prompts, outcomes = make_set(tmp_path / "mixed", many=180)
    copies = [{**each, "id": f"copy {each['id']}", "task": "copied sums"} for each in prompts[:150:3]]
    their = {each["id"] for each in prompts[:150:3]}
    again = [{**each, "id": f"copy {each['id']}"} for each in outcomes if each["id"] in their]
    write_set(tmp_path / "mixed", prompts + copies, outcomes + again)
    fitted = {}

    def route(task, fit, test, seed):
        fitted[task] = len(fit.bodies)
        ones = np.ones(len(test.bodies))
        return leaving_out.Routed(task, ones[None], ones[None], ones, ones, ones > 0)

    monkeypatch.setattr(leaving_out, "_route", route)
    leaving_out.leave_out(prepare(read_set(tmp_path / "mixed"), ()), 0, 10)
    assert fitted == {"copied sums": 130, "letters": 170, "proofs": 170, "sums": 120}


def test_the_report_is_written_and_says_what_was_dropped(tmp_path):
    prompts, outcomes = make_set(tmp_path / "data" / "mixed", costs=False)
    prompts[0]["contaminated"] = True
    write_set(tmp_path / "data" / "mixed", prompts, outcomes[:-1])
    (tmp_path / "data" / "published_tables").mkdir()
    table = "benchmark,training,method,CPT50,CPT80,APGR\nmixed,,random,50,80,0.5\nmixed,gold,cards,31.5,71.75,0.613\nmixed,gold,dice,41.5,70.25,0.6\nmixed,,odd,x,y,z\n"
    (tmp_path / "data" / "published_tables" / "routellm.csv").write_text(table)
    done = benchmark(tmp_path / "data", "--quick", "--write", tmp_path / "page.md")
    assert done.exit_code == 0, done.output
    assert "1 contaminated and 1 incomplete dropped" in done.stdout
    assert "calls of the strong model" in done.stdout
    page = (tmp_path / "page.md").read_text()
    assert "118 prompts" in page
    assert "| published | best of each measure | – | 0.613 | 31.5 | 70.2 |" in page


def test_the_same_seed_gives_the_same_figures(tmp_path):
    make_set(tmp_path / "mixed")
    assert measured(tmp_path, "--quick", "--seed", 5) == measured(tmp_path, "--quick", "--seed", 5)


def test_a_folder_that_is_itself_a_set_is_read(tmp_path, monkeypatch):
    make_set(tmp_path / "alone", many=60)
    monkeypatch.chdir(tmp_path / "alone")
    assert list(measured(".", "--quick", "--track", "predictive")) == ["alone"]
    assert list(measured(tmp_path / "alone", "--quick")) == ["alone"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {
                "outcomes": [
                    {"id": "p1", "model": "small", "score": 7.0},
                    {"id": "p1", "model": "large", "score": 1.0},
                ]
            },
            "a score of 7.0",
        ),
        (
            {
                "outcomes": [
                    {"id": "p1", "model": "small", "score": "good"},
                    {"id": "p1", "model": "large", "score": "bad"},
                ]
            },
            "a score of good",
        ),
        ({"outcomes": [{"id": "p1", "model": "small", "score": 1.0}]}, "holds one model"),
        ({"outcomes": [{"id": "p1", "model": "small"}]}, "has no column score"),
        ({"prompts": [{"id": "p1", "prompt": "Hello"}] * 2}, "an id twice"),
        (
            {"prompts": [{"id": "p1", "prompt": "Hello"}]},
            "has 1 prompts with an outcome for each of its 2 models",
        ),
    ],
)
def test_a_set_that_cannot_be_used_is_refused_with_the_reason(tmp_path, change, said):
    make_set(tmp_path / "bad", **change)
    assert said in refusal(tmp_path, "--quick").message


def test_a_folder_without_a_set_a_broken_file_and_a_set_without_a_choice_are_refused(tmp_path):
    assert "there is no folder" in refusal(tmp_path / "nowhere").message
    assert "holds no benchmark" in refusal(tmp_path).message
    make_set(tmp_path / "mixed")
    assert "there is no set other" in refusal(tmp_path, "--set", "other").message
    (tmp_path / "mixed" / "outcomes.parquet").write_bytes(b"no parquet")
    assert "cannot be read" in refusal(tmp_path).message
    prompts, outcomes = make_set(tmp_path / "mixed")
    write_set(tmp_path / "mixed", prompts, [{**each, "cost_usd": 1.0} for each in outcomes])
    assert "no other is cheaper" in refusal(tmp_path, "--quick").message
    make_set(tmp_path / "home" / "mixed", seed=2)
    one_price = refusal("--fit", tmp_path / "home", "--score", tmp_path, "--set", "mixed", "--quick").message
    assert one_price == "in the part of mixed that is scored, no model is cheaper than large"
    same = [{**each, "prompt": f"Say it {number % 9} times."} for number, each in enumerate(prompts)]
    apart = [{**each, "prompt": chr(0x4E00 + number)} for number, each in enumerate(prompts)]
    write_set(tmp_path / "mixed", apart, outcomes)
    assert refusal(tmp_path, "--quick").message == "hardly a word is in two of the prompts"
    write_set(tmp_path / "mixed", same, outcomes)
    assert refusal(tmp_path, "--quick").message == "mixed has 9 prompts that are not nearly the same"


def test_a_place_for_the_report_that_is_not_there_is_said_before_the_work(tmp_path):
    make_set(tmp_path / "mixed")
    words = refusal(tmp_path, "--write", tmp_path / "nowhere" / "page.md").message
    assert words == f"there is no folder {tmp_path / 'nowhere'}"


def test_a_set_that_cannot_be_used_is_left_out_and_named_while_there_are_others(tmp_path):
    make_set(tmp_path / "good", many=60)
    make_set(tmp_path / "few", many=10)
    done = benchmark(tmp_path, "--quick")
    assert done.exit_code == 0
    assert "left out:" in done.stderr
    assert "few has 10 prompts" in done.stderr
    assert "good: 60 prompts" in done.stdout


def test_one_folder_or_two_by_name(tmp_path):
    assert "name one FOLDER" in refusal().message
    assert "name one FOLDER" in refusal("--fit", tmp_path).message
    assert "name one FOLDER" in refusal(tmp_path, "--fit", tmp_path, "--score", tmp_path).message


def test_a_missing_package_is_named_with_the_extra_that_brings_it(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "headgate.cli.lab_benchmark.find_spec", lambda name: None if name == "sklearn" else object()
    )
    assert 'pip install "headgate[learn]"' in refusal(tmp_path).hint
