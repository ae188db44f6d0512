"""How well knowledge bases find passages, and how fast among many.

    python benchmarks/retrieval.py                  print the figures
    python benchmarks/retrieval.py --write          … and put them into docs/knowledge.md
    python benchmarks/retrieval.py --only quality   or speed

Quality: Python's documentation, from Debian's package, with questions from its index and its section titles (`python_docs`), embedded by
the model that ships. What is chosen is chosen on one half of the questions, and the other half is reported. Speed: 100,000
chunks with vectors of 768 dimensions (`many_chunks`). Nothing is fetched but Debian's package, where the sources are not here.
"""

import argparse
import asyncio
import os
import platform
import random
import re
import sqlite3
import statistics
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import many_chunks
import python_docs
from headgate.app import open_gate
from headgate.config.load import parse_config
from headgate.core.intervals import wilson
from headgate.knowledge import places, schema, vectors, words
from headgate.knowledge.fusion import fuse
from headgate.knowledge.store import Base, as_indexed
from headgate.knowledge.sync import sync

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs/knowledge.md"
BEGIN, END = "<!-- {}: written by benchmarks/retrieval.py --write -->", "<!-- end of {} -->"
PAGE = """
[engines.embedded]
kind = "llamacpp"
parallel = 4

[models.embed]
engine = "embedded"
id = "headgate-embed"
kind = "embedding"

[models.nano]
engine = "embedded"
id = "headgate-nano"

[ledger]
path = "{folder}/ledger.db"

[[routes]]
name = "all"
try = ["nano"]
"""
DEEP = 100
CUT = 10
"""A passage further down counts as not found."""
STEPS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
COLUMNS = ((1, 1, 1), (1, 0, 1), (1, 2, 1), (1, 4, 1), (0, 1, 1), (2, 1, 1))
STEADY = 60
"""Of reciprocal ranks (Cormack, Clarke and Büttcher, SIGIR 2009)."""


class Asked(NamedTuple):
    """A question with what was found for it, best first: (id, score)."""

    question: python_docs.Question
    by_words: list
    by_vectors: list


# ── Quality ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def ask_all(folder, sources):
    """A base of the documentation, every question asked of it, and the lines that each chunk has."""
    questions = python_docs.prepare(sources, folder / "docs")
    config = parse_config(PAGE.format(folder=folder), folder / "headgate.toml", lambda *_: None)
    async with open_gate(config) as gate:
        done = await sync("python", [folder / "docs"], gate.embedder)
        assert not done.problem, done.problem
        made = await gate.embedder.embed([one.text for one in questions], query=True)
    with Base(places.find("python")) as base:
        loaded = vectors.load(base)
        asked = []
        for one, vector in zip(questions, made, strict=True):
            query = words.query_of(one.text)
            found = base.match(query, DEEP) if query else []
            asked.append(Asked(one, found, loaded.like(base, vector, DEEP)))
        stats = base.stats()
    return asked, stats, done


def where_of(folder):
    """Chunk → its file and lines, as questions name them."""
    root = f"{folder.resolve()}/docs/"
    with closing(sqlite3.connect(places.find("python"))) as db:
        rows = db.execute("SELECT id, source, line, last_line FROM chunks").fetchall()
    return {
        one: (source.removeprefix(root).removesuffix(".md") + ".rst.txt", line, last)
        for one, source, line, last in rows
    }


def place_of(order, question, where):
    """The place of the first passage that is right, from 1; 0 if none of the first is."""
    for place, one in enumerate(order[:CUT], start=1):
        source, line, last = where[one]
        if any(source == name and line <= end and last >= begin for name, begin, end in question.targets):
            return place
    return 0


def ids(order):
    return [one for one, _ in order]


def by_scores(weight):
    return lambda asked: [one.id for one in fuse(asked.by_words, asked.by_vectors, weight)]


def by_ranks(weight):
    def order(asked):
        score = {}
        for share, found in ((1 - weight, asked.by_words), (weight, asked.by_vectors)):
            for place, (one, _) in enumerate(found, start=1):
                score[one] = score.get(one, 0) + share / (STEADY + place)
        return sorted(score, key=lambda one: -score[one])

    return order


def ranks_of(asked, order, where):
    return [place_of(order(one), one.question, where) for one in asked]


def mrr(ranks):
    return statistics.fmean(1 / rank if rank else 0 for rank in ranks)


def recall(ranks):
    return sum(0 < rank <= 5 for rank in ranks) / len(ranks)


def told(ranks):
    """Recall@5 and MRR with 95 % intervals."""
    low, high = wilson(sum(0 < rank <= 5 for rank in ranks), len(ranks))
    shares = [1 / rank if rank else 0 for rank in ranks]
    reach = 1.96 * statistics.stdev(shares) / len(shares) ** 0.5
    return f"{recall(ranks):.2f} ({low:.2f}-{high:.2f})", f"{mrr(ranks):.3f} ± {reach:.3f}"


def difference(ranks, base):
    """How much better in MRR, question by question, with a 95 % interval."""
    each = [(1 / a if a else 0) - (1 / b if b else 0) for a, b in zip(ranks, base, strict=True)]
    reach = 1.96 * statistics.stdev(each) / len(each) ** 0.5
    return f"{statistics.fmean(each):+.3f} ± {reach:.3f}"


def columns_table(asked, where):
    """MRR on the half for choosing, by the weights of the index's columns, and without endings."""
    lines = ["| words: name, headings above, text | MRR |", "|---|---|"]
    usual = words.WEIGHTS
    with Base(places.find("python")) as base:
        for columns in COLUMNS:
            words.WEIGHTS = columns
            ranks = [
                place_of(ids(base.match(words.query_of(one.question.text) or '""', CUT)), one.question, where)
                for one in asked
            ]
            lines.append(f"| {', '.join(map(str, columns))} | {mrr(ranks):.3f} |")
        words.WEIGHTS = usual
        db = sqlite3.connect(":memory:")
        db.execute(schema.WORDS.replace("porter ", ""))
        rows = [(row.id, *as_indexed("", row.chunk)) for row in base.chunks()]
        db.executemany("INSERT INTO words (rowid, name, heading, text) VALUES (?, ?, ?, ?)", rows)
        ranks = [
            place_of(
                ids(words.match(db, words.query_of(one.question.text) or '""', CUT)), one.question, where
            )
            for one in asked
        ]
        lines.append(f"| 1, 1, 1, endings kept apart | {mrr(ranks):.3f} |")
    return lines


def quality(folder, sources):
    """The section on quality, as Markdown."""
    began = time.perf_counter()
    asked, stats, done = asyncio.run(ask_all(folder, sources))
    where = where_of(folder)
    random.Random(python_docs.SEED).shuffle(asked)
    half = len(asked) // 2
    choosing, rest = asked[:half], asked[half:]
    best = {
        name: max(STEPS, key=lambda weight, way=way: mrr(ranks_of(choosing, way(weight), where)))
        for name, way in (("scores", by_scores), ("ranks", by_ranks))
    }
    ways = {
        "words (BM25)": lambda one: ids(one.by_words),
        "vectors (headgate-embed)": lambda one: ids(one.by_vectors),
        f"hybrid, as it ships: weight {stats.weight:.2f}, measured by the base itself": by_scores(
            stats.weight
        ),
        f"hybrid, weight {best['scores']:.2f}, the best on the other half": by_scores(best["scores"]),
        f"hybrid by reciprocal ranks, weight {best['ranks']:.2f}, the best on the other half": by_ranks(
            best["ranks"]
        ),
        "hybrid by reciprocal ranks, even": by_ranks(0.5),
    }
    lines = [
        f"{stats.files} files, {stats.chunks:,} chunks, {len(asked)} questions. Added in {done.seconds:.0f} s. {machine()}",
        "",
        "| on the half that chose nothing | index: recall@5 | index: MRR | titles: recall@5 | titles: MRR | MRR against words, all |",
        "|---|---|---|---|---|---|",
    ]
    base = ranks_of(rest, ways["words (BM25)"], where)
    for name, way in ways.items():
        cells = []
        for kind in ("index", "title"):
            cells += told(ranks_of([one for one in rest if one.question.kind == kind], way, where))
        ranks = ranks_of(rest, way, where)
        cells.append("" if ranks == base else difference(ranks, base))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += [
        "",
        "On the half for choosing:",
        "",
        f"| weight of the vectors | {' | '.join(f'{weight:.2f}' for weight in STEPS)} |",
    ]
    lines.append("|---" * (len(STEPS) + 1) + "|")
    for name, way in (("MRR by scores", by_scores), ("MRR by reciprocal ranks", by_ranks)):
        figures = (mrr(ranks_of(choosing, way(weight), where)) for weight in STEPS)
        lines.append(f"| {name} | {' | '.join(f'{figure:.3f}' for figure in figures)} |")
    lines += ["", *columns_table(choosing, where)]
    print(f"quality took {time.perf_counter() - began:.0f} s", file=sys.stderr)
    return "\n".join(lines)


# ── Speed ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def speed(folder, sources, count):
    """The section on speed, as Markdown."""
    if not (folder / "docs").exists():
        python_docs.prepare(sources, folder / "docs")
    lines = [
        f"{count:,} chunks, {many_chunks.DIMENSIONS} dimensions, {many_chunks.QUESTIONS} questions, the best {many_chunks.BEST}. {machine()}",
        "",
        "| | clustered | uniform |",
        "|---|---|---|",
    ]
    kinds = [many_chunks.measure(kind, count, folder / "docs") for kind in ("clustered", "uniform")]
    rows = {
        "recall@10 against exact": lambda one: f"{one['recall']:.3f}",
        "vectors: p50, p95": lambda one: f"{one['p50'] * 1e3:.1f}, **{one['p95'] * 1e3:.1f} ms**",
        "vectors: processor time of one": lambda one: f"{one['cpu'] * 1e3:.1f} ms",
        "words: p50, p95": lambda one: f"{one['words'][0] * 1e3:.1f}, {one['words'][1] * 1e3:.1f} ms",
        "a whole hybrid search without the model: p50, p95": lambda one: (
            f"{one['hybrid'][0] * 1e3:.1f}, {one['hybrid'][1] * 1e3:.1f} ms"
        ),
        "memory of the vectors": lambda one: f"{one['memory'] / 1e6:.0f} MB",
        "base and index on the disk": lambda one: f"{one['disk'] / 1e6:.0f} MB",
        "the index is made in": lambda one: f"{one['built']:.1f} s",
        "the index is read from the disk in": lambda one: f"{one['read']:.2f} s",
    }
    lines += [f"| {name} | {' | '.join(cell(one) for one in kinds)} |" for name, cell in rows.items()]
    return "\n".join(lines)


def machine():
    """What it ran on, and how busy that was."""
    load = f", load {os.getloadavg()[0]:.1f} at the beginning" if hasattr(os, "getloadavg") else ""
    return (
        f"{os.cpu_count()} cores, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}{load}."
    )


def put(name, text):
    """Write a section into the page."""
    begin, end = BEGIN.format(name), END.format(name)
    page = DOCS.read_text(encoding="utf-8")
    between = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    assert between.search(page), f"{DOCS} has no place for {name}"
    DOCS.write_text(between.sub(lambda _: f"{begin}\n\n{text}\n\n{end}", page), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--sources", help="a folder of *.rst.txt; by default the installed one, else Debian's package"
    )
    parser.add_argument("--only", choices=["quality", "speed"])
    parser.add_argument("--chunks", type=int, default=100_000, help="for the speed")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/knowledge.md")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        os.environ["HEADGATE_DATA"] = str(folder / "data")
        sources = python_docs.find_sources(given.sources, folder)
        sections = {
            "quality": lambda: quality(folder, sources),
            "speed": lambda: speed(folder, sources, given.chunks),
        }
        for section, make in sections.items():
            if given.only in (None, section):
                text = make()
                print(f"\n{text}")
                if given.write:
                    put(section, text)


if __name__ == "__main__":
    main()
