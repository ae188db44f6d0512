"""Measure headgate-clerk on the built-in subagents' work: in their own words, and under their own schemas.

JSON is judged whole and field by field. The thousand e-mails of the story tests are sorted too, and told apart by kind.
What it does not know: the other models (`evaluate`).
"""

import csv
import json
import random
from collections import Counter
from typing import Any

import msgspec

from clerk import AGENTS, CLERK_TASKS, asked, clerk_corpus, fields_agent
from corpus import HERE, LABELS
from examples import Example
from headgate.core.agents import orders
from headgate.core.citing import NOT_IN_DOCUMENTS, ORDERS, Passage, show
from headgate.core.types import Agent
from mails import MAILS
from measuring import PER_CELL, SHIPPED, Engine, Judged, cell, is_right, shown, wilson

CONTEXT = 2048
# In the order of the page, with the names it gives them.
TASKS = {
    "reason": "triage with a reason",
    "feeling": "sentiment as JSON",
    "grounded": "answers from passages",
    "minutes": "meeting notes",
    "fields": "fields",
    "classify": "classify, one word",
    "sentiment": "sentiment, one word",
    "summarise": "summarise",
    "order": "order",
    "out-of-domain": "out-of-domain",
}
LIMIT = 600
"""Tokens; the longest right answers are minutes of about 200."""


def agent_for(example: Example) -> Agent | None:
    """The subagent whose schema the gate would ask for; None where it asks for plain text."""
    named = {"reason": "triage", "feeling": "sentiment", "minutes": "meeting-notes"}
    if example.task in named:
        return AGENTS[named[example.task]]
    if example.task == "fields":
        return _fields_agent(list(json.loads(example.answer)))
    return None


def _fields_agent(names: list[str]) -> Agent:
    return AGENTS["extract"] if "reference" in names else fields_agent(names)


def rows(file: str) -> list[list[str]]:
    """The hand-written items of a file; `\\n` in it is a line break."""
    with (HERE / "handwritten" / f"{file}.tsv").open(encoding="utf-8") as lines:
        read = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [[cell_.replace("\\n", "\n") for cell_ in row] for row in read]


def by_hand(task: str) -> list[Example]:
    """The hand-written items of the task, asked as the gate asks."""

    if task == "reason":
        system = orders(AGENTS["triage"])
        return [
            asked(task, system, t, json.dumps({"category": c, "reason": r})) for c, r, t in rows("reasons")
        ]
    if task == "feeling":
        system = orders(AGENTS["sentiment"])
        return [
            asked(task, system, text, json.dumps({"sentiment": label}))
            for file in ("sentiment", "sentiment_fresh")
            for label, text in rows(file)
        ]
    if task == "grounded":
        return [
            asked(
                task, ORDERS, show([Passage(text=t, source="") for t in texts.split(" | ")], question), answer
            )
            for answer, question, texts in rows("grounded")
        ]
    if task == "minutes":
        return [
            asked(task, orders(AGENTS["meeting-notes"]), text, answer) for answer, text in rows("minutes")
        ]
    if task == "fields":
        return [
            asked(task, orders(_fields_agent(list(json.loads(answer)))), text, answer)
            for file in ("fields", "fields_builtin")
            for answer, text in rows(file)
        ]
    return []


def answered(engine: Engine, examples: list[Example]) -> list[Judged]:
    results = []
    for example in examples:
        agent = agent_for(example)
        schema = msgspec.json.decode(agent.asked) if agent is not None and agent.asked is not None else None
        answer = engine.answer(example.chat(), schema, limit=LIMIT)
        results.append((example, answer, is_right(example, answer.text)))
    return results


def share(right: int, n: int) -> dict[str, Any]:
    """A figure without log-probabilities."""
    low, high = wilson(right, n)
    return {
        "n": n,
        "right": right,
        "share": round(right / n, 3),
        "low": round(low, 3),
        "high": round(high, 3),
    }


def parsed(text: str) -> dict[str, Any]:
    """What stands in the answer; nothing if it is no JSON object."""
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def by_field(results: list[Judged]) -> dict[str, dict[str, Any]]:
    """How often each field of a JSON answer is right."""
    right, count = Counter[str](), Counter[str]()
    for example, answer, _ in results:
        wanted, said = json.loads(example.answer), parsed(answer.text)
        for name, value in wanted.items():
            count[name] += 1
            right[name] += name in said and said[name] == value
    return {name: share(right[name], count[name]) for name in count}


def copied(results: list[Judged]) -> dict[str, Any]:
    """How many reasons stand in the mail, word for word."""
    told = [
        parsed(answer.text).get("reason", "") in example.messages[-1][1] for example, answer, _ in results
    ]
    return share(sum(told), len(told))


def absent(results: list[Judged]) -> dict[str, dict[str, Any]]:
    """Questions with and without an answer in the passages, apart."""
    kinds: dict[str, list[bool]] = {"answered": [], "not in the documents": []}
    for example, _, good in results:
        kinds["not in the documents" if example.answer == NOT_IN_DOCUMENTS else "answered"].append(good)
    return {kind: share(sum(good), len(good)) for kind, good in kinds.items()}


def details(task: str, results: list[Judged]) -> dict[str, dict[str, Any]]:
    """The finer figures of one set of answers."""
    if task == "grounded":
        return absent(results)
    if task in ("reason", "minutes", "fields"):
        found = by_field(results)
        return {**found, "copied": copied(results)} if task == "reason" else found
    return {}


def sorted_mails(engine: Engine) -> dict[str, Any]:
    """The thousand e-mails: how many answers fit the schema, and how many categories are right, by kind."""
    agent = AGENTS["triage"]
    schema = msgspec.json.decode(agent.asked or b"{}")
    right: dict[str, list[bool]] = {}
    valid = 0
    for line in MAILS.read_text("utf-8").splitlines():
        mail = json.loads(line)
        chat = [{"role": "system", "content": orders(agent)}, {"role": "user", "content": mail["text"]}]
        said = parsed(engine.answer(chat, schema, limit=LIMIT).text)
        valid += said.get("category") in LABELS and isinstance(said.get("reason"), str) and len(said) == 2
        if mail["categories"]:
            right.setdefault(mail["kind"], []).append(said.get("category") in mail["categories"])
    every = [good for kind in right.values() for good in kind]
    return {
        "valid": valid,
        "all": share(sum(every), len(every)),
        "kinds": {kind: share(sum(good), len(good)) for kind, good in sorted(right.items())},
    }


def measure_clerk() -> dict[str, Any]:
    """Everything about headgate-clerk."""
    path = SHIPPED / "headgate-clerk.gguf"
    engine, corpus = Engine(path, context=CONTEXT), clerk_corpus()
    tasks: dict[str, dict[str, Any]] = {}
    finer: dict[str, dict[str, Any]] = {}
    times: list[float] = []
    for task, title in TASKS.items():
        sets: dict[str, list[Example]] = {}
        for name, split in (("known sentences", "train"), ("held-out sentences", "heldout")):
            rng = random.Random(f"{task} {split} 104")
            sets[name] = [CLERK_TASKS[task](corpus, rng, split) for _ in range(PER_CELL)]
        if written := by_hand(task):
            sets["hand-written"] = written
        results = {name: answered(engine, examples) for name, examples in sets.items()}
        tasks[title] = {name: cell(judged) for name, judged in results.items()}
        finer[title] = {name: details(task, judged) for name, judged in results.items()}
        if task in ("reason", "grounded"):
            times += [answer.milliseconds for _, answer, _ in results.get("hand-written", [])]
    return {
        "bytes": path.stat().st_size,
        "tasks": tasks,
        "details": {task: found for task, found in finer.items() if any(found.values())},
        "mails": sorted_mails(engine),
        "median_ms": round(sorted(times)[len(times) // 2], 1),
    }


def clerk_tables(found: dict[str, Any]) -> list[str]:
    """Its part of docs/models.md."""
    columns = ("known sentences", "held-out sentences", "hand-written")
    head = ["", f"| task | {' | '.join(columns)} |", "|---|---|---|---|"]

    def row(name: str, sets: dict[str, dict[str, Any]]) -> str:
        return f"| {name} | {' | '.join(shown(sets[c]) if sets.get(c) else '-' for c in columns)} |"

    size = f"{found['bytes'] / 1e6:.2f} MB, {found['median_ms']} ms per answer"
    lines = [f"### headgate-clerk ({size})", *head]
    lines += [row(task, sets) for task, sets in found["tasks"].items()]
    lines += ["", "Of which:", *head]
    for task, sets in found["details"].items():
        for part in next(iter(sets.values())):
            lines.append(row(f"{task}: {part}", {name: parts.get(part, {}) for name, parts in sets.items()}))
    mails = found["mails"]
    lines += [
        "",
        (
            f"The thousand e-mails of the story tests (`tests/data/mails.jsonl`): {mails['valid']} answers fit the schema; the "
            f"category is right for {shown(mails['all'])} of those that have one. No other model was asked, however unsure it was."
        ),
        "",
        "| kind | category right |",
        "|---|---|",
        *(f"| {kind} | {shown(figures)} |" for kind, figures in mails["kinds"].items()),
        "",
    ]
    return lines
