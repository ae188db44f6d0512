"""`headgate ask`: one prompt through the router, to the terminal."""

import asyncio
from typing import Any

import click

from headgate.cli.common import load, put, put_json, say, with_config, with_json
from headgate.cli.prompt import read_prompt, request_for, with_prompt


@click.command("ask")
@with_prompt
@click.option("--explain", is_flag=True, help="Say on stderr who answered, why, and at what price.")
@with_config
@with_json
def command(config_file: str | None, *, explain: bool, as_json: bool, **given: Any) -> None:
    """Answer PROMPT by the cheapest model that can. PROMPT may come from stdin or -f FILE.

    The request is routed, checked and written down like any other; no gate has to be open.
    """
    from headgate.app import open_gate
    from headgate.config.zones import zone_of
    from headgate.core.errors import EngineError
    from headgate.core.types import GiveUp
    from headgate.reports.story import plain_story, story

    prompt = read_prompt(given)
    config = load(config_file)
    request = request_for(prompt, given, config.policy)

    async def run() -> Any:
        async with open_gate(config) as gate:
            for note in gate.notes:
                say(f"note: {note}")
            return await gate.ask(request)

    result, outcome = asyncio.run(run())
    if as_json:
        answer = None if isinstance(result, GiveUp) else result.text
        put_json({"answer": answer, **plain_story(outcome, config.policy.models)})
    elif not isinstance(result, GiveUp):
        put(result.text)
        if outcome.status == "imperfect":
            say("warning: no answer passed its checks; this is the best there was (--explain tells why)")
    if explain and not as_json:
        say("")
        say(story(outcome, config.policy.models, zone_of(config.timezone)))
    if isinstance(result, GiveUp):
        raise EngineError(result.reason, "headgate doctor says what is missing")
