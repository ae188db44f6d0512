"""The subagents of a config, as the commands look them up: by name, with who answers for them and what was measured.

It does not know how an agent is described (`config.agents`) or carried out (`workers`).
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headgate.config.compile import Config
    from headgate.core.subagent import Agent
    from headgate.core.trials import Trial
    from headgate.core.types import Model

AS_A_CHAIN = ""
"""In place of a model's name: the trial of the whole chain."""


def find_agent(config: "Config", name: str) -> "Agent":
    """The agent of that name.

    Raises:
        UsageError: there is none; with the one that was probably meant.
    """
    from headgate.config.values import meant
    from headgate.core.errors import UsageError

    agents = config.policy.agents
    found = agents.get(name)
    if found is None:
        known = ", ".join(agents) or "none yet; headgate agents new makes one"
        raise UsageError(f'there is no agent "{name}"', meant(name, agents) or f"the agents are: {known}")
    return found


def find_agents(config: "Config", names: str) -> "list[Agent]":
    """The agents of a list "triage,sentiment", each once.

    Raises:
        UsageError: there is no such agent.
    """
    words = dict.fromkeys(word.strip() for word in names.split(",") if word.strip())
    return [find_agent(config, word) for word in words or [names]]


def find_models(config: "Config", names: Sequence[str]) -> "list[Model]":
    """The chat models of these names.

    Raises:
        UsageError: there is no such model, or it makes embeddings.
    """
    from headgate.config.values import meant
    from headgate.core.errors import UsageError

    chat = {name: model for name, model in config.policy.models.items() if model.kind == "chat"}
    for name in names:
        if name not in chat:
            raise UsageError(
                f'there is no model "{name}" that could answer',
                meant(name, chat) or f"one of: {', '.join(chat)}",
            )
    return [chat[name] for name in dict.fromkeys(names)]


def chain_of(config: "Config", agent: "Agent") -> tuple[str, ...]:
    """The models that are tried for an agent, in order, if all engines are up: its own chain, or that of its route."""
    from headgate.core.agents import give
    from headgate.core.policy import decide
    from headgate.core.signals import measure
    from headgate.core.types import FleetView, Message, Request

    plain = Request(id="", asked=f"agent:{agent.name}", messages=(Message("user", "?"),))
    request = give(agent, plain)
    decision = decide(config.policy, FleetView(), request, measure(request, config.policy))
    return decision.chain


def newest(config: "Config", agent: "Agent") -> "dict[str, Trial]":
    """The trials of an agent as it is now, by model, `AS_A_CHAIN` among them if its chain is still the same.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    from headgate.ledger.trials import newest_trials

    return still_true(config, agent, newest_trials(config.ledger.path))


def still_true(
    config: "Config", agent: "Agent", trials: "Mapping[tuple[str, str], Trial]"
) -> "dict[str, Trial]":
    """The trials that count: of the agent as it is told now, with models that are still the same."""
    from headgate.core.trials import digest_of, is_same

    digest, models, chain = digest_of(agent), config.policy.models, chain_id(chain_of(config, agent))
    return {
        trial.model: trial
        for (name, model), trial in trials.items()
        if name == agent.name
        and trial.digest == digest
        and (trial.id == chain if model == AS_A_CHAIN else is_same(trial, models.get(model)))
    }


def in_config(config: "Config", agent: "Agent") -> bool:
    """Whether an agent stands in the config itself, and not in a file of its own."""
    from pathlib import Path

    return config.source is not None and Path(agent.source).resolve() == config.source.resolve()


def chain_id(chain: Sequence[str]) -> str:
    """A name for a chain: "nano, micro, claude"."""
    return ", ".join(chain)


def accuracy_words(trial: "Trial") -> str:
    """How often it was right, and of how many: "92% of 50"."""
    return "untested" if trial.accuracy is None else f"{trial.accuracy:.0%} of {trial.n}"
