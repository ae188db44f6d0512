"""What does a learned router cost a request? Run: python benchmarks/learned.py

Prints microseconds of CPU per request, the least disturbed of nine rounds: to look at a request (`core.features`), and to look and
judge with one and with three models at home. Prompts have 15, 120 and 600 words drawn at random from 400, and one is as long
as prompts get; their words were met in prompts before them, which spares hashing them. In the last column none of them was. What is
asked for: a typical prompt with all models within 200 µs, and a long one not much dearer than the longest.
"""

import random
import sys
import time

from headgate.core import features as looking
from headgate.core.expecting import Learning
from headgate.core.features import SLOTS, features
from headgate.core.router import Learned, PiecewiseLinear, Prepared, Router, Weights, packed
from headgate.core.types import Model, Signals

ROUNDS, CALLS = 9, 200
BUDGET = 200.0
"""Microseconds for a typical prompt, of some hundred words, and three models."""
LENGTHS = {"15 words": 15, "120 words": 120, "600 words": 600, "20,000 words": 20_000}
TYPICAL = ("15 words", "120 words")
KNOTS = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
SIGNALS = Signals(
    task="qa", task_confidence=0.8, task_by="rules", tokens=180, tokens_exact=False, language="en"
)


def router(models: int) -> Prepared:
    """A router that has learned something of every slot, for so many models."""
    draw = random.Random(1)
    many = len(features("", SIGNALS).figures)
    names = [f"model{number}" for number in range(models)]
    learned = []
    for name in names:
        slots, worth = packed({slot: draw.gauss(0, 0.1) for slot in range(SLOTS)})
        weights = Weights(
            base=0.3,
            facts={"task qa": 0.2, "form text": 0.1},
            curves=tuple(PiecewiseLinear(KNOTS, tuple(draw.gauss(0, 1) for _ in KNOTS)) for _ in range(many)),
            slots=slots,
            worth=worth,
        )
        learned.append(
            Learned(
                model=name,
                engine="home",
                id=name,
                weights=weights,
                tasks={"qa": 100},
                longest=10**6,
                familiar=0.1,
            )
        )
    config = {
        name: Model(name=name, engine="home", engine_kind="ollama", id=name, local=True) for name in names
    }
    return Prepared(Router(learned=tuple(learned), learning=Learning()), config, {})


def prompt(words: int) -> str:
    """Words drawn at random, always the same."""
    draw = random.Random(words)
    known = ["".join(draw.choices("abcdefghijklmnoprstuvw", k=draw.randint(2, 11))) for _ in range(400)]
    return " ".join(draw.choices(known, k=words))


def cost(call: "object", ask: str, *, forget: bool = False) -> float:
    """Microseconds of CPU of one call. `forget`: as if none of its words had been met before."""
    best = float("inf")
    for _ in range(ROUNDS):
        begun = time.process_time()
        for _ in range(CALLS):
            if forget:
                looking.look_up.cache_clear()
            call(ask, SIGNALS)  # type: ignore[operator]
        best = min(best, (time.process_time() - begun) / CALLS * 1e6)
    return best


def main() -> int:
    """Measure; 1 where a typical prompt costs more than it may."""
    one, three = router(1), router(3)
    kept = True
    print(f"{'':<14}{'features':>10}{'1 model':>10}{'3 models':>10}{'new words':>11}  µs")
    for name, words in LENGTHS.items():
        ask = prompt(words)
        found = [cost(call, ask) for call in (features, one.judge, three.judge)]
        found.append(cost(three.judge, ask, forget=True))
        print(f"{name:<14}" + "".join(f"{figure:>10.0f}" for figure in found))
        kept = kept and (name not in TYPICAL or found[-1] <= BUDGET)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
