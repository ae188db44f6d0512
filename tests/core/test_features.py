"""What a learned router looks at is fixed: a router that was trained on it goes on saying what it said, until `VERSION` is another one."""

import json
import random
from hashlib import sha256

import pytest

from headgate.core.features import SLOTS, VERSION, features
from headgate.core.router import PiecewiseLinear, Scorer, Weights, packed
from headgate.core.types import Signals

SIGNALS = Signals(
    task="qa", task_confidence=0.8, task_by="rules", tokens=180, tokens_exact=False, language="en"
)
DRAW = random.Random(7)
LETTERS = "abcdefghij klmnopqr stuvwxyz éüß 日本語漢字 กขค 0123 ٣٤ \n-*.() ,;!?{}=<>$ ï İ"
PROMPTS = ["".join(DRAW.choices(LETTERS, k=size)) for size in (5, 60, 600, 6_000) for _ in range(25)]
ODD = [
    "",
    "1",
    "字٣n٤ขïa٣2p語ü0 and 12345 of ٣٤",
    "漢字かな交じり文を書いています。" * 200,
    "Ärger mit Straßenbahnhaltestellen, İstanbul, ﬁne",
    "word " * 3_000,
    "x" * 9_000,
    "- one\n- two?\n(3) 4.5 + {x} <= $7%!",
]


def told(text):
    seen = features(text, SIGNALS)
    assert len(set(seen.words)) == len(seen.words), "each slot once"
    return [seen.facts, [round(figure, 9) for figure in seen.figures], sorted(seen.words)]


def test_requests_are_looked_at_as_in_the_version_by_which_routers_were_trained():
    assert VERSION == 1
    found = json.dumps([told(text) for text in (*PROMPTS, *ODD)]).encode()
    assert sha256(found).hexdigest()[:16] == "da93fb9abbec140d"


def test_a_word_that_was_met_before_counts_as_it_did_the_first_time():
    text = "Unbelievable 2026 漢字かな交じり文を書いています Straßenbahn"
    first = told(text)
    assert told(text) == first
    assert set(told("Straßenbahn")[2]) & set(first[2])


@pytest.mark.parametrize("words", [(), (7,), (7, 9, 11)])
def test_the_chance_is_the_sum_of_what_facts_figures_and_words_are_worth(words):
    slots, worth = packed({7: 0.5, 9: -0.25, SLOTS - 1: 3.0})
    scorer = Scorer(
        Weights(
            base=0.1,
            facts={"task qa": 0.2},
            curves=(PiecewiseLinear((0.0, 1.0), (0.0, 1.0)),),
            slots=slots,
            worth=worth,
        )
    )
    seen = features("", SIGNALS)
    seen = type(seen)(seen.facts, seen.figures, words)
    chance, familiar = scorer.judge(seen)
    total = 0.1 + 0.2 + seen.figures[0] + {(): 0.0, (7,): 0.5, (7, 9, 11): 0.25 / 3**0.5}[words]
    assert chance == pytest.approx(1 / (1 + 2.718281828459045**-total), abs=1e-6)
    assert familiar == pytest.approx({(): 1.0, (7,): 1.0, (7, 9, 11): 2 / 3}[words])
