"""`headgate agents export NAME`: a subagent as a Modelfile, for `ollama create`.

What a Modelfile cannot say stands in it as comments, so that nothing is lost in silence: a schema, labels, checks, a chain.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from headgate.cli.common import load, put, put_json, say, with_config, with_json

if TYPE_CHECKING:
    from headgate.core.subagent import Agent
    from headgate.core.types import Model

QUOTES = '"""'


@click.command("export", short_help="Write an agent as a Modelfile for Ollama")
@click.argument("name")
@click.option(
    "--model",
    metavar="NAME",
    help="The model that it is built on; by itself the first of its chain on Ollama.",
)
@click.option("--out", metavar="FILE", help="Write it there.")
@with_config
@with_json
def command(config_file: str | None, name: str, model: str | None, out: str | None, *, as_json: bool) -> None:
    """Write the subagent NAME as a Modelfile: `headgate agents export triage > Modelfile; ollama create triage`.

    What a Modelfile cannot say, such as a schema, is written as comments.
    """
    from headgate.cli.agents_known import chain_of, find_agent, find_models

    config = load(config_file, prices=False)
    agent = find_agent(config, name)
    chosen = base_of(find_models(config, [model] if model else chain_of(config, agent)), named=bool(model))
    text = modelfile(agent, chosen)
    if out is not None:
        Path(out).expanduser().write_text(text, encoding="utf-8")
        say(f"{out} written; next: ollama create {name} -f {out}")
    elif as_json:
        put_json({"agent": name, "model": chosen.name, "modelfile": text})
    else:
        put(text.rstrip("\n"))


def base_of(models: "list[Model]", *, named: bool) -> "Model":
    """The model to build on: the one that was named, or else the first on Ollama.

    Raises:
        UsageError: there is none.
    """
    from headgate.core.errors import UsageError

    found = models if named else [model for model in models if model.engine_kind == "ollama"]
    if not found:
        raise UsageError(
            "none of its models is on Ollama",
            "name the model that it is built on: --model NAME, or edit FROM",
        )
    return found[0]


def modelfile(agent: "Agent", model: "Model") -> str:
    """The Modelfile."""
    from headgate.core.agents import orders, said

    lines = [f"# {line}".rstrip() for line in unsaid(agent, model)]
    lines += ["", f"FROM {model.id}", "", f"SYSTEM {quoted(orders(agent))}", ""]
    lines += [f"PARAMETER {word} {value}" for word, value in parameters(agent, model)]
    for shown in agent.examples:
        lines += [
            "",
            f"MESSAGE user {quoted(shown.input)}",
            f"MESSAGE assistant {quoted(said(shown.output))}",
        ]
    return "\n".join(lines) + "\n"


def parameters(agent: "Agent", model: "Model") -> list[tuple[str, str]]:
    """The parameters, in Ollama's words."""
    found = [
        ("temperature", agent.temperature),
        ("top_p", agent.top_p),
        ("seed", agent.seed),
        ("num_ctx", model.context),
        ("num_predict", agent.max_tokens),
    ]
    stops = model.settings.get("stop", [])
    words = [stops] if isinstance(stops, str) else stops
    return [
        (word, f"{value:g}" if isinstance(value, float) else str(value))
        for word, value in found
        if value is not None
    ] + [("stop", quoted(str(stop))) for stop in words]


def quoted(text: str) -> str:
    """A text as a Modelfile takes it. Three quotes in a row cannot stand inside; they become single ones."""
    if "\n" in text or '"' in text:
        return f"{QUOTES}{text.replace(QUOTES, chr(39) * 3)}{QUOTES}"
    return f'"{text}"'


def unsaid(agent: "Agent", model: "Model") -> list[str]:
    """What the agent is that a Modelfile cannot say, one comment a line."""
    import msgspec

    lines = [
        f"{agent.name}{f': {agent.description}' if agent.description else ''}",
        "Written by headgate agents export.",
    ]
    more = []
    if agent.asked is not None:
        more.append("answers fit this schema only if each request sends it as `format`:")
        more += ["  " + msgspec.json.format(bytes(agent.asked), indent=-1).decode()]
    elif agent.labels:
        more.append(f"nothing makes the answer one of its labels: {', '.join(agent.labels)}")
    if agent.template != "{input}":
        more.append("the input is put into this template before it is sent:")
        more += [f"  {line}".rstrip() for line in agent.template.splitlines()]
    if agent.threshold is not None:
        more.append(f"an answer that is not sure enough (below {agent.threshold:g}) goes to the next model")
    if len(agent.chain) > 1:
        more.append(
            f"it is one model, {model.name}, without the others of its chain: {', '.join(agent.chain)}"
        )
    if agent.checks:
        more.append(f"no answer is checked: {', '.join(agent.checks)}")
    if agent.tools:
        more.append("its tools are called by whoever asks")
    if any(QUOTES in text for text in (agent.system, *(shown.input for shown in agent.examples))):
        more.append(f"{QUOTES} in its texts became three single quotes")
    return (
        [
            *lines,
            "",
            "What a Modelfile cannot say:",
            *(f"- {line}" if not line.startswith("  ") else line for line in more),
        ]
        if more
        else lines
    )
