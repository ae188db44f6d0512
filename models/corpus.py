"""Read the text files of `corpus/` and fill their {slots}.

A file is a list of `[section]` headings with one line per entry. `[slot name]` sections are shared by all files.
Knows nothing of tasks or prompts; `examples.py` builds those.
"""

import random
import re
from pathlib import Path

HERE = Path(__file__).resolve().parent
LABELS = ("billing", "technical", "feature-request", "escalation")
SENTIMENTS = ("positive", "negative", "neutral")

# One core line in eight is kept out of training; half of those choose thresholds, half are the "held-out sentences".
HELD_OUT_EVERY = 8

_SLOT = re.compile(r"\{([a-z_]+)\}")


def read_sections(path: Path) -> dict[str, list[str]]:
    """The sections of one corpus file, in order."""
    sections: dict[str, list[str]] = {}
    current: list[str] = []
    for raw in path.read_text(encoding="utf-8").splitlines():
        line = raw.strip()
        if not line or line.startswith("# "):
            continue
        if line.startswith("[") and line.endswith("]"):
            current = sections.setdefault(line[1:-1], [])
        else:
            current.append(line)
    return sections


class Corpus:
    """All sections by file name, all slots by name, and a seeded way to fill templates."""

    def __init__(self, *folders: Path) -> None:
        self.files = {
            path.stem: read_sections(path)
            for folder in (HERE / "corpus", *folders)
            for path in sorted(folder.glob("*.txt"))
        }
        self.slots: dict[str, list[str]] = {}
        for sections in self.files.values():
            for name, lines in sections.items():
                if name.startswith("slot "):
                    self.slots[name.removeprefix("slot ")] = lines
        words: set[str] = set()
        for sections in self.files.values():
            for lines in sections.values():
                words.update(re.findall(r"[a-z]{2,}", _SLOT.sub(" ", " ".join(lines)).lower()))
        self.words = sorted(words)

    def lines(self, file: str, section: str, split: str) -> list[str]:
        """The lines of a section that belong to `split`: train, calibration, heldout or all."""
        lines = self.files[file][section]
        if split == "all":
            return lines
        held = [line for n, line in enumerate(lines) if n % HELD_OUT_EVERY == 5]
        if split == "train":
            return [line for line in lines if line not in held]
        return held[::2] if split == "calibration" else held[1::2]

    def fill(self, template: str, rng: random.Random) -> str:
        """Replace every {slot}, recursively; an unknown name is left as it stands."""

        def value(match: re.Match[str]) -> str:
            name = match[1]
            if name in _MADE_UP:
                return _MADE_UP[name](rng)
            if name.endswith("_cap") and name.removesuffix("_cap") in self.slots:
                text = self.fill(rng.choice(self.slots[name.removesuffix("_cap")]), rng)
                return text[0].upper() + text[1:]
            if name in self.slots:
                return self.fill(rng.choice(self.slots[name]), rng)
            return match[0]

        return _SLOT.sub(value, template)

    def sentence(self, file: str, section: str, rng: random.Random, split: str = "all") -> str:
        """One filled line, with a capital first letter (unless it starts with a sign or number)."""
        text = self.fill(rng.choice(self.lines(file, section, split)), rng)
        return text[0].upper() + text[1:]

    def noise(self, rng: random.Random, low: int = 3, high: int = 9) -> str:
        """Words in no order, some of them invented, so that copying cannot be learned by heart."""
        words = rng.choices(self.words, k=rng.randint(low, high))
        return " ".join(_invented(rng) if rng.random() < 0.25 else word for word in words)


def _invented(rng: random.Random) -> str:
    """A word or number that no one has seen."""
    if rng.random() < 0.25:
        return str(rng.randint(1, 99_999))
    word = "".join(rng.choice("bcdfghklmnprstvwz") + rng.choice("aeiou") for _ in range(rng.randint(1, 4)))
    return word.capitalize() if rng.random() < 0.5 else word


def made_up_order(rng: random.Random) -> str:
    """An order number in one of the formats that shops use."""
    digits = "".join(rng.choices("0123456789", k=rng.choice((4, 5, 5, 5, 6))))
    letters = "".join(rng.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=rng.choice((2, 2, 2, 2, 1, 3))))
    return rng.choice((f"{letters}-{digits}",) * 6 + (f"#{digits}",) * 5 + (f"{letters}{digits}",))


def _money(rng: random.Random) -> str:
    amount = rng.choice((rng.randint(5, 99), rng.randint(100, 999), rng.randint(10, 99) * 100))
    text = f"{amount:,}" if rng.random() < 0.5 else str(amount)
    return rng.choice(
        (f"{text} euros", f"{text} dollars", f"${text}", f"€{text}", f"{text} EUR", f"{text}.50")
    )


def _email(rng: random.Random) -> str:
    user = rng.choice(("office", "info", "billing", "hello", "team", "mail", "anna", "support"))
    return f"{user}@{rng.choice(('northwind', 'example', 'blueoak', 'casaverde'))}.{rng.choice(('com', 'org', 'net'))}"


_MADE_UP = {
    "number": lambda rng: rng.choice(("two", "three", "four", "five", "ten", str(rng.randint(2, 60)))),
    "money": _money,
    "id": lambda rng: f"{rng.choice(('INV', 'R', 'RE', 'A'))}-{rng.randint(100, 99999)}",
    "dom": lambda rng: str(rng.randint(4, 20)),
    "email": _email,
    "phone": lambda rng: f"555 {rng.randint(0, 9999):04d}",
    "order": made_up_order,
    "digit": lambda rng: str(rng.randint(2, 9)),
    "room": lambda rng: str(rng.randint(1, 420)),
    "code": lambda rng: _invented(rng) + str(rng.randint(2, 999)),
    "year": lambda rng: str(rng.randint(1971, 2024)),
}
