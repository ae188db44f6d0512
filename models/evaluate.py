"""Measure the shipped models and write what was found.

`python evaluate.py` runs every task on three kinds of items (fresh mixtures of known sentences, sentences that training
never saw, e-mails written by hand) and rewrites `evaluation.json` and the tables of `docs/models.md`.
What it does not measure: usefulness outside this toy domain; there is none.
"""

import argparse
import csv
import json
import math
import random
from importlib.metadata import version
from pathlib import Path

from corpus import HERE, LABELS, Corpus
from evaluate_clerk import clerk_tables, measure_clerk
from examples import TASKS, Example
from measuring import PER_CELL, SHIPPED, Engine, Judged, cell, is_right, logprobs, run, shown, threshold

PAGE = HERE.parent / "docs" / "models.md"
MODELS = ("nano", "micro")
JUDGED = ("classify", "sentiment", "triage", "order", "summarise")
FRESH = ("classify", "sentiment")  # a second hand-written set; see handwritten/README.md

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
    engine = Engine(SHIPPED / "headgate-embed.gguf", context=512, embedding=True)
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
    lines += clerk_tables(found["models"]["clerk"])
    both, embed = found["cascade"], found["models"]["embed"]
    lines += [
        "### Nano and micro together",
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
            "models": {**models, "clerk": measure_clerk(), "embed": measure_embedder()},
            "cascade": cascade(by_hand["nano"], by_hand["micro"], models["nano"]["threshold"]),
        }
        target.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    found = json.loads(target.read_text(encoding="utf-8"))
    rewrite(PAGE, tables(found))
    print(tables(found))


if __name__ == "__main__":
    main()
