"""`headgate init`: look for engines, models and keys; write headgate.toml."""

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.common import put_json, say, with_config, with_json

if TYPE_CHECKING:
    from headgate.cli.survey import Seen

KEYS = ("ANTHROPIC_API_KEY", "OPENAI_API_KEY")


@click.command("init")
@click.option("--yes", is_flag=True, help="Do not ask; write the file.")
@click.option("--force", is_flag=True, help="Overwrite a headgate.toml that is there.")
@with_config
@with_json
def command(config_file: str | None, *, yes: bool, force: bool, as_json: bool) -> None:
    """Look for Ollama, LM Studio, the embedded engine and API keys; write a commented headgate.toml.

    Nothing is downloaded and nothing is sent to a paid engine. --config names the file to write.
    """
    from headgate.config.load import parse_config, starter_text
    from headgate.core.errors import UsageError

    path = Path(config_file or "headgate.toml").expanduser().absolute()
    if path.exists() and not force:
        raise UsageError(
            f"{path} is there already", "headgate init --force overwrites it; headgate config check reads it"
        )
    config = parse_config(starter_text(), None, lambda *_: None)
    seen = asyncio.run(look(config))
    embedded = embedded_problem()
    keys = {name: bool(os.environ.get(name)) for name in KEYS}
    text = adapt(starter_text(), keys)
    for line in found_lines(seen, embedded, keys):
        say(line)
    if (
        not (yes or as_json)
        and sys.stdin.isatty()
        and not click.confirm(f"write {path}?", default=True, err=True)
    ):
        raise click.Abort
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    parse_config(text, path, lambda *_: None)
    steps = next_steps(config, seen, keys, embedded_ready=not embedded)
    if as_json:
        put_json(
            {
                "written": path,
                "engines": list(seen.values()),
                "embedded": embedded or "ready",
                "keys": keys,
                "next": steps,
            }
        )
        return
    say(f"\nwrote {path}")
    say("next:")
    for step in steps:
        say(f"  {step}")


async def look(config: Any) -> "dict[str, Seen]":
    """The starter page's local engines, as they are now."""
    from headgate.cli.survey import engines_of, look_at

    names = [name for name, settings in config.engines.items() if settings.local]
    async with engines_of(config, names) as engines:
        seen = await asyncio.gather(*(look_at(engines[name], config.engines[name]) for name in names))
    return {one.name: one for one in seen}


def embedded_problem() -> str:
    """Why the embedded engine cannot run here; "" when it can."""
    from headgate.engines.llamacpp.readiness import check

    error = check()
    return "" if error is None else f"{error.message} ({error.hint})"


def adapt(text: str, keys: dict[str, bool]) -> str:
    """The starter page with the cloud that the user has a key for; comments stay."""
    if keys["ANTHROPIC_API_KEY"] or not keys["OPENAI_API_KEY"]:
        return text
    import tomlkit

    page: Any = tomlkit.parse(text)
    cloud = page["engines"]["anthropic"]
    cloud["kind"], cloud["key"] = "openai", "env:OPENAI_API_KEY"
    page["models"]["claude"]["id"] = "gpt-6.1-terra"
    page["models"]["claude"].pop("settings", None)
    return (
        tomlkit.dumps(page)
        .replace("[engines.anthropic]", "[engines.openai]")
        .replace('"anthropic"', '"openai"')
        .replace("[models.claude]", "[models.gpt]")
        .replace('"claude"', '"gpt"')
    )


def found_lines(seen: "dict[str, Seen]", embedded: str, keys: dict[str, bool]) -> list[str]:
    """What was found, a line each."""
    lines = []
    for one in seen.values():
        if one.health.up:
            names = ", ".join(model.id for model in one.models or ()) or "no models yet"
            lines.append(f"{one.name:<10} up at {one.url} {one.health.version}: {names}")
        else:
            lines.append(f"{one.name:<10} not found at {one.url}")
    lines.append(f"{'embedded':<10} {embedded or 'ready'}")
    lines += [f"{'key':<10} {name} is {'set' if there else 'not set'}" for name, there in keys.items()]
    return lines


def next_steps(
    config: Any, seen: "dict[str, Seen]", keys: dict[str, bool], *, embedded_ready: bool
) -> list[str]:
    """The commands that make the page work, in order."""
    from headgate.cli.doctor import FIXES
    from headgate.cli.survey import is_there

    steps = [f"{one.name}: {FIXES[one.kind]}" for one in seen.values() if not one.health.up]
    if embedded_ready and not any(one.health.up for one in seen.values()):
        steps.append("embedded engine: ready; name a GGUF file of yours to use it, see docs/embedded.md")
    for model in config.policy.models.values():
        one = seen.get(model.engine)
        if one is not None and one.models is not None and not is_there(model, one.models):
            steps.append(f"ollama pull {model.id}" if one.kind == "ollama" else f"lms get {model.id}")
    if not any(keys.values()):
        steps.append("export ANTHROPIC_API_KEY=…   (without a key, nothing ever leaves this machine)")
    return [*steps, "headgate doctor", "headgate up"]
