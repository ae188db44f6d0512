"""Python's own documentation as documents to search, and questions whose answers are known: those of its index and of its titles.

    corpus = prepare(sources, folder)     *.rst.txt → Markdown of the same lines in `folder`, and the questions

A line of the source is the same line of the Markdown, so that what an index entry points to can be found again. It does not know how
anything is searched.
"""

import random
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

SEED = 5
MARKS = "=-`:'\"~^_*+#<>."
SHORTEST = 2
"""Words of a title that is a question."""


class Question(NamedTuple):
    """What is asked, and where the answers stand: (file, first line, last line) of sections."""

    kind: str
    text: str
    targets: tuple[tuple[str, int, int], ...]


class Section(NamedTuple):
    """A section of a file, without those inside it."""

    title: str
    level: int
    first: int
    """The line of its title, from 1."""
    last: int


def find_sources(given, folder):
    """The folder of the sources: as given, as installed, or as Debian's package has it."""
    if given:
        return Path(given)
    for place in sorted(Path("/usr/share/doc").glob("python3*/html/_sources"), reverse=True):
        return place
    if shutil.which("apt-get") is None:
        sys.exit("error: there are no sources here\nhint: --sources PATH, or: apt-get install python3-doc")
    name = subprocess.run(
        ["apt-cache", "depends", "python3-doc"], capture_output=True, text=True, check=True
    ).stdout.partition("Depends: ")[2]
    package = name.split()[0] if name else "python3-doc"
    subprocess.run(["apt-get", "download", "-qq", package], cwd=folder, check=True, stderr=subprocess.DEVNULL)
    archive = next(Path(folder).glob("*.deb"))
    subprocess.run(["dpkg", "-x", archive.name, "unpacked"], cwd=folder, check=True)
    return next(Path(folder, "unpacked").glob("usr/share/doc/python3*/html/_sources"))


def prepare(sources, folder, titles=600, entries=600):
    """Write the sources as Markdown; the questions, seeded.

    Args:
        sources: the folder of *.rst.txt files.
        folder: for the Markdown.
        titles: how many titles become questions; those are taken out of the Markdown.
        entries: how many entries of the index.
    """
    chance = random.Random(SEED)
    texts = {
        path.relative_to(sources).as_posix(): path.read_text(encoding="utf-8").split("\n")
        for path in sorted(sources.rglob("*.rst.txt"))
    }
    sections = {name: sections_of(lines) for name, lines in texts.items()}
    asked = {}
    for name, lines in texts.items():
        for text, line in entries_of(lines):
            section = next((one for one in reversed(sections[name]) if one.first <= line <= one.last), None)
            if section is not None:
                asked.setdefault(text, set()).add((name, section.first, section.last))
    found = [Question("index", text, tuple(sorted(targets))) for text, targets in sorted(asked.items())]
    questions = chance.sample(found, min(entries, len(found)))
    told = [
        (name, one)
        for name in sorted(sections)
        for one in sections[name]
        if one.level > 1 and len(plain(one.title).split()) >= SHORTEST and one.last - one.first >= 6
    ]
    counts = {}
    for _, one in told:
        counts[plain(one.title)] = counts.get(plain(one.title), 0) + 1
    told = [
        (name, one)
        for name, one in told
        if counts[plain(one.title)] == 1 and "whatsnew" not in name and "changelog" not in name
    ]
    chosen = chance.sample(told, min(titles, len(told)))
    hidden = {(name, one.first) for name, one in chosen}
    questions += [Question("title", plain(one.title), ((name, one.first, one.last),)) for name, one in chosen]
    for name, lines in texts.items():
        path = Path(folder, name.removesuffix(".rst.txt") + ".md")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            "\n".join(as_markdown(lines, sections[name], {line for at, line in hidden if at == name})),
            encoding="utf-8",
        )
    return questions


def sections_of(lines):
    """The titles of a file with their lines: underlined, and perhaps overlined."""
    styles, heads = [], []
    for at in range(1, len(lines)):
        title, under = lines[at - 1].rstrip(), lines[at].rstrip()
        if not title or title[0] == " " or len(under) < 3 or under[0] not in MARKS or len(set(under)) > 1:
            continue
        if len(under) < len(title) or (len(set(title)) == 1 and title[0] in MARKS):
            continue
        over = at >= 2 and lines[at - 2].rstrip() == under
        style = (under[0], over)
        if style not in styles:
            styles.append(style)
        heads.append((at - 1 if over else at, title, styles.index(style) + 1))
    ends = [first - 1 for first, _, _ in heads[1:]] + [len(lines)] * bool(heads)
    return [
        Section(title, level, first, last) for (first, title, level), last in zip(heads, ends, strict=True)
    ]


def entries_of(lines):
    """The index entries of a file, each as a question, with its line."""
    for at, line in enumerate(lines):
        if not line.lstrip().startswith(".. index::"):
            continue
        depth = len(line) - len(line.lstrip())
        said = [line.partition("::")[2].strip()]
        for more in lines[at + 1 :]:
            if more.strip() and len(more) - len(more.lstrip()) <= depth:
                break
            if not more.strip() and said[-1:] != [""]:
                break
            said.append(more.strip())
        for entry in said:
            text = as_question(entry)
            if text:
                yield text, at + 1


def as_question(entry):
    """An entry as somebody would ask for it: "single: processes, light-weight" → "light-weight processes"."""
    kind, colon, rest = entry.removeprefix("!").partition(":")
    kind = kind.strip().lstrip("! ")
    if not colon or kind in ("name", "see", "seealso"):
        return ""
    parts = [part.strip().lstrip("! ") for part in rest.split(";") if part.strip()]
    turned = [" ".join(reversed(part.split(", "))) if part.count(", ") == 1 else part for part in parts]
    text = " ".join(turned) if kind in ("single", "pair", "triple") else f"{kind} {' '.join(turned)}"
    text = text.replace("\\", "")
    return text if re.search(r"[^\W\d_]{2}", text) else ""


def plain(title):
    """A title without its markup: ":mod:`fileinput` --- Iterate" → "fileinput --- Iterate"."""
    return (
        re.sub(r":[\w:]+:`~?([^`<]*)(?:<[^>]*>)?`", r"\1", title).replace("`", "").replace("\\", "").strip()
    )


def as_markdown(lines, sections, hidden):
    """The lines of a file with Markdown's headings, without what the index says; hidden titles are only "Section"."""
    out = list(lines)
    for one in sections:
        over = lines[one.first - 1].strip()[:1] in MARKS and len(set(lines[one.first - 1].strip())) == 1
        title = "Section" if one.first in hidden else plain(one.title)
        out[one.first - 1] = f"{'#' * min(one.level, 6)} {title}"
        for extra in range(one.first, one.first + (2 if over else 1)):
            out[extra] = ""
    for at, line in enumerate(lines):
        if line.lstrip().startswith(".. index::"):
            depth = len(line) - len(line.lstrip())
            out[at] = ""
            for more in range(at + 1, len(lines)):
                if not lines[more].strip() or len(lines[more]) - len(lines[more].lstrip()) <= depth:
                    break
                out[more] = ""
    return out
