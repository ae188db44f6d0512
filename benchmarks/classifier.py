"""Fit and measure the task classifier (`headgate.core.tasks`).

    python benchmarks/classifier.py            print the figures
    python benchmarks/classifier.py --write    … and put them into docs/classifier.md
    python benchmarks/classifier.py --fit      fit the weights on the dev prompts and write core/tasks/weights.py

The fit is multinomial logistic regression with an L2 penalty over the cues, by accelerated gradient descent from zero:
no randomness, no third-party package, about half a minute. It sees the dev prompts only. The held prompts are scored,
never printed. Nothing here says how the classifier does on real traffic: the prompts are synthetic.
"""

import argparse
import json
from collections import Counter
from math import exp, sqrt
from pathlib import Path
from typing import Any

from headgate.core.tasks import classify
from headgate.core.tasks.notice import notice
from headgate.core.tasks.reading import read
from headgate.core.words import TASKS

ROOT = Path(__file__).resolve().parents[1]
PROMPTS = ROOT / "tests/data/prompts.jsonl"
WEIGHTS = ROOT / "src/headgate/core/tasks/weights.py"
PENALTY = 2.0
STEPS = 250
SMALLEST = 0.03
"""Weights nearer to zero than this are written as zero."""

Row = dict[str, Any]


def prompts(split: str) -> list[Row]:
    """The labelled prompts of one split."""
    rows = [json.loads(line) for line in PROMPTS.read_text(encoding="utf-8").splitlines()]
    return [row for row in rows if row["split"] == split]


# ── Fitting ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def fit(rows: list[Row], penalty: float = PENALTY, steps: int = STEPS) -> dict[str, list[float]]:
    """Weights for each cue, one per task, that make the rows likeliest under the penalty."""
    noted = [sorted(notice(row["prompt"], read(row["prompt"]))) for row in rows]
    truth = [TASKS.index(row["task"]) for row in rows]
    cues = sorted({cue for some in noted for cue in some})
    place = {cue: number for number, cue in enumerate(cues)}
    examples = [[place[cue] for cue in some] for some in noted]
    # Bound of the curvature: half the largest possible squared norm of the rows' shared direction.
    pace = 1 / (0.5 * spectral_norm(examples, len(cues)) + penalty)
    width = range(len(TASKS))
    weights = [[0.0] * len(TASKS) for _ in cues]
    ahead = [row[:] for row in weights]
    momentum = 1.0
    for _ in range(steps):
        slope = [[penalty * value for value in row] for row in ahead]
        for example, right in zip(examples, truth, strict=True):
            sums = [sum(column) for column in zip(*[ahead[cue] for cue in example], strict=True)]
            top = max(sums)
            shares = [exp(value - top) for value in sums]
            total = sum(shares)
            errors = [share / total for share in shares]
            errors[right] -= 1.0
            for cue in example:
                row = slope[cue]
                for task in width:
                    row[task] += errors[task]
        following = (1 + sqrt(1 + 4 * momentum * momentum)) / 2
        glide = (momentum - 1) / following
        for cue in range(len(cues)):
            for task in width:
                moved = ahead[cue][task] - pace * slope[cue][task]
                ahead[cue][task] = moved + glide * (moved - weights[cue][task])
                weights[cue][task] = moved
        momentum = following
    return dict(zip(cues, weights, strict=True))


def spectral_norm(examples: list[list[int]], size: int) -> float:
    """The largest eigenvalue of XᵀX for a 0/1 matrix given by its rows' columns (power iteration, rounded up)."""
    vector = [1.0] * size
    value = 1.0
    for _ in range(30):
        image = [0.0] * size
        for example in examples:
            dot = sum([vector[cue] for cue in example])
            for cue in example:
                image[cue] += dot
        value = sqrt(sum([part * part for part in image]))
        vector = [part / value for part in image]
    return value * 1.05


def write_weights(weights: dict[str, list[float]]) -> None:
    """Write the weights as a Python module, one line a cue."""
    head = '"""What each cue is worth for each task: written by `benchmarks/classifier.py --fit`, not by hand.\n\n'
    head += "Positive speaks for the task, negative against it. Columns are in the order of `words.TASKS`:\n"
    head += f'{", ".join(TASKS)}.\n"""\n\n'
    lines = [
        f'    "{cue}": ({", ".join(f"{0.0 if abs(value) < SMALLEST else value:.2f}" for value in row)}),'
        for cue, row in sorted(weights.items())
    ]
    body = "WEIGHTS: dict[str, tuple[float, ...]] = {\n" + "\n".join(lines).replace("-0.00", "0.00") + "\n}\n"
    WEIGHTS.write_text(head + body, encoding="utf-8")


# ── Measuring ────────────────────────────────────────────────────────────────────────────────────────────────────────


def macro_f1(pairs: list[tuple[str, str | None]]) -> float:
    """The mean over tasks of the harmonic mean of precision and recall; pairs are (true, named)."""
    scores = []
    for task in TASKS:
        hits = sum(true == named == task for true, named in pairs)
        wrong = sum((true == task) != (named == task) for true, named in pairs)
        scores.append(2 * hits / (2 * hits + wrong) if hits or wrong else 1.0)
    return sum(scores) / len(scores)


def named(rows: list[Row]) -> list[tuple[str, str | None]]:
    """(True task, named task) of every row."""
    return [(row["task"], classify(row["prompt"])[0]) for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument(
        "--fit", action="store_true", help="fit the weights on the dev prompts and write them"
    )
    options = parser.parse_args()
    if options.fit:
        write_weights(fit(prompts("dev")))
        print(f"wrote {WEIGHTS.relative_to(ROOT)}")
        return
    print(f"macro-F1 on dev: {macro_f1(named(prompts('dev'))):.3f}")


if __name__ == "__main__":
    main()
