"""`headgate agents show NAME`: all of one subagent, above all what a model is told, word for word."""

from typing import TYPE_CHECKING, Any

import click

from headgate.cli.common import load, put, put_json, with_config, with_json

if TYPE_CHECKING:
    from headgate.config.compile import Config
    from headgate.core.subagent import Agent
    from headgate.core.trials import Trial

SOME = 3
"""Examples and tests that are shown of many."""


@click.command("show", short_help="Show an agent: its prompt as it is sent, its form, its last trial")
@click.argument("name")
@with_config
@with_json
def command(config_file: str | None, name: str, *, as_json: bool) -> None:
    """Show all of the subagent NAME: what a model is told word for word, its form, models, limits, and its last trials."""
    from headgate.cli.agents_known import chain_of, find_agent, newest

    config = load(config_file)
    agent = find_agent(config, name)
    trials = newest(config, agent)
    if as_json:
        put_json(plain(agent, chain_of(config, agent), trials))
    else:
        put("\n\n".join(pages(config, agent, trials)))


def prompt_of(agent: "Agent") -> "list[tuple[str, str]]":
    """What a model is sent, message by message: (role, text). The input stands as the template names it."""
    from headgate.core.agents import give
    from headgate.core.types import Message, Request

    plain = Request(id="", asked=f"agent:{agent.name}", messages=(Message("user", agent.template),))
    return [(message.role, message.text) for message in give(agent, plain).messages]


def plain(agent: "Agent", chain: tuple[str, ...], trials: "dict[str, Trial]") -> dict[str, Any]:
    """The agent for programs."""
    import msgspec

    told = msgspec.json.decode(msgspec.json.encode(agent))
    prompt = [{"role": role, "content": text} for role, text in prompt_of(agent)]
    return {**told, "models": chain, "prompt": prompt, "trials": list(trials.values())}


def pages(config: "Config", agent: "Agent", trials: "dict[str, Trial]") -> list[str]:
    """The agent for a person, paragraph by paragraph."""
    from headgate.cli.agents_known import chain_of

    head = f"{agent.name}: {agent.description}" if agent.description else agent.name
    where = "built in" if agent.builtin else agent.source
    chain = " → ".join(chain_of(config, agent)) or "no model"
    by = "its own" if agent.chain else "of its route"
    facts = [
        ("from", where),
        ("task", agent.task or "guessed from each input"),
        ("models", f"{chain} ({by})"),
    ]
    facts += limits(agent)
    width = max(len(word) for word, _ in facts)
    found = ["\n".join([head, *(f"  {word:<{width}}  {value}" for word, value in facts)])]
    found += [f"{role} message\n{indented(text)}" for role, text in prompt_of(agent)]
    if agent.asked is not None:
        import msgspec

        found.append(
            "the form of its answers, as JSON Schema\n"
            + indented(msgspec.json.format(bytes(agent.asked), indent=2).decode())
        )
    if agent.tools:
        found.append(tool_words(config, agent))
    found.append(trial_words(agent, trials))
    return found


def tool_words(config: "Config", agent: "Agent") -> str:
    """The tools that it may call, as a model is offered them. An MCP server is not started for it.

    Raises:
        ConfigError: a function cannot be loaded.
    """
    import msgspec

    from headgate.workers.tools import load_all_tools

    tools = load_all_tools({agent.name: agent}, config.source)[agent.name]
    lines = []
    for spec in [function.spec for function in tools.functions]:
        fields = ", ".join(msgspec.json.decode(spec.parameters)["properties"])
        lines.append(f"{spec.name}({fields})  {spec.description.partition(chr(10))[0]}".rstrip())
    lines += [f"what {server.shown} offers" for server in tools.servers]
    return "tools that it may call\n" + indented("\n".join(lines))


def limits(agent: "Agent") -> list[tuple[str, str]]:
    """What bounds it, as far as it says so."""
    from headgate.reports.shown import count

    facts: list[tuple[str, str]] = []
    if agent.labels:
        facts.append(("labels", ", ".join(agent.labels)))
    if agent.threshold is not None:
        facts.append(("threshold", f"{agent.threshold:g}: a label less likely goes to the next model"))
    if agent.bar is not None:
        facts.append(("bar", f"{agent.bar:.0%} of its tests right before a batch"))
    sampling = {
        "temperature": agent.temperature,
        "top_p": agent.top_p,
        "seed": agent.seed,
        "max_tokens": agent.max_tokens,
    }
    said = ", ".join(f"{word} {value:g}" for word, value in sampling.items() if value is not None)
    facts += [("sampling", said)] if said else []
    facts += [("checks", ", ".join(agent.checks) or "none")] if agent.checks is not None else []
    facts += [("privacy", "never leaves machines of yours")] if agent.local_only else []
    tools = [tool.function or tool.url or " ".join(tool.command) for tool in agent.tools]
    facts += [("tools", ", ".join(tools))] if tools else []
    facts.append(("examples", count(len(agent.examples), "example")))
    facts.append(("tests", count(len(agent.tests), "test")))
    return facts


def trial_words(agent: "Agent", trials: "dict[str, Trial]") -> str:
    """What its tests have shown, as it is told now."""
    from datetime import datetime

    from headgate.cli.agents_known import AS_A_CHAIN, accuracy_words

    if not trials:
        return f"never tested as it is now; headgate agents test {agent.name} does it"
    rows = []
    for name, trial in trials.items():
        day = datetime.fromtimestamp(trial.measured).astimezone().strftime("%Y-%m-%d %H:%M")
        who = "the chain" if name == AS_A_CHAIN else name
        rows.append((who, accuracy_words(trial), day))
    from headgate.reports.shown import columns

    return "right on its tests\n" + "\n".join(
        columns([("  " + row[0], *row[1:]) for row in rows], "<<<", "  ")
    )


def indented(text: str) -> str:
    """A text set off from what is said about it."""
    return "\n".join(f"  {line}".rstrip() for line in text.splitlines())
