"""What do audits cost the people who ask meanwhile? The p99 of live requests with audits on, beside the same without any.

    python benchmarks/audits.py              six rounds of each, about eight minutes
    python benchmarks/audits.py --rounds 2   quicker
    python benchmarks/audits.py --write      … and put the figures into docs/auditing.md

It needs two cores that are otherwise idle. A gate with the real embedded engine (headgate-nano, and headgate-embed for similarity) and
a double of a paid API, each in a process of its own, is opened anew for every round; rounds with and without [audit] take turns (off
on on off …), with the same prompts at the same moments. Requests arrive by chance, one in 150 ms in the mean (a Poisson process), whether those
before have been answered or not; a mail has 100 words in the middle and up to 1,500. `idle_for` is 500 ms in place of 20 s, so that there
are pauses at all. One fallback in ten is
repeated at home, one local answer in twenty is checked against the paid double, and headgate-nano judges what comparisons cannot tell.
What is compared is the p99 of all live requests; apart from it is shown what those saw that came after a pause of `idle_for` or
longer, the only ones that can meet an audit. The interval is a bootstrap over the requests of both.
"""

import argparse
import asyncio
import json
import math
import os
import random
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from time import perf_counter

from msgspec import Struct

from headgate.engines.transport import Clocks, HttpTransport
from headgate.testing import Answer, OpenAIDouble

ROOT = Path(__file__).parents[1]
DOC = ROOT / "docs/auditing.md"
BEGIN, END = "<!-- audits: begin -->", "<!-- audits: end -->"
CLOCKS = Clocks(connect=5, first_byte=60, between_bytes=60, total=60)
LIMIT = 1.05
GAP = 0.15
"""Seconds between two requests, in the mean."""
IDLE = 0.5
"""`idle_for`, in seconds."""
BOOTSTRAPS = 400

PAGE = """
[server]
listen = "127.0.0.1:0"

[engines.home]
kind = "llamacpp"

[engines.paid]
kind = "openai"
url = "{paid}/v1"
key = "env:TEST_KEY"

[models.nano]
engine = "home"
id = "headgate-nano"

[models.embed]
engine = "home"
id = "headgate-embed"
kind = "embedding"

[models.gpt]
engine = "paid"
id = "gpt-4o"

[[routes]]
name = "labels"
tasks = ["classification"]
try = ["nano", "gpt"]

[[routes]]
name = "everything else"
try = ["gpt", "nano"]

[ledger]
path = "{folder}/ledger.db"
flush = "100ms"
"""
AUDIT = """
[audit]
sample = 0.1
local_sample = 0.05
paid_per_week = 1000.0
idle_for = "500ms"
judge = "nano"
"""
MAILS = (
    "I was charged twice for {0} this month and want one of the charges back.",
    "The app crashes with error {0} whenever I log in from my phone.",
    "Could you add a dark mode to version {0}? My eyes would thank you.",
    "This is the {0}th time I write. I want to talk to your manager now.",
)
WORDS = [
    "we",
    "our",
    "the",
    "order",
    "invoice",
    "last",
    "week",
    "again",
    "because",
    "nobody",
    "answered",
    "and",
    "then",
    "it",
    "was",
    "still",
    "wrong",
    "please",
    "look",
]
MEDIAN = math.log(100)
SORT = "Classify this support email as billing, technical, feature-request or escalation.\n"
TALK = "Tell me in two or three sentences what one should know about the number {0} before lunch."


class Round(Struct, frozen=True):
    """What one round has seen."""

    first: tuple[float, ...]
    """Seconds of each request that came after a pause …"""
    rest: tuple[float, ...]
    """… and of all others."""
    judged: int
    """Audits that were made meanwhile."""

    @property
    def all(self) -> tuple[float, ...]:
        """Seconds of each request."""
        return self.first + self.rest


class Gate:
    """A gate in a process of its own."""

    def __init__(self, folder: Path, page: str) -> None:
        self.folder = folder
        (folder / "headgate.toml").write_text(page)
        env = os.environ | {"HEADGATE_DATA": str(folder / "data"), "TEST_KEY": "x", "NO_COLOR": "1"}
        command = [sys.executable, "-m", "headgate", "up", "--config", str(folder / "headgate.toml")]
        self.process = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        found = (re.search(r"http://[\d.]+:\d+", line) for line in self.process.stderr)
        self.url = next(match.group() for match in found if match)

    def close(self) -> None:
        """End it as a person would."""
        self.process.terminate()
        self.process.communicate(timeout=60)


def prompt(number: int, chance: random.Random) -> str:
    """Two of three are mails for home, of very different lengths."""
    if chance.random() < 1 / 3:
        return TALK.format(number)
    words = min(1500, round(chance.lognormvariate(MEDIAN, 1.0)))
    story = " ".join(chance.choices(WORDS, k=words))
    return SORT + chance.choice(MAILS).format(number) + " " + story


async def one(client: HttpTransport, text: str) -> float:
    """Seconds of one live request."""
    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": text}]}).encode()
    begun = perf_counter()
    answer = await client.request("POST", "/v1/chat/completions", headers=(), body=body, clocks=CLOCKS)
    taken = perf_counter() - begun
    assert answer.status == 200, answer.body
    return taken


async def live(gate: Gate, number: int, seed: int) -> Round:
    """The callers of one round."""
    chance, client = random.Random(seed), HttpTransport(gate.url)
    for warm in range(30):
        await one(client, prompt(-warm, chance))
    begun = due = perf_counter()
    asked: list[tuple[bool, asyncio.Task[float]]] = []
    for n in range(number):
        gap = chance.expovariate(1 / GAP)
        due += gap
        await asyncio.sleep(due - perf_counter())
        asked.append((gap >= IDLE, asyncio.create_task(one(client, prompt(n, chance)))))
    taken = [(first, await task) for first, task in asked]
    assert perf_counter() - begun < 3 * number * GAP, "the machine is too slow for this pace"
    await client.close()
    judged = judged_in(gate.folder / "ledger.db")
    return Round(
        tuple([t for first, t in taken if first]), tuple([t for first, t in taken if not first]), judged
    )


def judged_in(ledger: Path) -> int:
    """Audits that have been made."""
    with closing(sqlite3.connect(ledger)) as db:
        return int(db.execute("SELECT count(*) FROM audits").fetchone()[0])


def play(paid: str, *, on: bool, number: int, seed: int) -> Round:
    """One round: a gate is opened, used and closed."""
    with tempfile.TemporaryDirectory() as name:
        gate = Gate(Path(name), PAGE.format(paid=paid, folder=name) + (AUDIT if on else ""))
        try:
            return asyncio.run(live(gate, number, seed))
        finally:
            gate.close()


def p99(values: Sequence[float]) -> float:
    """Milliseconds."""
    return statistics.quantiles(values, n=100)[98] * 1000


def p50(values: Sequence[float]) -> float:
    """Milliseconds."""
    return statistics.median(values) * 1000


def interval(off: Sequence[float], on: Sequence[float]) -> tuple[float, float]:
    """Between which the ratio of both p99 lies, 95 % sure."""
    chance = random.Random(7)
    drawn = sorted(
        p99(chance.choices(on, k=len(on))) / p99(chance.choices(off, k=len(off))) for _ in range(BOOTSTRAPS)
    )
    return drawn[BOOTSTRAPS // 40], drawn[-BOOTSTRAPS // 40]


def table(rounds: dict[bool, list[Round]], load: float) -> tuple[str, bool]:
    """The figures as Markdown, and whether the limit holds."""
    lines = ["| live requests | audits off | audits on | ratio |", "|---|---|---|---|"]
    seen = {on: [taken for one in found for taken in one.all] for on, found in rounds.items()}
    first = {on: [taken for one in found for taken in one.first] for on, found in rounds.items()}
    for title, values in (("all", seen), (f"after a pause of {IDLE * 1000:.0f} ms or longer", first)):
        for name, figure in (("p50", p50), ("p99", p99)):
            off, on = figure(values[False]), figure(values[True])
            lines.append(
                f"| {title}: {name} of {len(values[True]):,} | {off:.1f} ms | {on:.1f} ms | {on / off:.3f} |"
            )
    ratio = p99(seen[True]) / p99(seen[False])
    low, high = interval(seen[False], seen[True])
    judged = sum(one.judged for one in rounds[True])
    told = (
        f"{len(rounds[True])} rounds of each, taking turns, in which {judged:,} audits were made. The ratio of the p99 of all is "
        f"{ratio:.3f}, {low:.2f} to {high:.2f} (95 %); the limit is {LIMIT}. The load of the machine before the run was {load:.1f}, "
        "of two cores. `python benchmarks/audits.py --write` measures it anew."
    )
    return "\n".join([*lines, "", told]), ratio <= LIMIT


def main() -> None:
    """Measure, print and maybe write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=6, help="of each")
    parser.add_argument("--requests", type=int, default=350, help="of a round")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/auditing.md")
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    rounds: dict[bool, list[Round]] = {False: [], True: []}
    with OpenAIDouble(answer=Answer("It is a number like any other.", delay=0.03)).in_thread() as paid:
        for number in range(asked.rounds):
            for on in (False, True) if number % 2 == 0 else (True, False):
                found = play(paid.url, on=on, number=asked.requests, seed=number)
                rounds[on].append(found)
                said = "on, " if on else "off,"
                print(
                    f"round {number + 1}, audits {said} p50 {p50(found.all):5.1f} ms, p99 {p99(found.all):6.1f} ms, "
                    f"{found.judged:3} audits",
                    file=sys.stderr,
                )
    text, holds = table(rounds, load)
    print(text)
    if asked.write:
        page = DOC.read_text(encoding="utf-8")
        head, _, rest = page.partition(BEGIN)
        DOC.write_text(f"{head}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    sys.exit(0 if holds else 1)


if __name__ == "__main__":
    main()
