"""Write the thousand support e-mails of the story tests: `python mails.py` → `tests/data/mails.jsonl`.

One JSON object a line: `id`; `kind`; `text`; `categories`: any of them is a right answer. Two stand there when the
mail brings two matters, none when it brings no matter of the desk: then no answer is right, and only being unsure is.

The kinds, so that figures can be told apart:

    hand-written   the items of `handwritten/`, as they stand
    plain          one key sentence that no model was trained on, with greeting and signature by chance
    held-out       the same with the sentences that training left out
    subject        a subject line that says nothing, then a plain mail
    long           the key sentence among small talk
    thread         a plain mail above the older mails that it answers; the older ones are about something else
    capitals       a plain mail, shouted
    short          a few words
    two-matters    two key sentences of two categories
    german, french mails in languages that no model was trained on
    no-matter      nothing that the desk could do: nonsense, holiday notes, invitations

What it does not know: models. The seed fixes every byte.
"""

import json
import random
from collections.abc import Callable
from pathlib import Path

from corpus import HERE, LABELS, Corpus, read_sections
from examples import frame

MAILS = HERE.parent / "tests" / "data" / "mails.jsonl"
SEED = 1000
COUNTS = {
    "held-out": 120,
    "subject": 80,
    "long": 80,
    "thread": 80,
    "capitals": 36,
    "short": 24,
    "two-matters": 44,
    "german": 16,
    "french": 16,
    "no-matter": 24,
}
TOTAL = 1000
"""What the hand-written ones and `COUNTS` leave of the thousand are plain."""

Mail = tuple[str, tuple[str, ...]]
"""The text, and the categories that are right."""

_SUBJECTS = (
    "Question",
    "Hello",
    "Our project",
    "Re: {project}",
    "Fwd: mail from {name}",
    "{company}",
    "Important",
)


class Desk:
    """The hand-written key sentences, and how mails are made of them."""

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.corpus = rng, Corpus()
        self.lines = read_sections(HERE / "handwritten" / "mails.txt")

    def fill(self, section: str) -> str:
        """One line of a section, with its slots filled."""
        line = self.rng.choice(self.lines[section])
        return self.corpus.fill(line.replace("{noise}", self.corpus.noise(self.rng)), self.rng)

    def plain(self, label: str) -> str:
        return frame([self.fill(label)], self.corpus, self.rng)

    def held_out(self, label: str) -> str:
        return frame([self.corpus.sentence(label, "sentences", self.rng, "heldout")], self.corpus, self.rng)

    def subject(self, label: str) -> str:
        return f"Subject: {self.corpus.fill(self.rng.choice(_SUBJECTS), self.rng)}\n\n{self.plain(label)}"

    def small_talk(self, count: int) -> list[str]:
        return [self.corpus.sentence("notes", "fillers", self.rng, "heldout") for _ in range(count)]

    def long(self, label: str) -> str:
        body = self.small_talk(self.rng.randint(3, 7))
        body.insert(self.rng.randrange(len(body) + 1), self.fill(label))
        return frame(body, self.corpus, self.rng)

    def thread(self, label: str) -> str:
        older = self.plain(self.rng.choice([other for other in LABELS if other != label]))
        said = self.corpus.fill(
            f"On {self.rng.randint(1, 28)} {{month}}, {{name}} {{surname}} wrote:", self.rng
        )
        quoted = "\n".join(f"> {line}" for line in older.splitlines())
        return f"{self.plain(label)}\n\n{said}\n{quoted}"

    def capitals(self, label: str) -> str:
        return self.plain(label).upper()

    def short(self, label: str) -> str:
        return self.fill(f"short {label}")

    def german(self, label: str) -> str:
        return self.fill(f"german {label}")

    def french(self, label: str) -> str:
        return self.fill(f"french {label}")

    def two_matters(self, label: str) -> Mail:
        other = self.rng.choice([other for other in LABELS if other != label])
        joint = self.rng.choice((" ", " Also: ", " And another thing: ", "\n\n"))
        return frame([self.fill(label) + joint + self.fill(other)], self.corpus, self.rng), (label, other)

    def no_matter(self) -> Mail:
        return self.fill(self.rng.choice(("nonsense", "nonsense", "matter free"))), ()

    def of(self, kind: str, label: str) -> Mail:
        """A mail of the kind whose (first) matter is of the category."""
        if kind == "no-matter":
            return self.no_matter()
        if kind == "two-matters":
            return self.two_matters(label)
        made: dict[str, Callable[[str], str]] = {
            "plain": self.plain,
            "held-out": self.held_out,
            "subject": self.subject,
            "long": self.long,
            "thread": self.thread,
            "capitals": self.capitals,
            "short": self.short,
            "german": self.german,
            "french": self.french,
        }
        return made[kind](label), (label,)


def by_hand() -> list[Mail]:
    """The mails of `handwritten/` that have a category; labels come first, the text last."""
    rows = [
        line.split("\t")
        for file in ("emails", "emails_fresh", "triage", "reasons")
        for line in (HERE / "handwritten" / f"{file}.tsv").read_text("utf-8").splitlines()
    ]
    return [(row[-1].replace("\\n", "\n"), (row[0],)) for row in rows]


def mails(seed: int = SEED) -> list[dict[str, object]]:
    """All of them, in mixed order, no text twice."""
    rng = random.Random(seed)
    desk, seen = Desk(rng), set[str]()
    found: list[tuple[str, str, tuple[str, ...]]] = [("hand-written", *mail) for mail in by_hand()]
    seen.update(text for _, text, _ in found)
    counts = {"plain": TOTAL - len(found) - sum(COUNTS.values()), **COUNTS}
    for kind, count in counts.items():
        made = tries = 0
        while made < count:
            text, right = desk.of(kind, LABELS[tries % len(LABELS)])
            tries += 1
            if text not in seen:
                seen.add(text)
                found.append((kind, text, right))
                made += 1
    rng.shuffle(found)
    return [
        {"id": f"mail-{n:04d}", "kind": kind, "text": text, "categories": list(right)}
        for n, (kind, text, right) in enumerate(found, 1)
    ]


def write(path: Path = MAILS) -> int:
    """Write the file; the answer is its size in bytes."""
    lines = [json.dumps(mail, ensure_ascii=False) for mail in mails()]
    return path.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    print(f"{MAILS}: {write():,} characters")
