"""How well the shipped models sort a thousand support e-mails, alone and as a chain, with the built-in subagent `triage`.

    python benchmarks/triage.py [--write] [--mails 1000]

Every mail of tests/data/mails.jsonl is given to `agent:triage` through a gate: once to each model alone, then to the chain, in which a
model that is less sure of its label than the subagent's threshold is followed by the next. Half of the mails (every second one) calibrate
each model first, as `headgate agents test` does; accuracy is told of the other half, schema-valid answers of all.
A mail with two matters is right with either category. A mail without any matter has no right category: it is left out of accuracy, and
counted by whether the models were unsure of it.
"""

import argparse
import asyncio
import json
import platform
import statistics
import tempfile
from collections import Counter
from pathlib import Path
from time import time

import msgspec
from msgspec import Raw

from headgate.app import open_gate
from headgate.config.load import parse_config
from headgate.core.intervals import wilson
from headgate.core.proof import Marked, calibrated, trial_of
from headgate.core.subagent import Shown
from headgate.ledger.trials import save_trial

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "agents.md"
BEGIN, END = "<!-- thousand mails: begin -->", "<!-- thousand mails: end -->"
MODELS = ("micro", "clerk")
CONFIG = """
[engines.home]
kind = "llamacpp"
parallel = 4

{models}

[[routes]]
name = "everything"
try = {chain}

[ledger]
path = "{folder}/ledger.db"
"""


def mails(count):
    """The first of them."""
    lines = (ROOT / "tests" / "data" / "mails.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines[:count]]


def config_in(folder, names=MODELS):
    """A page with the shipped models as a chain."""
    models = "\n".join(f'[models.{name}]\nengine = "home"\nid = "headgate-{name}"' for name in names)
    text = CONFIG.format(models=models, chain=json.dumps(list(names)), folder=folder)
    return parse_config(text, Path(folder) / "headgate.toml")


async def sort(gate, given, model=None):
    """The run of each mail, in order."""
    slots = asyncio.Semaphore(8)

    async def one(mail):
        async with slots:
            return await gate.runs.run("triage", mail["text"], batch=True, model=model)

    return await asyncio.gather(*map(one, given))


def marked(given, runs):
    """The mails that have a right category, with what was said of them. Of two matters the one that was named is the right one."""
    found = []
    for mail, run in zip(given, runs, strict=True):
        if mail["categories"]:
            right = run.label if run.label in mail["categories"] else mail["categories"][0]
            test = Shown(input=mail["text"], output=Raw(msgspec.json.encode({"category": right})))
            found.append(Marked(test=test, run=run))
    return found


async def measure(folder, given, names=MODELS, alone=None):
    """{"micro": runs, …, "chain": runs}: each model alone, calibrated on every second mail, then all of them as a chain.

    `alone` is how many of the mails each model gets alone; None is all.
    """
    few = given[:alone]
    config = config_in(folder, names)
    agent = config.policy.agents["triage"]
    found = {}
    async with open_gate(config) as gate:
        for name in names:
            found[name] = await sort(gate, few, name)
            answers, fitted = calibrated(agent, marked(few[::2], found[name][::2]))
            trial = trial_of(
                agent, answers, model=config.policy.models[name], measured=time(), calibration=fitted
            )
            save_trial(config.ledger.path, trial)
    async with open_gate(config) as gate:
        found["chain"] = await sort(gate, given)
    return found


def judged(given, runs):
    """What there is to say of the runs of one model, or of the chain."""
    held = list(zip(given, runs, strict=True))[1::2]
    told = [(mail, run) for mail, run in held if mail["categories"]]
    right = sum(run.label in mail["categories"] for mail, run in told)
    by_kind = Counter(mail["kind"] for mail, _ in told)
    right_by_kind = Counter(mail["kind"] for mail, run in told if run.label in mail["categories"])
    return {
        "valid": sum(run.output is not None for run in runs),
        "right": right,
        "n": len(told),
        "interval": wilson(right, len(told)),
        "kinds": {kind: (right_by_kind[kind], count) for kind, count in by_kind.items()},
        "statuses": Counter(run.status for run in runs),
        "median": statistics.median(run.seconds for run in runs),
    }


def sure_and_unsure(given, found, first):
    """Of the first model's answers: (right, of how many) where the chain kept them, and where it went on."""
    kept, left = [0, 0], [0, 0]
    for mail, alone, chained in zip(given, found[first], found["chain"], strict=True):
        if not mail["categories"]:
            continue
        where = kept if chained.model == first and chained.status == "ok" else left
        where[0] += alone.label in mail["categories"]
        where[1] += 1
    return kept, left


def share(hits, total):
    """A share with its interval."""
    bounds = wilson(hits, total)
    if bounds is None:
        return "–"
    return f"{hits / total:.0%} ({bounds[0]:.0%}–{bounds[1]:.0%})"


def table(given, found):
    """The figures as Markdown."""
    names = [name for name in found if name != "chain"]
    facts = {name: judged(given, runs) for name, runs in found.items()}
    head = ["", *(f"`headgate-{name}`" for name in names), "chain"]
    rows = [
        ["answers that fit the schema", *(f"{facts[name]['valid']:,} of {len(given):,}" for name in found)],
        ["right category", *(share(facts[name]["right"], facts[name]["n"]) for name in found)],
        *(
            [f"… {kind}", *("{} of {}".format(*facts[name]["kinds"][kind]) for name in found)]
            for kind in sorted(facts["chain"]["kinds"], key=lambda kind: -facts["chain"]["kinds"][kind][1])
        ),
        ["median time", *(f"{facts[name]['median'] * 1000:.0f} ms" for name in found)],
    ]
    lines = [f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows]]
    statuses = facts["chain"]["statuses"]
    kept, left = sure_and_unsure(given, found, names[0])
    none = [run for mail, run in zip(given, found["chain"], strict=True) if not mail["categories"]]
    unsure = sum(run.status == "incomplete" for run in none)
    told = (
        f"Of {len(given):,} mails the chain answered {statuses['ok']:,} by its first model, {statuses['escalated']:,} went on to a surer"
        f" one, of {statuses['incomplete']:,} no model was sure (status `incomplete`), and {statuses['failed']:,} failed. Where"
        f" `headgate-{names[0]}` was sure it was right {share(*kept)}, where it was not, {share(*left)}. Of the {len(none)} mails"
        f" without any matter {unsure} ended as unsure. {platform.processor() or platform.machine()}, Python {platform.python_version()}."
    )
    return "\n".join([*lines, "", told])


def main():
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--mails", type=int, default=1000)
    arguments.add_argument("--write", action="store_true", help="into docs/agents.md")
    asked = arguments.parse_args()
    given = mails(asked.mails)
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(folder, given))
    text = table(given, found)
    print(text)
    if asked.write:
        page = PAGE.read_text(encoding="utf-8")
        head, _, rest = page.partition(BEGIN)
        _, _, tail = rest.partition(END)
        PAGE.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
