"""A ledger whose truth is known: requests answered at home or not, prompts that tell how likely the answer at home is good, audits."""

import random
import sqlite3
from contextlib import closing
from math import exp

from headgate.core.audits import Opinion
from headgate.core.signals import measure
from headgate.core.types import Attempt, Candidate, Decision, Message, Outcome, Request, Usage, Verdict
from headgate.ledger.audits import Judged, keep_findings
from headgate.ledger.opening import open_for_writing
from headgate.ledger.writer import LedgerWriter

MONDAY = 1_760_313_600.0
PAGE = """
[engines.home]
kind = "ollama"
url = "{home}"

[engines.cloud]
kind = "anthropic"
url = "{cloud}"
key = "env:ANTHROPIC_API_KEY"

[models.small]
engine = "home"
id = "llama3.1:8b"
context = 8192

[models.big]
engine = "cloud"
id = "claude-sonnet-5-5"
price = {{ input = 3, output = 15 }}

[[routes]]
name = "everything"
try = ["small", "big"]

[ledger]
path = "{ledger}"
keep = "20000d"
keep_bodies = true
keep_bodies_for = "20000d"
"""

EASY = [
    "invoice",
    "meeting",
    "parcel",
    "order",
    "letter",
    "visit",
    "office",
    "garden",
    "lunch",
    "train",
    "ticket",
    "phone",
    "coffee",
    "paper",
    "window",
]
HARD = [
    "integral",
    "theorem",
    "covariance",
    "lemma",
    "eigenvalue",
    "topology",
    "entropy",
    "manifold",
    "tensor",
    "polynomial",
]
PLAIN = [
    "the",
    "a",
    "of",
    "for",
    "with",
    "on",
    "about",
    "today",
    "please",
    "soon",
    "next",
    "last",
    "new",
    "old",
    "small",
    "large",
    "green",
    "blue",
    "first",
    "second",
]


def prompt(chance, hardness):
    """A question whose words tell how hard it is, 0 to 1."""
    words = [
        chance.choice(HARD if chance.random() < hardness else EASY)
        if chance.random() < 0.5
        else chance.choice(PLAIN)
        for _ in range(chance.randint(8, 40))
    ]
    return f"Answer this question: what do you know of {' '.join(words)}?"


def good_by(hardness):
    """The true probability that the answer at home is good."""
    return 1 / (1 + exp(-(3.5 - 7 * hardness)))


class Asked:
    """One request, and its truth."""

    def __init__(self, chance, at, policy, *, task="qa", truth=good_by, home=True):
        hardness = chance.random()
        self.ask = prompt(chance, hardness)
        self.chance = truth(hardness)
        self.good = chance.random() < self.chance
        self.passed = home and (chance.random() < 0.95 if self.good else chance.random() < 0.5)
        self.home = home
        request = Request(id=f"{at:016x}", asked="auto", messages=(Message("user", self.ask),), task=task)
        self.signals = measure(request, policy)
        self.id, self.received = request.id, MONDAY + at * 600.0

    def outcome(self, bodies=True):
        """The row."""
        tried = []
        if self.home:
            tried.append(attempt("small", 0.0, 0.9 if self.passed else 0.2))
        if not self.passed:
            tried.append(attempt("big", 0.004, 0.95))
        return Outcome(
            id=self.id,
            received=self.received,
            asked="auto",
            stream=False,
            signals=self.signals,
            decision=Decision(
                route="everything",
                why="no other route matches",
                candidates=(Candidate(model="small", estimate=0.0), Candidate(model="big", estimate=0.004)),
                checks=("not-empty",),
                pass_at=0.6,
                mode="peek",
                within=60.0,
                attempts_at_most=4,
            ),
            attempts=tuple(tried),
            status="ok",
            model=tried[-1].model,
            fallback=None if self.passed else "quality check failed" if self.home else "sent by its route",
            seconds=2.0,
            usage=tried[-1].usage,
            cost=sum(a.cost for a in tried),
            baseline="big",
            baseline_cost=0.004,
            prices_as_of="2025-10-13",
            **({"prompt": f"user: {self.ask}", "answer": "so"} if bodies else {}),
        )


def attempt(model, cost, score):
    """One call."""
    return Attempt(
        model=model,
        started=0.0,
        ended=1.5,
        usage=Usage(input=40, output=60),
        cost=cost,
        verdicts=(Verdict("not-empty", score, "it says something"),),
        score=score,
        finish="stop",
    )


def fill(config, asked, audited=lambda index: 1.0, verdict=None, bodies=True):
    """Write requests, and audits of those for which `audited` gives a probability above 0 (they are then chosen by it)."""
    writer = LedgerWriter(config.ledger.path)
    writer.start()
    writer.describe(config.policy.models.values())
    for one in asked:
        writer.put(one.outcome(bodies))
    writer.close()
    chance = random.Random(7)
    with closing(open_for_writing(config.ledger.path)) as db:
        numbers = dict(db.execute("SELECT id, n FROM requests").fetchall())
        db.execute("BEGIN IMMEDIATE")
        found = []
        for index, one in enumerate(asked):
            probability = audited(index)
            if chance.random() >= probability:
                continue
            good = one.good if verdict is None else verdict(one, chance)
            word = ("good" if good else "missed") if one.passed else ("unnecessary" if good else "necessary")
            opinion = Opinion(verdict=word, judge="local model")
            found.append(
                Judged(
                    request=numbers[one.id],
                    opinions=(opinion,),
                    in_force=opinion,
                    at=one.received + 60,
                    probability=probability,
                    model="small",
                )
            )
        keep_findings(db, found)
        db.execute("COMMIT")
    return len(found)


def count(config, table):
    """Rows of a table."""
    with closing(sqlite3.connect(config.ledger.path)) as db:
        return db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
