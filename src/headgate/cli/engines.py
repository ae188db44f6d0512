"""`headgate engines`: the engines of this gate."""

import asyncio
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from headgate.cli import engines_service
from headgate.cli.common import load, put, put_json, put_table, say, table, with_config, with_json

if TYPE_CHECKING:
    from headgate.config.compile import Config


@click.group("engines")
def command() -> None:
    """The engines of this gate."""


for one in (engines_service.start, engines_service.stop, engines_service.status, engines_service.undo):
    command.add_command(one)


@command.command("list", short_help="List the engines and whether they answer")
@with_config
@with_json
def list_engines(config_file: str | None, *, as_json: bool) -> None:
    """List the engines and whether they answer."""
    from headgate.cli.survey import survey

    seen = asyncio.run(survey(load(config_file, prices=False)))
    if as_json:
        put_json({"engines": list(seen.values())})
        return
    made = table("engine", "kind", "where", "state")
    for one in seen.values():
        state = f"up {one.health.version}".rstrip() if one.health.up else f"down: {one.health.detail}"
        made.add_row(one.name, one.kind, one.url or "child process", state)
    made.columns[-1].no_wrap = False  # why it is down may be a long story
    put_table(made)


@command.command("test", short_help="Ask each engine's models one short question")
@click.argument("name", required=False)
@click.option("--paid", is_flag=True, help="Also ask paid engines; that costs a fraction of a cent.")
@with_config
@with_json
def test(config_file: str | None, name: str | None, *, paid: bool, as_json: bool) -> None:
    """Ask each engine's models one short question, and show answer, time and tokens. Exit 4 if one does not answer."""
    from headgate.cli.models_target import find_engine
    from headgate.core.errors import EngineError
    from headgate.reports.shown import count

    config = load(config_file)
    if name is not None:
        find_engine(config, name)
    names = [name] if name else [n for n, s in config.engines.items() if s.local or paid]
    results = asyncio.run(ask_all(config, names))
    if as_json:
        put_json({"results": results})
    else:
        for row in results:
            put(draw(row))
        left = [n for n in config.engines if n not in names]
        if left and name is None:
            say(f"note: {', '.join(left)} not asked, because that costs money; --paid asks")
    silent = [row for row in results if not row["ok"]]
    if silent:
        raise EngineError(
            f"{len(silent)} of {count(len(results), 'model')} did not answer", silent[0]["hint"]
        )


async def ask_all(config: "Config", names: list[str]) -> list[dict[str, Any]]:
    """One question to every chat model of these engines."""
    from headgate.cli.models_target import error_of
    from headgate.cli.survey import engines_of
    from headgate.core.prices import cost
    from headgate.core.types import Failure, Message, Request

    question = "Classify this support email as billing, technical, feature-request or escalation.\nI was charged twice this month."
    request = Request(id="test", asked="test", messages=(Message("user", question),), max_tokens=64)
    rows = []
    async with engines_of(config, names) as engines:
        for model in config.policy.named.values():
            if model.engine not in engines or model.kind != "chat":
                continue
            begun = perf_counter()
            result = await engines[model.engine].chat(request, model, config.policy.limits.answer_within)
            row: dict[str, Any] = {
                "engine": model.engine,
                "model": model.name,
                "id": model.id,
                "ok": not isinstance(result, Failure),
                "seconds": round(perf_counter() - begun, 4),
            }
            if isinstance(result, Failure):
                hint = error_of(result, config.engines[model.engine]).hint
                row |= {"reason": result.reason, "detail": result.detail, "hint": hint}
            else:
                tokens = {"prompt_tokens": result.usage.prompt, "output_tokens": result.usage.output}
                row |= {"answer": result.text.strip(), **tokens, "cost_usd": cost(result.usage, model.price)}
            rows.append(row)
    return rows


def draw(row: dict[str, Any]) -> str:
    """One line for a person."""
    from headgate.reports.shown import count

    head = f"{'ok  ' if row['ok'] else 'FAIL'}  {row['engine']}/{row['model']}  {row['seconds'] * 1000:,.0f} ms  "
    if not row["ok"]:
        return head + f"{row['reason']}: {row['detail']}"
    answer = " ".join(row["answer"].split())
    return head + f"{count(row['output_tokens'], 'token')}  {answer[:80]}"
