"""Is a subagent good enough for a batch? Its newest trials, held against its bar.

It does not ask anybody; who begins a batch does, by the verdict.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from headgate.config.compile import Config
    from headgate.core.subagent import Agent
    from headgate.core.trials import Trial

Standing = Literal["above", "below", "untested", "no bar"]


class Verdict(Struct, frozen=True, kw_only=True):
    """What its tests say of an agent, before a batch."""

    standing: Standing
    sentence: str
    hint: str = ""
    accuracy: float | None = None

    @property
    def refuses(self) -> bool:
        """Whether a batch may begin only if somebody says yes."""
        return self.standing == "below"

    @property
    def asks(self) -> bool:
        """Whether somebody at a terminal should be asked first: the agent has a bar, and nobody knows whether it is above it."""
        return self.standing == "untested"


def check_bar(config: "Config", agent: "Agent", trials: "Mapping[tuple[str, str], Trial]") -> Verdict:
    """Hold an agent against its bar.

    The chain as a whole counts; where that was never tested, the first of its models that was.

    Args:
        config: whose models count.
        agent: the agent.
        trials: the newest of the ledger (`ledger.trials.newest_trials`).
    """
    from headgate.cli.agents_known import AS_A_CHAIN, accuracy_words, chain_of, still_true

    found = still_true(config, agent, trials)
    trial = next((found[name] for name in (AS_A_CHAIN, *chain_of(config, agent)) if name in found), None)
    test = f"headgate agents test {agent.name}"
    if agent.bar is None:
        known = f"was right in {accuracy_words(trial)} tests" if trial is not None else "was never tested"
        return Verdict(
            standing="no bar",
            sentence=f"{agent.name} has no bar, and {known}",
            hint="" if trial is not None else f"{test} tells how often it is right",
            accuracy=None if trial is None else trial.accuracy,
        )
    if trial is None or trial.accuracy is None:
        return Verdict(
            standing="untested",
            sentence=f"{agent.name} has a bar of {agent.bar:.0%}, but was not tested as it is now",
            hint=test if agent.tests else f"{test} --add FILE, with 20-50 tests",
        )
    who = trial.model or ("its chain" if len(chain_of(config, agent)) > 1 else chain_of(config, agent)[0])
    said = f"{who} was right in {accuracy_words(trial)} tests"
    if trial.accuracy < agent.bar:
        return Verdict(
            standing="below",
            sentence=f"{agent.name} is below its bar of {agent.bar:.0%}: {said}",
            hint=f"--yes begins all the same; {test} shows what goes wrong",
            accuracy=trial.accuracy,
        )
    return Verdict(
        standing="above",
        sentence=f"{agent.name} is above its bar of {agent.bar:.0%}: {said}",
        accuracy=trial.accuracy,
    )
