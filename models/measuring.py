"""Ask a GGUF file through the real engine (llama.cpp in xllamacpp) and judge what it says.

It does not know which tasks are measured (`evaluate`, `evaluate_clerk`). Greedy decoding, one thread.
"""

import json
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import xllamacpp

from corpus import HERE
from examples import Example

SHIPPED = HERE.parent / "src" / "headgate" / "engines" / "llamacpp" / "models"
PER_CELL = 120
WANTED_PRECISION = 0.9


@dataclass(frozen=True, slots=True)
class Answer:
    """What the engine said: the text, its mean token log-probability (nats) and the time it took (ms)."""

    text: str
    logprob: float
    milliseconds: float


class Engine:
    """One GGUF file in one llama.cpp server inside this process, one thread."""

    def __init__(self, path: Path, *, context: int = 1024, embedding: bool = False) -> None:
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_ctx, params.n_parallel, params.port, params.verbosity = context, 1, 0, 0
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
        params.embedding = embedding
        self.server = xllamacpp.Server(params)

    def answer(self, messages: list[dict[str, str]], schema: dict | None = None, limit: int = 80) -> Answer:
        body = {"messages": messages, "temperature": 0, "max_tokens": limit, "logprobs": True}
        if schema:
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "reply", "schema": schema},
            }
        started = time.perf_counter()
        choice = self.server.handle_chat_completions(body)["choices"][0]
        spent = (time.perf_counter() - started) * 1000
        scores = [token["logprob"] for token in (choice.get("logprobs") or {}).get("content") or []]
        return Answer(choice["message"]["content"] or "", sum(scores) / len(scores) if scores else 0.0, spent)

    def embed(self, texts: list[str]) -> list[list[float]]:
        return [row["embedding"] for row in self.server.handle_embeddings({"input": texts})["data"]]


def is_right(example: Example, text: str) -> bool:
    """Exact match; JSON is compared as JSON; any of the refusals counts as a refusal."""
    said = text.strip()
    if example.task == "out-of-domain":
        return "I can't" in said
    if example.answer.startswith("{"):
        try:
            return json.loads(said) == json.loads(example.answer)
        except ValueError:
            return False
    return said == example.answer


def wilson(right: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share."""
    if n == 0:
        return 0.0, 1.0
    z, p = 1.96, right / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, middle - half), min(1.0, middle + half)


Judged = tuple[Example, Answer, bool]


def run(engine: Engine, examples: Iterable[Example]) -> list[Judged]:
    results = []
    for example in examples:
        answer = engine.answer(example.chat())
        results.append((example, answer, is_right(example, answer.text)))
    return results


def cell(results: list[Judged]) -> dict:
    """The figures of one table cell."""
    right = [a.logprob for _, a, good in results if good]
    wrong = [a.logprob for _, a, good in results if not good]
    low, high = wilson(len(right), len(results))
    return {
        "n": len(results),
        "right": len(right),
        "share": round(len(right) / len(results), 3),
        "low": round(low, 3),
        "high": round(high, 3),
        "logprob_right": round(sum(right) / len(right), 3) if right else None,
        "logprob_wrong": round(sum(wrong) / len(wrong), 3) if wrong else None,
    }


def threshold(results: list[Judged]) -> float | None:
    """The lowest mean log-probability at which answers above it are right often enough (WANTED_PRECISION).

    None where no threshold helps: the model cannot be trusted with this, however sure it is.
    """
    ordered = sorted(results, key=lambda r: -r[1].logprob)
    best, right = None, 0
    for n, (_, answer, good) in enumerate(ordered, 1):
        right += good
        if n >= 20 and right / n >= WANTED_PRECISION:
            best = answer.logprob
    return None if best is None else math.floor(best * 1000) / 1000


def shown(figures: dict) -> str:
    return f"{figures['share']:.2f} ({figures['low']:.2f}-{figures['high']:.2f}, n={figures['n']})"


def logprobs(figures: dict) -> str:
    parts = [figures["logprob_right"], figures["logprob_wrong"]]
    return " / ".join("-" if value is None else f"{value:.2f}" for value in parts)
