"""Make the examples of headgate-clerk: the built-in subagents' work and answers from passages.

The words of the tasks are the product's own: the pages of the built-in subagents and `core.citing`, read from the source.
Everything that is answered is copied from what is shown; slots and made-up words see to it that it cannot be learned
by heart. What it does not know: tokens and models, and how the older tasks are made (`examples`).
"""

import json
import random
import re
import tomllib
from typing import Any

import msgspec

from corpus import HERE, LABELS, SENTIMENTS, Corpus
from examples import TASKS, Example, core_sentence, frame, roughen, support_mail
from headgate.core.agents import orders
from headgate.core.citing import NOT_IN_DOCUMENTS, ORDERS, Passage, show
from headgate.core.types import Agent

BUILTIN = HERE.parent / "src" / "headgate" / "config" / "builtin"
# No reason is longer, so that it fits the subagent's schema.
LONGEST_REASON = 120

_SLOT = re.compile(r"\{([a-z_]+)\}")
_FIELD = re.compile(r"\{\{([a-z]+)\}\}")


def clerk_corpus() -> Corpus:
    """The sentences of the other models and clerk's own."""
    return Corpus(HERE / "corpus" / "clerk")


# ---------------------------------------------------------------------------------------------- prompts


def builtin(name: str) -> Agent:
    """A built-in subagent, as far as it decides the prompt."""
    page = tomllib.loads((BUILTIN / f"{name}.toml").read_text("utf-8"))
    return _agent(page["system"], page["schema"], page.get("labels", {}), page.get("confidence", ""))


def _agent(system: str, schema: dict[str, Any], meanings: dict[str, str], confidence: str = "") -> Agent:
    without = {**schema, "properties": {k: v for k, v in schema["properties"].items() if k != confidence}}
    return Agent(
        name="clerk",
        system=system,
        labels=tuple(meanings),
        meanings=meanings,
        asked=msgspec.Raw(msgspec.json.encode(without)),
    )


AGENTS = {name: builtin(name) for name in ("triage", "sentiment", "meeting-notes", "extract")}


def form(agent: Agent) -> str:
    """The sketch of the answer, as the subagent's orders show it."""
    return orders(agent).rpartition("Answer with JSON only: ")[2]


def asked(task: str, said: str, text: str, answer: str) -> Example:
    """An example in the product's words and places."""
    return Example(task, (("system", said), ("user", text)), answer)


def varied(example: Example, others: list[str], rng: random.Random, split: str) -> Example:
    """In training, sometimes in the words and places of other people."""
    if split != "train" or rng.random() < 0.75:
        return example
    (_, said), (_, text) = example.messages
    wording = rng.choice([*others, said])
    if rng.random() < 0.5:
        return asked(example.task, wording, text, example.answer)
    return Example(example.task, (("user", f"{wording}\n\n{text}"),), example.answer)


def paraphrases(corpus: Corpus, section: str, agent: Agent) -> list[str]:
    return [line.replace("{form}", form(agent)) for line in corpus.files["asking"][section]]


# ---------------------------------------------------------------------------------------------- e-mails


def key_of(text: str) -> str:
    """The last of the sentences of a key text: there the demand or the threat stands."""
    return re.split(r"(?<=[.!?]) (?=[A-Z])", text)[-1]


def key_text(label: str, corpus: Corpus, rng: random.Random, split: str) -> str:
    """A key text of the category, as people type it, that is no longer than a reason may be."""
    while True:
        text = core_sentence(label, corpus, rng, split)
        if split == "train":
            text = roughen(text, rng, drop=0.08)
        if len(key_of(text)) <= LONGEST_REASON:
            return text


def small_talk(corpus: Corpus, rng: random.Random, split: str, count: int) -> list[str]:
    return [corpus.sentence("notes", "fillers", rng, split) for _ in range(count)]


def letter(core: list[str], label: str, corpus: Corpus, rng: random.Random, split: str) -> str:
    """The core sentences as a whole mail: subject, small talk, frame, and the older mail that it answers."""
    body = list(core)
    if rng.random() < 0.25:
        talk = small_talk(corpus, rng, split, rng.choice((1, 1, 2, 3, 4, 6)))
        at = rng.randrange(len(talk) + 1)
        body = [*talk[:at], *body, *talk[at:]]
    text = frame(body, corpus, rng)
    kind = rng.random()
    if kind < 0.12:
        text = f"Subject: {corpus.sentence(label, 'phrases', rng)}\n\n{text}"
    elif kind < 0.25:
        neutral = (
            "Question",
            "Hello",
            "Re: {project}",
            "Fwd: mail from {name}",
            "{company}",
            "{project}",
            "Hi",
        )
        text = f"Subject: {corpus.fill(rng.choice(neutral), rng)}\n\n{text}"
    if rng.random() < 0.2:
        text += quoted(corpus, rng, split)
    return text


def quoted(corpus: Corpus, rng: random.Random, split: str) -> str:
    """An older mail, about anything, below a mail."""
    older = support_mail(rng.choice(LABELS), corpus, rng, split, drop=0.0)
    opening = rng.choice(("On {date}, {name} {surname} wrote:", "On {dom} {month}, {name} wrote:", ""))
    marked = "\n".join(f"> {line}" for line in older.splitlines())
    return f"\n\n{corpus.fill(opening, rng)}\n{marked}"


def reason(corpus: Corpus, rng: random.Random, split: str) -> Example:
    """Triage with a reason: the category, and the sentence of the mail that decides it."""
    label, kind = rng.choice(LABELS), rng.random()
    key = key_text(label, corpus, rng, split)
    said = key_of(key)
    if split == "train" and kind < 0.06:
        # Nothing to decide: the category is a lot, so that the model learns to be unsure.
        said = rng.choice((corpus.noise(rng, 1, 8), *small_talk(corpus, rng, split, 2)))
        text = said if rng.random() < 0.6 else frame([said], corpus, rng)
    elif split == "train" and kind < 0.10:
        # Two matters: either of them is right.
        other = rng.choice([other for other in LABELS if other != label])
        both = [key, key_text(other, corpus, rng, split)]
        rng.shuffle(both)
        text = letter(both, label, corpus, rng, split)
    elif split == "train" and kind < 0.17:
        said = text = corpus.sentence(label, "phrases", rng) + rng.choice(("", "", ".", "!", "?", " please"))
    else:
        core = [key]
        if split == "train" and rng.random() < 0.2:
            core.append(key_text(label, corpus, rng, split))
        text = letter(core, label, corpus, rng, split)
    if split == "train" and rng.random() < 0.06:
        said, text = said.upper(), text.upper()
    elif split == "train" and rng.random() < 0.04:
        said, text = said.lower(), text.lower()
    answer = json.dumps({"category": label, "reason": said}, ensure_ascii=False)
    agent = AGENTS["triage"]
    return varied(
        asked("reason", orders(agent), text, answer), paraphrases(corpus, "reason", agent), rng, split
    )


def feeling_json(corpus: Corpus, rng: random.Random, split: str) -> Example:
    """The sentiment as the subagent asks for it."""
    label = rng.choice(SENTIMENTS)
    texts = [corpus.sentence("sentiment", label, rng, split)]
    if split == "train":
        texts += [corpus.sentence("sentiment", label, rng, split) for _ in range(rng.choice((0, 0, 0, 1, 2)))]
        if rng.random() < 0.2:
            texts.insert(rng.randrange(len(texts) + 1), corpus.sentence("sentiment", "neutral", rng, split))
    text = frame(texts, corpus, rng) if rng.random() < 0.3 else " ".join(texts)
    text = roughen(text, rng, drop=0.08 if split == "train" else 0.0)
    agent = AGENTS["sentiment"]
    answer = json.dumps({"sentiment": label})
    return varied(
        asked("feeling", orders(agent), text, answer), paraphrases(corpus, "feeling", agent), rng, split
    )


# ---------------------------------------------------------------------------------------------- passages


def bound(text: str, corpus: Corpus, rng: random.Random, given: dict[str, str] | None = None) -> str:
    """Fill the slots of a line; equal names get equal values. `given` holds values and takes up new ones."""
    values = {} if given is None else given

    def value(match: re.Match[str]) -> str:
        name = match[1].removesuffix("_cap").removesuffix("_two")
        key = match[1].removesuffix("_cap")
        if key not in values:
            values[key] = corpus.fill(f"{{{name}}}", rng)
        found = values[key]
        return found[0].upper() + found[1:] if match[1].endswith("_cap") else found

    return _SLOT.sub(value, text)


def entity_in(line: str) -> str:
    """The slot that question and sentence share."""
    return next(name for name in _SLOT.findall(line) if name.startswith("the_")).removesuffix("_cap")


Fact = tuple[str, str]
"""A question and the sentence that answers it."""


def fact(line: str, corpus: Corpus, rng: random.Random, given: dict[str, str] | None = None) -> Fact:
    questions, _, sentence = line.partition(" = ")
    question = rng.choice(questions.split(" / "))
    question, answer = bound(f"{question} = {sentence}", corpus, rng, given).split(" = ")
    return question, answer[0].upper() + answer[1:]


def made_up(corpus: Corpus, rng: random.Random) -> Fact:
    """A sentence without sense, and a question with some of its words."""
    words = corpus.noise(rng, 5, 11).split(" ")
    at = rng.randrange(len(words) - 2)
    about = " ".join(words[at : at + rng.randint(2, 3)])
    opening = rng.choice(
        ("What about", "Where is", "Who knows about", "When is", "How is", "Tell me about", "Which")
    )
    sentence = " ".join(words)
    return f"{opening} {about}?", sentence[0].upper() + sentence[1:] + "."


def facts_around(corpus: Corpus, rng: random.Random, split: str) -> tuple[Fact, list[Fact]]:
    """A fact and others that are easily taken for it."""
    kind = rng.random()
    if kind < 0.22 and split == "train":
        return made_up(corpus, rng), [made_up(corpus, rng) for _ in range(3)]
    entities = corpus.lines("knowledge", "entities", split)
    everything = [*corpus.lines("knowledge", "facts", split), *entities]
    if kind < 0.65:
        line = rng.choice(entities)
        slot = entity_in(line)
        given = {slot: corpus.fill(f"{{{slot}}}", rng)}
        target = fact(line, corpus, rng, dict(given))
        others = [fact(line, corpus, rng)]
        same = [one for one in entities if entity_in(one) == slot and one != line]
        if same:
            others.append(fact(rng.choice(same), corpus, rng, dict(given)))
    else:
        line = rng.choice(corpus.lines("knowledge", "facts", split))
        target, others = fact(line, corpus, rng), []
    others += [fact(rng.choice([one for one in everything if one != line]), corpus, rng) for _ in range(3)]
    others = [one for one in others if one[0] != target[0] and rng.random() < 0.75]
    return target, others


def passages_of(
    sentences: list[str], corpus: Corpus, rng: random.Random, split: str, *, long: bool
) -> list[Passage]:
    """Sentences spread over one to four passages, with others around them."""
    count = min(len(sentences), rng.choice((1, 2, 2, 3, 3, 4)))
    texts: list[list[str]] = [[] for _ in range(count)]
    for n, sentence in enumerate(sentences):
        texts[n if n < count else rng.randrange(count)].append(sentence)
    headed = rng.random() < 0.4
    passages = []
    for text in texts:
        for _ in range(rng.randint(2, 7) if long else rng.choice((0, 0, 0, 1, 1, 2))):
            filler = corpus.sentence("knowledge", "fillers", rng, split)
            text.insert(rng.randrange(len(text) + 1), filler)
        heading = bound(rng.choice(corpus.files["knowledge"]["headings"]), corpus, rng) if headed else ""
        passages.append(Passage(text=" ".join(text), source="", heading=heading))
    rng.shuffle(passages)
    return passages


def grounded(corpus: Corpus, rng: random.Random, split: str) -> Example:
    """A question about passages: the sentence that answers it with its number, or that there is none."""
    (question, sentence), others = facts_around(corpus, rng, split)
    said = [other[1] for other in others]
    if rng.random() < 0.22:
        said = said or [fact(rng.choice(corpus.lines("knowledge", "facts", split)), corpus, rng)[1]]
        if rng.random() < 0.3:
            question = bound(rng.choice(corpus.lines("knowledge", "absent", split)), corpus, rng)
        shown = passages_of(said, corpus, rng, split, long=rng.random() < 0.06)
        answer = NOT_IN_DOCUMENTS
    else:
        said.insert(rng.randrange(len(said) + 1), sentence)
        shown = passages_of(said, corpus, rng, split, long=rng.random() < 0.06)
        number = next(n for n, passage in enumerate(shown, 1) if sentence in passage.text)
        answer = f"{sentence} [{number}]"
    if split == "train":
        kind = rng.random()
        if kind < 0.06:
            question = question.lower()
        elif kind < 0.10:
            question = question.rstrip("?")
        elif kind < 0.16:
            question = rng.choice(("Hi, ", "Please tell me: ", "Quick question: ")) + question
    example = asked("grounded", ORDERS, show(shown, question), answer)
    return varied(example, corpus.files["asking"]["grounded"], rng, split)


# ---------------------------------------------------------------------------------------------- notes and fields


def _what(corpus: Corpus, rng: random.Random, split: str) -> str:
    """What is decided or done, for "to …"; in training often without sense."""
    if split == "train" and rng.random() < 0.35:
        return corpus.noise(rng, 2, 6)
    return corpus.fill("{what}", rng)


def minutes(corpus: Corpus, rng: random.Random, split: str) -> Example:
    """Meeting notes, and what is in them."""

    def line(section: str, **given: str) -> str:
        # The few frames without an owner are known in every split.
        template = rng.choice(
            corpus.lines("minutes", section, "all" if section in ("unowned", "heads") else split)
        )
        for name, value in given.items():
            template = template.replace(f"{{{name}}}", value)
        text = corpus.fill(template, rng)
        return text[0].upper() + text[1:]

    parts: list[tuple[str, Any]] = []
    for _ in range(rng.choice((0, 1, 1, 1, 1, 2, 2))):
        parts.append(("decision", line("decisions", what=_what(corpus, rng, split))))
    for _ in range(rng.choice((0, 0, 1, 1, 1, 2, 2, 3))):
        what, kind = _what(corpus, rng, split), rng.random()
        owner: str | None = corpus.fill(rng.choice(("{name}", "{name}", "{name} {surname}")), rng)
        due: str | None = corpus.fill("{due}", rng)
        if kind < 0.3:
            text, due = line("owned", what=what, name=str(owner)), None
        elif kind < 0.85:
            text = line("dated", what=what, name=str(owner), due=str(due))
        else:
            text, owner = line("unowned", what=what, due=str(due)), None
            if str(due) not in text:
                due = None
        parts.append(("action", (text, {"task": what, "owner": owner, "due": due})))
    if rng.random() < 0.3:
        rng.shuffle(parts)
    for talk in small_talk(
        corpus, rng, split, rng.choice((1, 1, 2, 2, 3, 4)) if parts else rng.randint(1, 3)
    ):
        parts.insert(rng.randrange(len(parts) + 1), ("talk", talk))
    texts = [value[0] if kind == "action" else value for kind, value in parts]
    decisions = [value for kind, value in parts if kind == "decision"]
    actions = [value for kind, value in parts if kind == "action"]
    summary = (decisions or [text for text, _ in actions] or texts)[0]
    text = rng.choice((" ", " ", " ", "\n")).join(texts)
    if rng.random() < 0.15:
        text = "- " + "\n- ".join(texts)
    if rng.random() < 0.25:
        text = line("heads") + rng.choice(("\n", "\n\n", ". ")) + text
    answer = json.dumps(
        {"summary": summary, "decisions": decisions, "action_items": [item for _, item in actions]},
        ensure_ascii=False,
    )
    agent = AGENTS["meeting-notes"]
    return varied(
        asked("minutes", orders(agent), text, answer), paraphrases(corpus, "minutes", agent), rng, split
    )


_VALUES = {
    "name": ("{name} {surname}", "{name} {surname}", "{name} {surname}", "{company}"),
    "date": ("{date}", "{dom} {month}", "{month} {dom}", "{day}"),
    "amount": ("{money}",),
    "order": ("{order}",),
    "invoice": ("{id}",),
    "company": ("{company}",),
    "city": ("{city}",),
    "phone": ("{phone}",),
    "email": ("{email}",),
}
_MEANINGS = {"name": "the person or company", "date": "the date", "amount": "the sum of money"}


def fields_agent(names: list[str]) -> Agent:
    """The `extract` subagent with a person's own fields."""
    properties = {
        name: {"type": ["string", "null"], "description": _MEANINGS.get(name, f"the {name}")}
        for name in names
    }
    return _agent(AGENTS["extract"].system, {"type": "object", "properties": properties}, {})


def fields(corpus: Corpus, rng: random.Random, split: str) -> Example:
    """A text, and the fields of a schema that are in it."""
    found: dict[str, str] = {}

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in found:
            text = corpus.fill(rng.choice(_VALUES[name]), rng)
            if split == "train" and name in ("name", "company", "city") and rng.random() < 0.3:
                text = " ".join(word.capitalize() for word in corpus.noise(rng, 1, 2).split(" "))
            found[name] = text
        return found[name]

    text = corpus.fill(_FIELD.sub(value, rng.choice(corpus.lines("fields", "texts", split))), rng)
    if rng.random() < 0.3:
        talk = small_talk(corpus, rng, split, 1)
        text = rng.choice((f"{talk[0]} {text}", f"{text} {talk[0]}"))
    if rng.random() < 0.25:
        text = corpus.sentence("slots", "slot greeting", rng) + " " + text
    if rng.random() < 0.6:
        agent = AGENTS["extract"]
        if "order" in found or "invoice" in found:
            found["reference"] = found.get("order") or found["invoice"]
        found.setdefault("name", found.get("company", ""))
        names = ["name", "date", "amount", "reference"]
    else:
        names = list(found)
        if rng.random() < 0.3:
            names.append(rng.choice(list(_VALUES)))
        names = list(dict.fromkeys(names))
        rng.shuffle(names)
        agent = fields_agent(names)
    answer = json.dumps({name: found.get(name) or None for name in names}, ensure_ascii=False)
    return varied(
        asked("fields", orders(agent), text, answer), paraphrases(corpus, "fields", agent), rng, split
    )


CLERK_TASKS = {
    **TASKS,
    "reason": reason,
    "feeling": feeling_json,
    "grounded": grounded,
    "minutes": minutes,
    "fields": fields,
}
# Shares of the training examples, in per cent.
CLERK_MIX = {
    "reason": 24,
    "feeling": 10,
    "grounded": 30,
    "minutes": 13,
    "fields": 7,
    "classify": 4,
    "sentiment": 3,
    "summarise": 2,
    "order": 1,
    "repeat": 3,
    "out-of-domain": 3,
}
# The last stage: passages are the hardest, above all which of them it was.
CLERK_POLISH = {
    "reason": 24,
    "feeling": 8,
    "grounded": 38,
    "minutes": 13,
    "fields": 6,
    "classify": 4,
    "sentiment": 2,
    "summarise": 1,
    "order": 1,
    "repeat": 1,
    "out-of-domain": 2,
}


def make_clerk(count: int, seed: int, split: str = "train", mix: dict[str, int] = CLERK_MIX) -> list[Example]:
    """`count` examples in the shares of `mix`."""
    corpus, rng = clerk_corpus(), random.Random(seed)
    tasks = rng.choices(list(mix), weights=list(mix.values()), k=count)
    return [CLERK_TASKS[task](corpus, rng, split) for task in tasks]


if __name__ == "__main__":
    for shown in make_clerk(40, seed=7):
        print(shown.task, *shown.messages, "=>", repr(shown.answer), sep="\n   ")
