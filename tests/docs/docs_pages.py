"""The pages as data: their fenced blocks, tables, headings and links."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *DOCS.glob("*.md")])

FENCE = re.compile(r"(?ms)^```([^\n]*)\n(.*?)^```\s*?$")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and where it stands."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path, language: str) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(page, text.count("\n", 0, found.start()) + 1, found[1].strip(), found[2])
        for found in FENCE.finditer(text)
        if found[1].strip() == language
    ]


def all_blocks(language: str) -> list[Block]:
    return [block for page in PAGES for block in blocks(page, language)]


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def section(page: Path, heading: str) -> str:
    """What stands under a heading, down to the next one of any level."""
    _, _, rest = page.read_text(encoding="utf-8").partition(f"\n{heading}\n")
    assert rest, f"{page.name} has no {heading}"
    return re.split(r"(?m)^#+ ", rest)[0]


def rows(text: str) -> list[list[str]]:
    """The cells of every table row, without headers and rules."""
    lines = [line.strip() for line in text.splitlines()]
    found = []
    for number, line in enumerate(lines):
        is_rule = re.fullmatch(r"\|[\s:|-]+\|", line) is not None
        is_header = number + 1 < len(lines) and re.fullmatch(r"\|[\s:|-]*-[\s:|-]*\|", lines[number + 1])
        if line.startswith("|") and not is_rule and not is_header:
            found.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))])
    return found


def slug(heading: str) -> str:
    """A heading's anchor, as GitHub makes it."""
    kept = re.sub(r"[^\w\- ]", "", re.sub(r"`|\*", "", heading).strip().lower())
    return kept.replace(" ", "-")


def anchors(page: Path) -> set[str]:
    return {slug(heading) for heading in re.findall(r"(?m)^#+ (.+)$", prose(page))}


def coded(text: str) -> list[str]:
    """Everything that stands between single backticks, also over the end of a line."""
    return re.findall(r"`([^`]+)`", " ".join(FENCE.sub("", text).split()))
