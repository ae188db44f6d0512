"""What do audits cost the people who ask meanwhile? The p99 of live requests with audits on, beside the same without any.

    python benchmarks/audits.py              eight rounds of each, about five minutes
    python benchmarks/audits.py --rounds 2   quicker
    python benchmarks/audits.py --write      … and put the figures into docs/auditing.md

A gate with the real embedded engine (headgate-nano, and headgate-embed for similarity) and a double of a paid API, each in a process
of its own, is opened anew for every round; rounds with and without [audit] take turns (off on on off …), with the same prompts in the
same order. The callers come in bursts of a dozen requests, three at a time, with pauses that are longer than `idle_for`: so whoever comes
first after a pause mostly finds an audit under way, which no ordinary day does to him. With audits on, every request is chosen, local
answers are checked against the paid double, fallbacks are repeated at home, and headgate-nano judges too. What is compared is the p99
of all live requests, and apart from them of those that came first after a pause.
"""

import argparse
import asyncio
import json
import os
import random
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
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
sample = 1.0
local_sample = 1.0
paid_per_week = 1000.0
idle_for = "100ms"
"""
MAILS = (
    "I was charged twice for {0} this month and want one of the charges back.",
    "The app crashes with error {0} whenever I log in from my phone.",
    "Could you add a dark mode to version {0}? My eyes would thank you.",
    "This is the {0}th time I write. I want to talk to your manager now.",
)
SORT = "Classify this support email as billing, technical, feature-request or escalation.\n"
TALK = "Tell me in two or three sentences what one should know about the number {0} before lunch."


class Round(Struct, frozen=True):
    """What one round has seen."""

    first: tuple[float, ...]
    """Seconds of each request that came first after a pause …"""
    rest: tuple[float, ...]
    """… and of all others."""
    met: int
    """Pauses at whose end an audit was under way."""
    judged: int
    """Audits that were made in its pauses."""


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
    """Two of three are for home."""
    if chance.random() < 1 / 3:
        return TALK.format(number)
    return SORT + chance.choice(MAILS).format(number)


async def one(client: HttpTransport, text: str) -> float:
    """Seconds of one live request."""
    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": text}]}).encode()
    begun = perf_counter()
    answer = await client.request("POST", "/v1/chat/completions", headers=(), body=body, clocks=CLOCKS)
    taken = perf_counter() - begun
    assert answer.status == 200, answer.body
    return taken


async def live(gate: Gate, bursts: int, size: int, seed: int) -> Round:
    """The callers of one round."""
    chance, client = random.Random(seed), HttpTransport(gate.url)
    first: list[float] = []
    rest: list[float] = []
    met = 0
    for warm in range(2 * size):
        await one(client, prompt(-warm, chance))
    for burst in range(bursts):
        await asyncio.sleep(chance.uniform(0.3, 0.9))
        state = await client.request("GET", "/admin/audits", headers=(), body=b"", clocks=CLOCKS)
        met += json.loads(state.body)["under_way"] is not None
        texts = [prompt(burst * size + n, chance) for n in range(size)]
        first.append(await one(client, texts[0]))
        queue = iter(texts[1:])

        async def caller(queue=queue) -> None:
            for text in queue:
                rest.append(await one(client, text))

        await asyncio.gather(*(caller() for _ in range(3)))
    await client.close()
    return Round(tuple(first), tuple(rest), met, judged_in(gate.folder / "ledger.db"))


def judged_in(ledger: Path) -> int:
    """Audits that have been made."""
    with closing(sqlite3.connect(ledger)) as db:
        return int(db.execute("SELECT count(*) FROM audits").fetchone()[0])


def play(paid: str, *, on: bool, bursts: int, size: int, seed: int) -> Round:
    """One round: a gate is opened, used and closed."""
    with tempfile.TemporaryDirectory() as name:
        gate = Gate(Path(name), PAGE.format(paid=paid, folder=name) + (AUDIT if on else ""))
        try:
            return asyncio.run(live(gate, bursts, size, seed))
        finally:
            gate.close()


def p99(values: list[float]) -> float:
    """Milliseconds."""
    return statistics.quantiles(values, n=100)[98] * 1000


def table(rounds: dict[bool, list[Round]], load: float) -> tuple[str, bool]:
    """The figures as Markdown, and whether the limit holds."""
    lines = ["| live requests | audits off | audits on | ratio |", "|---|---|---|---|"]
    ratios = []
    kinds = {
        "all": lambda one: (*one.first, *one.rest),
        "first after a pause": lambda one: one.first,
    }
    for title, which in kinds.items():
        seen = {on: [taken for one in found for taken in which(one)] for on, found in rounds.items()}
        for figure, of in (("p50", lambda values: statistics.median(values) * 1000), ("p99", p99)):
            off, on = of(seen[False]), of(seen[True])
            ratios.append(on / off)
            lines.append(
                f"| {title}, {figure} of {len(seen[True]):,} | {off:.1f} ms | {on:.1f} ms | {on / off:.3f} |"
            )
    pauses = sum(len(one.first) for one in rounds[True])
    met, judged = sum(one.met for one in rounds[True]), sum(one.judged for one in rounds[True])
    lines += [
        "",
        (
            f"{len(rounds[True])} rounds of each, taking turns; {judged:,} audits were made in {pauses:,} pauses of 0.3 to 0.9 s, "
            f"and {met:,} of these ended with an audit under way. The load of the machine before the run was {load:.1f}. "
            f"The limit for the p99 of all is {LIMIT}; `python benchmarks/audits.py --write` measures it anew."
        ),
    ]
    return "\n".join(lines), ratios[1] <= LIMIT


def main() -> None:
    """Measure, print and maybe write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=8, help="of each")
    parser.add_argument("--bursts", type=int, default=20)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    rounds: dict[bool, list[Round]] = {False: [], True: []}
    with OpenAIDouble(answer=Answer("It is a number like any other.", delay=0.03)).in_thread() as paid:
        for number in range(asked.rounds):
            for on in (False, True) if number % 2 == 0 else (True, False):
                found = play(paid.url, on=on, bursts=asked.bursts, size=12, seed=number)
                rounds[on].append(found)
                said = "on " if on else "off"
                print(
                    f"round {number + 1}, audits {said}: p50 {statistics.median([*found.first, *found.rest]) * 1000:5.1f} ms, p99 {p99([*found.first, *found.rest]):7.1f} ms, "
                    f"first {p99([*found.first]):7.1f} ms, {found.judged:3} audits, {found.met} met",
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
