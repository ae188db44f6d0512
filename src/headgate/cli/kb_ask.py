"""`headgate kb ask`: an answer from a knowledge base, with citations that were held against it."""

import asyncio
import os
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.common import load, put, put_json, say, with_config, with_json

if TYPE_CHECKING:
    from headgate.core.footnotes import Citation


@click.command("ask", short_help="Answer a question from a base, with citations")
@click.argument("name", metavar="NAME")
@click.argument("question")
@click.option(
    "-k", "k", type=click.IntRange(1, 100), default=8, show_default=True, help="Passages to look at."
)
@click.option("--local", "local_only", is_flag=True, help="Never leave this machine.")
@click.option("--explain", is_flag=True, help="Say on stderr who answered, why, and at what price.")
@with_config
@with_json
def command(
    config_file: str | None,
    name: str,
    question: str,
    k: int,
    *,
    local_only: bool,
    explain: bool,
    as_json: bool,
) -> None:
    """Answer QUESTION from the knowledge base NAME, with citations that point to file and line or page.

    Only what the cited passages show is told. What is not there is "Not in the documents.", with the closest passages.
    """
    from time import time

    from headgate.app import open_gate
    from headgate.config.zones import zone_of
    from headgate.core.errors import EngineError, UsageError
    from headgate.core.footnotes import text_of
    from headgate.core.types import GiveUp, Message, Request
    from headgate.gateway.serve import new_id
    from headgate.knowledge import places
    from headgate.reports.story import story
    from headgate.workers.cited import KB
    from headgate.workers.results import run_of

    places.find(name)
    if not question.strip():
        raise UsageError("there is no question", f'headgate kb ask {name} "How long do refunds take?"')
    config = load(config_file)
    request = Request(
        id=new_id(time()),
        asked=f"{KB}{name}",
        messages=(Message("user", question),),
        local_only=local_only,
    )

    async def run() -> Any:
        async with open_gate(config) as gate:
            for note in gate.notes:
                say(f"note: {note}")
            return await gate.cited.answer(request, k=k)

    cited, worked = asyncio.run(run())
    made = run_of(
        f"kb:{name}",
        None,
        worked.result,
        (*worked.before, worked.outcome),
        steps=worked.steps,
        output=worked.output,
    )
    if as_json:
        put_json(made)
    elif cited is not None:
        put(text_of(cited, place_of))
    if explain and not as_json:
        say("")
        say(story(worked.outcome, config.policy.models, zone_of(config.timezone)))
    if isinstance(worked.result, GiveUp):
        raise EngineError(worked.result.reason, "headgate doctor says what is missing")


def place_of(one: "Citation") -> str:
    """Where a citation stands, as seen from here."""
    from headgate.core import footnotes

    here = os.path.relpath(one.source)
    if len(here) < len(one.source) and not here.startswith(".."):
        from msgspec.structs import replace

        one = replace(one, source=here)
    return footnotes.place_of(one)
