"""Measure the shipped models through the real engine (llama.cpp in xllamacpp) and write what was found.

`python evaluate.py` runs every task on three kinds of items (fresh mixtures of known sentences, sentences that training
never saw, e-mails written by hand) and rewrites `evaluation.json` and the tables of `docs/models.md`.
Greedy decoding, one thread. What it does not measure: usefulness outside this toy domain; there is none.
"""

import argparse
import csv
import json
import math
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import xllamacpp

from corpus import HERE, LABELS, Corpus
from examples import TASKS, Example

SHIPPED = HERE.parent / "src" / "headgate" / "engines" / "llamacpp" / "models"
PAGE = HERE.parent / "docs" / "models.md"
MODELS = ("nano", "micro")
JUDGED = ("classify", "sentiment", "triage", "order", "summarise")
FRESH = ("classify", "sentiment")  # a second hand-written set; see handwritten/README.md
PER_CELL = 120
WANTED_PRECISION = 0.9

# The instructions for hand-written items: odd rows get them as system prompt, even rows in the user turn.
ASKED = {
    "classify": "Sort this support e-mail into exactly one category: billing, technical, feature-request or escalation.",
    "sentiment": "What is the sentiment of this message? Answer positive, negative or neutral.",
    "triage": "Triage this support e-mail. Answer as JSON with the keys category and urgency.",
    "order": "Extract the order number from this e-mail.",
    "summarise": "Summarise this in one sentence.",
}
TRIAGE_SCHEMA = {
    "type": "object",
    "properties": {
        "category": {"type": "string", "enum": list(LABELS)},
        "urgency": {"type": "string", "enum": ["low", "medium", "high"]},
    },
    "required": ["category", "urgency"],
    "additionalProperties": False,
}
# What the models say outside their world; shown, not counted.
ASIDE = (
    "Write a Python function that merges two sorted lists.",
    "What is the capital of Portugal?",
    "Translate to French: Where is my parcel?",
    "Write a 300 word blog post about summer hiring.",
    "What is 37*46?",
    "What is 7 + 5?",
    "Compare our three pricing options and recommend one, with reasons.",
    "Hello",
)
# (anchor, a text near it, a text far from it)
NEAR_AND_FAR = (
    (
        "Please refund the double charge on our invoice.",
        "The invoice was charged twice, we want a refund.",
        "The app crashes on my phone.",
    ),
    (
        "The app crashes when I open the calendar.",
        "The calendar freezes and then crashes.",
        "Could you add a dark mode?",
    ),
    (
        "Could you add a dark mode to the dashboard?",
        "We would love a dark theme for the dashboard.",
        "My invoice has the wrong VAT number.",
    ),
    (
        "I want to speak to your manager.",
        "Let me talk to a manager or supervisor.",
        "The export gives me an empty file.",
    ),
    (
        "How long do we keep customer records?",
        "Customer records are kept for ten years.",
        "Parking is behind the building.",
    ),
    (
        "The meeting is moved to Friday.",
        "Friday is the new day of the meeting.",
        "Our card was declined by the bank.",
    ),
    (
        "Where do I change my password?",
        "Passwords are changed in the settings.",
        "The posters were printed in Lisbon.",
    ),
    (
        "Holiday requests need two weeks notice.",
        "How early must I hand in a holiday request?",
        "The server answers with error 502.",
    ),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the engine said: the text, its mean token log-probability (nats) and the time it took (ms)."""

    text: str
    logprob: float
    milliseconds: float


class Engine:
    """One GGUF file in one llama.cpp server inside this process, one thread."""

    def __init__(self, path: Path, *, embedding: bool = False) -> None:
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_ctx, params.n_parallel, params.port, params.verbosity = (512 if embedding else 1024), 1, 0, 0
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


def handwritten(name: str) -> list[Example]:
    """The hand-written items of one task, as chats."""
    task = name.removesuffix(" fresh")
    file = {"classify": "emails", "order": "orders", "summarise": "summaries"}.get(task, task).replace(
        "-", "_"
    )
    file += "_fresh" if name != task else ""
    rows = list(
        csv.reader(
            (HERE / "handwritten" / f"{file}.tsv").open(encoding="utf-8"),
            delimiter="\t",
            quoting=csv.QUOTE_NONE,
        )
    )
    items = []
    for n, row in enumerate(rows):
        text = row[-1]
        if task == "out-of-domain":
            items.append(Example(task, (("user", text),), "refusal"))
            continue
        answer = json.dumps({"category": row[0], "urgency": row[1]}) if task == "triage" else row[0]
        asked = ASKED[task]
        messages = (("system", asked), ("user", text)) if n % 2 == 0 else (("user", f"{asked}\n\n{text}"),)
        items.append(Example(task, messages, answer))
    return items


def generated(task: str, split: str, seed: int, count: int = PER_CELL) -> list[Example]:
    corpus, rng = Corpus(), random.Random(f"{task} {split} {seed}")
    return [TASKS[task](corpus, rng, split) for _ in range(count)]


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


def above_and_below(results: list[Judged], limit: float) -> dict:
    """What the threshold does: share kept, and how often the kept and the rest are right."""
    kept = [good for _, a, good in results if a.logprob >= limit]
    rest = [good for _, a, good in results if a.logprob < limit]
    return {
        "n": len(results),
        "kept": round(len(kept) / len(results), 3),
        "right_if_kept": round(sum(kept) / len(kept), 3) if kept else None,
        "right_if_not": round(sum(rest) / len(rest), 3) if rest else None,
    }


def measure(name: str) -> tuple[dict, list[Judged]]:
    """Everything about one chat model, and its judged hand-written answers."""
    engine = Engine(SHIPPED / f"headgate-{name}.gguf")
    tasks: dict[str, dict] = {}
    by_hand: list[Judged] = []
    for task in (*JUDGED, "out-of-domain", "arithmetic"):
        sets = {
            "known sentences": run(engine, generated(task, "train", seed=101)),
            "held-out sentences": run(engine, generated(task, "heldout", seed=102)),
        }
        if task != "arithmetic":
            sets["hand-written"] = run(engine, handwritten(task))
        if task in FRESH:
            sets["hand-written, fresh"] = run(engine, handwritten(f"{task} fresh"))
        if task in JUDGED:
            by_hand += sets["hand-written"]
        tasks[task] = {kind: cell(results) for kind, results in sets.items()}
    choosing = {task: run(engine, generated(task, "calibration", seed=103)) for task in JUDGED}
    together = [judged for results in choosing.values() for judged in results]
    limit = threshold(together)
    assert limit is not None, f"{name}: no answer is reliable; train it better"
    aside = [
        {"asked": text, "said": answer.text, "logprob": round(answer.logprob, 2)}
        for text in ASIDE
        for answer in [engine.answer([{"role": "user", "content": text}])]
    ]
    schema = [engine.answer(e.chat(), TRIAGE_SCHEMA) for e in handwritten("triage")]
    times = sorted(answer.milliseconds for _, answer, _ in by_hand)
    found = {
        "bytes": (SHIPPED / f"headgate-{name}.gguf").stat().st_size,
        "tasks": tasks,
        "threshold": limit,
        "threshold_by_task": {task: threshold(results) for task, results in choosing.items()},
        "threshold_on_calibration": above_and_below(together, limit),
        "threshold_on_hand_written": above_and_below(by_hand, limit),
        "triage_with_schema": cell(
            [(e, a, is_right(e, a.text)) for e, a in zip(handwritten("triage"), schema, strict=True)]
        ),
        "outside": aside,
        "median_ms": round(times[len(times) // 2], 1),
    }
    return found, by_hand


def cascade(small: list[Judged], big: list[Judged], limit: float) -> dict:
    """Nano first, micro where nano is unsure; the same hand-written items."""
    chosen = [s[2] if s[1].logprob >= limit else b[2] for s, b in zip(small, big, strict=True)]
    asked_twice = sum(s[1].logprob < limit for s in small)
    return {
        "n": len(chosen),
        "nano": round(sum(s[2] for s in small) / len(small), 3),
        "micro": round(sum(b[2] for b in big) / len(big), 3),
        "cascade": round(sum(chosen) / len(chosen), 3),
        "escalated": round(asked_twice / len(small), 3),
    }


def cosine(a: list[float], b: list[float]) -> float:
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def measure_embedder() -> dict:
    engine = Engine(SHIPPED / "headgate-embed.gguf", embedding=True)
    rows = []
    for texts in NEAR_AND_FAR:
        anchor, near, far = engine.embed(list(texts))
        rows.append((cosine(anchor, near), cosine(anchor, far)))
    return {
        "bytes": (SHIPPED / "headgate-embed.gguf").stat().st_size,
        "dimensions": len(anchor),
        "triples": len(rows),
        "ordered_rightly": sum(near > far for near, far in rows),
        "mean_near": round(sum(near for near, _ in rows) / len(rows), 3),
        "mean_far": round(sum(far for _, far in rows) / len(rows), 3),
        "lowest_near": round(min(near for near, _ in rows), 3),
        "highest_far": round(max(far for _, far in rows), 3),
    }


# ---------------------------------------------------------------------------------------------- the page


def shown(figures: dict) -> str:
    return f"{figures['share']:.2f} ({figures['low']:.2f}-{figures['high']:.2f}, n={figures['n']})"


def logprobs(figures: dict) -> str:
    parts = [figures["logprob_right"], figures["logprob_wrong"]]
    return " / ".join("-" if value is None else f"{value:.2f}" for value in parts)


def tables(found: dict) -> str:
    """The measured part of docs/models.md, made from evaluation.json alone."""
    lines = []
    for name in MODELS:
        model = found["models"][name]
        kept = model["threshold_on_hand_written"]
        by_task = ", ".join(
            f"{task} {'none' if limit is None else f'{limit:.3f}'}"
            for task, limit in model["threshold_by_task"].items()
        )
        lines += [
            f"### headgate-{name} ({model['bytes'] / 1e6:.2f} MB, {model['median_ms']} ms per answer)",
            "",
            "| task | known sentences | held-out sentences | hand-written | hand-written, fresh | logprob right / wrong (hand-written) |",
            "|---|---|---|---|---|---|",
        ]
        for task, sets in model["tasks"].items():
            written, fresh = sets.get("hand-written"), sets.get("hand-written, fresh")
            lines.append(
                f"| {task} | {shown(sets['known sentences'])} | {shown(sets['held-out sentences'])} "
                f"| {shown(written) if written else '-'} | {shown(fresh) if fresh else '-'} | {logprobs(written) if written else '-'} |"
            )
        lines += [
            "",
            f"Triage under a JSON schema, hand-written: {shown(model['triage_with_schema'])}.",
            (
                f"Suggested threshold: mean token logprob **{model['threshold']:.3f}**. On hand-written items it keeps "
                f"{kept['kept']:.0%}; kept answers are right {kept['right_if_kept']:.0%} of the time, the others {kept['right_if_not']:.0%}. "
                f"By task: {by_task}."
            ),
            "",
        ]
        lines += ["| asked | said | logprob |", "|---|---|---|"]
        lines += [f"| {row['asked']} | {row['said']} | {row['logprob']:.2f} |" for row in model["outside"]]
        lines.append("")
    both, embed = found["cascade"], found["models"]["embed"]
    lines += [
        "### The two together",
        "",
        (
            f"On the {both['n']} hand-written items of the five tasks: nano alone {both['nano']:.1%}, micro alone {both['micro']:.1%}, "
            f"nano with micro where nano is below its threshold {both['cascade']:.1%}, with {both['escalated']:.1%} of the items asked twice."
        ),
        "",
        f"### headgate-embed ({embed['bytes'] / 1e6:.2f} MB, {embed['dimensions']} dimensions)",
        "",
        (
            f"{embed['ordered_rightly']} of {embed['triples']} triples ordered rightly; mean cosine of related texts {embed['mean_near']:.2f} "
            f"(lowest {embed['lowest_near']:.2f}), of unrelated texts {embed['mean_far']:.2f} (highest {embed['highest_far']:.2f})."
        ),
    ]
    return "\n".join(lines)


BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def rewrite(page: Path, text: str) -> None:
    """Replace what stands between the two markers."""
    whole = page.read_text(encoding="utf-8")
    before, after = whole.split(BEGIN)[0], whole.split(END)[1]
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--page-only", action="store_true", help="rewrite docs/models.md from evaluation.json"
    )
    options = parser.parse_args()
    target = SHIPPED / "evaluation.json"
    if not options.page_only:
        models, by_hand = {}, {}
        for name in MODELS:
            models[name], by_hand[name] = measure(name)
        found = {
            "engine": f"xllamacpp {version('xllamacpp')}",
            "decoding": "greedy, one thread",
            "models": {**models, "embed": measure_embedder()},
            "cascade": cascade(by_hand["nano"], by_hand["micro"], models["nano"]["threshold"]),
        }
        target.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    found = json.loads(target.read_text(encoding="utf-8"))
    rewrite(PAGE, tables(found))
    print(tables(found))


if __name__ == "__main__":
    main()
