"""Made-up benchmark folders, and what `headgate lab benchmark` says of them."""

import json
import random

import pyarrow as pa
from click.testing import CliRunner
from pyarrow import parquet

from headgate.cli.main import command

THINGS = [
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
    "orchard",
    "copper",
    "meadow",
]
KINDS = {
    "sums": ("Add the weights of the {} and the {} and the {}, please: {} and {}.", 0.9),
    "proofs": ("Prove that every {} commutes with a {} over the {} of order {} or {}!", 0.1),
    "letters": ("Dear team, write a friendly note about our {}, the {} and the {}: {} of {} are done.", 0.8),
}
"""How prompts of a kind read, and how often the small model is right on them."""
COSTS = {"small": 0.001, "large": 0.02}


def make_set(
    folder, *, many=120, seed=0, kinds=tuple(KINDS), shuffled=False, answers=False, costs=True, **changes
):
    """A set in which the small model does well on some kinds of prompt; with `shuffled`, on no kind in particular."""
    chance = random.Random(seed)
    prompts, good = [], []
    for number in range(many):
        kind = kinds[number % len(kinds)]
        words = [*chance.choices(THINGS, k=3), chance.randint(2, 900), chance.randint(2, 900)]
        prompts.append(
            {"id": f"p{number}", "prompt": KINDS[kind][0].format(*words), "task": kind, "contaminated": False}
        )
        good.append(chance.random() < KINDS[kind][1])
    if shuffled:
        chance.shuffle(good)
    outcomes = []
    for prompt, right in zip(prompts, good, strict=True):
        for model, cost in COSTS.items():
            row = {"id": prompt["id"], "model": model, "score": float(right or model == "large")}
            if costs:
                row["cost_usd"] = cost
            if answers:
                row["response"] = f"{'4 * 5 = 20' if right else '4 * 5 = 24'}, so {chance.randint(1, 99)}."
            outcomes.append(row)
    write_set(folder, changes.get("prompts", prompts), changes.get("outcomes", outcomes))
    return prompts, outcomes


def write_set(folder, prompts, outcomes):
    folder.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.Table.from_pylist(prompts), folder / "prompts.parquet")
    parquet.write_table(pa.Table.from_pylist(outcomes), folder / "outcomes.parquet")


def benchmark(*words):
    return CliRunner().invoke(command, ["lab", "benchmark", *map(str, words)])


def measured(*words):
    done = benchmark(*words, "--json")
    assert done.exit_code == 0, done.output
    return {one["name"]: one for one in json.loads(done.stdout)["sets"]}


def row(one, router):
    return next(each for each in one["rows"] if each["router"] == router)
