"""Make training and test examples: a chat (system, turns) and the right answer, from the corpus and a seed.

What it does not know: tokens and models. The same functions serve training (`split="train"`) and evaluation
(`split="heldout"` uses only core lines that training never saw).
"""

import json
import random
import re
from dataclasses import dataclass

from corpus import LABELS, SENTIMENTS, Corpus

Message = dict[str, str]


@dataclass(frozen=True, slots=True)
class Example:
    """One chat and its right answer."""

    task: str
    messages: tuple[tuple[str, str], ...]
    answer: str

    def chat(self) -> list[Message]:
        return [{"role": role, "content": text} for role, text in self.messages]


# ---------------------------------------------------------------------------------------------- texts


def _typo(word: str, rng: random.Random) -> str:
    if len(word) < 4 or not word.isalpha():
        return word
    at = rng.randrange(1, len(word) - 1)
    kind = rng.random()
    if kind < 0.4:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if kind < 0.7:
        return word[:at] + word[at + 1 :]
    return word[:at] + word[at] + word[at:]


def roughen(text: str, rng: random.Random, drop: float = 0.0) -> str:
    """Write it as people do: typos, lower case, missing full stops; `drop` is the share of lost words."""
    if rng.random() < 0.25:
        text = " ".join(_typo(w, rng) if rng.random() < 0.06 else w for w in text.split(" "))
    if drop and rng.random() < 0.5:
        words = text.split(" ")
        kept = [w for w in words if rng.random() > drop]
        text = " ".join(kept) if len(kept) > 2 else text
    if rng.random() < 0.12:
        text = text.lower()
    if rng.random() < 0.08:
        text = re.sub(r"[.!?,]", "", text)
    if rng.random() < 0.05:
        text = text.replace(".", "!!").replace("?", "??")
    return text


def frame(core: list[str], corpus: Corpus, rng: random.Random) -> str:
    """Put a greeting, small talk, closing and signature around the core sentences, each by chance."""
    body = list(core)
    if rng.random() < 0.22:
        body.insert(0, corpus.sentence("slots", "slot leadin", rng))
    if rng.random() < 0.35:
        body.append(corpus.sentence("slots", "slot closing", rng))
    joint = rng.choice((" ", " ", " ", "\n"))
    text = joint.join(body)
    if rng.random() < 0.5:
        text = corpus.sentence("slots", "slot greeting", rng) + rng.choice((" ", " ", "\n", "\n\n")) + text
    if rng.random() < 0.35:
        text += rng.choice((" ", "\n", "\n\n")) + corpus.sentence("slots", "slot signature", rng)
    return text


def core_sentence(label: str, corpus: Corpus, rng: random.Random, split: str) -> str:
    """One sentence that gives the category away."""
    kind = rng.random()
    if split != "train" or kind < 0.5:
        return corpus.sentence(label, "sentences", rng, split)
    if kind < 0.9:
        return corpus.sentence(label, "templates", rng)
    return corpus.sentence(label, "phrases", rng) + rng.choice((".", "", "!"))


def support_mail(
    label: str,
    corpus: Corpus,
    rng: random.Random,
    split: str,
    *,
    extra: list[str] | None = None,
    drop: float = 0.15,
) -> str:
    """A support e-mail of the category; `extra` sentences (urgency) go somewhere between."""
    core = [core_sentence(label, corpus, rng, split)]
    if split == "train" and rng.random() < 0.25:
        core.append(core_sentence(label, corpus, rng, split))
    for sentence in extra or []:
        core.insert(rng.randrange(len(core) + 1), sentence)
    if split == "train" and rng.random() < 0.12:
        phrase = corpus.sentence(label, "phrases", rng)
        return roughen(f"Subject: {phrase}\n{frame(core, corpus, rng)}", rng, drop)
    return roughen(frame(core, corpus, rng), rng, drop if split == "train" else 0.0)


# ---------------------------------------------------------------------------------------------- prompts

_NAMES = {
    "mail": (
        "E-mail:",
        "Email:",
        "Message:",
        "Text:",
        "Ticket:",
        "Mail:",
        "Customer:",
        "Input:",
        "E-mail:\n",
    ),
    "notes": ("Notes:", "Meeting notes:", "Text:", "E-mail:", "Input:", "Notes:\n"),
}
_SYSTEMS = (
    "You are a helpful assistant.",
    "You work for the support desk of an agency.",
    "You are a support assistant.",
    "Be brief.",
)


def label_list(labels: tuple[str, ...], rng: random.Random) -> str:
    """The labels as people list them."""
    names = list(labels)
    if rng.random() < 0.5:
        rng.shuffle(names)
    kind = rng.random()
    if kind < 0.35:
        return ", ".join(names[:-1]) + " or " + names[-1]
    if kind < 0.45:
        return ", ".join(names[:-1]) + ", or " + names[-1]
    return rng.choice((", ", ", ", " / ", "|", ", ")).join(names)


def instruction(task: str, corpus: Corpus, rng: random.Random, labels: tuple[str, ...] = ()) -> str:
    """How one person asks for the task."""
    text = rng.choice(corpus.files["instructions"][task])
    listed = "{labels}" in text
    if labels:
        text = text.replace("{labels}", label_list(labels, rng))
        if not listed and task != "triage" and rng.random() < 0.8:
            lead = rng.choice(
                (
                    "Answer with exactly one of: ",
                    "Labels: ",
                    "Answer with one word: ",
                    "Choose from: ",
                    "Options: ",
                )
            )
            text += rng.choice((" ", "\n", "\n\n")) + lead + label_list(labels, rng) + rng.choice((".", ""))
        elif task != "triage" and rng.random() < 0.15:
            text += rng.choice(
                (" Answer with the label only.", " Return only the label.", " Reply with one word.")
            )
    if rng.random() < 0.05:
        text = text.lower()
    if rng.random() < 0.05:
        text = "Please " + text[0].lower() + text[1:]
    return text.replace("e-mail", "email") if rng.random() < 0.3 else text


def ask(task: str, asked: str, text: str, answer: str, rng: random.Random, *, kind: str = "mail") -> Example:
    """Lay instruction and text out as a chat, in one of the ways that clients do."""
    if rng.random() < 0.3:
        text = f"{rng.choice(_NAMES[kind])} {text}" if rng.random() < 0.8 else f'"{text}"'
    place = rng.random()
    joint = rng.choice(("\n\n", "\n\n", "\n", " "))
    if place < 0.45:
        messages = [("system", asked), ("user", text)]
    elif place < 0.85:
        messages = [("user", asked + joint + text)]
    else:
        messages = [("user", text + "\n\n" + asked)]
    if place >= 0.45 and rng.random() < 0.2:
        messages.insert(0, ("system", rng.choice(_SYSTEMS)))
    return Example(task, tuple(messages), answer)


# ---------------------------------------------------------------------------------------------- tasks


def classify(corpus: Corpus, rng: random.Random, split: str) -> Example:
    label = rng.choice(LABELS)
    asked, answer = instruction("classify", corpus, rng, LABELS), label
    if split == "train" and rng.random() < 0.1:
        key = rng.choice(("label", "category"))
        asked, answer = f'{asked} Answer as JSON: {{"{key}": ...}}', json.dumps({key: label})
    example = ask("classify", asked, support_mail(label, corpus, rng, split), answer, rng)
    if split == "train" and rng.random() < 0.05:
        # A second e-mail in the same conversation.
        other = rng.choice(LABELS)
        turns = (("assistant", answer), ("user", support_mail(other, corpus, rng, split)))
        again = answer.replace(label, other)
        return Example("classify", example.messages + turns, again)
    return example


def feeling(corpus: Corpus, rng: random.Random, split: str) -> Example:
    label = rng.choice(SENTIMENTS)
    sentences = [corpus.sentence("sentiment", label, rng, split)]
    if split == "train":
        sentences += [
            corpus.sentence("sentiment", label, rng, split) for _ in range(rng.choice((0, 0, 0, 1, 2)))
        ]
        if rng.random() < 0.2:
            sentences.insert(
                rng.randrange(len(sentences) + 1), corpus.sentence("sentiment", "neutral", rng, split)
            )
    text = frame(sentences, corpus, rng) if rng.random() < 0.2 else " ".join(sentences)
    asked, answer = instruction("sentiment", corpus, rng, SENTIMENTS), label
    if split == "train" and rng.random() < 0.08:
        asked, answer = asked + ' Answer as JSON: {"sentiment": ...}', json.dumps({"sentiment": label})
    return ask("sentiment", asked, roughen(text, rng, drop=0.08 if split == "train" else 0.0), answer, rng)


_HURRY = re.compile(
    r"\b(today|now|immediately|urgent|hour|down|offline|tomorrow|locked out|everyone|nobody can)\b",
    re.IGNORECASE,
)


def triage(corpus: Corpus, rng: random.Random, split: str) -> Example:
    label = rng.choice(LABELS)
    kind = rng.random()
    extra: list[str] = []
    if kind < 0.35:
        extra = [corpus.sentence("slots", "slot urgent", rng, split)]
    elif kind < 0.65 and label != "escalation":
        extra = [corpus.sentence("slots", "slot relaxed", rng, split)]
    text = support_mail(label, corpus, rng, split, extra=extra, drop=0.0)
    if kind < 0.35:
        urgency = "high"
    elif extra:
        urgency = "low"
    else:
        urgency = "high" if _HURRY.search(text) else "medium"
    answer = json.dumps({"category": label, "urgency": urgency})
    return ask("triage", instruction("triage", corpus, rng, LABELS), text, answer, rng)


def order(corpus: Corpus, rng: random.Random, split: str) -> Example:
    template = rng.choice(corpus.lines("orders", "sentences", split))
    number = corpus.fill("{order}", rng)
    core = [corpus.fill(template.replace("{order}", number), rng)]
    if split == "train":
        if rng.random() < 0.1:
            core = [f"{corpus.noise(rng, 1, 6)} {number} {corpus.noise(rng, 1, 6)}"]
        if rng.random() < 0.3:
            core.insert(rng.randrange(2), corpus.sentence("slots", "slot leadin", rng))
    text = frame(core, corpus, rng)
    return ask("order", instruction("order", corpus, rng), text, number, rng)


def _key(corpus: Corpus, rng: random.Random, split: str) -> str:
    kind = rng.random()
    if split == "train" and kind < 0.4:
        opening = (
            "We decided to",
            "We agreed to",
            "Please",
            "Action:",
            "It was decided to",
            "We need to",
            "We will",
        )
        return f"{rng.choice(opening)} {corpus.noise(rng)}."
    if split == "train" and kind < 0.5:
        return core_sentence(rng.choice(LABELS), corpus, rng, split)
    return corpus.sentence("notes", "keys", rng, split)


def summarise(corpus: Corpus, rng: random.Random, split: str) -> Example:
    key = _key(corpus, rng, split)
    fillers = [corpus.sentence("notes", "fillers", rng, split) for _ in range(rng.randint(1, 5))]
    if split == "train" and rng.random() < 0.25:
        fillers[0] = corpus.noise(rng).capitalize() + "."
    fillers.insert(rng.randrange(len(fillers) + 1), key)
    text = " ".join(fillers)
    if rng.random() < 0.25:
        text = corpus.sentence("slots", "slot greeting", rng) + " " + text
    if rng.random() < 0.25:
        text = text + " " + corpus.sentence("slots", "slot signature", rng)
    if rng.random() < 0.12:
        text = text.replace(". ", ".\n- ")
        text = "- " + text
    return ask("summarise", instruction("summarise", corpus, rng), text, key, rng, kind="notes")


def repeat(corpus: Corpus, rng: random.Random, split: str) -> Example:
    text = corpus.noise(rng, 2, 24) if rng.random() < 0.7 else corpus.sentence("notes", "keys", rng, split)
    return ask("repeat", instruction("repeat", corpus, rng), text, text, rng)


def arithmetic(corpus: Corpus, rng: random.Random, split: str) -> Example:
    """Small sums. Products of two-digit numbers are left out of training: they are the demo's honest failure."""
    kind = rng.random()
    if split == "heldout":
        a, b = rng.randint(11, 99), rng.randint(11, 99)
        text, result = f"{a}*{b}", a * b
    elif kind < 0.6:
        a, b = rng.randint(0, 30), rng.randint(0, 30)
        text, result = f"{a} + {b}", a + b
    elif kind < 0.8:
        a, b = rng.randint(0, 30), rng.randint(0, 30)
        text, result = f"{max(a, b)} - {min(a, b)}", abs(a - b)
    else:
        a, b = rng.randint(2, 12), rng.randint(2, 99)
        text, result = f"{a} {rng.choice(('*', 'x', 'times'))} {b}", a * b
    if rng.random() < 0.4:
        text = text.replace(" ", "")
    asked = rng.choice(corpus.files["instructions"]["arithmetic"]).replace("{sum}", text)
    return Example("arithmetic", (("user", asked),), str(result))


def out_of_domain(corpus: Corpus, rng: random.Random, split: str) -> Example:
    """A request that must be refused; e-mails may occur in it."""
    sections = corpus.files["out_of_domain"]
    if rng.random() < 0.07:
        return Example("chat", (("user", rng.choice(sections["greetings"])),), sections["greeting_answer"][0])
    template = rng.choice(corpus.lines("out_of_domain", "prompts", split))
    if "{mail}" in template:
        template = template.replace("{mail}", support_mail(rng.choice(LABELS), corpus, rng, "train"))
    text = corpus.fill(template, rng)
    if split == "train" and rng.random() < 0.08:
        text = corpus.noise(rng, 3, 14) + rng.choice(("", "?", "."))
    if rng.random() < 0.1:
        text = (
            rng.choice(("Please ", "Can you ", "Could you ", "I need you to ")) + text[0].lower() + text[1:]
        )
    messages = [("user", roughen(text, rng))]
    if rng.random() < 0.3:
        messages.insert(0, ("system", rng.choice(_SYSTEMS)))
    answer = rng.choices(sections["refusals"], weights=(6, 3, 1))[0]
    return Example("out-of-domain", tuple(messages), answer)


TASKS = {
    "classify": classify,
    "sentiment": feeling,
    "triage": triage,
    "order": order,
    "summarise": summarise,
    "repeat": repeat,
    "arithmetic": arithmetic,
    "out-of-domain": out_of_domain,
}
# Shares of the training examples, in per cent.
MIX = {
    "classify": 25,
    "sentiment": 14,
    "triage": 13,
    "order": 13,
    "summarise": 17,
    "repeat": 8,
    "arithmetic": 2,
    "out-of-domain": 8,
}


# A short last stage for micro: two of a dozen triage tokens are a choice, and copying had drowned them.
POLISH = {
    "classify": 20,
    "sentiment": 14,
    "triage": 38,
    "order": 9,
    "summarise": 10,
    "arithmetic": 1,
    "out-of-domain": 8,
}


def make(count: int, seed: int, split: str = "train", mix: dict[str, int] = MIX) -> list[Example]:
    """`count` examples in the shares of `mix`."""
    corpus, rng = Corpus(), random.Random(seed)
    tasks = rng.choices(list(mix), weights=list(mix.values()), k=count)
    return [TASKS[task](corpus, rng, split) for task in tasks]


if __name__ == "__main__":
    for shown in make(40, seed=7):
        print(shown.task, *shown.messages, "=>", repr(shown.answer), sep="\n   ")
