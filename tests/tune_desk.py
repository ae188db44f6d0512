"""A folder with a page and a ledger, of a made-up agency (`tuning_world`), and `headgate tune` over them."""

import sqlite3
import time
from collections import Counter
from contextlib import closing
from random import Random

from msgspec.structs import replace

from headgate.config.load import load_config
from headgate.core.audits import Opinion
from headgate.core.proposals import Proposal
from headgate.lab.tuning import apply, tune_ledger
from headgate.ledger.audits import Judged, keep_findings
from headgate.ledger.opening import open_for_writing
from headgate.ledger.writer import LedgerWriter
from prepared_python import headgate
from tuning_world import recorded, world

WEEK = 7 * 86_400

PAGE = """\
# our gate; ask Ann before you change it
[server]
listen = "127.0.0.1:0"

[ledger]
path = "{ledger}"

[engines.home]
kind = "ollama"
url = "http://127.0.0.1:9"

[engines.cloud]
kind = "openai"
url = "http://127.0.0.1:9"

[models.small]
engine = "home"
id = "s"
context = 32768

[models.paid]
engine = "cloud"
id = "p"
price = {{ input = 1.0, output = 10.0 }}

[[routes]]
name = "long"
tokens_over = 4000   # Bob: above that it gets slow
try = ["paid"]

[[routes]]
name = "code"
tasks = ["code"]
try = ["small", "paid"]

[[routes]]
name = "rest"
try = ["small", "paid"]
"""


class Desk:
    """A folder with a page and a ledger."""

    def __init__(self, folder):
        self.page = folder / "headgate.toml"
        self.page.write_text(PAGE.format(ledger=folder / "ledger.db"))

    @property
    def config(self):
        return load_config(str(self.page), lambda *_: None)

    @property
    def ledger(self):
        return self.config.ledger.path

    def record(
        self,
        asks,
        *,
        since=None,
        weeks=1.0,
        sample=0.3,
        local_sample=0.3,
        model="small",
        errs=0.0,
        labels=0,
        change=lambda outcome, index: outcome,
    ):
        """Write these requests down, as a gate with this page would have, and their audits.

        Args:
            errs: the share of good answers that the judge calls bad.
            labels: of so many audits of each verdict a person says the truth.
            change: what is written down in place of an outcome.
        """
        config = self.config
        since = time.time() - weeks * WEEK if since is None else since
        writer = LedgerWriter(self.ledger)
        writer.start()
        writer.describe(config.policy.models.values())
        first = rows(self.ledger, "SELECT coalesce(max(n), 0) FROM requests")[0][0] + 1
        judged, chance, seen = [], Random(7), Counter()
        for index, ask in enumerate(asks):
            one = recorded(ask, config.policy, sample, local_sample)
            at = since + weeks * WEEK * index / len(asks)
            outcome = replace(one.example, id=f"r{first + index}", received=at)
            assert writer.put(change(outcome, index))
            for found in one.found:
                home = config.policy.models[one.example.model].local
                words = ("good", "missed") if home else ("unnecessary", "necessary")
                said = found.good and chance.random() >= errs
                opinion = Opinion(verdict=words[not said], judge="local model")
                seen[opinion.verdict] += 1
                label = Opinion(verdict=words[not found.good], judge="person")
                opinions = (opinion, label) if seen[opinion.verdict] <= labels else (opinion,)
                judged.append(
                    Judged(
                        request=first + index,
                        opinions=opinions,
                        in_force=opinions[-1],
                        at=at,
                        probability=1 / (1 + found.speaks_for),
                        model=model,
                        score=found.score,
                    )
                )
        writer.close()
        assert writer.lost == 0
        with closing(open_for_writing(self.ledger)) as db:
            db.execute("BEGIN IMMEDIATE")
            keep_findings(db, judged)
            db.execute("COMMIT")

    def run(self, *words, code=0):
        done = headgate("tune", "--config", str(self.page), *words)
        assert done.returncode == code, done.stderr
        return done

    def apply(self, floor=0.98):
        tuned = tune_ledger(self.config, floor, 0.0)
        assert isinstance(tuned.found, Proposal), tuned.found
        return apply(self.config, tuned, time.time())


def rows(ledger, query):
    with closing(sqlite3.connect(ledger)) as db:
        return db.execute(query).fetchall()


def a_week(seed=1, requests=3000, **kind):
    """The user's example: most fallbacks are prompts of more than 4,000 tokens, and home would have answered many of them."""
    return world(
        seed, requests, **({"bad": 0.004, "bad_long": 0.9, "bad_from": 5000, "long_share": 0.3} | kind)
    )
