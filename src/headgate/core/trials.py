"""A trial: how a subagent did on its own tests with one model, and what follows for its later answers.

A trial counts as long as the agent is told the same (`digest_of`) and the model of that name is the same one. This module does
not know how a trial is run, or where it is kept (`ledger.trials`).
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256

import msgspec
from msgspec import Struct

from headgate.core.subagent import Agent
from headgate.core.types import Model

Trials = Mapping[tuple[str, str], "Trial"]
"""By agent and model."""


class Trial(Struct, frozen=True, gc=False, kw_only=True):
    """A subagent's tests, each answered once by one model."""

    agent: str
    digest: str
    """Of what the agent is (`digest_of`): told otherwise, it is another one, and the trial no longer counts."""
    model: str
    """Its name in the config."""
    engine: str
    id: str
    """The name that the engine knows the model by."""
    measured: float
    """Unix time."""
    n: int
    """Tests that were run."""
    right: int
    """Tests whose output was right."""
    failed: int = 0
    """Tests without an output. They count as wrong."""
    temperature: float = 1.0
    """By which the log-odds of labels are divided, so that the probabilities are as often right as they say."""
    ece: float | None = None
    """Expected calibration error of the probabilities as the model gives them; None where it gives none."""
    ece_after: float | None = None
    """The same after calibration."""
    cost: float | None = None
    """Dollars of all tests together; None is unknown."""
    seconds: float = 0.0
    """Of the median test."""
    seconds_p95: float = 0.0
    confusion: Mapping[str, Mapping[str, int]] = {}
    """How often each label (outer) was answered with which (inner; "" is no label)."""

    @property
    def accuracy(self) -> float | None:
        """The share that was right, 0–1; None where nothing was tested."""
        return self.right / self.n if self.n else None


def digest_of(agent: Agent) -> str:
    """A name for all that decides how an agent answers: what it is told, how it is asked, and how it is sampled.

    Its tests, its chain and its thresholds do not belong to it: a trial stays true when they change.
    """
    told = (
        agent.system,
        agent.labels,
        sorted(agent.meanings.items()),
        agent.asked,
        agent.label,
        agent.template,
        [(shown.input, shown.output) for shown in agent.examples],
        agent.temperature,
        agent.top_p,
        agent.seed,
        agent.max_tokens,
    )
    return sha256(msgspec.json.encode(told)).hexdigest()[:16]


def fresh_trials(
    trials: Trials, agents: Mapping[str, Agent], models: Mapping[str, Model]
) -> dict[tuple[str, str], Trial]:
    """The trials that still count: same agent, same model."""
    digests = {name: digest_of(agents[name]) for name in {agent for agent, _ in trials} & agents.keys()}
    return {
        key: trial
        for key, trial in trials.items()
        if digests.get(trial.agent) == trial.digest and is_same(trial, models.get(trial.model))
    }


def is_same(trial: Trial, model: Model | None) -> bool:
    """Whether it is still the model that was tested."""
    return model is not None and (model.engine, model.id) == (trial.engine, trial.id)


def trials_of(agent: str, trials: Iterable[Trial]) -> list[Trial]:
    """The trials of one agent, the best model first."""
    return sorted((trial for trial in trials if trial.agent == agent), key=lambda t: -(t.accuracy or 0.0))
