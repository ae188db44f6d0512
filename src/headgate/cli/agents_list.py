"""`headgate agents list`: which subagents there are, what they answer with, who answers for them, and how well."""

from typing import TYPE_CHECKING, Any

import click

from headgate.cli.common import load, put, put_json, put_table, say, table, with_config, with_json

if TYPE_CHECKING:
    from headgate.config.compile import Config
    from headgate.core.subagent import Agent
    from headgate.core.trials import Trial


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
    made = table("agent", "task and answers", "models and accuracy", "from")
    for column in made.columns[1:3]:
        column.no_wrap = False
    for row in rows:
        made.add_row(
            row["name"],
            f"{row['task'] or 'any task'}: {', '.join(row['labels'] or row['fields']) or 'text'}",
            models_words(row),
            row["from"],
        )
    put_table(made)
    put("\nheadgate agents show NAME tells all of one; headgate agents run NAME asks it")


def row_of(config: "Config", agent: "Agent", trials: "dict[tuple[str, str], Trial]") -> dict[str, Any]:
    """One agent as an object."""
    from headgate.cli.agents_known import AS_A_CHAIN, chain_of, in_config, still_true

    found = still_true(config, agent, trials)
    whole = found.pop(AS_A_CHAIN, None)
    return {
        "name": agent.name,
        "description": agent.description,
        "task": agent.task,
        "labels": agent.labels,
        "fields": fields_of(agent),
        "chain": chain_of(config, agent),
        "tests": len(agent.tests),
        "trials": {name: rate(trial) for name, trial in found.items()},
        "chain_trial": None if whole is None else rate(whole),
        "from": "built in" if agent.builtin else "config" if in_config(config, agent) else "file",
        "file": agent.source or None,
    }


def rate(trial: "Trial") -> dict[str, Any]:
    """How often a trial was right."""
    return {"accuracy": trial.accuracy, "n": trial.n}


def models_words(row: dict[str, Any]) -> str:
    """The chain with what was measured: "nano 71% → micro 68%, together 82%"."""
    trials, whole = row["trials"], row["chain_trial"]
    said = " → ".join(
        f"{name} {trials[name]['accuracy']:.0%}" if name in trials else name for name in row["chain"]
    )
    if not trials:
        return f"{said}, untested" if said else "no model"
    return said + (f", together {whole['accuracy']:.0%}" if whole and len(row["chain"]) > 1 else "")


def fields_of(agent: "Agent") -> tuple[str, ...]:
    """The fields of an agent's answers."""
    import msgspec

    if agent.schema is None:
        return ()
    schema = msgspec.json.decode(agent.schema)
    fields = schema.get("properties") if isinstance(schema, dict) else None
    return tuple(fields) if isinstance(fields, dict) else ()
