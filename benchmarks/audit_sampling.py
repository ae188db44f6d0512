"""What audits cost the end of a journey: nanoseconds added to a request that is not chosen, and to one that is.

Run it as `python benchmarks/audit_sampling.py`; nothing is sent beyond this machine.
"""

import asyncio
import random
import tempfile
import time
from pathlib import Path
from timeit import timeit

from cryptography.fernet import Fernet

from headgate.app import open_gate
from headgate.config.audit import AuditSettings
from headgate.config.load import parse_config
from headgate.core.types import Message, Request
from headgate.gateway.journey import Journey
from headgate.gateway.outcomes import outcome_of
from headgate.gateway.sampling import Sampling
from headgate.ledger.sealing import Seal
from headgate.testing import OllamaDouble

PAGE = """
[engines.ollama]
kind = "ollama"
url = "{url}"

[engines.anthropic]
kind = "anthropic"
url = "http://127.0.0.1:9"

[models.llama]
engine = "ollama"
id = "llama3.1:8b"
context = 8192

[models.claude]
engine = "anthropic"
id = "claude-sonnet-5-5"

[[routes]]
name = "everything else"
try = ["llama", "claude"]

[ledger]
path = "{ledger}"
"""
SHARES = AuditSettings(sample=0.05, local_sample=0.05, paid_per_week=1.0)
TIMES = 1_000
ROUNDS = 200


async def measure(folder: Path) -> None:
    """Answer one request, and end its journey again and again."""
    async with OllamaDouble(answer="Fine, thank you. It was a quiet morning.") as ollama:
        page = PAGE.format(url=ollama.url, ledger=folder / "ledger.db")
        async with open_gate(parse_config(page, None)) as gate:
            road = gate.road
            asked = Request(id="r1", asked="auto", messages=(Message("user", "How are you? " * 40),))
            signals = await road.tokenizer.measure(asked, road.policy, 0)
            journey = Journey(road, asked, signals, received=time.time(), begun=time.perf_counter())
            await journey.run()

            variants = {
                "without audits": None,
                "not chosen, decided by the first comparison": Sampling(SHARES, chance=lambda: 0.99),
                "not chosen, after a look at it": a_rarer_stratum(),
                "chosen": Sampling(SHARES, chance=lambda: 0.001),
                "chosen and sealed": Sampling(
                    SHARES, Seal(Fernet.generate_key().decode()), chance=lambda: 0.001
                ),
                "mean at shares of 5 %": Sampling(SHARES, chance=random.random),
            }
            took = dict.fromkeys(variants, float("inf"))
            for _ in range(ROUNDS):  # side by side, so that a busy moment hurts all of them
                for name, road.sampling in variants.items():
                    spent = timeit(lambda: outcome_of(journey, "ok"), number=TIMES) / TIMES * 1e9
                    took[name] = min(took[name], spent)
            for name, spent in took.items():
                print(f"{name:<46}{spent:8,.0f} ns  {spent - took['without audits']:+8,.0f}")


def a_rarer_stratum() -> Sampling:
    """Where others are chosen more often, so that the first comparison decides nothing."""
    sampling = Sampling(SHARES, chance=lambda: 0.06)
    sampling.highest = 0.1
    return sampling


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        asyncio.run(measure(Path(place)))
