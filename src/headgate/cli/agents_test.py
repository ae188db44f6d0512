"""`headgate agents test`: run a subagent's tests over each model of its chain, and keep what was found as its trials.

The tests are asked of the models directly, each of them once, without the agent's threshold; what the chain would have answered is
counted from these answers. Probabilities are taken as the model gives them: what an earlier trial has made of them is undone. It
does not know how the figures look (`agents_test_shown`), or how an output is marked (`core.proof`).
"""

import asyncio
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.common import load, put, put_json, say, with_config, with_json

if TYPE_CHECKING:
    from headgate.cli.agents_test_shown import Proof
    from headgate.config.compile import Config
    from headgate.core.proof import Marked
    from headgate.core.runs import Run, Runner
    from headgate.core.subagent import Agent, Shown
    from headgate.core.types import Model

AT_ONCE = 4
BELOW = 5
"""The exit code below the bar."""


@click.command("test", short_help="Run an agent's tests over its models")
@click.argument("name")
@click.option("--models", metavar="A,B", help="These models, in this order, in place of the agent's chain.")
@click.option("--add", metavar="FILE", help="Add the tests of a JSON Lines or CSV file first.")
@click.option(
    "--first", metavar="N", type=click.IntRange(min=1), help="Only the first N tests; nothing is kept."
)
@click.option(
    "--paid/--no-paid",
    default=None,
    help="Ask models that cost money too. Left out: the terminal is asked, else no.",
)
@click.option("-y", "--yes", is_flag=True, help="Ask nothing: --paid without the question.")
@click.option(
    "--at-once",
    metavar="N",
    type=click.IntRange(min=1),
    help=f"Tests under way at a time; by itself as many as a model has slots, at most {AT_ONCE}.",
)
@click.option(
    "--wrong", "all_wrong", is_flag=True, help="Show every test that went wrong, not the first few."
)
@with_config
@with_json
def command(
    config_file: str | None,
    name: str,
    *,
    models: str | None,
    add: str | None,
    first: int | None,
    at_once: int | None,
    paid: bool | None,
    yes: bool,
    all_wrong: bool,
    as_json: bool,
) -> None:
    """Run the tests of the subagent NAME over each model of its chain: accuracy, cost, speed, and how sure they may be.

    What was found is kept in the ledger: the gate calibrates probabilities by it, and batches begin only above the agent's bar.
    Models that cost money are asked only with your yes. Exit 5 if the agent is below its bar.
    """
    from headgate.cli.agents_known import chain_of, find_agent, find_models
    from headgate.cli.agents_page import words
    from headgate.cli.agents_test_shown import draw, plain
    from headgate.cli.agents_tests import add_tests
    from headgate.cli.runfile import find_gate
    from headgate.core.errors import EngineError, UsageError

    config = load(config_file)
    agent = find_agent(config, name)
    if add is not None:
        say(add_tests(config, agent, add))
        config = load(config_file)
        agent = find_agent(config, name)
    if not agent.tests:
        raise UsageError(
            f"{name} has no tests",
            (f"headgate agents new {name} --from {name} makes it yours; then " if agent.builtin else "")
            + f"headgate agents test {name} --add FILE takes them from JSON Lines or CSV: "
            + ('{"input": "…", "output": "' + (agent.labels[0] if agent.labels else "…") + '"}'),
        )
    chain = tuple(dict.fromkeys(words(models))) or chain_of(config, agent)
    if not chain:
        raise UsageError(
            f"no model may answer for {name}", "headgate route says why; headgate models list shows them"
        )
    tests = agent.tests[:first]
    gate = find_gate()
    if gate is not None:
        say(f"note: the gate is open at {gate.url}; its requests and these make each other slower")
    asked = consented(find_models(config, chain), agent, tests, yes=yes, paid=True if yes else paid)
    proof = asyncio.run(prove(config, agent, chain, asked, tests, at_once=at_once))
    if not proof.trials:
        reason = next(iter(proof.missed.values()), "no model was asked")
        raise EngineError(
            f"{name} was not tested: {reason}",
            "headgate doctor says what is missing; --paid asks paid models",
        )
    if first is None:
        keep(config, proof, whole=models is None)
    if as_json:
        put_json(plain(proof))
    else:
        put(draw(proof, all_wrong=all_wrong))
    if proof.below:
        sys.exit(BELOW)


def consented(
    models: "Sequence[Model]", agent: "Agent", tests: "Sequence[Shown]", *, paid: bool | None, yes: bool
) -> "list[Model]":
    """The models that may be asked: those at home, and those that cost money if somebody says yes to the sum.

    Raises:
        UsageError: the agent never leaves this machine, and one of the models does.
    """
    from headgate.core.errors import UsageError
    from headgate.reports.shown import count, fine_dollars

    costly = [model for model in models if not model.local]
    if not costly:
        return list(models)
    if agent.local_only:
        raise UsageError(
            f"{agent.name} is local_only, and {costly[0].name} is not at home", "leave it out of --models"
        )
    names = " and ".join(model.name for model in costly)
    costs = [estimate(agent, tests, model) for model in costly]
    known = [cost for cost in costs if cost is not None]
    price = f"about {fine_dollars(sum(known))}" if len(known) == len(costs) else "an unknown sum"
    if paid is None and not yes and sys.stdin.isatty() and sys.stderr.isatty():
        paid = click.confirm(f"{count(len(tests), 'test')} of {names} will cost {price}. Ask them?", err=True)
    if paid:
        say(f"{count(len(tests), 'test')} of {names}: {price}")
        return list(models)
    say(f"note: {names} costs money and is not asked; --paid asks it, for {price}")
    return [model for model in models if model.local]


def estimate(agent: "Agent", tests: "Sequence[Shown]", model: "Model") -> float | None:
    """Dollars that the tests will probably cost; None is unknown."""
    from headgate.core.agents import give
    from headgate.core.parts import WHOLE
    from headgate.core.prices import TYPICAL_ANSWER, cost
    from headgate.core.tokens import guess
    from headgate.core.types import Message, Request, Usage

    total = 0.0
    for test in tests:
        asked = Request(id="", asked=f"agent:{agent.name}", messages=(Message("user", test.input),))
        answer = min(agent.max_tokens or TYPICAL_ANSWER, TYPICAL_ANSWER)
        one = cost(Usage(input=guess(give(agent, asked)), output=answer, estimated=WHOLE), model.price)
        if one is None:
            return None
        total += one
    return total


async def prove(
    config: "Config",
    agent: "Agent",
    chain: Sequence[str],
    asked: "Sequence[Model]",
    tests: "Sequence[Shown]",
    *,
    at_once: int | None,
) -> "Proof":
    """Ask every model every test, in a gate of this process."""
    from time import time

    from msgspec.structs import replace

    from headgate.app import open_gate
    from headgate.cli.agents_known import chain_id, newest
    from headgate.cli.agents_progress import Bar
    from headgate.cli.agents_test_shown import Proof
    from headgate.core.proof import as_chain, calibrated, trial_of

    before = await asyncio.to_thread(newest, config, agent)
    bare = replace(agent, chain=tuple(model.name for model in asked), threshold=None)
    policy = replace(config.policy, agents={**config.policy.agents, agent.name: bare})
    answers: dict[str, list[Marked]] = {}
    missed: dict[str, str] = {}
    trials = {}
    # nobody would have paid for a test: without the baseline's price, savings leave it out
    async with open_gate(replace(config, policy=policy, baseline_price=None)) as gate:
        for note in gate.notes:
            say(f"note: {note}")
        with Bar(len(tests) * len(asked), agent.name) as bar:
            for model in asked:
                heat = before[model.name].temperature if model.name in before else 1.0
                room = at_once or min(AT_ONCE, model.slots or config.engines[model.engine].parallel)
                marked = await answer_all(gate.runs, agent, model, tests, at_once=room, heat=heat, bar=bar)
                if all(one.run.output is None for one in marked):
                    missed[model.name] = marked[0].run.reason
                    continue
                answers[model.name], fitted = calibrated(agent, marked)
                trials[model.name] = trial_of(agent, marked, model=model, measured=time(), calibration=fitted)
    chained = as_chain(agent, chain, answers, tests)
    whole = trial_of(agent, chained.marked, model=None, chain=chain_id(chain), measured=time())
    return Proof(
        agent=agent,
        tests=len(tests),
        chain=tuple(chain),
        trials=trials,
        answers=answers,
        missed=missed,
        chained=chained,
        whole=whole,
    )


async def answer_all(
    runner: "Runner",
    agent: "Agent",
    model: "Model",
    tests: "Sequence[Shown]",
    *,
    at_once: int,
    heat: float,
    bar: Any,
) -> "list[Marked]":
    """Every test, answered by one model.

    Args:
        runner: carries them out.
        agent: whose tests they are.
        model: who answers.
        tests: what is asked.
        at_once: under way at a time.
        heat: the temperature by which the runner has divided the log-odds, for it to be undone.
        bar: is told of each.
    """
    from headgate.core.proof import Marked, warmed

    room = asyncio.Semaphore(at_once)

    async def one(test: "Shown") -> "Marked":
        async with room:
            run: Run = await runner.run(
                agent.name, test.given, batch=True, model=model.name, caller="headgate agents test"
            )
        bar.step()
        return Marked(test=test, run=warmed(run, 1 / heat))

    return list(await asyncio.gather(*map(one, tests)))


def keep(config: "Config", proof: "Proof", *, whole: bool) -> None:
    """The trials into the ledger; that of the chain if all of it was tried."""
    from headgate.ledger.trials import save_trial

    for trial in proof.trials.values():
        save_trial(config.ledger.path, trial)
    if whole and not proof.chained.beyond:
        save_trial(config.ledger.path, proof.whole)
