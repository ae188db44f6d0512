"""`headgate agents list`: which subagents there are, what they answer with, who answers for them, and how well."""

from typing import TYPE_CHECKING, Any

import click

from headgate.cli.common import load, put, put_json, put_table, say, table, with_config, with_json

if TYPE_CHECKING:
    from headgate.config.compile import Config
    from headgate.core.trials import Trial
    from headgate.core.types import Agent


@click.command("list", short_help="List the agents with their models and accuracy")
@with_config
@with_json
def command(config_file: str | None, *, as_json: bool) -> None:
    """List the subagents: what each is for, what it answers with, its models, and how often they were right on its tests."""
    from headgate.ledger.trials import newest_trials

    config = load(config_file, prices=False)
    trials = newest_trials(config.ledger.path)
    rows = [row_of(config, agent, trials) for agent in config.policy.agents.values()]
    if as_json:
        put_json(rows)
        return
    if not rows:
        say("there is no agent yet; headgate agents new makes one")
        return
    made = table("agent", "task", "answers", "models", "right", "from")
    for column in ("answers", "models", "right"):
        made.columns[[str(one.header) for one in made.columns].index(column)].no_wrap = False
    for row in rows:
        made.add_row(
            row["name"],
            row["task"] or "",
            ", ".join(row["labels"] or row["fields"]) or "text",
            " → ".join(row["chain"]),
            ", ".join(f"{one['model']} {one['said']}" for one in row["trials"]) or "untested",
            "built in" if row["builtin"] else row["from"],
        )
    put_table(made)
    put("\nheadgate agents show NAME tells all of one; headgate agents run NAME asks it")


def row_of(config: "Config", agent: "Agent", trials: "dict[tuple[str, str], Trial]") -> dict[str, Any]:
    """One agent as an object."""
    from pathlib import Path

    from headgate.cli.agents_known import AS_A_CHAIN, accuracy_words, chain_of, still_true

    found = still_true(config, agent, trials)
    return {
        "name": agent.name,
        "description": agent.description,
        "task": agent.task,
        "labels": agent.labels,
        "fields": fields_of(agent),
        "chain": chain_of(config, agent),
        "tests": len(agent.tests),
        "trials": [
            {
                "model": name if name != AS_A_CHAIN else "chain",
                "accuracy": trial.accuracy,
                "n": trial.n,
                "said": accuracy_words(trial),
            }
            for name, trial in found.items()
        ],
        "builtin": agent.builtin,
        "from": Path(agent.source).name if agent.source else "",
    }


def fields_of(agent: "Agent") -> tuple[str, ...]:
    """The fields of an agent's answers."""
    import msgspec

    if agent.schema is None:
        return ()
    schema = msgspec.json.decode(agent.schema)
    fields = schema.get("properties") if isinstance(schema, dict) else None
    return tuple(fields) if isinstance(fields, dict) else ()
