"""`headgate kb search`: passages for a question, with the places that they stand in."""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.common import console, load, put_json, say, with_config, with_json

if TYPE_CHECKING:
    from headgate.config.compile import Config
    from headgate.core.citing import Passage
    from headgate.knowledge.types import Found, Hit


@click.command("search", short_help="Find passages")
@click.argument("name", metavar="NAME")
@click.argument("question")
@click.option("-k", "k", type=click.IntRange(1, 100), default=5, show_default=True, help="Passages, at most.")
@click.option(
    "--how",
    type=click.Choice(["hybrid", "words", "vectors"]),
    default="hybrid",
    show_default=True,
    help="By words (BM25), by likeness of vectors, or both.",
)
@click.option(
    "--rerank", "reader", metavar="MODEL", help="Let a chat model read the first 20 and put them in order."
)
@with_config
@with_json
def command(
    config_file: str | None, name: str, question: str, k: int, *, how: Any, reader: str | None, as_json: bool
) -> None:
    """Find the passages of the knowledge base NAME that answer QUESTION best."""
    from headgate.cli.kb_embedder import open_embedder
    from headgate.knowledge import places
    from headgate.knowledge.search import Shelf
    from headgate.workers.embedder import embedding_model

    places.find(name)
    config = load(config_file, prices=False)

    async def run() -> "Found":
        if reader is not None:
            return await read_by(config, reader, name, question, k=k, how=how)
        if how == "words":
            return await Shelf().search(name, question, k=k, how=how)
        async with open_embedder(config, embedding_model(config.policy)) as embedder:
            return await Shelf().search(name, question, k=k, embedder=embedder, how=how)

    found = asyncio.run(run())
    if found.note:
        say(f"note: {found.note}" + (f" ({found.hint})" if found.hint else ""))
    if as_json:
        put_json(plain(found))
        return
    if not found.hits:
        say("nothing was found")
    screen = console()
    for number, hit in enumerate(found.hits, start=1):
        draw(screen, number, hit)


async def read_by(config: "Config", reader: str, name: str, question: str, *, k: int, how: Any) -> "Found":
    """Search, and let a model read what was found."""
    from time import time

    from headgate.app import open_gate
    from headgate.core.errors import UsageError
    from headgate.knowledge import places
    from headgate.knowledge.search import Shelf
    from headgate.knowledge.store import Base
    from headgate.workers.relevance import Relevance

    with Base(places.find(name)) as base:
        stays = base.local_only
    model = config.policy.models.get(reader)
    if stays and model is not None and not model.local:
        raise UsageError(
            f"{name} stays on your machines, and {reader} is not on one of them", "name a model at home"
        )

    async with open_gate(config) as gate:
        judge = Relevance(gate.ask, config.policy, reader, time)
        return await Shelf().search(name, question, k=k, embedder=gate.embedder, how=how, judge=judge)


def plain(found: "Found") -> dict[str, Any]:
    """What was found, for programs."""
    import msgspec

    from headgate.knowledge.types import MARK, UNMARK

    hits = []
    for hit in found.hits:
        snippet = hit.snippet.replace(MARK, "").replace(UNMARK, "")
        fields = {
            "score": round(hit.score, 6),
            "by_words": hit.by_words,
            "by_vectors": hit.by_vectors,
            "relevance": hit.relevance,
            "snippet": snippet,
        }
        hits.append({**msgspec.to_builtins(hit.passage), **fields})
    return {"how": found.how, "note": found.note, "hits": hits}


def draw(screen: Any, number: int, hit: "Hit") -> None:
    """A passage for a person: its place, its headings, and its best piece with the words of the question marked."""
    from rich.text import Text

    from headgate.knowledge.types import MARK, UNMARK

    screen.print(Text(f"{number}  {place_of(hit.passage)}", style="bold"), soft_wrap=True)
    if hit.passage.heading:
        screen.print(Text(f"   {hit.passage.heading}", style="cyan"), soft_wrap=True)
    piece = Text("   ")
    for part in hit.snippet.split(MARK):
        marked, _, rest = part.partition(UNMARK) if UNMARK in part else ("", "", part)
        piece.append(marked, style="bold yellow")
        piece.append(rest)
    screen.print(piece, soft_wrap=not screen.is_terminal)


def place_of(passage: "Passage") -> str:
    """Where a passage stands: "handbook/refunds.md:12" or "terms.pdf, page 3"."""
    source = passage.source
    here = os.path.relpath(source) if Path(source).is_absolute() else source
    shown = here if len(here) < len(source) and not here.startswith("..") else source
    if passage.page is not None:
        return f"{shown}, page {passage.page}"
    return f"{shown}:{passage.line}" if passage.line is not None else shown
