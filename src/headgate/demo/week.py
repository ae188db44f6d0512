"""The made-up week: prompts put together from the hand-written parts in `data/`, in an order that a seed decides.

Each prompt carries what the stand-in answers to it, and where there is exactly one right answer, that too. This module
does not know models or routes: which prompts are easy is for the gate to find out.
"""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from importlib import resources
from itertools import cycle, islice
from random import Random
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from headgate.core.words import Task

SEED = 1
STREAMED = 10
"""Every so many requests, one is streamed."""

Parts = Mapping[str, Any]
"""One data file."""

TRIAGE: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "category": {"type": "string", "enum": ["billing", "technical", "feature-request", "escalation"]},
        "urgency": {"type": "string", "enum": ["low", "medium", "high"]},
    },
    "required": ["category", "urgency"],
    "additionalProperties": False,
}
"""The JSON schema that triage asks for."""


class Ask(Struct, frozen=True, kw_only=True):
    """One request of the week."""

    kind: str
    """What sort of work it is, in the words of `SHARES`."""
    messages: tuple[tuple[str, str], ...]
    """Pairs of role and text."""
    answer: str
    """What the stand-in answers."""
    right: str | None = None
    """The one right answer, as its writer meant it; None where there are many."""
    task: Task | None = None
    """Named in a header, where the prompt alone would not tell."""
    schema: Mapping[str, Any] | None = None
    stream: bool = False

    @property
    def body(self) -> dict[str, Any]:
        """The request as OpenAI's clients write it."""
        body: dict[str, Any] = {
            "model": "auto",
            "messages": [{"role": role, "content": text} for role, text in self.messages],
        }
        if self.right is not None:
            body["temperature"] = 0
        if self.schema is not None:
            form = {"name": "triage", "schema": self.schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
        if self.stream:
            body["stream"] = True
        return body


def week(requests: int, seed: int = SEED) -> tuple[Ask, ...]:
    """The week's requests, in the order in which they are sent.

    Args:
        requests: how many; at least 1.
        seed: decides what is put together, and the order.
    """
    dice = Random(seed)
    asks = [ask for kind, count in shares(requests).items() for ask in islice(KINDS[kind](dice), count)]
    dice.shuffle(asks)
    return tuple(
        replace(ask, stream=True) if number % STREAMED == 0 else ask for number, ask in enumerate(asks, 1)
    )


def shares(requests: int) -> dict[str, int]:
    """How many requests of each kind: by their shares, the rest to the kinds that were cut most."""
    exact = {kind: requests * share / sum(SHARES.values()) for kind, share in SHARES.items()}
    counts = {kind: int(number) for kind, number in exact.items()}
    most_cut = sorted(exact, key=lambda kind: counts[kind] - exact[kind])
    for kind in most_cut[: requests - sum(counts.values())]:
        counts[kind] += 1
    return counts


# ── The kinds of work: each an endless row of requests ───────────────────────────────────────────────────────────────


def sort(dice: Random) -> Iterator[Ask]:
    """Support e-mails into one of four categories; every third with the instruction as system prompt."""
    support, frames = read("support"), read("frames")
    mails = [(text, label) for label, texts in support.items() for text in texts]
    for number, (text, label) in enumerate(endless(mails, dice)):
        mail = framed(text, frames, dice)
        if number % 3 == 2:
            system = dice.choice(frames["instructions"]["sort_system"])
            messages = (("system", system), ("user", mail))
            yield Ask(kind="sort", messages=messages, answer=label, right=label, task="classification")
        else:
            ask = together(dice.choice(frames["instructions"]["sort"]), mail)
            yield Ask(kind="sort", messages=ask, answer=label, right=label)


def sentiment(dice: Random) -> Iterator[Ask]:
    """Is the customer happy?"""
    instructions = read("frames")["instructions"]["sentiment"]
    texts = [(text, label) for label, texts in read("reviews").items() for text in texts]
    for text, label in endless(texts, dice):
        ask = together(dice.choice(instructions), text)
        yield Ask(kind="sentiment", messages=ask, answer=label, right=label)


def triage(dice: Random) -> Iterator[Ask]:
    """Tickets to JSON under a schema."""
    instructions = read("frames")["instructions"]["triage"]
    for ticket in endless(read("triage")["tickets"], dice):
        right = f'{{"category": "{ticket["category"]}", "urgency": "{ticket["urgency"]}"}}'
        ask = together(dice.choice(instructions), ticket["text"])
        yield Ask(kind="triage", messages=ask, answer=right, right=right, task="extraction", schema=TRIAGE)


def order(dice: Random) -> Iterator[Ask]:
    """The order number out of an e-mail."""
    orders, frames = read("orders"), read("frames")
    for text, number in zip(endless(orders["mails"], dice), endless(orders["numbers"], dice), strict=False):
        mail = framed(text.replace("NUMBER", number), frames, dice)
        ask = together(dice.choice(frames["instructions"]["order"]), mail)
        yield Ask(kind="order", messages=ask, answer=number, right=number)


def notes(dice: Random) -> Iterator[Ask]:
    """Short meeting notes in one sentence."""
    instructions = read("frames")["instructions"]["notes"]
    for note in endless(read("notes")["short"], dice):
        yield Ask(
            kind="notes", messages=together(dice.choice(instructions), note["text"]), answer=note["point"]
        )


def long_notes(dice: Random) -> Iterator[Ask]:
    """The minutes of a whole afternoon: eight items of an agenda."""
    instructions = read("frames")["instructions"]["long_notes"]
    items = read("notes")["items"]
    while True:
        agenda = dice.sample(items, 8)
        text = "\n\n".join(item["text"] for item in agenda)
        answer = "Decisions:\n" + "\n".join(f"- {item['decision']}" for item in agenda)
        yield Ask(kind="long notes", messages=together(dice.choice(instructions), text), answer=answer)


def code(dice: Random) -> Iterator[Ask]:
    """What the developers ask."""
    for one in endless(read("code")["asks"], dice):
        yield Ask(
            kind="code", messages=(("user", one["ask"]),), answer=f"```python\n{one['code'].strip()}\n```"
        )


def brief(dice: Random) -> Iterator[Ask]:
    """Long briefs that want a concept."""
    briefs = read("briefs")
    while True:
        parts = [(section["name"], dice.choice(section["parts"])) for section in briefs["sections"]]
        text = "\n\n".join(f"{name}\n{part['text']}" for name, part in parts)
        answer = "\n\n".join(f"{name}: {part['idea']}" for name, part in parts)
        yield Ask(kind="brief", messages=together(dice.choice(briefs["asks"]), text), answer=answer)


def question(dice: Random) -> Iterator[Ask]:
    """What only the handbook, or the world, knows."""
    for one in endless(read("office")["questions"], dice):
        yield Ask(kind="question", messages=(("user", one["ask"]),), answer=one["answer"])


def reply(dice: Random) -> Iterator[Ask]:
    """Texts to be written or translated."""
    for one in endless(read("office")["replies"], dice):
        yield Ask(kind="reply", messages=(("user", one["ask"]),), answer=one["answer"])


def thread(dice: Random) -> Iterator[Ask]:
    """Conversations in their second turn."""
    for one in endless(read("office")["threads"], dice):
        messages = tuple(zip(cycle(("user", "assistant")), one["turns"], strict=False))
        yield Ask(kind="thread", messages=messages, answer=one["answer"])


KINDS: Mapping[str, Callable[[Random], Iterator[Ask]]] = {
    "sort": sort,
    "sentiment": sentiment,
    "triage": triage,
    "order": order,
    "notes": notes,
    "long notes": long_notes,
    "code": code,
    "brief": brief,
    "question": question,
    "reply": reply,
    "thread": thread,
}

SHARES: Mapping[str, int] = {
    "sort": 34,
    "sentiment": 19,
    "triage": 7,
    "order": 17,
    "notes": 5,
    "long notes": 3,
    "code": 4,
    "brief": 3,
    "question": 4,
    "reply": 3,
    "thread": 1,
}
"""Of a hundred requests, so many are of that kind."""


# ── Putting together ─────────────────────────────────────────────────────────────────────────────────────────────────


def read(name: str) -> Parts:
    """One of the files in `data/`."""
    return tomllib.loads(
        resources.files("headgate.demo").joinpath(f"data/{name}.toml").read_text(encoding="utf-8")
    )


def endless(parts: list[Any], dice: Random) -> Iterator[Any]:
    """The parts in a random order, all of them before any comes again."""
    while True:
        yield from dice.sample(parts, len(parts))


def framed(text: str, frames: Parts, dice: Random) -> str:
    """An e-mail with a greeting and a signature, or without."""
    greeting: str = dice.choice(frames["greetings"])
    signature: str = dice.choice(frames["signatures"])
    return f"{greeting}{text}{signature}"


def together(instruction: str, text: str) -> tuple[tuple[str, str], ...]:
    """Instruction and text in one turn of the user."""
    return (("user", f"{instruction}\n\n{text}"),)
