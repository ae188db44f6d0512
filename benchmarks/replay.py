"""How long a replay takes: a ledger of so many decisions, and `headgate replay` over it in a process of its own.

    python benchmarks/replay.py [--requests 1000000] [--audits 0.02] [--keep FOLDER]

The requests are made up: six tasks, lengths from ten to twenty thousand tokens, scores between 0 and 1. They are decided by the real
policy, cascade as they would, and are written by the ledger's own writer; a share of them has an audit. Then `headgate replay` runs with
one setting, twice, and the quicker run counts: its wall time and its processor time, the start of Python and all reading included.
What is not in it: nothing else writes into the ledger meanwhile, and its file is in the system's memory already.
"""

import argparse
import json
import random
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from headgate.config.load import load_config
from headgate.core.cascade import passes
from headgate.core.policy import decide
from headgate.core.types import Attempt, FleetView, Outcome, Request, Signals, Usage, Verdict
from headgate.ledger.queries import LedgerReader
from headgate.ledger.writer import LedgerWriter

PAGE = """
[ledger]
path = "{folder}/ledger.db"

[engines.home]
kind = "ollama"
url = "http://127.0.0.1:9"

[engines.cloud]
kind = "openai"
url = "http://127.0.0.1:9/v1"
key = "env:NONE"

[models.small]
engine = "home"
id = "small"
context = 16384

[models.large]
engine = "home"
id = "large"
context = 32768

[models.paid]
engine = "cloud"
id = "gpt-4o"

[[routes]]
name = "long"
tokens_over = 4000
try = ["paid"]

[[routes]]
name = "code"
tasks = ["code"]
try = ["large", "paid"]

[[routes]]
name = "everything else"
try = ["small", "large", "paid"]
"""
TASKS = ("classification", "extraction", "summarization", "code", "qa", None)
SETTINGS = ("routes.long.tokens_over=5000", "quality.pass_at=0.5")


def outcome_of(policy, number, of, chance):
    """One request, as it would have gone."""
    task = chance.choice(TASKS)
    tokens = int(min(20_000, 10 + chance.lognormvariate(6.5, 1.3)))
    signals = Signals(
        task=task,
        task_confidence=round(chance.uniform(0.5, 1), 3) if task else 0.0,
        task_by="rules" if task else "none",
        tokens=tokens,
        tokens_exact=chance.random() < 0.3,
        language=chance.choice(("en", "de", "")),
    )
    request = Request(id=f"req_{number:020x}", asked="auto", messages=())
    decision = decide(policy, FleetView(), request, signals)
    attempts = []
    for name in decision.chain:
        model = policy.models[name]
        score = round(1 - chance.random() ** 2, 4)
        usage = Usage(input=tokens, output=chance.randrange(20, 800))
        cost = 0.0 if model.local else (usage.input * 2.5 + usage.output * 10) / 1e6
        verdicts = (Verdict("complete", 1.0), Verdict("confidence", score))
        started = float(len(attempts))
        attempts.append(
            Attempt(
                model=name,
                started=started,
                ended=started + 0.8,
                usage=usage,
                cost=cost,
                verdicts=verdicts,
                score=score,
                finish="stop",
            )
        )
        if passes(attempts[-1], decision.pass_at):
            break
    last = attempts[-1]
    paid = not policy.models[last.model].local
    now = time.time()
    return Outcome(
        id=request.id,
        received=now - 20 * 86_400 * (1 - number / of),
        asked="auto",
        stream=False,
        signals=signals,
        decision=decision,
        attempts=tuple(attempts),
        status="ok" if passes(last, decision.pass_at) else "imperfect",
        model=last.model,
        fallback="quality check failed" if paid and len(attempts) > 1 else "token count" if paid else None,
        fallback_limit=4000 if paid and len(attempts) == 1 else None,
        seconds=float(len(attempts)),
        usage=last.usage,
        cost=sum(attempt.cost for attempt in attempts),
        baseline="paid",
        baseline_cost=0.01,
    )


def fill(config, requests, audits):
    """A ledger of so many requests."""
    chance = random.Random(7)
    policy = config.policy
    writer = LedgerWriter(config.ledger.path)
    writer.start()
    writer.describe(policy.models.values())
    for number in range(requests):
        while writer.waiting > 9_000 and writer.problem is None:
            time.sleep(0.002)
        writer.put(outcome_of(policy, number, requests, chance))
    writer.close()
    with sqlite3.connect(config.ledger.path) as db:
        for word in ("good", "missed", "unnecessary", "necessary", "exact"):
            db.execute("INSERT OR IGNORE INTO names (text) VALUES (?)", (word,))
        words = dict(db.execute("SELECT text, id FROM names"))
        local = {id_ for id_, is_local in db.execute("SELECT id, local FROM models WHERE local") if is_local}
        rows = db.execute("SELECT n, model FROM requests").fetchall()
        small = min(local)
        db.executemany(
            "INSERT INTO audits (request, verdict, judge, audited, probability, model, score) VALUES (?, ?, ?, 0, ?, ?, ?)",
            [
                (
                    n,
                    words[
                        chance.choice(
                            ("good", "good", "missed") if model in local else ("unnecessary", "necessary")
                        )
                    ],
                    words["exact"],
                    round(audits * 1e6),
                    model if model in local else small,
                    chance.randrange(10_000),
                )
                for n, model in rows
                if chance.random() < audits
            ],
        )


def run(page):
    """One replay: its answer, wall seconds, processor seconds."""
    words = [part for setting in SETTINGS for part in ("--set", setting)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    said = subprocess.run(
        [sys.executable, "-m", "headgate", "replay", "--config", str(page), "--json", *words],
        check=True,
        capture_output=True,
    )
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(said.stdout), wall, cpu


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--audits", type=float, default=0.02)
    parser.add_argument(
        "--keep", type=Path, help="a folder for the ledger, which is used again if it is there"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = given.keep or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        page = folder / "headgate.toml"
        page.write_text(PAGE.format(folder=folder))
        config = load_config(str(page))
        if not config.ledger.path.exists():
            fill(config, given.requests, given.audits)
        with LedgerReader(config.ledger.path) as ledger:
            requests = ledger.last_number()
        runs = [run(page) for _ in range(2)]
        answer, wall, cpu = min(runs, key=lambda each: each[2])
        size = config.ledger.path.stat().st_size / 2**20
        print(f"{requests:,} requests, {size:,.0f} MiB: {wall:.1f} s, {cpu:.1f} s of a processor")
        print(
            f"{1e6 * cpu / requests:.1f} us a request; {answer['estimated']:,} estimated, {answer['exact']:,} exactly"
        )


if __name__ == "__main__":
    main()
